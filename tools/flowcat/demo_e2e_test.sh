#!/usr/bin/env bash
# flowcat without arguments: the demonstration.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh

timeout 200 "$flowcat" >"$work/demo.out" 2>"$work/demo.err" </dev/null || fail "exit code $?"
grep -qE '^flowcat demo: 64\.0 MiB there and back' "$work/demo.out" || fail "no summary: $(<"$work/demo.out")"
grep -q 'client -> server: 67108864 B in ' "$work/demo.out" || fail "no count up"
grep -q 'server -> client: 67108864 B in ' "$work/demo.out" || fail "no count down"
sent=$(sed -n 's/^ *SHA-256 sent: //p' "$work/demo.out")
back=$(sed -n 's/^ *SHA-256 back: //p' "$work/demo.out")
[[ $sent =~ ^[0-9a-f]{64}$ && $sent == "$back" ]] || fail "hashes: \"$sent\", \"$back\""
passed
# Standard error is no terminal here: plain lines.
grep -q 'half-closed$' "$work/demo.err" || fail "no progress: $(<"$work/demo.err")"
! grep -q $'\r' "$work/demo.err" || fail "carriage returns where there is no terminal"
passed

# It does not hang where it can't be done in time, and says so.
status=0
timeout 60 "$flowcat" --timeout=0.01s >"$work/late.out" 2>"$work/late.err" </dev/null || status=$?
((status == 1)) || fail "expected exit code 1, got $status"
grep -q 'FAILED: DEADLINE_EXCEEDED' "$work/late.err" || fail "does not say why"
passed
