"""The dependencies of flow for WORKSPACE builds.

    load("@flow//tools:deps.bzl", "flow_deps")
    flow_deps()

A repository that the caller has already defined wins. With MODULE.bazel
(Bazel >= 7.2.1) this file is not used.
"""

load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_archive")
load("@bazel_tools//tools/build_defs/repo:utils.bzl", "maybe")
load("//tools:openssl.bzl", "system_openssl")

# Where Debian's packages bazel-skylib, bazel-platforms, bazel-rules-java and
# bazel-rules-proto put what Bazel would otherwise download.
_DEBIAN_REPOSITORIES = {
    "bazel_skylib": "/usr/share/bazel/tools/skylib",
    "platforms": "/usr/share/bazel/tools/platforms",
    "rules_java": "/usr/share/bazel/rules/java",
    "rules_proto": "/usr/share/bazel/rules/proto",
}

_CC_RULES = ["cc_binary", "cc_import", "cc_library", "cc_shared_library", "cc_test", "cc_toolchain", "cc_toolchain_suite", "objc_library"]

_COMPILERS = ["clang", "clang-cl", "emscripten", "gcc", "mingw-gcc", "msvc-cl"]

# The oldest supported Abseil, and what the project's CI builds. Debian packs the
# very files of GitHub's tag into an archive of its own, hence two hashes.
_ABSEIL = "20220623.1"
_ABSEIL_SHA256_GITHUB = "91ac87d30cc6d79f9ab974c51874a704de9c2647c40f6932597329a282217ba8"
_ABSEIL_SHA256_DEBIAN = "abfe2897f3a30edaa74bc34365afe3c2a3cd012091a97dc7e008f7016adcd5fe"
_ABSEIL_PREFIX_GITHUB = "abseil-cpp-" + _ABSEIL
_ABSEIL_PREFIX_DEBIAN = "abseil-" + _ABSEIL

def _rules_cc_stand_in_impl(ctx):
    ctx.file("WORKSPACE", "workspace(name = \"rules_cc\")\n")
    ctx.file("BUILD.bazel", "")
    rules = [rule for rule in _CC_RULES if hasattr(native, rule)]
    ctx.file("cc/BUILD.bazel", "\n".join([
        "package(default_visibility = [\"//visibility:public\"])",
        "toolchain_type(name = \"toolchain_type\")",
        "exports_files(glob([\"*.bzl\"]))",
        "",
    ]))
    ctx.file("cc/defs.bzl", "".join(["%s = native.%s\n" % (rule, rule) for rule in rules]))

    # Asked for by Abseil from 2025 on.
    ctx.file("cc/compiler/BUILD.bazel", "package(default_visibility = [\"//visibility:public\"])\n" + "".join([
        "config_setting(name = \"%s\", flag_values = {\"@bazel_tools//tools/cpp:compiler\": \"%s\"})\n" % (name, name)
        for name in _COMPILERS
    ]))
    for rule in rules:
        ctx.file("cc/%s.bzl" % rule, "%s = native.%s\n" % (rule, rule))

_rules_cc_stand_in = repository_rule(
    implementation = _rules_cc_stand_in_impl,
    doc = "Re-exports the native rules: Debian's rules_cc does not load on Debian's Bazel.",
)

def _remote_coverage_tools_stand_in_impl(ctx):
    ctx.file("WORKSPACE", "workspace(name = \"remote_coverage_tools\")\n")
    ctx.file("BUILD.bazel", "\n".join([
        "package(default_visibility = [\"//visibility:public\"])",
        "filegroup(name = \"coverage_report_generator\")",
        "filegroup(name = \"lcov_merger\")",
        "",
    ]))

_remote_coverage_tools_stand_in = repository_rule(
    implementation = _remote_coverage_tools_stand_in_impl,
    doc = "Every test names these two targets; Debian's Bazel has no copy of them.",
)

def _debian_repositories():
    # What Bazel 4.2.3 would download although nothing here needs it.
    maybe(_rules_cc_stand_in, name = "rules_cc")
    maybe(_remote_coverage_tools_stand_in, name = "remote_coverage_tools")
    for name, path in _DEBIAN_REPOSITORIES.items():
        maybe(native.local_repository, name = name, path = path)

def _released_repositories():
    maybe(
        http_archive,
        name = "rules_cc",
        sha256 = "abc605dd850f813bb37004b77db20106a19311a96b2da1c92b789da529d28fe1",
        strip_prefix = "rules_cc-0.0.17",
        urls = ["https://github.com/bazelbuild/rules_cc/releases/download/0.0.17/rules_cc-0.0.17.tar.gz"],
    )
    maybe(
        http_archive,
        name = "bazel_skylib",
        sha256 = "bc283cdfcd526a52c3201279cda4bc298652efa898b10b4db0837dc51652756f",
        urls = ["https://github.com/bazelbuild/bazel-skylib/releases/download/1.7.1/bazel-skylib-1.7.1.tar.gz"],
    )
    maybe(
        http_archive,
        name = "platforms",
        sha256 = "29742e87275809b5e598dc2f04d86960cc7a55b3067d97221c9abbc9926bff0f",
        urls = ["https://github.com/bazelbuild/platforms/releases/download/0.0.11/platforms-0.0.11.tar.gz"],
    )

def flow_deps():
    """Defines what flow needs and the caller has not defined yet."""

    # Debian's Bazel 4.2.3 is the only one that does not know its version.
    debian = not native.bazel_version
    if debian:
        _debian_repositories()
    else:
        if int(native.bazel_version.split(".")[0]) < 5:
            fail("flow needs Bazel 5 or newer (or the 4.2.3 that Debian ships); this is " + native.bazel_version)
        _released_repositories()

    # tools/bazelw puts Debian's copies of these three into .distdir, where Bazel
    # looks for the last segment of each URL before it downloads anything.
    maybe(
        http_archive,
        name = "com_google_absl",
        sha256 = _ABSEIL_SHA256_DEBIAN if debian else _ABSEIL_SHA256_GITHUB,
        strip_prefix = _ABSEIL_PREFIX_DEBIAN if debian else _ABSEIL_PREFIX_GITHUB,
        urls = ["https://github.com/abseil/abseil-cpp/archive/refs/tags/%s.tar.gz" % _ABSEIL],
    )
    maybe(
        http_archive,
        name = "com_google_googletest",
        sha256 = "81964fe578e9bd7c94dfdb09c8e4d6e6759e19967e397dbea48d1c10e45d0df2",
        strip_prefix = "googletest-release-1.12.1",
        urls = ["https://github.com/google/googletest/archive/refs/tags/release-1.12.1.tar.gz"],
    )
    maybe(
        http_archive,
        name = "com_github_google_benchmark",
        sha256 = "6430e4092653380d9dc4ccb45a1e2dc9259d581f4866dc0759713126056bc1d7",
        strip_prefix = "benchmark-1.7.1",
        urls = ["https://github.com/google/benchmark/archive/refs/tags/v1.7.1.tar.gz"],
    )

    # For //flow/tls alone.
    maybe(system_openssl, name = "openssl")
