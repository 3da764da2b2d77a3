#!/usr/bin/env bash
# Who half-closes still gets the late reply, all of it: P10, cases 89 and 90.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
need nc python3

head -c 1M /dev/urandom >"$work/reply"
# Answers 1 s after the end of the request. (socat and nginx give up by then.)
python_server late "
n = 0
while True:
    d = c.recv(65536)
    if not d: break
    n += len(d)
print('request of', n, flush=True)
# check:allow(test-sleep) the late reply is what is tested
time.sleep(1)
c.sendall(open('$work/reply', 'rb').read())
c.shutdown(socket.SHUT_WR)
"

# nc -N: half-closes when its input has ended.
start relay "$flowcat" tcp-listen:127.0.0.1:0 "tcp:127.0.0.1:$port" </dev/null
relay=$pid
address=$(address_of relay)
printf '%01000d' 7 | timeout 60 nc -N 127.0.0.1 "${address##*:}" >"$work/got" || fail "nc: exit code $?"
same "$work/reply" "$work/got"
wait_exit "$relay" 0
grep -q '^request of 1000$' "$work/late.out" || fail "the request did not arrive in full"

# Standard input that has ended from the start.
timeout 60 "$flowcat" --quiet - "tcp:127.0.0.1:$port" </dev/null >"$work/got" 2>"$work/null.err" ||
  fail "flowcat - </dev/null: exit code $?"
same "$work/reply" "$work/got"
[[ ! -s $work/null.err ]] || fail "--quiet was not"

# A pipe that has ended; what comes back goes to a file, then to a pipe.
printf hello | timeout 60 "$flowcat" - "tcp:127.0.0.1:$port" >"$work/got" 2>"$work/file.err" ||
  fail "printf | flowcat - > file: exit code $?"
same "$work/reply" "$work/got"
printf hello | timeout 60 "$flowcat" - "tcp:127.0.0.1:$port" 2>"$work/pipe.err" | cat >"$work/got" ||
  fail "printf | flowcat - | cat: exit code $?"
same "$work/reply" "$work/got"

# Four relays in a row, of all kinds.
start d "$flowcat" "unix-listen:$work/d" "tcp:127.0.0.1:$port" </dev/null
last=$pid
address_of d >/dev/null
start c "$flowcat" tcp-listen:127.0.0.1:0 "unix:$work/d" </dev/null
c=$(address_of c)
start b "$flowcat" "unix-listen:$work/b" "$c" </dev/null
address_of b >/dev/null
printf hello | timeout 60 "$flowcat" "unix:$work/b" - >"$work/got" 2>"$work/a.err" ||
  fail "four relays: exit code $?"
same "$work/reply" "$work/got"
wait_exit "$last" 0
