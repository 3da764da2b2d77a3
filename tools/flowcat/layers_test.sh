#!/usr/bin/env bash
# The layers that flags put on a connection, and chaos: P2 with and without faults.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
need python3

start echo "$flowcat" echo tcp-listen:127.0.0.1:0 </dev/null
server=$pid
echo=$(address_of echo)
head -c 300000 /dev/urandom >"$work/in"

# there NAME ARG...: what is on $work/in there and back, within a minute.
there() {
  local name=$1
  shift
  timeout 60 "$flowcat" "$@" - "$echo" <"$work/in" >"$work/$name.out" 2>"$work/$name.err" ||
    fail "exit code $? of flowcat $*"
}

# --rate: never faster. 300000 B at 200 kB/s take 1.5 s less the burst.
begin=$(date +%s%N)
there rate --rate=200000
took=$((($(date +%s%N) - begin) / 1000000))
((took >= 1300)) || fail "at 200000 B/s 300000 B took $took ms only"
same "$work/in" "$work/rate.out"

# --limit: that many bytes, in order.
there limit --limit=100k
head -c 102400 "$work/in" >"$work/head"
same "$work/head" "$work/limit.out"

# --tee and --tee-back: copies of both ways, also at a path that needs quoting.
there tee --tee="$work/a,b%" --tee-back="$work/back"
same "$work/in" "$work/a,b%"
same "$work/in" "$work/back"

# --dump: each of its formats, on standard error; not a byte of it in the stream.
printf 'ping\n' >"$work/line"
for format in text hex json; do
  timeout 60 "$flowcat" --quiet --dump=$format - "$echo" <"$work/line" >"$work/dump.out" 2>"$work/$format.err" ||
    fail "exit code $? with --dump=$format"
  same "$work/line" "$work/dump.out"
done
grep -qE '> 5 B "ping\\n"$' "$work/text.err" || fail "no line of what was sent"
grep -qE '< 5 B "ping\\n"$' "$work/text.err" || fail "no line of what came back"
grep -qE '^> 00000000  70 69 6e 67 0a ' "$work/hex.err" || fail "no hexdump"
python3 -c '
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
data = {e["dir"]: e["data"] for e in events if e["event"] == "data"}
assert data == {"out": "ping\n", "in": "ping\n"}, data
' "$work/json.err" || fail "no JSON lines"
passed

# --stats=json: one object for the connection.
there stats --quiet --stats=json
python3 -c '
import json, sys
stats = json.load(open(sys.argv[1]))
assert stats["ok"] and stats["connection"] == 1, stats
assert stats["forward"]["bytes"] == stats["back"]["bytes"] == 300000, stats
assert stats["forward"]["end"] == "in order" and stats["forward"]["error"] is None, stats
' "$work/stats.err" || fail "no statistics"
passed

# Chaos: the same seed, the same faults; another seed, others.
for run in 1 2; do
  timeout 60 "$flowcat" chaos --corrupt=0.001 --direction=up --seed=7 - "$echo" <"$work/in" \
    >"$work/corrupt$run" 2>"$work/corrupt.err" || fail "chaos: exit code $?"
done
same "$work/corrupt1" "$work/corrupt2"
timeout 60 "$flowcat" chaos --corrupt=0.001 --direction=up --seed=8 - "$echo" <"$work/in" \
  >"$work/corrupt3" 2>"$work/corrupt.err" || fail "chaos: exit code $?"
# differing A B: how many bytes differ.
differing() { { cmp -l "$1" "$2" || true; } | wc -l; }
wrong=$(differing "$work/in" "$work/corrupt1")
((wrong > 150 && wrong < 600)) || fail "$wrong of 300000 bytes were corrupted, not about 300"
! cmp -s "$work/corrupt1" "$work/corrupt3" || fail "another seed corrupted the same bytes"
passed

timeout 60 "$flowcat" chaos --corrupt-at=5 --direction=up - "$echo" <"$work/in" >"$work/one" 2>"$work/one.err" ||
  fail "chaos: exit code $?"
[[ $(differing "$work/in" "$work/one") == 1 ]] || fail "not one byte was corrupted"
cmp -s -n 5 "$work/in" "$work/one" || fail "the wrong byte was corrupted"
passed

# A reset is one for both ends, and in the exit code; a cut is an end in order.
status=0
timeout 60 "$flowcat" chaos --reset-at=1000 --direction=up - "$echo" <"$work/in" \
  >"$work/reset.out" 2>"$work/reset.err" || status=$?
((status == 1)) || fail "expected exit code 1 after a reset, got $status"
grep -q 'a fault injected after 1000 bytes' "$work/reset.err" || fail "does not say that it was injected"
wait_for_line "$work/echo.err" 'reset by peer'
passed
timeout 60 "$flowcat" chaos --cut-at=1000 --direction=up - "$echo" <"$work/in" >"$work/cut" 2>"$work/cut.err" ||
  fail "exit code $? after a cut"
head -c 1000 "$work/in" >"$work/head"
same "$work/head" "$work/cut"

# A delay is one, each way.
begin=$(date +%s%N)
timeout 60 "$flowcat" chaos --delay=150ms - "$echo" <"$work/line" >"$work/delay" 2>"$work/delay.err" ||
  fail "exit code $? with a delay"
took=$((($(date +%s%N) - begin) / 1000000))
((took >= 300)) || fail "150 ms each way took $took ms"
same "$work/line" "$work/delay"

# All of it there in crumbs.
there crumbs --stats=text
timeout 60 "$flowcat" chaos --max-step=100 --direction=down - "$echo" <"$work/in" >"$work/crumbs" 2>"$work/crumbs.err" ||
  fail "exit code $? in crumbs"
same "$work/in" "$work/crumbs"

kill -TERM "$server"
wait_exit "$server" 0
