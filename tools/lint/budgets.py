#!/usr/bin/env python3
"""Notes on files that outgrow what one reads in a sitting. Only notes: where
splitting would make a file worse, the file wins. (Functions over 60 lines are an
error, see readability-function-size in .clang-tidy.)

Usage: budgets.py FILE...
"""

import sys

BUDGETS = [("_test.cc", 500), (".cc", 300), (".h", 250)]


def main():
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            lines = sum(1 for _ in file)
        budget = next(limit for end, limit in BUDGETS if path.endswith(end))
        if lines > budget:
            print(f"note: {path} has {lines} lines (budget {budget})")


if __name__ == "__main__":
    main()
