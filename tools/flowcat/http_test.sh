#!/usr/bin/env bash
# curl fetches 100 MiB from python's web server through flowcat: P2, P10.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
need curl python3

mkdir "$work/www"
head -c 100M /dev/urandom >"$work/www/big"
start server python3 -um http.server --bind 127.0.0.1 --directory "$work/www" 0 >"$work/server.out" </dev/null
wait_for_line "$work/server.out" '^Serving HTTP on .* port [0-9]+'
port=$(sed -nE 's/^Serving HTTP on .* port ([0-9]+).*/\1/p' "$work/server.out")

start relay "$flowcat" tcp-listen:127.0.0.1:0 "tcp:127.0.0.1:$port" </dev/null
relay=$pid
address=$(address_of relay)
curl --silent --show-error --fail --max-time 120 --output "$work/copy" "http://${address#tcp:}/big" ||
  fail "curl: exit code $?"
same "$work/www/big" "$work/copy"
wait_exit "$relay" 0
grep -qE -- '-> tcp-listen:127.0.0.1:0: 104857[0-9]{3} B in ' "$work/relay.err" || fail "no byte count"
passed
