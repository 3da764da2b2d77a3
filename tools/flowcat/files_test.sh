#!/usr/bin/env bash
# cat file | flowcat - unix:... into flowcat unix-listen:... -: P2, and P6 for what
# is left behind.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh

head -c 20M /dev/urandom >"$work/file"
start listener "$flowcat" "unix-listen:$work/box" - </dev/null >"$work/copy"
listener=$pid
[[ $(address_of listener) == "unix:$work/box" ]] || fail "listens elsewhere"
[[ -S $work/box ]] || fail "no socket at the path"
# shellcheck disable=SC2002
cat "$work/file" | timeout 60 "$flowcat" - "unix:$work/box" 2>"$work/sender.err" || fail "exit code $?"
wait_exit "$listener" 0
same "$work/file" "$work/copy"
[[ ! -e $work/box ]] || fail "the path was not removed"
passed

# A relative path means the caller's folder, also for `bazel run`, which starts
# the program somewhere else and says where the caller was.
mkdir "$work/here"
BUILD_WORKING_DIRECTORY=$work/here start relative "$flowcat" unix-listen:box - </dev/null >"$work/copy"
listener=$pid
address_of relative >/dev/null
[[ -S $work/here/box ]] || fail "a relative path went elsewhere"
printf hello | (cd "$work/here" && timeout 60 "$flowcat" --quiet - unix:box) || fail "exit code $?"
wait_exit "$listener" 0
[[ $(<"$work/copy") == hello ]] || fail "got $(<"$work/copy")"
passed

# Ended by a signal while it waits for a connection: the path is removed, but not
# what somebody else has put there.
for signal in TERM INT; do
  # Background jobs of a script ignore SIGINT, and flowcat would leave it so.
  start "by_$signal" env --default-signal=INT "$flowcat" "unix-listen:$work/box" - </dev/null
  listener=$pid
  address_of "by_$signal" >/dev/null
  kill -"$signal" "$listener"
  wait_exit "$listener" $((128 + $(kill -l "$signal")))
  [[ ! -e $work/box ]] || fail "SIG$signal left the path behind"
done
start replaced "$flowcat" "unix-listen:$work/box" - </dev/null
listener=$pid
address_of replaced >/dev/null
rm "$work/box"
echo mine >"$work/box"
kill -TERM "$listener"
wait_exit "$listener" 143
[[ $(<"$work/box") == mine ]] || fail "removed what was not its own"
passed
