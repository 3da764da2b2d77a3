#!/usr/bin/env bash
# Bad input gives a clear message that names it, and the documented exit code.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
need python3

# expect CODE TEXT ARG...: flowcat ARG... exits with CODE and says TEXT.
expect() {
  local code=$1 text=$2 status=0
  shift 2
  timeout 60 "$flowcat" "$@" >"$work/out" 2>"$work/usage.err" </dev/null || status=$?
  ((status == code)) || fail "expected exit code $code, got $status: flowcat $*"
  grep -qF -e "$text" "$work/usage.err" || fail "no \"$text\" in the message of: flowcat $*"
  ! grep -q '[^[:print:]]' "$work/usage.err" || fail "control characters in the message of: flowcat $*"
  passed
}

long=$(printf '%0108d' 0)
expect 2 'bad address "gopher:x:1"' gopher:x:1 -
expect 2 '"no-colon"' - no-colon
expect 2 '""' '' -
expect 2 'bad\naddress' $'bad\naddress' -
expect 2 'tcp:localhost:notaport!' tcp:localhost:notaport! -
expect 2 'tcp:localhost:65536' tcp:localhost:65536 -
expect 2 'tcp:localhost:-1' tcp:localhost:-1 -
expect 2 'tcp:localhost"' tcp:localhost -
expect 2 'tcp:127.0.0.1:0' tcp:127.0.0.1:0 -
expect 2 'tcp:::1:80' tcp:::1:80 -
expect 2 'tcp-listen:127.0.0.1"' tcp-listen:127.0.0.1 -
expect 2 'tcp-listen:127.0.0.1:99999' tcp-listen:127.0.0.1:99999 -
expect 2 'PATH is empty' unix: -
expect 2 'unix-listen:"' unix-listen: -
expect 2 'of 108 bytes' "unix:$long" -
expect 2 "$long" "unix-listen:$long" -
expect 2 '"-" twice' - -
expect 2 'got 1, the last of them "tcp:localhost:1"' tcp:localhost:1
expect 2 'got 3, the last of them "c"' a b c
expect 2 'unknown flag "--nonsense"' --nonsense - unix:x
expect 2 'unknown flag "-x"' -x - unix:x
expect 2 'needs a value' - unix:x --timeout
expect 2 'bad value "soon"' --timeout=soon - unix:x
expect 2 'bad value "maybe"' --quiet=maybe - unix:x
expect 2 'must be positive' --timeout=-1s - unix:x
expect 2 'must be positive' --connect-timeout=0 - unix:x

expect 3 "cannot connect to unix:$work/none: NOT_FOUND" - "unix:$work/none"
expect 3 "cannot listen on unix-listen:$work/no/folder: NOT_FOUND" "unix-listen:$work/no/folder" -
echo mine >"$work/taken"
expect 3 "cannot listen on unix-listen:$work/taken: FAILED_PRECONDITION" "unix-listen:$work/taken" -
[[ $(<"$work/taken") == mine ]] || fail "touched a file that was there"

# A port that nobody listens on: it was ours a moment ago.
python_server short 'sys.exit()'
free=$port
timeout 60 "$flowcat" --quiet - "tcp:127.0.0.1:$free" </dev/null || true
expect 3 "cannot connect to tcp:127.0.0.1:$free: UNAVAILABLE: connect() failed: Connection refused" \
  - "tcp:127.0.0.1:$free"

# A taken one.
python_server silent 'signal.pause()'
expect 3 "cannot listen on tcp-listen:127.0.0.1:$port: FAILED_PRECONDITION" "tcp-listen:127.0.0.1:$port" -

# Limits.
expect 4 'DEADLINE_EXCEEDED' --timeout 0.1s - "tcp:127.0.0.1:$port"
expect 3 'cannot accept a connection on tcp-listen:127.0.0.1:0: DEADLINE_EXCEEDED' \
  --timeout=0.1s tcp-listen:127.0.0.1:0 -

# An end that fails: the message names the side.
python_server reset 'c.recv(1); c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))'
status=0
printf x | timeout 60 "$flowcat" - "tcp:127.0.0.1:$port" 2>"$work/reset.err" || status=$?
((status == 1)) || fail "expected exit code 1 after a reset, got $status"
grep -q -- "^flowcat: tcp:127.0.0.1:$port -> -: UNAVAILABLE: reading from the source failed after 0 B: .*reset by peer" \
  "$work/reset.err" || fail "the message does not name the side"
passed

# Standard input that is closed is not reused for a socket.
status=0
timeout 60 "$flowcat" - "tcp:127.0.0.1:$port" <&- 2>"$work/closed.err" || status=$?
((status == 3)) || fail "expected exit code 3 with standard input closed, got $status"
grep -q 'was closed from the start' "$work/closed.err" || fail "does not say that it was closed"
passed

timeout 60 "$flowcat" --help >"$work/out" </dev/null || fail "--help: exit code $?"
grep -q '^Examples:' "$work/out" || fail "--help has no examples"
grep -q '^Exit codes:' "$work/out" || fail "--help has no exit codes"
passed
