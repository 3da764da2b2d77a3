"""F14: flowcat as a relay between two TCP connections over loopback, and the programs
that one would take instead, in interleaved rounds: GiB/s and processor time."""

import contextlib
import os
import random
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time

import measure

FLOWCAT = "//tools/flowcat:flowcat"
TICK = os.sysconf("SC_CLK_TCK")
GIB = 1 << 30

HAPROXY = """
global
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option splice-auto
listen relay
  bind 127.0.0.1:{near}
  server far 127.0.0.1:{far}
"""
NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
{modules}
events {{ worker_connections 64; }}
stream {{ server {{ listen 127.0.0.1:{near}; proxy_pass 127.0.0.1:{far}; proxy_buffer_size 64k; }} }}
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def haproxy(near, far, folder):
    return ["haproxy", "-q", "-f", write(folder, "haproxy.cfg", HAPROXY.format(near=near, far=far))]


def nginx(near, far, folder):
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"
    modules = f"load_module {module};" if os.path.exists(module) else ""
    return [shutil.which("nginx") or "/usr/sbin/nginx", "-c",
            write(folder, "nginx.conf", NGINX.format(near=near, far=far, folder=folder, modules=modules)),
            "-p", folder, "-e", os.path.join(folder, "error.log")]


def relays(flowcat):
    yield "flowcat", lambda near, far, _: [flowcat, f"tcp-listen:127.0.0.1:{near}", f"tcp:127.0.0.1:{far}"]
    yield "socat", lambda near, far, _: ["socat", f"TCP-LISTEN:{near},bind=127.0.0.1", f"TCP:127.0.0.1:{far}"]
    yield "socat -b 65536", lambda near, far, _: ["socat", "-b", "65536", f"TCP-LISTEN:{near},bind=127.0.0.1",
                                                  f"TCP:127.0.0.1:{far}"]
    yield "haproxy, splice", haproxy
    yield "nginx stream", nginx


def cpu_seconds(pid):
    """Of a process that runs or has ended but was not waited for."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def connect(port, process):
    end = time.monotonic() + 10
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        time.sleep(0.01)
    raise RuntimeError("the relay does not listen")


def feed(sender, total):
    chunk = memoryview(bytes(256 << 10))
    while total > 0:
        total -= sender.send(chunk[: min(total, len(chunk))])
    sender.shutdown(socket.SHUT_WR)


def eat(receiver, total):
    buffer = bytearray(256 << 10)
    got = 0
    while got < total:
        n = receiver.recv_into(buffer)
        if n == 0:
            raise RuntimeError(f"{got} of {total} bytes came")
        got += n


def one_run(command, total):
    """GiB/s and processor seconds per GiB of `total` bytes through a relay."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        near = free_port()
        process = subprocess.Popen(command(near, listener.getsockname()[1], folder), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with connect(near, process) as sender:
                listener.settimeout(10)
                receiver, _ = listener.accept()
                with receiver:
                    return timed(process, sender, receiver, total)
        finally:
            process.kill()
            process.wait()


def timed(process, sender, receiver, total):
    begin, before = time.monotonic(), cpu_seconds(process.pid)
    feeder = threading.Thread(target=feed, args=(sender, total))
    feeder.start()
    eat(receiver, total)
    took = time.monotonic() - begin
    feeder.join()
    gib = total / GIB
    return gib / took, (cpu_seconds(process.pid) - before) / gib


def lines(flowcat, chosen, say):
    total = (256 << 20) if chosen.quick else GIB
    taken = {}
    ways = [(name, command) for name, command in relays(flowcat)
            if name == "flowcat" or shutil.which(command(1, 1, tempfile.gettempdir())[0])]
    for number in range(chosen.rounds):
        say(f"round {number + 1} of {chosen.rounds}: relays")
        random.shuffle(ways)
        for name, command in ways:
            try:
                taken.setdefault(name, []).append(one_run(command, total))
            except (RuntimeError, OSError) as error:
                say(f"{name}: {error}")
    ours = taken.pop("flowcat", [])
    for name, figures in sorted(taken.items()):
        yield line(f"flowcat / {name}: GiB/s", [f[0] for f in ours], [f[0] for f in figures], "GiB/s", ">=")
        yield line(f"flowcat / {name}: CPU per GiB", [f[1] for f in ours], [f[1] for f in figures], "CPUs/GiB", "<=")


def line(what, ours, theirs, metric, op):
    made = {"goal": "F14", "what": what, "kind": "ratio", "metric": metric, "op": op, "bar": 1.0, "program": FLOWCAT,
            "benchmark": what, "raw_benchmark": None, "ours": None, "raw": None, "figure": None, "spread": None,
            "rounds": len(ours), "pass": None}
    if ours and theirs:
        made["ours"], made["raw"] = statistics.median(ours), statistics.median(theirs)
        made["figure"] = made["ours"] / made["raw"] if made["raw"] else None
        made["spread"] = measure.quartiles([a / b for a, b in zip(ours, theirs) if b])
        made["pass"] = measure.passes(op, 1.0, made["figure"])
    return made
