"""The goals F1 to F14 as rows of figures: what is measured, beside what, and where
the bar is. tools/bench/run measures them."""

import collections

# One line of the table.
#   goal, what   its number, and what it is in words
#   label        the program
#   ours, raw    benchmarks of that program; raw may be None (`kind` "value")
#   metric       a field of Google Benchmark's JSON: times and counters
#   kind         how the figure is made of the two:
#                  ratio       ours / raw, medians
#                  best        the same of each one's best round
#                  difference  ours - raw
#                  value       ours
#                  growth      ours is a list of sizes: the largest cost relative to a
#                              smaller size's; raw likewise, shown for comparison
#   op, bar      "<=" or ">=", and the number; None: shown without a verdict
#   args         prefix of the command (a processor to run on)
Row = collections.namedtuple("Row", "goal what label ours raw metric kind op bar args")


def row(goal, what, label, ours, raw, metric, op, bar, kind="ratio", args=()):
    return Row(goal, what, label, ours, raw, metric, kind, op, bar, tuple(args))


PINGPONG = "//flow/bench:pingpong_benchmark"
STREAM = "//flow/bench:stream_benchmark"
FAST_PATH = "//flow/bench:fast_path_benchmark"
READY = "//flow/bench:ready_benchmark"
IDLE = "//flow/bench:idle_benchmark"
GROWTH = "//flow/bench:growth_benchmark"
ACCEPT = "//flow/bench:accept_benchmark"
BUFFERED = "//flow/buffered:buffered_benchmark"
RELAY = "//flow/relay:relay_benchmark"
TLS = "//flow/tls:tls_benchmark"
ASIO = "//tools/bench/peers:asio_benchmark"
UV = "//tools/bench/peers:uv_benchmark"

ONE_CPU = ("taskset", "-c", "0")
ACTIVE = [1, 10, 100, 1000, 10000]
IDLE_SIZES = [1, 10, 100, 1000, 5000, 10000]


def pingpong():
    bars = {"unix": (1.02, 1.05), "tcp": (1.05, 1.10), "pipe": (1.15, 1.20)}
    for kind, (deadline, token) in bars.items():
        at = f"PingPong/one_cpu/{kind}/"
        yield row("F1", f"{kind}, one CPU: noise", PINGPONG, at + "RawAgain", at + "Raw", "real_time", "<=", None)
        yield row("F1", f"{kind}, one CPU, deadline", PINGPONG, at + "Deadline", at + "Raw", "real_time", "<=", deadline)
        yield row("F1", f"{kind}, one CPU, deadline and token", PINGPONG, at + "Token", at + "Raw", "real_time", "<=",
                  token)
    for kind, bar in (("unix", 0.25), ("tcp", 0.60), ("pipe", None)):
        at = f"PingPong/two_cpus/{kind}/"
        yield row("F2", f"{kind}, two CPUs: noise", PINGPONG, at + "RawAgain", at + "Raw", "real_time", "<=", None)
        yield row("F2", f"{kind}, two CPUs", PINGPONG, at + "Token", at + "Raw", "real_time", "<=", bar)
    for kind in ("unix", "tcp", "pipe"):
        at = f"PingPong/hogs/{kind}/"
        yield row("F2", f"{kind}, two hogs: noise", PINGPONG, at + "RawAgain", at + "Raw", "real_time", "<=", None)
        yield row("F2", f"{kind}, two hogs beside", PINGPONG, at + "Token", at + "Raw", "real_time", "<=", 1.2)


def streams():
    cpu = "cpu_s_per_GiB"
    rate = "bytes_per_second"
    for kind in ("unix", "tcp", "pipe"):
        at = f"Stream/64K/{kind}/"
        yield row("F3", f"{kind}, 64 KiB: noise", STREAM, at + "RawAgain", at + "Raw", rate, ">=", None, "best")
        yield row("F3", f"{kind}, 64 KiB", STREAM, at + "Token", at + "Raw", rate, ">=", 0.97, "best")
        yield row("F3", f"{kind}, 64 KiB, CPU per GiB", STREAM, at + "Token", at + "Raw", cpu, "<=", 1.05)
    at = "Stream/64K/made_pipe/"
    yield row("F3", "flow::Pipe(), 64 KiB", STREAM, at + "Token", at + "Raw", rate, ">=", 2.0, "best")
    for kind in ("unix", "tcp", "pipe"):
        at = f"Stream/1K/{kind}/"
        yield row("F4", f"{kind}, 1 KiB: noise", STREAM, at + "RawAgain", at + "Raw", rate, ">=", None)
        yield row("F4", f"{kind}, 1 KiB", STREAM, at + "Token", at + "Raw", rate, ">=", 0.95)
    at = "Stream/1K/pipe/"
    yield row("F4", "pipe, 1 KiB, foreign thread", STREAM, at + "Foreign", at + "Raw", rate, ">=", 0.65)
    yield row("F4", "64 B records, Writer", BUFFERED, "Write/Writer", "Write/OneEach", "items_per_second", ">=", 10)
    yield row("F4", "64 B records, Reader", BUFFERED, "Read/Reader", "Read/OneEach", "items_per_second", ">=", 10)
    for kind in ("unix", "tcp", "pipe"):
        at = f"Stream/writev/{kind}/"
        yield row("F5", f"{kind}, 16 x 256 B: noise", STREAM, at + "RawAgain", at + "Raw", rate, ">=", None)
        yield row("F5", f"{kind}, 16 x 256 B", STREAM, at + "Token", at + "Raw", rate, ">=", 0.97)


def in_one_thread():
    for call, allocations in (("Write", 0), ("ReadInto", 0), ("Read", 1)):
        at = f"FastPath/{call}/"
        bar = None if call == "Read" else 25
        for how in ("Deadline", "Token"):
            yield row("F6", f"{call}, {how.lower()}: ns that it adds", FAST_PATH, at + how, at + "Raw", "cpu_time",
                      "<=", bar, "difference")
        yield row("F6", f"{call}: allocations", FAST_PATH, at + "Token", None, "allocs", "<=", allocations, "value")
    for n, futures in ((64, 1.30), (1, 1.15)):
        raw = f"Ready/Direct/{n}"
        yield row("F8", f"{n} in flight: noise", READY, f"Ready/DirectAgain/{n}", raw, "cpu_time", "<=", None)
        yield row("F8", f"{n} in flight, blocking calls", READY, f"Ready/Blocking/{n}", raw, "cpu_time", "<=", None)
        yield row("F8", f"{n} in flight, futures", READY, f"Ready/Futures/{n}", raw, "cpu_time", "<=", futures)
        yield row("F8", f"{n} in flight, callbacks", READY, f"Ready/Callbacks/{n}", raw, "real_time", "<=", 1.10)


def relays():
    for method in ("Auto", "Splice"):
        yield row("F7", f"tcp to tcp, {method.lower()}: GiB/s", RELAY, f"Relay/{method}/1", "Relay/Raw64K/1", "GiB/s",
                  ">=", 1.40)
    yield row("F7", "raw splice: GiB/s", RELAY, "Relay/RawSplice/1", "Relay/Raw64K/1", "GiB/s", ">=", None)
    yield row("F7", "CPU per GiB against raw splice", RELAY, "Relay/Auto/1", "Relay/RawSplice/1", "CPUs/GiB", "<=", 1.10)


def many():
    at = "Idle/Pool/10000"
    yield row("F10", "10,000 reads: KiB each", IDLE, at, None, "KiB", "<=", 0.30, "value")
    yield row("F10", "10,000 reads: threads", IDLE, at, None, "threads", "<=", 4, "value")
    yield row("F10", "p50: noise", IDLE, "Idle/RawEpollAgain/10000", "Idle/RawEpoll/10000", "p50_us", "<=", None)
    yield row("F10", "p50 to serve a byte, pool", IDLE, at, "Idle/RawEpoll/10000", "p50_us", "<=", 1.10)
    yield row("F10", "p50, inline executor", IDLE, "Idle/Inline/10000", "Idle/RawEpoll/10000", "p50_us", "<=", 1.10)
    yield row("F10", "p99, pool", IDLE, at, "Idle/RawEpoll/10000", "p99_us", "<=", None)
    yield row("F11", "active, 1 to 10,000", GROWTH, [f"Active/Futures/{n}" for n in ACTIVE],
              [f"Active/RawEpoll/{n}" for n in ACTIVE], "items_per_second", "<=", 1.15, "growth")
    yield row("F11", "idle, 1 to 10,000", IDLE, [f"Idle/Inline/{n}" for n in IDLE_SIZES],
              [f"Idle/RawEpoll/{n}" for n in IDLE_SIZES], "p50_us", "<=", 1.15, "growth")
    rate = "items_per_second"
    yield row("F12", "accept, echo, close: noise", ACCEPT, "Accept/RawAgain", "Accept/Raw", rate, ">=", None)
    yield row("F12", "accept, echo, close: Serve", ACCEPT, "Accept/Serve", "Accept/Raw", rate, ">=", 0.95)
    yield row("F12", "accept, echo, close: Listener", ACCEPT, "Accept/Loop", "Accept/Raw", rate, ">=", 0.95)


def tls():
    for what, args in (("one CPU", ONE_CPU), ("two CPUs", ())):
        yield row("F13", f"TLS stream, 64 KiB, {what}", TLS, "BM_StreamFlow", "BM_StreamRaw", "bytes_per_second", ">=",
                  0.97, args=args)
        yield row("F13", f"TLS ping-pong, 64 B, {what}", TLS, "BM_PingPongFlow", "BM_PingPongRaw", "real_time", "<=",
                  1.05, args=args)


def peers():
    """Shown beside F1, F3 and F4: what a user would pick instead, by the same raw
    loop. F9's bar is a peer."""
    for label, ways in ((ASIO, ("Asio", "AsioTimeout", "AsioSync")), (UV, ("Uv",))):
        for kind in ("unix", "tcp"):
            for way in ways:
                at = f"PingPong/one_cpu/{kind}/"
                yield row("F1", f"{kind}, one CPU: {way}", label, at + way, at + "Raw", "real_time", "<=", None)
                at = f"Stream/64K/{kind}/"
                yield row("F3", f"{kind}, 64 KiB: {way}", label, at + way, at + "Raw", "bytes_per_second", ">=", None,
                          "best")
                at = f"Stream/1K/{kind}/"
                yield row("F4", f"{kind}, 1 KiB: {way}", label, at + way, at + "Raw", "bytes_per_second", ">=", None)


def rows(with_peers):
    parts = [pingpong, streams, in_one_thread, relays, many, tls] + ([peers] if with_peers else [])
    found = [r for part in parts for r in part()]
    return sorted(found, key=lambda r: int(r.goal[1:]))


# F9: futures at both ends of a ping-pong, against Asio's. Each by the raw loop of its
# own process and round.
F9_BAR = 0.60
F9_OURS = row("F9", "our futures", PINGPONG, "PingPong/one_cpu/unix/Futures", "PingPong/one_cpu/unix/Raw", "real_time",
              "<=", None)
F9_ASIO = row("F9", "Asio, use_future", ASIO, "PingPong/one_cpu/unix/AsioFutures", "PingPong/one_cpu/unix/Raw",
              "real_time", "<=", None)
