#!/usr/bin/env bash
# fan_out: a hundred answers from a real server, and the deadline for a dead one.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
need python3
fan_out=$PWD/examples/fan_out

start server "$PWD/examples/echo_server" tcp:127.0.0.1:0 >"$work/server.out" </dev/null
wait_for_line "$work/server.out" '^listening on tcp:'
address=$(sed -n 's/^listening on //p' "$work/server.out")
[[ $("$fan_out" "$address" 20) == "100 of 100 answered" ]] || fail "not all answered"
passed

# One that reads everything and answers nobody: over when the time is, all of it.
python_server silent 'held = globals().setdefault("held", []); held.append(c); continue'
begin=$SECONDS status=0
"$fan_out" "tcp:127.0.0.1:$port" 1 >"$work/silent.out" 2>"$work/fan_out.err" || status=$?
((status == 1)) || fail "expected exit code 1, got $status"
((SECONDS - begin < 10)) || fail "took $((SECONDS - begin)) s"
grep -qx '0 of 100 answered' "$work/silent.out" || fail "$(<"$work/silent.out")"
grep -q '^DEADLINE_EXCEEDED: ' "$work/fan_out.err" || fail "does not say why"
passed

# One that resets every connection.
python_server rude 'c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))'
status=0
"$fan_out" "tcp:127.0.0.1:$port" 20 >"$work/rude.out" 2>"$work/fan_out.err" || status=$?
((status == 1)) || fail "expected exit code 1, got $status"
grep -qx '0 of 100 answered' "$work/rude.out" || fail "$(<"$work/rude.out")"
passed
