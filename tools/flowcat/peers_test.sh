#!/usr/bin/env bash
# Programs of other people as peers: socat, openssl, redis; and a shell's pipes.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
need openssl redis-cli redis-server socat

# socat at both ends of a relay.
start socat socat -d -d -u "UNIX-LISTEN:$work/sink" "CREATE:$work/got" </dev/null
sink=$pid
head -c 2M /dev/urandom >"$work/file"
wait_for_line "$work/socat.err" 'listening on'
start relay "$flowcat" tcp-listen:127.0.0.1:0 "unix:$work/sink" </dev/null
relay=$pid
address=$(address_of relay)
timeout 60 socat -u "OPEN:$work/file" "TCP:127.0.0.1:${address##*:}" || fail "socat: exit code $?"
wait_exit "$relay" 0
wait_exit "$sink" 0
same "$work/file" "$work/got"

# openssl's client at flowcat's server, and flowcat at openssl's server.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test \
  -addext subjectAltName=IP:127.0.0.1 -keyout "$work/key" -out "$work/cert" 2>"$work/openssl.err" ||
  fail "openssl made no certificate"
start tls "$flowcat" echo "tls-listen:127.0.0.1:0,cert=$work/cert,key=$work/key,alpn=ping" </dev/null
tls=$pid
address=$(address_of tls)
: >"$work/s_client.out"
# shellcheck disable=SC2094 # it is followed while it is written
{
  echo hello
  wait_for_line "$work/s_client.out" '^hello$' # until then its input must not end
} | timeout 60 openssl s_client -quiet -no_ign_eof -verify_return_error -CAfile "$work/cert" -alpn ping \
  -connect "127.0.0.1:${address##*:}" >>"$work/s_client.out" 2>"$work/s_client.err" || fail "openssl: exit code $?"
grep -qx hello "$work/s_client.out" || fail "openssl's client got no echo"
passed

# probe sees what there is, and says what is wrong with it.
timeout 60 "$flowcat" probe "$address,ca=$work/cert,alpn=ping" >"$work/probe.out" 2>"$work/probe.err" ||
  fail "probe: exit code $?"
grep -q '^tls .*TLS 1.3, .*alpn ping' "$work/probe.out" || fail "no TLS: $(<"$work/probe.out")"
grep -q '^cert .*CN=test; for 127.0.0.1' "$work/probe.out" || fail "no certificate: $(<"$work/probe.out")"
grep -qE 'good until [0-9-]{10} \([12] days\)' "$work/probe.out" || fail "no date: $(<"$work/probe.out")"
grep -q '^verified yes' "$work/probe.out" || fail "not verified: $(<"$work/probe.out")"
status=0
timeout 60 "$flowcat" probe --json "$address" >"$work/probe.out" 2>"$work/probe.err" || status=$?
((status == 3)) || fail "expected exit code 3 for a stranger's certificate, got $status"
grep -q '"subject":"CN=test".*"verified":false' "$work/probe.out" || fail "no facts: $(<"$work/probe.out")"
grep -q 'hint: nobody whom this machine trusts vouches for it' "$work/probe.err" || fail "no hint"
passed
kill -TERM "$tls"
wait_exit "$tls" 0

# An expired certificate: since when.
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=old \
  -addext subjectAltName=IP:127.0.0.1 -keyout "$work/old.key" -out "$work/old.csr" 2>"$work/openssl.err" ||
  fail "openssl made no request"
mkdir "$work/ca"
: >"$work/ca/index"
echo 01 >"$work/ca/serial"
printf '%s\n' '[ca]' 'default_ca=d' '[d]' "database=$work/ca/index" "serial=$work/ca/serial" \
  "new_certs_dir=$work/ca" 'default_md=sha256' 'policy=p' 'copy_extensions=copy' '[p]' 'commonName=supplied' \
  >"$work/ca.cnf"
openssl ca -batch -config "$work/ca.cnf" -selfsign -keyfile "$work/old.key" -in "$work/old.csr" -out "$work/old" \
  -startdate 20200101000000Z -enddate 20200201000000Z 2>"$work/openssl.err" || fail "openssl signed nothing"
start expired "$flowcat" echo "tls-listen:127.0.0.1:0,cert=$work/old,key=$work/old.key" </dev/null
expired=$pid
status=0
timeout 60 "$flowcat" probe "$(address_of expired),ca=$work/old" >"$work/probe.out" 2>"$work/probe.err" || status=$?
((status == 3)) || fail "expected exit code 3 for an expired certificate, got $status"
grep -q 'EXPIRED since 2020-02-01' "$work/probe.out" || fail "does not say since when: $(<"$work/probe.out")"
grep -q 'hint: the certificate is out of date' "$work/probe.err" || fail "no hint"
status=0
timeout 60 "$flowcat" - "$(address_of expired),ca=$work/old" </dev/null 2>"$work/probe.err" || status=$?
((status == 3)) || fail "expected exit code 3 for an expired certificate, got $status"
grep -q 'has expired since 2020-02-01' "$work/probe.err" || fail "does not say since when: $(<"$work/probe.err")"
passed
kill -TERM "$expired"
wait_exit "$expired" 0

# Redis behind a unix socket, its clients over TCP, and a person's pipe.
start redis redis-server --port 0 --unixsocket "$work/redis" --save '' --dir "$work" </dev/null >"$work/redis.out"
wait_for_line "$work/redis.out" 'Ready to accept connections|ready to accept connections'
start front "$flowcat" --serve tcp-listen:127.0.0.1:0 "unix:$work/redis" </dev/null
front=$pid
address=$(address_of front)
for i in 1 2 3 4 5; do
  [[ $(timeout 30 redis-cli -p "${address##*:}" incr n) == "$i" ]] || fail "redis counts otherwise"
done
[[ $(printf 'PING\r\nQUIT\r\n' | timeout 30 "$flowcat" --quiet - "$address" | tr -d '\r') == $'+PONG\n+OK' ]] ||
  fail "redis does not answer"
passed
kill -TERM "$front"
wait_exit "$front" 0

# What reads the output has seen enough: it ends within a second.
start source "$flowcat" echo tcp-listen:127.0.0.1:0 </dev/null
source=$(address_of source)
begin=$(date +%s%N)
yes | timeout 30 "$flowcat" - "$source" 2>"$work/head.err" | head -c1 >"$work/head" || true
took=$((($(date +%s%N) - begin) / 1000000))
((took < 1000)) || fail "it took $took ms to see that nobody reads"
[[ $(<"$work/head") == y ]] || fail "no byte came"
passed
# Also if both ends have nothing more to say: only the pipe tells.
mkfifo "$work/idle"
exec 7<>"$work/idle"
printf 'x\n' >&7
begin=$(date +%s%N)
timeout 30 "$flowcat" - "$source" <&7 2>"$work/head.err" | head -c1 >"$work/head" || true
took=$((($(date +%s%N) - begin) / 1000000))
exec 7>&-
((took < 1000)) || fail "it took $took ms to see that nobody reads, and nobody writes"
[[ $(<"$work/head") == x ]] || fail "no byte came to the idle one"
grep -q 'Broken pipe' "$work/head.err" || fail "does not say why it ended: $(<"$work/head.err")"
passed

# bench measures, and draws.
timeout 60 "$flowcat" bench --duration=100ms --json --svg="$work/latency.svg" "$source" \
  >"$work/bench.out" 2>"$work/bench.err" || fail "bench: exit code $?"
python3 -c '
import json, sys
import xml.dom.minidom
result = json.load(open(sys.argv[1]))
assert result["bytes"] > 0 and result["exchanges"] > 0, result
latency = result["latency_us"]
assert 0 < latency["p50"] <= latency["p99"] <= latency["p99.9"] <= latency["max"], result
assert xml.dom.minidom.parse(sys.argv[2]).getElementsByTagName("rect").length > 2
' "$work/bench.out" "$work/latency.svg" || fail "no figures"
timeout 60 "$flowcat" bench --self --duration=50ms >"$work/bench.out" 2>"$work/bench.err" || fail "bench --self: exit code $?"
grep -qE '^    p50 .*, p90 .*, p99 .*, p99.9 .*, max ' "$work/bench.out" || fail "no percentiles: $(<"$work/bench.out")"
passed
# Who sends no echo is found out.
start silent "$flowcat" --serve tcp-listen:127.0.0.1:0 file:/dev/null </dev/null
status=0
timeout 60 "$flowcat" bench --duration=50ms "$(address_of silent)" >"$work/bench.out" 2>"$work/bench.err" || status=$?
((status == 1)) || fail "expected exit code 1 where nobody echoes, got $status"
passed
