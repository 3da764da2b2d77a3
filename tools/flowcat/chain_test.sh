#!/usr/bin/env bash
# P10: four relays in a row, over TCP, a unix socket, standard input and output, and
# TLS, pass a hundred half-close exchanges exactly, and each exits with 0.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
need openssl python3

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test \
  -addext subjectAltName=IP:127.0.0.1 -keyout "$work/key" -out "$work/cert" 2>"$work/openssl.err" ||
  fail "openssl made no certificate"

python3 - "$flowcat" "$work" 100 2>"$work/chain.err" <<'PYTHON' || fail "an exchange went wrong"
import concurrent.futures
import hashlib
import random
import socket
import subprocess
import sys

flowcat, work, count = sys.argv[1], sys.argv[2], int(sys.argv[3])


def drain(connection):
    got = bytearray()
    while True:
        some = connection.recv(65536)
        if not some:
            return bytes(got)
        got += some


def listen(*ends):
    """A flowcat that listens, and where."""
    process = subprocess.Popen([flowcat, *ends], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "listening on " in line:
            return process, line.split("listening on ")[1].strip()
    sys.exit(f"{ends} does not listen")


def exchange(number):
    chance = random.Random(number)
    request = chance.randbytes(chance.randrange(1, 5000))
    reply = chance.randbytes(chance.randrange(1, 300000))
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(60)
    tls, at_tls = listen(
        f"tls-listen:127.0.0.1:0,cert={work}/cert,key={work}/key", f"tcp:127.0.0.1:{server.getsockname()[1]}"
    )
    inner = f"{flowcat} --quiet - {at_tls}%2Cca={work}/cert"
    unix, at_unix = listen(f"unix-listen:{work}/{number}", f"exec:{inner}")
    tcp, at_tcp = listen("tcp-listen:127.0.0.1:0", at_unix)
    with socket.create_connection(("127.0.0.1", int(at_tcp.rsplit(":", 1)[1])), 60) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        connection, _ = server.accept()
        connection.settimeout(60)
        # Only now that the end of the request has come does the reply begin.
        assert hashlib.sha256(drain(connection)).digest() == hashlib.sha256(request).digest(), "request"
        connection.sendall(reply)
        connection.close()
        assert hashlib.sha256(drain(client)).digest() == hashlib.sha256(reply).digest(), "reply"
    for process in (tcp, unix, tls):
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 0, f"exit code {process.returncode}: {said}"


with concurrent.futures.ThreadPoolExecutor(4) as pool:
    done = sum(1 for _ in pool.map(exchange, range(count)))
assert done == count
PYTHON
passed
