# shellcheck shell=bash
# Sourced by the tests that run flowcat with real programs as its peers. The test's
# first argument is flowcat.
#
# Ports are chosen by the kernel and read from what the programs print; waits are
# for events and bounded; all that was started is killed at the end. A program that
# is missing fails the test: tools/peers installs them.
set -euo pipefail

# shellcheck disable=SC2034 # the tests use it
flowcat=$PWD/${1:?the path of flowcat}
# Not TEST_TMPDIR, which is too long for the path of a unix socket.
work=$(mktemp -d /tmp/flowcat.XXXXXX)
started=()
checks=0

clean_up() {
  local status=$? pid
  exec 2>/dev/null # bash tells of each job that is killed
  for pid in "${started[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
  if ((status == 0)); then echo "$checks checks passed"; fi
}
trap clean_up EXIT

fail() {
  local log
  printf 'FAIL (%s:%s): %s\n' "${BASH_SOURCE[1]##*/}" "${BASH_LINENO[0]}" "$*" >&2
  for log in "$work"/*.err; do
    [[ -s $log ]] && printf -- '--- %s\n%s\n' "${log##*/}" "$(tail -n 20 "$log")" >&2
  done
  exit 1
}

passed() { checks=$((checks + 1)); }

need() {
  local program
  for program in "$@"; do
    type -P "$program" >/dev/null || fail "no $program here: run tools/peers, which installs it"
  done
}

# start NAME COMMAND...: in the background, with its messages in $work/NAME.err.
# Redirect the call for the rest. Its process is then $pid.
start() {
  local name=$1
  shift
  : >"$work/$name.err"
  "$@" 2>>"$work/$name.err" <&0 &
  pid=$!
  started+=("$pid")
}

# wait_for_line FILE REGEX [SECONDS]: until a line of FILE matches.
wait_for_line() {
  # shellcheck disable=SC2016
  timeout "${3:-30}" bash -c 'exec grep -qm1 -E -e "$2" < <(exec tail -s 0.1 --pid=$$ -n +1 -F "$1" 2>/dev/null)' \
    - "$1" "$2" || fail "no line like \"$2\" came in ${1##*/}"
}

# wait_exit PID STATUS [SECONDS]: until the process has ended, with that status.
wait_exit() {
  local status=0
  timeout "${3:-30}" tail -s 0.05 --pid="$1" -f /dev/null || fail "process $1 has not ended in time"
  wait "$1" || status=$?
  ((status == $2)) || fail "expected exit code $2, got $status"
  passed
}

# address_of NAME: where the flowcat that was started as NAME listens.
address_of() {
  wait_for_line "$work/$1.err" 'listening on '
  sed -n 's/^flowcat: listening on //p' "$work/$1.err" | head -n 1
}

# python_server NAME CODE: a server in Python; CODE gets the connection as `c`.
# Its port is then $port.
python_server() {
  # shellcheck disable=SC2001 # of each line
  start "$1" python3 -uc "
import os, signal, socket, struct, sys, time
s = socket.create_server(('127.0.0.1', 0))
print('port', s.getsockname()[1], flush=True)
while True:
    c, _ = s.accept()
$(sed 's/^/    /' <<<"$2")
    c.close()
" >"$work/$1.out"
  wait_for_line "$work/$1.out" '^port [0-9]+$'
  # shellcheck disable=SC2034
  port=$(sed -n 's/^port //p' "$work/$1.out")
}

same() {
  [[ $(sha256sum <"$1") == "$(sha256sum <"$2")" ]] ||
    fail "${1##*/} ($(stat -c %s "$1") B) and ${2##*/} ($(stat -c %s "$2") B) differ"
  passed
}
