#!/usr/bin/env bash
# Each scheme of the grammar of addresses, as an end of flowcat.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
need openssl python3

# relay FROM TO: with what is on standard input; prints what comes.
relay() { timeout 60 "$flowcat" --quiet "$@" 2>"$work/relay.err" || fail "exit code $? of flowcat $*"; }

# expect TEXT: what standard input has to be.
expect() {
  local got
  got=$(cat)
  [[ $got == "$1" ]] || fail "expected \"$1\", got \"$got\""
  passed
}

printf 'b\na\n' | relay - exec:sort | expect $'a\nb'
printf '1,2\n' | relay stdio: 'exec:cut -d%2C -f2' | expect 2
# (Whether the relay hears of its input's end or of the command's first, and what it
# then exits with, is no matter of addresses.)
{ timeout 60 "$flowcat" --quiet 'exec:test -t 1 && echo on a terminal,pty' - </dev/null 2>"$work/relay.err" || true; } |
  tr -d '\r' | expect 'on a terminal'

head -c 300000 /dev/urandom >"$work/a,b"
relay "file:$work/a%2Cb" "file:$work/copy,write,create,mode=600" </dev/null
same "$work/a,b" "$work/copy"
[[ $(stat -c %a "$work/copy") == 600 ]] || fail "not the mode that was asked for"
printf more | relay - "file:$work/copy,append"
[[ $(stat -c %s "$work/copy") == 300004 ]] || fail "did not append"
passed
relay fd:7 - 7<"$work/a,b" </dev/null >"$work/copy"
same "$work/a,b" "$work/copy"

# listen NAME ADDRESS: a flowcat whose output is $work/NAME.out.
listen() {
  start "$1" "$flowcat" "$2" - </dev/null >"$work/$1.out"
  listener=$pid
}
listen abstract "unix-abstract-listen:flowcat.$$"
[[ $(address_of abstract) == "unix-abstract:flowcat.$$" ]] || fail "listens elsewhere"
printf abstract | relay - "unix-abstract:flowcat.$$"
wait_exit "$listener" 0
expect abstract <"$work/abstract.out"

listen bound tcp-listen:127.0.0.1:0,receive-buffer=64k
printf bound | relay - "$(address_of bound),bind=127.0.0.1,keepalive=60s,nodelay=no"
wait_exit "$listener" 0
expect bound <"$work/bound.out"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test \
  -addext subjectAltName=IP:127.0.0.1 -keyout "$work/key" -out "$work/cert" 2>"$work/openssl.err" ||
  fail "openssl made no certificate"
listen tls "tls-listen:127.0.0.1:0,cert=$work/cert,key=$work/key"
address=$(address_of tls)
[[ $address == tls:127.0.0.1:* ]] || fail "not an address to be dialled: $address"
printf sealed | relay - "$address,ca=$work/cert"
wait_exit "$listener" 0
expect sealed <"$work/tls.out"
# Nobody vouches for it: not a byte goes out.
listen tls_unknown "tls-listen:127.0.0.1:0,cert=$work/cert,key=$work/key"
status=0
printf secret | timeout 60 "$flowcat" - "$(address_of tls_unknown)" 2>"$work/unknown.err" || status=$?
((status == 3)) || fail "expected exit code 3 for a stranger's certificate, got $status"
grep -q UNAUTHENTICATED "$work/unknown.err" || fail "does not say that it is not accepted"
wait "$listener" || true
[[ ! -s $work/tls_unknown.out ]] || fail "a byte was sent before the server was known"
passed

start pty "$flowcat" pty: - </dev/null >"$work/pty.out"
listener=$pid
wait_for_line "$work/pty.err" 'opened pty /dev/pts/[0-9]+'
printf typed >"$(sed -n 's/^flowcat: opened pty //p' "$work/pty.err")"
wait_exit "$listener" 0
expect typed <"$work/pty.out"

start activated python3 -c '
import os, socket, sys
s = socket.create_server(("127.0.0.1", 0))
with open(sys.argv[2], "w") as f: print("port", s.getsockname()[1], file=f)
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="web")
os.execv(sys.argv[1], ["flowcat", "activate:web", "-"])
' "$flowcat" "$work/port" </dev/null >"$work/activated.out"
listener=$pid
wait_for_line "$work/activated.err" 'listening on tcp:'
printf passed | relay - "tcp:127.0.0.1:$(sed -n 's/^port //p' "$work/port")"
wait_exit "$listener" 0
expect passed <"$work/activated.out"
