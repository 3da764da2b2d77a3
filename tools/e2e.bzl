"""Tests that run the built flowcat as a person would, with real programs as peers."""

load("@rules_cc//cc:defs.bzl", "cc_test")
load("//tools:copts.bzl", "FLOW_TEST_COPTS")

def e2e_test(name, size = "medium", data = []):
    """NAME.sh, with //tools:flowcat as its argument and tools/e2e.sh to source.

    A cc_test that starts bash: sh_test is no part of newer Bazels, and the
    ruleset that has it is no part of Debian's.

    Args:
      name: of the test, and of its script without ".sh".
      size: as of any test.
      data: what else the script runs or reads.
    """
    cc_test(
        name = name,
        size = size,
        srcs = ["//tools:run_script.cc"],
        args = [
            "$(location %s.sh)" % name,
            "$(location //tools:flowcat)",
        ],
        copts = FLOW_TEST_COPTS,
        data = data + [
            name + ".sh",
            "//tools:e2e.sh",
            "//tools:flowcat",
        ],
        tags = ["e2e"],
    )
