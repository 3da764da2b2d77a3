#!/usr/bin/env bash
# chat_server: a hundred real clients on three threads, one of them slow.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
need python3

start server "$PWD/examples/chat_server" tcp:127.0.0.1:0 >"$work/server.out" </dev/null
server=$pid
wait_for_line "$work/server.out" '^listening on tcp:'
address=$(sed -n 's/^listening on //p' "$work/server.out")
python3 "$PWD/examples/chat_server_test.py" "${address##*:}" "$server" || fail "see above"
kill -0 "$server" || fail "the server is gone"
passed

status=0
"$PWD/examples/chat_server" nonsense 2>"$work/usage.err" || status=$?
((status == 1)) || fail "expected exit code 1, got $status"
passed
