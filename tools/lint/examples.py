#!/usr/bin/env python3
"""Each example has less than 80 lines, says at its head what it is for, has a line in
examples/README.md, and is run by a test of examples/BUILD.bazel.

Usage: examples.py   (in the project's root)
"""

import glob
import os
import re
import sys

LESS_THAN = 80
GUIDES = glob.glob("examples/guides/*.cc")
CONSUMER = glob.glob("examples/consumer/*.cc")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def complaints(path, build, index):
    text = read(path)
    name = os.path.basename(path)
    lines = text.count("\n")
    if lines >= LESS_THAN:
        yield f"{path} has {lines} lines, and should have less than {LESS_THAN}"
    if not text.startswith("// "):
        yield f"{path} does not say what it is for"
    if path in GUIDES + CONSUMER:
        return  # in one test of their own
    if f"`{name}`" not in index:
        yield f"examples/README.md has no line for {name}"
    target = name[: -len(".cc")]
    tests = re.findall(r"^(?:e2e|cc)_test\(.*?^\)", build, re.MULTILINE | re.DOTALL)
    if not any(f'":{target}"' in test or f'name = "{target}"' in test for test in tests):
        yield f"no test in examples/BUILD.bazel runs {name}"


def main():
    build = read("examples/BUILD.bazel")
    index = read("examples/README.md")
    failed = False
    for path in sorted(glob.glob("examples/*.cc") + GUIDES + CONSUMER):
        for message in complaints(path, build, index):
            print(message)
            failed = True
    return failed


if __name__ == "__main__":
    sys.exit(main())
