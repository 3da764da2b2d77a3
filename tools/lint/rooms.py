#!/usr/bin/env python3
"""Include direction: a room of the house includes only rooms below it.

One job per room ("it alone knows ..."), and arrows that only go down: so that
somebody who opens a room can know what it may touch. BELOW is that drawing; a new
room is a new line in it.

Usage: rooms.py FILE...   (paths relative to the project's root)
"""

import re
import sys

# Files of flow/ itself that are not the driver. `.h` and `.cc` belong together.
CONTRACT = {
    "adaptive_reads",
    "buffer",
    "cancel",
    "changed_fields",
    "endpoint",
    "limits",
    "observer",
    "or_eof",
    "signal",
    "stats",
    "status",
}

# Room -> the rooms that its files may include, beside itself.
BELOW = {
    "sys": [],
    "state": [],  # pure: nothing of ours, and no <cerrno>
    "contract": ["sys"],
    "waist": ["contract", "sys"],
    "driver": ["waist", "state", "contract", "sys"],
    "fd": ["driver", "waist", "contract", "sys"],
    "buffered": ["layers", "fd", "driver", "waist", "contract", "sys"],
    "layers": ["fd", "driver", "waist", "contract", "sys"],
    "net": ["fd", "driver", "waist", "contract", "sys"],
    # Of flows that others made, with futures too.
    "registry": ["driver", "waist", "state", "contract", "sys"],
    "relay": ["fd", "driver", "waist", "state", "contract", "sys"],  # makes calls of its own
    # For tls: and tls-listen: alone, which stand on what net dials and accepts.
    "tls": ["net", "fd", "driver", "waist", "contract", "sys"],
}
# The library's rooms; the rest may include all of them.
LIBRARY = list(BELOW)
BELOW["testing"] = LIBRARY
BELOW["bench"] = LIBRARY
BELOW["examples"] = LIBRARY
BELOW["tools"] = LIBRARY + ["bench"]

ABOUT_STATE = "state.h is a pure function of plain values: no errno, nothing of ours"


def room(path):
    """The room of a file, or None for what is not ours."""
    parts = path.split("/")
    if parts[0] in ("examples", "tools"):
        return parts[0]
    if parts[0] != "flow":
        return None
    if len(parts) > 2:
        return parts[1]
    stem = re.sub(r"(_test|_benchmark|_fuzz)?\.(h|cc|inc)$", "", parts[1])
    if stem in CONTRACT:
        return "contract"
    return {"state": "state", "attempt": "waist", "transport": "waist"}.get(stem, "driver")


def is_test(path):
    return re.search(r"_(test|benchmark|fuzz)\.cc$", path) or path.endswith(
        ("_test.h", "_test_support.h", "_test_support.cc")
    )


def complaints(path, text):
    own = room(path)
    if own not in BELOW:
        yield 1, f"{path} is in no room: give {own!r} a line in tools/lint/rooms.py"
        return
    # What a test includes says nothing of what its room needs.
    allowed = set(LIBRARY) | {"testing", "bench"} if is_test(path) else set(BELOW[own])
    allowed.add(own)
    for number, line in enumerate(text.splitlines(), 1):
        include = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not include:
            continue
        name = include.group(2)
        if own == "state" and not is_test(path):
            if name in ("cerrno", "errno.h"):
                yield number, ABOUT_STATE
        other = room(name)
        if include.group(1) == "<" or other is None:
            if include.group(1) == '"' and "/" not in name:
                yield number, f'"{name}": name headers from the project\'s root'
            continue
        if own == "state" and other == "state":
            continue
        if other not in allowed:
            reason = ABOUT_STATE if own == "state" else f"below {own}: {', '.join(BELOW[own])}"
            if other == "testing":
                reason = "flow/testing is for tests"
            yield number, f"{own} must not include {name} ({other}); {reason}"


def main():
    failed = False
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            for number, message in complaints(path, file.read()):
                print(f"{path}:{number}: {message}")
                failed = True
    return failed


if __name__ == "__main__":
    sys.exit(main())
