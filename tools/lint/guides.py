#!/usr/bin/env python3
"""Guides show what is compiled: each block of C++ in a guide is a run of lines of the
file that the comment before it names, but for its indentation. And what has to be
complete is: every ErrorKind has its row, every guide its line, every link its file.

    <!-- examples/guides/futures_test.cc -->
    ```cpp
    ...

Usage: guides.py GUIDE...   (paths relative to the project's root)
"""

import os
import re
import sys
import textwrap

BLOCK = re.compile(r"(?:^<!-- (\S+) -->\n)?^```cpp\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)\)")
KIND = re.compile(r"^\s+(k[A-Z]\w+),", re.MULTILINE)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def shown_in(block, source):
    """Whether the block's lines follow each other in the source."""
    wanted = textwrap.dedent(block).rstrip("\n").split("\n")
    lines = source.split("\n")
    for begin in range(len(lines) - len(wanted) + 1):
        here = "\n".join(lines[begin : begin + len(wanted)])
        if textwrap.dedent(here).split("\n") == wanted:
            return True
    return False


def complaints(path):
    text = read(path)
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start()) + 1
        source = block.group(1)
        if source is None:
            yield line, "a block of C++ that names no source: <!-- FILE --> before it"
        elif not os.path.exists(source):
            yield line, f"there is no {source}"
        elif not shown_in(block.group(2), read(source)):
            yield line, f"{source} has no such lines any more: copy them anew"
    for link in LINK.finditer(text):
        target = os.path.join(os.path.dirname(path), link.group(1))
        if not os.path.exists(target):
            yield text.count("\n", 0, link.start()) + 1, f"leads nowhere: {link.group(1)}"


def whole(guides):
    """What has to be complete."""
    header = read("flow/sys/errno_table.h")
    kinds = header[header.index("enum class ErrorKind") :]
    for kind in KIND.findall(kinds[: kinds.index("};")]):
        if f"| `{kind}` |" not in read("examples/guides/errors.md"):
            yield f"examples/guides/errors.md has no row for {kind}"
    index = read("examples/guides/README.md")
    for guide in guides:
        name = os.path.basename(guide)
        if name != "README.md" and f"({name})" not in index:
            yield f"examples/guides/README.md does not name {name}"


def main():
    guides = sys.argv[1:]
    failed = False
    for path in guides:
        for number, message in complaints(path):
            print(f"{path}:{number}: {message}")
            failed = True
    for message in whole(guides):
        print(message)
        failed = True
    return failed


if __name__ == "__main__":
    sys.exit(main())
