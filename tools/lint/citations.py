#!/usr/bin/env python3
"""Tests that a page cites by name (`Suite.Test`) must exist, and each point of a
list that a line ending in "can't:" begins must cite one.

Usage: citations.py PAGE... -- TEST_SOURCE...
"""

import re
import sys

DEFINITION = re.compile(r"^TEST(?:_P|_F)?\(\s*(\w+),\s*(\w+)\)", re.MULTILINE)
CITATION = re.compile(r"`([A-Z]\w+)\.([A-Z]\w+)`")


def claims(lines):
    """The points of what is said to be impossible: number of the line, text."""
    number = None
    text = ""
    inside = False
    for n, line in enumerate([*lines, ""], 1):
        if number is not None and not line.startswith("  "):
            yield number, text
            number = None
        if inside and line.startswith("- "):
            number = n
            text = line
        elif number is not None:
            text += line
        elif line.strip():
            inside = line.rstrip().endswith("can't:")


def main():
    separator = sys.argv.index("--")
    tests = set()
    for path in sys.argv[separator + 1 :]:
        with open(path, encoding="utf-8") as file:
            tests.update(DEFINITION.findall(file.read()))
    failed = False
    for path in sys.argv[1:separator]:
        with open(path, encoding="utf-8") as file:
            lines = file.readlines()
        for number, line in enumerate(lines, 1):
            for suite, test in CITATION.findall(line):
                if (suite, test) not in tests:
                    print(f"{path}:{number}: there is no test {suite}.{test}")
                    failed = True
        for number, text in claims(lines):
            if not CITATION.search(text):
                print(f"{path}:{number}: cites no test")
                failed = True
    return failed


sys.exit(main())
