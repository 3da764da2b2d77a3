#!/usr/bin/env python3
"""Runs clang-tidy on the project's files.

Usage: tidy.py COMPILE_COMMANDS CONFIG CACHE_FOLDER
"""

import json
import os
import re
import subprocess
import sys

import incremental

TIDY = "clang-tidy-14"

# In what uses GoogleTest the analyzer would spend a minute a file in its macros, and
# each check half a second: what users' tests link gets a few cheap checks of what
# neither the compilers nor a run under the sanitizers would show. Our own tests get
# none: reading one takes 3 s, a third of all of CI's time for clang-tidy.
FOR_TESTS = ",".join(
    [
        "-*",
        "bugprone-bool-pointer-implicit-conversion",
        "google-explicit-constructor",
        "misc-unused-alias-decls",
        "misc-unused-using-decls",
        "modernize-use-override",
        "performance-for-range-copy",
        "performance-unnecessary-copy-initialization",
    ]
)

# The analyzer's way through one function ends after this many states, not after
# 225,000: a file takes 6 s instead of 21.
BUDGET = [f"--extra-arg={word}" for word in ("-Xclang", "-analyzer-config", "-Xclang", "max-nodes=20000")]


def for_test(source):
    return any(
        name.startswith(("gtest/", "gmock/", "benchmark/"))
        for path in incremental.closure(source)
        for name in incremental.includes(path)
    )


def tidy(command, checks, commands, config):
    call = [TIDY, "--quiet", f"--config-file={config}", "-p", os.path.dirname(commands)] + BUDGET
    if checks:
        call.append(f"--checks={checks}")
    result = subprocess.run(call + [command["file"]], cwd=command["directory"], capture_output=True, text=True)
    if result.returncode == 0:
        return ""
    errors = "\n".join(
        line for line in result.stderr.splitlines() if not re.match(r"\d+ warnings? (generated|treated)", line)
    )
    found = result.stdout.replace(command["directory"] + "/", "") + errors
    return found or f"{command['file']}: clang-tidy failed"


def main():
    commands, config, cache = (os.path.abspath(argument) for argument in sys.argv[1:])
    with open(commands, encoding="utf-8") as file:
        all_commands = json.load(file)
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    jobs = []
    for command in all_commands:
        if command["file"].endswith("_test.cc"):
            continue
        checks = FOR_TESTS if for_test(command["file"]) else ""
        key = incremental.key(command["file"], version, incremental.contents(config), BUDGET, checks, command["arguments"])
        jobs.append((command["file"], key, lambda c=command, k=checks: tidy(c, k, commands, config)))
    return incremental.run(jobs, cache)


if __name__ == "__main__":
    sys.exit(main())
