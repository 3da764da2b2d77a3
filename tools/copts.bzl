"""Warnings for the project's own targets.

They are warnings here and errors in this workspace: .bazelrc adds -Werror to
the files of //flow, //examples and //tools, and to nobody else's. A user whose
compiler is newer than ours must not fail to build because it warns of more.

Clang's -Wthread-safety needs no entry: Bazel's clang toolchain turns it on.
"""

FLOW_COPTS = [
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
FLOW_TEST_COPTS = FLOW_COPTS + [
    "-Wno-conversion",
    "-Wno-sign-conversion",
    "-Wno-sign-compare",
]
