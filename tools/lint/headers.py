#!/usr/bin/env python3
"""Each header compiles alone, and twice: it includes what it needs, and its guard
works. (Bazel's parse_headers would say so, but Bazel 4.2.3 ignores it.)

Usage: headers.py COMPILE_COMMANDS CACHE_FOLDER HEADER...
"""

import json
import os
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
    jobs = [
        (header, incremental.key(header, command), lambda h=header: parse(command, directory, h)) for header in headers
    ]
    return incremental.run(jobs, os.path.abspath(cache))


if __name__ == "__main__":
    sys.exit(main())
