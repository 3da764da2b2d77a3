#!/usr/bin/env bash
# The examples do what their first lines say.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
need python3
ask=$PWD/examples/ask
readme_example=$PWD/examples/readme_example

start server "$PWD/examples/echo_server" tcp:127.0.0.1:0 >"$work/server.out" </dev/null
wait_for_line "$work/server.out" '^listening on tcp:'
address=$(sed -n 's/^listening on //p' "$work/server.out")

[[ $("$ask" "$address" hello) == hello ]] || fail "no echo"
# A client that is idle is in nobody's way.
exec 9<>"/dev/tcp/127.0.0.1/${address##*:}"
[[ $("$ask" "$address" "hello again") == "hello again" ]] || fail "no echo beside an idle client"
passed

status=0
"$ask" "unix:$work/nobody" hello 2>"$work/ask.err" || status=$?
((status == 1)) || fail "expected exit code 1, got $status"
grep -q '^NOT_FOUND: ' "$work/ask.err" || fail "does not say why"
passed

mkdir "$work/www"
echo "a page" >"$work/www/index.html"
start web python3 -um http.server --bind 127.0.0.1 --directory "$work/www" 0 >"$work/web.out" </dev/null
wait_for_line "$work/web.out" '^Serving HTTP on .* port [0-9]+'
port=$(sed -nE 's/^Serving HTTP on .* port ([0-9]+).*/\1/p' "$work/web.out")
"$readme_example" "tcp:127.0.0.1:$port" >"$work/page" || fail "exit code $?"
[[ $(tail -n 1 "$work/page") == "a page" ]] || fail "no page: $(<"$work/page")"
passed
