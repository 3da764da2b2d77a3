#!/usr/bin/env bash
# --serve: many connections, and how they end: P10, P11, case 93. SIGUSR1 says what
# they do; systemd is told when it is ready.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
need python3

timeout 100 python3 - "$flowcat" "$work" 2>"$work/serve.err" <<'END' || fail "see serve.err"
import os, re, signal, socket, struct, subprocess, sys, threading, time

flowcat, work = sys.argv[1:]


def start(*args, **more):
    return subprocess.Popen([flowcat, *args], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **more)


def port_of(process):
    for line in process.stderr:
        found = re.search(r"listening on tcp:127.0.0.1:(\d+)", line)
        if found:
            return int(found.group(1))
    raise AssertionError("it has ended")


def connect(port):
    return socket.create_connection(("127.0.0.1", port), 30)


def exchange(c, message):
    c.sendall(message)
    got = b""
    while len(got) < len(message):
        more = c.recv(65536)
        assert more, "it ended"
        got += more
    assert got == message


def drained(c):
    c.shutdown(socket.SHUT_WR)
    while c.recv(65536):
        pass


def proxy(*args, **more):
    process = start(*args, "--serve", "tcp-listen:127.0.0.1:0", f"tcp:127.0.0.1:{echo_port}", **more)
    return process, port_of(process)


echo = start("echo", "tcp-listen:127.0.0.1:0")
echo_port = port_of(echo)


def two_hundred_drain():
    """Case 93: SIGTERM in the middle of 200 connections, all of which end."""
    process, port = proxy("--drain=60s")
    clients = [connect(port) for _ in range(200)]
    for i, c in enumerate(clients):
        exchange(c, b"%d" % i * 500)
    process.send_signal(signal.SIGTERM)
    for line in iter(lambda: probe(port), "refused"):
        pass
    for i, c in enumerate(clients):  # they are served to their end
        exchange(c, b"after %d" % i * 500)
        drained(c)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, (process.returncode, said)
    # (A probe for its end may still have been served.)
    assert re.search(r"served 2\d\d connections, 0 failed", said), said


def probe(port):
    try:
        connect(port).close()
        return "accepted"
    except ConnectionError:
        return "refused"


def cut_by_drain():
    """Case 93: who has not ended by --drain is cut, and the exit code says so."""
    process, port = proxy("--drain=300ms")
    c = connect(port)
    exchange(c, b"hello")
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 5, (process.returncode, said)
    try:
        assert c.recv(1) != b"", "a cut connection looks like one that ended in order"
        raise AssertionError("a byte came")
    except ConnectionResetError:
        pass


def second_signal_cuts():
    process, port = proxy("--drain=100s")
    c = connect(port)
    exchange(c, b"hello")
    process.send_signal(signal.SIGTERM)
    while probe(port) != "refused":
        pass
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.wait(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM, process.returncode


def a_failed_one_ends_nobody_else():
    process, port = proxy("--drain=20s")
    stays = connect(port)
    exchange(stays, b"first")
    for _ in range(20):
        c = connect(port)
        exchange(c, b"x")
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.close()
    exchange(stays, b"still there")
    exchange(connect(port), b"and new ones")
    drained(stays)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode in (0, 5), process.returncode


def upstream_that_is_gone():
    """An upstream that refuses fails its connection alone, with a message."""
    process = start("--serve", "tcp-listen:127.0.0.1:0", f"unix:{work}/nobody")
    port = port_of(process)
    for _ in range(2):
        # The reset may come before connect(2) has been asked how it went.
        try:
            assert connect(port).recv(1) == b""
        except ConnectionResetError:
            pass
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "#2: cannot connect to unix:" in said and "hint: there is no such path" in said, said


def at_most_two():
    """--max-connections: the third waits for its turn."""
    process, port = proxy("--max-connections=2")
    a, b, c = connect(port), connect(port), connect(port)
    exchange(a, b"a")
    exchange(b, b"b")
    c.sendall(b"c")
    c.settimeout(0.3)
    try:
        c.recv(1)
        raise AssertionError("three were served at once")
    except TimeoutError:
        pass
    c.settimeout(30)
    drained(a)
    assert c.recv(1) == b"c"
    for each in (b, c):
        drained(each)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


def usr1_tells():
    process, port = proxy("--timeout=100s")
    c = connect(port)
    exchange(c, b"12345")
    for _ in range(1000):
        process.send_signal(signal.SIGUSR1)
        lines = [process.stderr.readline() for _ in range(4)]
        # The bytes are here before the relay has counted them and waits again.
        rest = [f"      {way} 5 B, waits for input\n" for way in "><"]
        if lines[0].endswith(", 5 B >, 5 B <\n") and lines[2:] == rest:
            break
    assert re.match(r"flowcat: 1 of 1 connections live, 0 ended \(0 failed\), 5 B >, 5 B <$", lines[0]), lines
    assert re.match(
        rf"  #1 tcp 127.0.0.1:{c.getsockname()[1]} -> tcp 127.0.0.1:{echo_port}, age .*, deadline in 1m3", lines[1]
    ), lines
    assert lines[2] == "      > 5 B, waits for input\n", lines
    assert lines[3] == "      < 5 B, waits for input\n", lines
    drained(c)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


def readiness():
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(f"{work}/notify")
    notify.settimeout(30)
    process, port = proxy(env={**os.environ, "NOTIFY_SOCKET": f"{work}/notify"})
    ready = notify.recv(1000).decode()
    assert ready == f"READY=1\nSTATUS=listening on tcp:127.0.0.1:{port}", ready
    process.send_signal(signal.SIGTERM)
    assert notify.recv(1000) == b"STOPPING=1"
    assert process.wait(timeout=30) == 0


def single():
    process = start("tcp-listen:127.0.0.1:0", f"tcp:127.0.0.1:{echo_port}")
    c = connect(port_of(process))
    exchange(c, b"hello")
    return process, c


def one_that_moves_may_end():
    """Without --drain one connection has for as long as bytes move, at most 5 s."""
    process, c = single()
    process.send_signal(signal.SIGTERM)
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        exchange(c, b"still moving")
    drained(c)
    assert process.wait(timeout=30) == 0


def one_that_is_idle_is_cut():
    process, c = single()
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 128 + signal.SIGTERM
    assert time.monotonic() - begin < 4, "it waited for nothing"
    try:
        assert c.recv(1) != b"", "it looks like one that ended in order"
        raise AssertionError("a byte came")
    except ConnectionResetError:
        pass


def one_that_never_ends_is_cut():
    process, c = single()
    process.send_signal(signal.SIGTERM)
    try:
        while True:
            exchange(c, b"for ever")
    except (ConnectionError, AssertionError):
        pass
    assert process.wait(timeout=30) == 128 + signal.SIGTERM


failures = []


def run(test):
    try:
        test()
    except BaseException as e:  # noqa: all are told
        failures.append(f"{test.__name__}: {e!r}")


# Case 93, in its three parts, five times.
tests = [two_hundred_drain, cut_by_drain, a_failed_one_ends_nobody_else] * 5
tests += [second_signal_cuts, upstream_that_is_gone,
         at_most_two, usr1_tells, readiness, one_that_moves_may_end, one_that_is_idle_is_cut,
         one_that_never_ends_is_cut]
for test in tests:
    run(test)
echo.kill()
if failures:
    sys.exit("\n".join(failures))
END
passed
