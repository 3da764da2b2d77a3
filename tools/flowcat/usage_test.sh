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

# What belongs to one command is refused by the others, who say whose it is.
expect 2 'flag --delay is for flowcat chaos' --delay=1s - unix:x
expect 2 'flag --svg is for flowcat bench' echo --svg=x unix:x
expect 2 'takes one address, but got 2' echo unix:x unix:y
expect 2 'is none of half-close, close-both, fail-fast' --policy=x - unix:x
expect 2 'such as 4096, 64k or 1.5M' --rate=fast - unix:x
expect 2 'from 0 to 1' chaos --corrupt=2 - unix:x
expect 2 '--serve needs a FROM that listens, which unix:x does not' --serve unix:x unix:y
expect 2 'which - can'"'"'t be' --serve unix-listen:x -
expect 2 '--max-connections needs --serve' --max-connections=2 - unix:x
expect 2 'probe connects, but tcp-listen:127.0.0.1:0 listens' probe tcp-listen:127.0.0.1:0

# Hints, where something is known.
expect 3 'hint: there is no such path: has its server been started?' - "unix:$work/none"
expect 3 'hint: something that is no socket has that path' "unix-listen:$work/taken" -
python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$work/stale"
expect 3 'hint: nobody listens there any more: remove the path, or add ,reclaim' "unix-listen:$work/stale" -
start live "$flowcat" echo "unix-listen:$work/live" </dev/null
live=$pid
[[ $(address_of live) == "unix:$work/live" ]] || fail "listens elsewhere"
expect 3 'hint: a server is listening there: stop it first' "unix-listen:$work/live" -
kill -TERM "$live"
wait_exit "$live" 0
expect 3 'hint: the machine answers, but nobody listens on that port' - "tcp:127.0.0.1:$free"
expect 3 'hint: somebody listens there already' "tcp-listen:127.0.0.1:$port" -
expect 3 'hint: is the name spelled right?' --connect-timeout=30s - tcp:no-such-host.invalid:80

[[ $("$flowcat" --version </dev/null) =~ ^flowcat\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "no version"
"$flowcat" help chaos </dev/null | grep -q -- '--reset-at=BYTE' || fail "no help of chaos"
! "$flowcat" echo --help </dev/null | grep -q -- '--reset-at' || fail "echo has the flags of chaos"
"$flowcat" man </dev/null >"$work/flowcat.1" || fail "man: exit code $?"
grep -q '^\.SH EXIT STATUS$' "$work/flowcat.1" || fail "no man page"
passed

# complete LINE: what bash offers, in one line.
complete() {
  # shellcheck disable=SC2016
  "$flowcat" completion </dev/null | bash -c '
    compopt() { :; } # which only a shell that is typed at has
    source /dev/stdin
    COMP_LINE=$1 COMP_POINT=${#1}
    read -ra COMP_WORDS <<<"$1 "
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _flowcat
    echo "${COMPREPLY[*]}"' - "$1"
}
[[ $(complete 'flowcat pr') == probe ]] || fail "offers \"$(complete 'flowcat pr')\""
[[ $(complete 'flowcat tcp') == 'tcp: tcp-listen:' ]] || fail "offers \"$(complete 'flowcat tcp')\""
[[ $(complete 'flowcat --policy=c') == close-both ]] || fail "offers \"$(complete 'flowcat --policy=c')\""
[[ $(complete 'flowcat --tee') == '--tee= --tee-back=' ]] || fail "offers \"$(complete 'flowcat --tee')\""
[[ $(complete 'flowcat chaos --reset') == '--reset-at=' ]] || fail "offers \"$(complete 'flowcat chaos --reset')\""
[[ -z $(complete 'flowcat echo --reset') ]] || fail "offers the flags of chaos to echo"
(cd "$work" && [[ $(complete 'flowcat unix:ta') == taken ]]) || fail "offers no path"
passed
