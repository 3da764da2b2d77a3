"""The system's OpenSSL 3 as @openssl//:ssl and @openssl//:crypto.

For WORKSPACE builds; with MODULE.bazel the registry's module has the same labels.
The repository is looked at only when something that needs it is built (//flow/tls),
so that who builds the rest needs no OpenSSL.
"""

_HELP = "install libssl-dev (Debian, Ubuntu; tools/bazelw does) or openssl-devel, or name another place with " + \
        "--repo_env=OPENSSL_PREFIX=/that/place, or define a repository \"openssl\" of your own before flow_deps()."

_BUILD = """package(default_visibility = ["//visibility:public"])

cc_library(
    name = "crypto",
    hdrs = {headers},
    includes = {includes},
    linkopts = {linkopts} + ["-lcrypto"],
)

cc_library(
    name = "ssl",
    hdrs = {headers},
    includes = {includes},
    linkopts = ["-lssl"],
    deps = [":crypto"],
)
"""

def _system_openssl_impl(ctx):
    prefix = ctx.os.environ.get("OPENSSL_PREFIX", "/usr")
    version = ctx.path(prefix + "/include/openssl/opensslv.h")
    if not version.exists or not ctx.path(prefix + "/include/openssl/ssl.h").exists:
        fail("OpenSSL's headers are missing (no %s/include/openssl/ssl.h): " % prefix + _HELP)
    if "define OPENSSL_VERSION_MAJOR  3" not in ctx.read(version):
        fail("%s is not of OpenSSL 3: " % version + _HELP)

    # The compiler looks in /usr by itself, also for what Debian keeps in a folder
    # of the architecture's (openssl/configuration.h).
    headers = "[]"
    includes = "[]"
    linkopts = "[]"
    if prefix != "/usr":
        ctx.symlink(prefix + "/include/openssl", "include/openssl")
        headers = "glob([\"include/openssl/*.h\"])"
        includes = "[\"include\"]"
        folders = [prefix + "/" + lib for lib in ["lib64", "lib"] if ctx.path(prefix + "/" + lib).exists]
        linkopts = repr([option + folder for folder in folders for option in ["-L", "-Wl,-rpath,"]])
    ctx.file("WORKSPACE", "workspace(name = \"openssl\")\n")
    ctx.file("BUILD.bazel", _BUILD.format(headers = headers, includes = includes, linkopts = linkopts))

system_openssl = repository_rule(
    implementation = _system_openssl_impl,
    doc = "OpenSSL 3 as it is installed on this machine.",
    environ = ["OPENSSL_PREFIX"],
    local = True,
)
