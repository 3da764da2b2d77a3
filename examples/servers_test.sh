#!/usr/bin/env bash
# echo_server stops in order, and says so by its exit code; line_client keeps a
# deadline for each request.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
need python3
ask=$PWD/examples/ask
line_client=$PWD/examples/line_client

# start_server NAME ARGUMENT...: its address is then $address.
start_server() {
  local name=$1
  shift
  start "$name" "$PWD/examples/echo_server" "$@" >"$work/$name.out" </dev/null
  wait_for_line "$work/$name.out" '^listening on '
  address=$(sed -n 's/^listening on //p' "$work/$name.out")
}

# Asked to stop while a client is idle: that one sees the end, and all is well.
start_server orderly tcp:127.0.0.1:0 30s
server=$pid
[[ $(printf 'one\ntwo\n' | "$line_client" "$address" 20s) == $'one\ntwo' ]] || fail "no answers"
exec 9<>"/dev/tcp/127.0.0.1/${address##*:}"
echo before >&9
read -r -t 20 answer <&9
[[ $answer == before ]] || fail "no echo: $answer"
kill -TERM "$server"
! read -r -t 20 answer <&9 || fail "expected the end, got $answer"
exec 9>&-
wait_exit "$server" 0

# Its path is gone with it.
start_server unix "unix:$work/s"
[[ $("$ask" "$address" hello) == hello ]] || fail "no echo"
kill -TERM "$pid"
wait_exit "$pid" 0
[[ ! -e $work/s ]] || fail "the path is still there"

# A client that never reads what it is owed is cut when the time is over. By unix: the
# buffers of TCP move bytes about long after both sides have been told to wait [run].
start_server cutting "unix:$work/cutting" 200ms
server=$pid
start glutton python3 -uc "
import signal, socket
s = socket.socket(socket.AF_UNIX)
s.connect('$work/cutting')
s.settimeout(3)
try:
    # (The time is for all of a sendall.)
    while True: s.sendall(bytes(1 << 12))
except TimeoutError:
    print('full', flush=True)
signal.pause()
" >"$work/glutton.out" </dev/null
wait_for_line "$work/glutton.out" '^full$'
kill -TERM "$server"
wait_exit "$server" 3
grep -q 'DEADLINE_EXCEEDED: stop() cut 1 ' "$work/cutting.err" || fail "does not say why"
grep -q 'CANCELLED: the connection was cut' "$work/cutting.err" || fail "does not say who"

# Usage, and an address that is none.
status=0
"$PWD/examples/echo_server" 2>"$work/usage.err" || status=$?
((status == 2)) || fail "expected exit code 2, got $status"
status=0
"$PWD/examples/echo_server" nonsense 2>"$work/nonsense.err" || status=$?
((status == 1)) || fail "expected exit code 1, got $status"
passed

# A server that answers every second request alone: each has its own time, and a
# late answer is never taken for another's.
python_server lazy '
n = globals().get("n", 0)
for line in c.makefile("rb"):
    n += 1
    if n % 2: continue
    c.sendall(line)'
status=0
printf '1\n2\n3\n4\n' | "$line_client" "tcp:127.0.0.1:$port" 500ms >"$work/answers" || status=$?
((status == 1)) || fail "expected exit code 1, got $status"
sed -i 's/^DEADLINE_EXCEEDED: .*/late/' "$work/answers"
[[ $(tr '\n' ' ' <"$work/answers") == "late 2 late 4 " ]] || fail "answers: $(<"$work/answers")"
passed
