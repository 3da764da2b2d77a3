"""The clients of chat_server_test.sh: chat_server_test.py PORT PID.

Waits are for lines that come, with a time limit; the server says who comes and who
leaves, so that nothing has to be guessed.
"""

import os
import re
import socket
import struct
import sys

PORT, PID = int(sys.argv[1]), sys.argv[2]
# The thread sanitizer has one of its own.
THREADS = 4 if "TSAN_OPTIONS" in os.environ else 3
# The address sanitizer keeps what was freed.
SANITIZED = "TSAN_OPTIONS" in os.environ or "ASAN_OPTIONS" in os.environ
LINGER_RESETS = struct.pack("ii", 1, 0)


class Client:
    """Somebody in the room."""

    def __init__(self, receive_buffer):
        self.socket = socket.socket()
        self.socket.settimeout(60)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(("127.0.0.1", PORT))
        self.file = self.socket.makefile("rb")
        self.id = int(self.expect(r"\* (\d+) is here").group(1))

    def say(self, text):
        self.socket.sendall(text.encode())

    def expect(self, pattern):
        """The next line, which has to look so."""
        line = self.file.readline().decode()
        match = re.fullmatch(pattern, line.rstrip("\n"))
        assert match and line.endswith("\n"), f"expected {pattern!r}, got {line!r}"
        return match


def come(clients, receive_buffer=0):
    """Somebody more, of whom all hear."""
    new = Client(receive_buffer)
    for client in clients:
        client.expect(rf"\* {new.id} is here")
    clients.append(new)
    return new


def leave(clients):
    """The last, of whom all hear."""
    gone = clients.pop()
    gone.file.close()
    gone.socket.close()
    for client in clients:
        client.expect(rf"\* {gone.id} has left")


def status(word):
    """A number of /proc/PID/status."""
    with open(f"/proc/{PID}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(word))


def everybody_hears_whole_lines(clients):
    a, b, others = clients[0], clients[1], clients[2:]
    a.say("hel")
    b.say("b's ")
    a.say("lo\nand")
    for client in [b] + others:
        client.expect("hello")
    b.say("line\n")
    for client in [a] + others:
        client.expect("b's line")
    a.say(" more\n")
    for client in [b] + others:
        client.expect("and more")


def all_hear_who_leaves(clients):
    """In order, by a reset, and in the middle of a line."""
    for end in ("close", "reset", "half a line"):
        if end == "reset":
            clients[-1].socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESETS)
        if end == "half a line":
            clients[-1].say("never to be ended")
        leave(clients)


def nobody_waits_for_a_slow_one(clients):
    """Who never reads is put out; the others get all, and the server stays small."""
    slow = come(clients, receive_buffer=4096)
    clients.remove(slow)
    talker, listener = clients[:2]
    before = status("VmRSS")
    line = "x" * 65535 + "\n"
    put_out = rf"\* {slow.id} has left"
    left = 0
    for _ in range(500):  # 32 MB
        talker.say(line)
        got = listener.file.readline().decode()
        if re.fullmatch(put_out, got.rstrip("\n")):
            left += 1
            got = listener.file.readline().decode()
        assert got == line, f"{len(got)} bytes came"
        for client in clients[2:]:
            while client.file.readline().decode() != line:
                pass
    assert left == 1, f"the slow one has left {left} times"
    grown = status("VmRSS") - before
    assert SANITIZED or grown < 20_000, f"{grown} kB more"
    talker.expect(put_out)


def a_line_without_an_end_is_refused(clients):
    endless = come(clients)
    clients.remove(endless)
    try:
        while True:
            endless.say("x" * 65536)
    except OSError:
        pass  # reset
    for client in clients:
        client.expect(rf"\* {endless.id} has left")


def main():
    clients = []
    for _ in range(100):
        come(clients)
    assert status("Threads") == THREADS, f"{status('Threads')} threads"
    everybody_hears_whole_lines(clients)
    all_hear_who_leaves(clients)
    while len(clients) > 4:
        leave(clients)
    nobody_waits_for_a_slow_one(clients)
    a_line_without_an_end_is_refused(clients)
    everybody_hears_whole_lines(clients)
    assert status("Threads") == THREADS, f"{status('Threads')} threads"


main()
