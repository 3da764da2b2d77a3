#!/usr/bin/env python3
"""Banned patterns, each with its reason.

Where a line is right all the same, it (or a comment line above it) says why:

    // check:allow(test-sleep) the peer is a real program without a checkpoint

Usage: patterns.py FILE...   (paths relative to the project's root)
"""

import re
import sys

KERNEL_CALLS = """
accept accept4 bind close close_range connect dup dup2 dup3 epoll_create1 epoll_ctl
epoll_pwait epoll_pwait2 epoll_wait eventfd fcntl fstat getaddrinfo getpeername
getsockname getsockopt ioctl listen open openat pipe pipe2 poll ppoll pread preadv
preadv2 pwrite pwritev pwritev2 read readv recv recvfrom recvmsg select send sendfile
sendmsg sendto setsockopt shutdown socket socketpair splice tee vmsplice write writev
"""


def library(path):
    """Code that users link: neither tests nor what tests are made of."""
    return path.startswith("flow/") and not test(path)


def test(path):
    return path.startswith(("flow/testing/", "flow/bench/")) or re.search(r"_(test|benchmark|fuzz|test_support)\.(cc|h)$", path)


def ours(path):
    return path.startswith(("flow/", "examples/", "tools/")) and cxx(path)


def cxx(path):
    return path.endswith((".h", ".cc", ".inc"))


def at(pattern):
    return lambda path: re.match(pattern, path)


# Name, pattern (on code without comments and strings), where it holds, where it
# does not, reason.
BANS = [
    (
        "kernel-call",
        r"(?<![\w>)])::(%s)\s*\(" % "|".join(KERNEL_CALLS.split()),
        library,
        at(r"flow/sys/syscalls[^/]*\.cc$"),
        "flow/sys/syscalls.cc alone spells kernel calls, so that tests can bend each of them",
    ),
    (
        "test-sleep",
        r"\babsl::SleepFor\b|\bsleep_(for|until)\b|\b(u|nano)?sleep\s*\(",
        lambda path: test(path) or path.endswith("_test.sh"),
        None,
        "wait on checkpoints or on simulated time, never on clocks: sleeps are slow and flaky",
    ),
    (
        "std-mutex",
        r"\bstd::(recursive_|shared_|timed_)*(mutex|condition_variable(_any)?)\b"
        r"|\bstd::(lock_guard|unique_lock|shared_lock|scoped_lock)\b",
        lambda path: path.startswith("flow/"),
        None,
        "absl::Mutex: its annotations let clang check what is guarded by what",
    ),
    (
        "absl-log",
        r'#\s*include\s*[<"]absl/log/',
        ours,
        None,
        "the oldest supported Abseil has no absl/log, and a library returns statuses, it does not log",
    ),
    (
        "flags-in-library",
        r'#\s*include\s*[<"]absl/flags/',
        library,
        None,
        "flags belong to binaries: a library that links them adds to its users' command lines",
    ),
    (
        "throw",
        r"\bthrow\b",
        ours,
        test,
        "errors are absl::Status; nothing here throws (tests of containment do)",
    ),
    (
        "using-namespace",
        r"\busing\s+namespace\b(?!\s+std::(string_view_)?literals)",
        ours,
        None,
        "it lets a new name in another library change what this file means",
    ),
    (
        "ending-errno",
        r"(==|!=|\bcase)\s*\(?\s*(EPIPE|ECONNRESET|ECONNABORTED|ESHUTDOWN)\b"
        r"|\b(EPIPE|ECONNRESET|ECONNABORTED|ESHUTDOWN)\b\s*\)?\s*(==|!=)",
        library,
        at(r"flow/sys/errno_table\.|flow/state\."),
        "what ends a direction is decided once: the errno table classifies, the state machine decides",
    ),
    (
        "linux-in-header",
        r"#\s*include\s*<(linux/|sys/(epoll|eventfd|sendfile|timerfd|signalfd)\.h)|\bPOLLRDHUP\b",
        lambda path: library(path) and path.endswith(".h"),
        at(r"flow/sys/"),
        "what only Linux has stays in .cc files",
    ),
]

ANY_TEXT = [
    (
        "to-do",
        r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b",
        "do it, or file it where it is seen; a note in the code is neither",
    ),
]

EINTR_CLOSE = (
    "eintr-close",
    "close(2) is never retried: Linux has freed the number even when it says EINTR, and a second "
    "close hits whoever got the number since",
)
UNUSED_USING = ("unused-using", "nothing in this file says the name: the line only makes readers look for it")
ZERO_COUNT = (
    "zero-count",
    "whether a count of 0 is the end of the stream is for the transport to report and the state machine "
    "to decide: ask the Attempt, the OrEof or FlowState",
)
OPEN_SWITCH = (
    "open-switch",
    "no `default` in a switch over an enum of ours: a new enumerator has to break the build (-Wswitch)",
)
# Where 0 from the kernel is turned into Eof, or (a splice's) into a read that asks.
ZERO_COUNT_HOME = re.compile(r"flow/(state\.|sys/|fd/|relay/carrier\.|testing/memory)")
# A value that came from a call that moves bytes: `n = fd.TryRead(...)`.
MOVED = re.compile(
    r"\b(\w+)\s*=\s*[^;=]*(?:\b|(?<=\w))"
    r"(?:(?i:try|do)?(?:Read|Write|Recv|Send|Splice)(?:Into|Some|v|msg|Msg)?"
    r"|read|write|recv|send|splice|readv|writev|recvmsg|sendmsg)\s*\("
    r"|\b(\w+)\s*=\s*[^;=]*[.>]transferred\(\)"
)


def without_comments_and_strings(text):
    """The code alone, line numbers kept. Includes keep their names."""
    token = re.compile(
        r"//[^\n]*|/\*.*?\*/|R\"(\w*)\(.*?\)\1\"|\"(?:\\.|[^\"\\\n])*\"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'",
        re.DOTALL,
    )

    def blank(match):
        found = match.group(0)
        if found.startswith('"'):
            start = text.rfind("\n", 0, match.start()) + 1
            if re.match(r"\s*#\s*include\s*$", text[start : match.start()]):
                return found
        return '""' * (found[0] in "\"R") + "\n" * found.count("\n")

    return token.sub(blank, text)


def allowed(lines, number, name):
    """Is there a reasoned allowance on this line or in the comment right above?"""
    here = number - 1
    while True:
        if re.search(r"(//|#)\s*check:allow\(%s\)\s+\S" % re.escape(name), lines[here]):
            return True
        here -= 1
        if here < 0 or not re.match(r"\s*(//|#)", lines[here]):
            return False


def zero_counts(path, code):
    if not library(path) or ZERO_COUNT_HOME.match(path):
        return
    names = {name for match in MOVED.finditer(code) for name in match.groups() if name}
    if not names:
        return
    value = r"\*?\b(%s)\b" % "|".join(sorted(names))
    compared = re.compile(r"%s\s*(==|!=|<=|<|>|>=)\s*0\b|\b0\s*(==|!=|<|>)\s*%s" % (value, value))
    for number, line in enumerate(code.splitlines(), 1):
        if compared.search(line):
            yield number, ZERO_COUNT


def eintr_closes(path, code):
    lines = code.splitlines()
    for number, line in enumerate(lines, 1):
        near = "\n".join(lines[max(0, number - 3) : number + 2])
        if re.search(r"\b[cC]lose\s*\(", line) and re.search(r"\bEINTR\b", near):
            yield number, EINTR_CLOSE


def unused_usings(code):
    """clang-tidy says the same of the library, but takes seconds for each test."""
    for match in re.finditer(r"^[ \t]*using\s+(?:::)?(?:\w+::)+(\w+);", code, re.MULTILINE):
        if len(re.findall(r"\b%s\b" % match.group(1), code)) == 1:
            yield code.count("\n", 0, match.end()) + 1, UNUSED_USING


def open_switches(code):
    """A `default` beside enumerators of ours, in the same switch."""
    for match in re.finditer(r"\bswitch\s*\(", code):
        depth, at, own, default = 0, code.index("{", match.end()), False, None
        for token in re.finditer(r"[{}]|\bcase\s+(?:\w+::)*k[A-Z]\w*\s*:|\bdefault\s*:", code[at:]):
            text = token.group(0)
            depth += {"{": 1, "}": -1}.get(text, 0)
            if depth == 0:
                break
            if depth == 1 and text.startswith("case") and "StatusCode::" not in text:
                own = True
            if depth == 1 and text.startswith("default"):
                default = at + token.start()
        if own and default is not None:
            yield code.count("\n", 0, default) + 1, OPEN_SWITCH


def complaints(path, text):
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        for name, pattern, reason in ANY_TEXT:
            if re.search(pattern, line):
                yield number, (name, reason)
    code = without_comments_and_strings(text) if cxx(path) else text
    code_lines = code.splitlines()
    for name, pattern, where, elsewhere, reason in BANS:
        if not where(path) or (elsewhere and elsewhere(path)):
            continue
        for number, line in enumerate(code_lines, 1):
            if re.search(pattern, line):
                yield number, (name, reason)
    if cxx(path):
        yield from zero_counts(path, code)
        yield from eintr_closes(path, code)
        yield from unused_usings(code)
        if library(path):
            yield from open_switches(code)


def main():
    failed = False
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        lines = text.splitlines()
        for number, (name, reason) in sorted(set(complaints(path, text))):
            if not allowed(lines, number, name):
                print(f"{path}:{number}: {name}: {reason}\n    {lines[number - 1].strip()}")
                failed = True
    return failed


if __name__ == "__main__":
    sys.exit(main())
