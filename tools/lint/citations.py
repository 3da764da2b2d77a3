#!/usr/bin/env python3
"""Tests that a page cites by name (`Suite.Test`) must exist.

Usage: citations.py PAGE... -- TEST_SOURCE...
"""

import re
import sys

DEFINITION = re.compile(r"^TEST(?:_P|_F)?\(\s*(\w+),\s*(\w+)\)", re.MULTILINE)
CITATION = re.compile(r"`([A-Z]\w+)\.([A-Z]\w+)`")


def main():
    separator = sys.argv.index("--")
    tests = set()
    for path in sys.argv[separator + 1 :]:
        with open(path, encoding="utf-8") as file:
            tests.update(DEFINITION.findall(file.read()))
    failed = False
    for path in sys.argv[1:separator]:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                for suite, test in CITATION.findall(line):
                    if (suite, test) not in tests:
                        print(f"{path}:{number}: there is no test {suite}.{test}")
                        failed = True
    return failed


sys.exit(main())
