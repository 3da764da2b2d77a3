#!/usr/bin/env python3
"""Each header compiles alone, and has a guard that works. (Bazel's parse_headers
would say so, but Bazel 4.2.3 ignores it.)

A header that is the first include of a source file was compiled alone by the build,
and its guard is read; the others are compiled here, twice in one go.

Usage: headers.py COMPILE_COMMANDS CACHE_FOLDER HEADER...
"""

import json
import os
import re
import subprocess
import sys

import incremental

# With a value in the next argument.
_FOLDERS = ("-iquote", "-isystem", "-I")


def command_for_all(commands):
    """One command with the flags of the first file and the folders of all: headers
    of targets without a .cc have no command of their own."""
    words = []
    first = commands[0]["arguments"]
    skip = False
    for word in first[: first.index("-c")]:
        if not skip and word not in _FOLDERS and not word.startswith("-frandom-seed"):
            words.append(word)
        skip = word in _FOLDERS
    pairs = {}
    for command in commands:
        arguments = command["arguments"]
        for word, value in zip(arguments, arguments[1:]):
            if word in _FOLDERS:
                pairs[(word, value)] = True
    for word, value in pairs:
        words += [word, value]
    return words + ["-fsyntax-only", "-fno-caret-diagnostics", "-x", "c++", "-"]


def first_include(path):
    """The header that the source file `path` begins with, or None."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            if match := re.match(r'#include "([^"]+)"', line):
                return match.group(1)
            if line.startswith(("#", "namespace")):
                return None
    return None


def has_guard(header):
    """All but comments lies between #ifndef and #endif of one name of its own."""
    with open(header, encoding="utf-8") as file:
        lines = [line.rstrip() for line in file]
    lines = [line for line in lines if line and not line.startswith("//")]
    if len(lines) < 3 or not (match := re.fullmatch(r"#ifndef (\w+)", lines[0])):
        return False
    name = match.group(1)
    of_file = re.sub(r"\W", "_", header).upper() + "_"
    return (
        name in (of_file, f"FLOW_{of_file}")
        and lines[1] == f"#define {name}"
        and lines[-1] == f"#endif  // {name}"
    )


def parse(command, directory, header):
    text = f'#include "{header}"\n' * 2
    result = subprocess.run(command, cwd=directory, input=text, capture_output=True, text=True)
    return "" if result.returncode == 0 else f"{header} does not compile alone:\n{result.stderr}"


def main():
    commands, cache, headers = sys.argv[1], sys.argv[2], sys.argv[3:]
    with open(commands, encoding="utf-8") as file:
        all_commands = json.load(file)
    library = [command for command in all_commands if not command["file"].endswith("_test.cc")]
    command = command_for_all((library or all_commands) + all_commands)
    directory = all_commands[0]["directory"]
    first = {first_include(command["file"]) for command in all_commands if os.path.exists(command["file"])}
    unguarded = [header for header in headers if header in first and not has_guard(header)]
    for header in unguarded:
        print(f"{header}: not all of it is in a guard that is named for the file")
    jobs = [
        (header, incremental.key(header, command), lambda h=header: parse(command, directory, h))
        for header in headers
        if header not in first
    ]
    return incremental.run(jobs, os.path.abspath(cache)) or bool(unguarded)


if __name__ == "__main__":
    sys.exit(main())
