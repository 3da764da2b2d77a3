#!/usr/bin/env bash
# Standard input and output are left as they were found, also when flowcat is
# killed in the middle: P6, cases 32 and 33.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
need python3

# Sends without an end, and takes what comes.
python_server source "
import threading
def eat(c):
    try:
        while c.recv(65536): pass
    except OSError: pass
threading.Thread(target=eat, args=(c,), daemon=True).start()
try:
    while True: c.sendall(b'x' * 65536)
except OSError: pass
"

timeout 120 python3 - "$flowcat" "$port" 2>"$work/guest.err" <<'END' || fail "see above"
import fcntl, os, pty, select, signal, subprocess, sys, tempfile, termios

flowcat, port = sys.argv[1:]


def pipes():
    return os.pipe() + os.pipe()


def fifos():
    # FIFOs don't know RWF_NOWAIT: another way through the library.
    fds = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("in", "out"):
            path = os.path.join(folder, name)
            os.mkfifo(path)
            fds += [os.open(path, os.O_RDWR), os.open(path, os.O_RDWR)]
    return fds


def tty():
    master, slave = pty.openpty()
    return [slave, master, master, slave]


def state(fd):
    settings = termios.tcgetattr(fd) if os.isatty(fd) else None
    return fcntl.fcntl(fd, fcntl.F_GETFL), settings


for make in (pipes, fifos, tty):
    for how in (signal.SIGKILL, signal.SIGTERM):
        # What flowcat reads, who writes that; who reads what flowcat writes, that.
        stdin, feed, drain, stdout = make()
        before = state(stdin), state(stdout)
        child = subprocess.Popen([flowcat, "-", f"tcp:127.0.0.1:{port}"],
                                 stdin=stdin, stdout=stdout, stderr=subprocess.PIPE)
        os.write(feed, b"some input\n")
        # Bytes come out (not only a terminal's echo), and it is in the middle of more.
        got = b""
        while b"x" not in got:
            assert select.select([drain], [], [], 30)[0], "no byte came"
            got = os.read(drain, 1000)
        during = state(stdin), state(stdout)
        child.send_signal(how)
        _, log = child.communicate(timeout=30)
        assert child.returncode == (-9 if how == signal.SIGKILL else 143), (child.returncode, log)
        after = state(stdin), state(stdout)
        assert before == during == after, (make.__name__, how, before, during, after)
        # The next reader of the same input still blocks.
        while make is not tty and select.select([stdin], [], [], 0)[0]:
            os.read(stdin, 1000)
        if make is not tty:
            reader = subprocess.Popen(["cat"], stdin=stdin, stdout=subprocess.PIPE)
            os.write(feed, b"next\n")
            assert reader.stdout.read(5) == b"next\n"
            assert reader.poll() is None, "cat met the end, or EAGAIN"
            reader.kill()
            reader.wait()
        for fd in {stdin, feed, drain, stdout}:
            os.close(fd)
        print(make.__name__, how.name, "ok")
END
passed
