"""Warnings for the project's own targets.

They are on, and errors, in this workspace alone: its .bazelrc sets the switch
(//tools:strict). Who builds flow as a dependency, maybe with a newer compiler that
warns of more, gets neither errors nor noise.

Clang's -Wthread-safety needs no entry: Bazel's clang toolchain turns it on.
"""

_WARNINGS = [
    "-Werror",
    "-Wall",
    "-Wextra",
    "-Wcast-qual",
    "-Wconversion",
    "-Wformat=2",
    "-Wimplicit-fallthrough",
    "-Wnon-virtual-dtor",
    "-Wold-style-cast",
    "-Woverloaded-virtual",
    "-Wshadow",
    "-Wsign-conversion",
    # No `default` in a switch over an enum of ours: a new state must break the
    # build. (Part of -Wall; named because the code counts on it.)
    "-Wswitch",
]

# GoogleTest's macros and literals compare and convert freely.
_RELAXED_IN_TESTS = [
    "-Wno-conversion",
    "-Wno-sign-compare",
    "-Wno-sign-conversion",
]

FLOW_COPTS = select({
    "//tools:strict": _WARNINGS,
    "//conditions:default": [],
})

FLOW_TEST_COPTS = select({
    "//tools:strict": _WARNINGS + _RELAXED_IN_TESTS,
    "//conditions:default": [],
})
