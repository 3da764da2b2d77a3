#!/usr/bin/env bash
# What tools/gdb/flow.py makes gdb say of the things in shown.cc.
#
# Usage: flow_py_test.sh PROGRAM FLOW_PY
set -euo pipefail

type -P gdb >/dev/null || {
  echo "no gdb here: run tools/peers, which installs it"
  exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

names=(none left right buffer closed refused future fine plain tcp source limits)
{
  # Where the kernel forbids to turn it off, gdb would complain.
  echo "set disable-randomization off"
  echo "set print frame-arguments none"
  echo "break Look"
  echo "run"
  echo "up"
  for name in "${names[@]}"; do
    echo "printf \"%s is \", \"$name\""
    echo "output $name"
    printf 'echo %s\n' '\n'
  done
  echo "kill"
} >"$work/commands"

timeout 100 gdb -nx -batch -iex "set debuginfod enabled off" \
  -x "$2" -x "$work/commands" "$1" >"$work/said" 2>&1 || true

if grep -qE "ptrace: Operation not permitted|Could not trace the inferior|Cannot create process" "$work/said"; then
  echo "SKIPPED: kernel forbids to trace a program"
  # As GoogleTest would say it, for who counts (.ci/totals.py).
  [[ -z ${XML_OUTPUT_FILE-} ]] || cat >"$XML_OUTPUT_FILE" <<'END'
<testsuites><testsuite name="gdb"><testcase name="flow_py_test" classname="gdb" result="skipped">
<skipped message="kernel forbids to trace a program"/></testcase></testsuite></testsuites>
END
  exit 0
fi

failed=0
# expect NAME TEXT: gdb said just that of it; `*` stands for anything.
expect() {
  local line
  line=$(grep -m1 "^$1 is " "$work/said" || true)
  # shellcheck disable=SC2053 # a pattern
  if [[ $line != "$1 is "$2 ]]; then
    printf 'FAIL: of %s it said\n  %s\nand not\n  %s\n' "$1" "${line:-(nothing)}" "$2"
    failed=1
  fi
}

expect none "no flow"
expect left "flow unix (unnamed) -> (unnamed), open, 0 B in, 5 B out, write: shut"
expect right "flow unix (unnamed) -> (unnamed), open, 5 B in, 0 B out, read: Eof"
expect buffer "Buffer of 5 bytes 'hello'"
expect closed "flow unix (unnamed) -> (unnamed), closed, 0 B in, 0 B out"
expect refused "FAILED_PRECONDITION (closed locally): write() *"
expect future "async flow unix (unnamed) -> (unnamed), open, 0 B in, 0 B out"
expect fine "OK"
expect plain "NOT_FOUND: nothing of flow's"
expect tcp "127.0.0.1:80"
expect source "cancelled"
expect limits "deadline 1.500000s, stall_timeout 1.5s, cancelled"

if ((failed)); then
  echo "--- gdb:"
  cat "$work/said"
  exit 1
fi
echo "${#names[@]} checks passed"
