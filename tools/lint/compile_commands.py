#!/usr/bin/env python3
"""Turns `bazel aquery --output=jsonproto` into compile_commands.json.

Usage: compile_commands.py AQUERY_JSON EXECUTION_ROOT > compile_commands.json
"""

import json
import os
import re
import sys

# Of layering_check: the build has done it, and the module maps would only slow
# the tools down.
NOT_FOR_TOOLS = re.compile(r"-fmodule|-Xclang-module|-fcolor-diagnostics$|-M[DF]$|-Wself-assign$")


def arguments(action):
    command = []
    skip = False
    for argument in action["arguments"]:
        if skip:
            skip = False
        elif argument == "-MF":
            skip = True
        elif not NOT_FOR_TOOLS.match(argument):
            command.append(argument)
    return command


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        actions = json.load(file).get("actions", [])
    commands = {}
    for action in actions:
        command = arguments(action)
        source = command[command.index("-c") + 1] if "-c" in command else ""
        # Headers may have actions of their own; a file that a BUILD file names and
        # nobody has written fails the build already.
        ours = not source.startswith(("external/", "bazel-out/")) and os.path.isfile(source)
        if ours and source.endswith(".cc"):
            commands[source] = command
    json.dump(
        [
            {"directory": sys.argv[2], "file": source, "arguments": command}
            for source, command in sorted(commands.items())
        ],
        sys.stdout,
        indent=1,
    )


if __name__ == "__main__":
    main()
