#!/usr/bin/env python3
"""Runs clang-tidy on the project's files, two at a time, and remembers in the
user's cache which file passed with which contents.

Usage: tidy.py COMPILE_COMMANDS CONFIG CACHE_FOLDER
"""

import concurrent.futures
import functools
import hashlib
import json
import os
import re
import subprocess
import sys

TIDY = "clang-tidy-14"

# Tests spend most of clang-tidy's time in GoogleTest's macros: they get the checks
# that find mistakes, not the analyzer nor matters of taste.
FOR_TESTS = ",".join(
    [
        "-*",
        "bugprone-bool-pointer-implicit-conversion",
        "bugprone-dangling-handle",
        "bugprone-infinite-loop",
        "bugprone-suspicious-memset-usage",
        "bugprone-unused-raii",
        "bugprone-use-after-move",
        "google-build-using-namespace",
        "google-explicit-constructor",
        "misc-unused-alias-decls",
        "misc-unused-using-decls",
        "modernize-use-nullptr",
        "modernize-use-override",
        "performance-for-range-copy",
        "performance-unnecessary-copy-initialization",
        "readability-container-size-empty",
    ]
)


@functools.lru_cache(maxsize=None)
def contents(path):
    with open(path, "rb") as file:
        return file.read()


def closure(path, seen):
    """The file and all headers of ours that it includes, directly or not."""
    if path in seen or not os.path.isfile(path):
        return seen
    seen.add(path)
    for name in re.findall(rb'^\s*#\s*include\s*"([^"]+)"', contents(path), re.MULTILINE):
        closure(name.decode(), seen)
    return seen


def key(command, source, checks, config):
    digest = hashlib.sha256()
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    for part in (version, contents(config), checks.encode(), json.dumps(command["arguments"]).encode()):
        digest.update(hashlib.sha256(part).digest())
    for path in sorted(closure(source, set())):
        digest.update(hashlib.sha256(path.encode() + b"\0" + contents(path)).digest())
    return digest.hexdigest()


def tidy(command, commands, config, cache):
    source = command["file"]
    checks = FOR_TESTS if re.search(r"_(test|benchmark|fuzz)\.cc$", source) else ""
    passed = os.path.join(cache, key(command, source, checks, config))
    if os.path.exists(passed):
        return ""
    call = [TIDY, "--quiet", f"--config-file={config}", "-p", os.path.dirname(commands)]
    if checks:
        call.append(f"--checks={checks}")
    result = subprocess.run(call + [source], cwd=command["directory"], capture_output=True, text=True)
    if result.returncode == 0:
        with open(passed, "w", encoding="utf-8"):
            return ""
    errors = "\n".join(
        line for line in result.stderr.splitlines() if not re.match(r"\d+ warnings? (generated|treated)", line)
    )
    return result.stdout.replace(command["directory"] + "/", "") + errors or f"{source}: clang-tidy failed"


def main():
    commands, config, cache = (os.path.abspath(argument) for argument in sys.argv[1:])
    os.makedirs(cache, exist_ok=True)
    with open(commands, encoding="utf-8") as file:
        work = json.load(file)
    # The slow ones first, so that no core idles at the end.
    work.sort(key=lambda command: -os.path.getsize(command["file"]))
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2)) as pool:
        findings = list(pool.map(lambda command: tidy(command, commands, config, cache), work))
    # A header's finding shows once for each file that includes it.
    print("\n".join(dict.fromkeys(finding for finding in findings if finding)))
    return any(findings) or not work


if __name__ == "__main__":
    sys.exit(main())
