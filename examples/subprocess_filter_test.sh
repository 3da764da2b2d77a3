#!/usr/bin/env bash
# subprocess_filter is like the program that it runs.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
filter=$PWD/examples/subprocess_filter

[[ $(printf 'b\na\nc\n' | "$filter" sort -r) == $'c\nb\na' ]] || fail "not sorted"
# Much both ways at once: cat does not read while nobody reads it.
head -c 20000000 /dev/urandom >"$work/much"
"$filter" cat <"$work/much" >"$work/same"
same "$work/much" "$work/same"
# One that wants no more input is no failure, whoever notices first.
for _ in {1..10}; do
  [[ $("$filter" head -n 1 <"$work/much" | sha256sum) == $(head -n 1 "$work/much" | sha256sum) ]] ||
    fail "head has failed"
done
# One that has closed its output gets all of its input.
# shellcheck disable=SC2016 # for the other shell
"$filter" sh -c 'exec >&-; cat >"$0"' "$work/kept" <"$work/much"
same "$work/much" "$work/kept"
# One that ends while our input does not.
exec 8<> <(:)
[[ $(timeout 30 "$filter" echo over <&8) == over ]] || fail "waits for its input"
passed

expect() {
  local code=$1 status=0
  shift
  "$filter" "$@" </dev/null >"$work/out" 2>"$work/filter.err" || status=$?
  ((status == code)) || fail "$*: expected exit code $code, got $status"
}
expect 0 true
expect 3 sh -c 'exit 3'
# shellcheck disable=SC2016 # the shell that is run has to see it
expect 137 sh -c 'kill -KILL $$'
expect 125 "$work/no-such-program"
grep -q '^NOT_FOUND: ' "$work/filter.err" || fail "does not say why"
passed
