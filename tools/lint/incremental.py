"""Runs a slow check on many files, on all cores, and remembers in the user's cache
which of them passed with which contents."""

import concurrent.futures
import functools
import hashlib
import os
import re


@functools.lru_cache(maxsize=None)
def contents(path):
    with open(path, "rb") as file:
        return file.read()


@functools.lru_cache(maxsize=None)
def includes(path):
    return [name.decode() for name in re.findall(rb'^\s*#\s*include\s*"([^"]+)"', contents(path), re.MULTILINE)]


def closure(path, seen=None):
    """The file and all that it includes, directly or not, as far as it is ours."""
    seen = set() if seen is None else seen
    if path not in seen and os.path.isfile(path):
        seen.add(path)
        for name in includes(path):
            closure(name, seen)
    return seen


def key(source, *inputs):
    """A name for `source` as it is now, with what it includes and other `inputs`."""
    digest = hashlib.sha256(repr(inputs).encode())
    for path in sorted(closure(source)):
        digest.update(hashlib.sha256(path.encode() + b"\0" + contents(path)).digest())
    return digest.hexdigest()


def run(jobs, cache):
    """Runs jobs (file, key, function that returns findings); prints the findings.

    Returns whether there were any, or nothing was there to run.
    """
    os.makedirs(cache, exist_ok=True)

    def one(job):
        _, name, function = job
        passed = os.path.join(cache, name)
        if os.path.exists(passed):
            return ""
        findings = function()
        if not findings:
            with open(passed, "w", encoding="utf-8"):
                pass
        return findings

    # The slow ones first, so that no core idles at the end.
    jobs = sorted(jobs, key=lambda job: -os.path.getsize(job[0]))
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        findings = [found for found in pool.map(one, jobs) if found]
    # A header's finding shows once for each file that includes it.
    print("\n".join(dict.fromkeys(findings)))
    return bool(findings) or not jobs
