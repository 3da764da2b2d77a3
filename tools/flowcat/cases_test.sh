#!/usr/bin/env bash
# Cases 89 to 92, 94 and 95 (P2, P10) against the built program, five times each; 93 is
# serve_test.sh's.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
need python3

timeout 200 python3 - "$flowcat" "$work" 2>"$work/cases.err" <<'END' || fail "see cases.err"
import hashlib, os, random, re, select, socket, struct, subprocess, sys, threading, time

flowcat, work = sys.argv[1:]
MIB = 1 << 20
UP, DOWN = random.randbytes(64 * MIB), random.randbytes(64 * MIB)
UP_SHA, DOWN_SHA = hashlib.sha256(UP).digest(), hashlib.sha256(DOWN).digest()


def relay():
    """A server's socket, a client through flowcat, the server's connection, and flowcat."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(30)
    process = subprocess.Popen(
        [flowcat, "tcp-listen:127.0.0.1:0", f"tcp:127.0.0.1:{server.getsockname()[1]}"],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )
    port = int(process.stderr.readline().rsplit(":", 1)[1])
    client = socket.create_connection(("127.0.0.1", port), 30)
    connection, _ = server.accept()
    connection.settimeout(30)
    server.close()
    return client, connection, process


def drain(c):
    got = bytearray()
    while True:
        more = c.recv(1 << 16)
        if not more:
            return bytes(got)
        got += more


def digest(c):
    sha, buffer = hashlib.sha256(), memoryview(bytearray(MIB))
    while True:
        n = c.recv_into(buffer)
        if n == 0:
            return sha.digest()
        sha.update(buffer[:n])


def end(process, code):
    _, said = process.communicate(timeout=30)
    assert process.returncode == code, (process.returncode, said)
    return said


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


def is_reset(c, within):
    """Whether the other side is told of a failure, and in time."""
    c.settimeout(within)
    begin = time.monotonic()
    try:
        while c.recv(1 << 16):
            pass
        raise AssertionError("it looks like an end in order")
    except ConnectionResetError:
        assert time.monotonic() - begin <= within


def late(sender, receiver, first, reply):
    """`first` and a half-close one way; 1 s later `reply` comes back whole."""
    sender.sendall(first)
    sender.shutdown(socket.SHUT_WR)
    assert drain(receiver) == first
    # check:allow(test-sleep) the late reply is what is tested
    time.sleep(1)
    thread = threading.Thread(target=lambda: (receiver.sendall(reply), receiver.close()))
    thread.start()
    assert drain(sender) == reply
    thread.join()


def case_89():
    client, server, process = relay()
    late(client, server, b"q" * 1000, random.randbytes(MIB))
    end(process, 0)


def case_90():
    client, server, process = relay()
    late(server, client, b"", random.randbytes(MIB))
    end(process, 0)


def case_91():
    """The client never reads; what it uploads arrives."""
    client, server, process = relay()
    stop = threading.Event()

    def talk():
        server2 = server.dup()
        server2.setblocking(False)
        while not stop.is_set():
            select.select([], [server2], [], 0.05)
            try:
                server2.send(b"x" * 65536)
            except BlockingIOError:
                pass
            except OSError:
                return

    talker = threading.Thread(target=talk)
    talker.start()
    sent = UP[: 32 * MIB]

    def upload():
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)

    uploader = threading.Thread(target=upload)
    uploader.start()
    got = digest(server)
    uploader.join()
    stop.set()
    talker.join()
    assert got == hashlib.sha256(sent).digest()
    process.kill()
    process.wait()


def case_92():
    client, server, process = relay()
    client.sendall(b"hello")
    assert server.recv(5) == b"hello"
    reset(client)
    is_reset(server, 1.5)
    end(process, 1)

    client, server, process = relay()

    def send(c, data):
        c.sendall(data)
        c.shutdown(socket.SHUT_WR)

    got = {}

    def receive(name, c):
        got[name] = digest(c)

    threads = [threading.Thread(target=send, args=(client, UP)), threading.Thread(target=send, args=(server, DOWN)),
               threading.Thread(target=receive, args=("up", server)),
               threading.Thread(target=receive, args=("down", client))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {"up": UP_SHA, "down": DOWN_SHA}
    end(process, 0)


def case_94():
    """A sink that fails: the error names it, with the count; both directions are told."""
    if not os.path.exists("/dev/full"):
        return
    done = subprocess.run([flowcat, "exec:cat /dev/zero", "file:/dev/full,write"], stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == 1, done
    lines = done.stderr.splitlines()
    assert re.search(r"exec:cat /dev/zero -> file:/dev/full,write: RESOURCE_EXHAUSTED: writing to the sink failed "
                     r"after 0 B: .*No space left on device", lines[0]), lines
    assert len(lines) == 2, lines


def case_95():
    """The client is reset while the server idles, also after its own half-close."""
    for half_closed in (False, True):
        client, server, process = relay()
        client.sendall(b"hello")
        if half_closed:
            client.shutdown(socket.SHUT_WR)
            assert drain(server) == b"hello"
        else:
            assert server.recv(5) == b"hello"
        reset(client)
        if half_closed:
            # Its end has been told; now it is gone for certain.
            poll = select.poll()
            poll.register(server, 0)
            assert poll.poll(1000), "the server was not told within a second"
        else:
            is_reset(server, 1)
        end(process, 1)


for case in (case_89, case_90, case_91, case_92, case_94, case_95):
    begin = time.monotonic()
    failures = []

    def run():
        try:
            case()
        except BaseException as e:  # noqa: told below
            failures.append(e)

    if case in (case_91, case_92):  # they fill the machine
        for _ in range(5):
            run()
    else:
        threads = [threading.Thread(target=run) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(case.__name__, f"{time.monotonic() - begin:.1f} s", "failed" if failures else "ok", file=sys.stderr)
    if failures:
        raise failures[0]
END
passed
cat "$work/cases.err"
