#!/bin/bash
# The runtime on this kernel: guards of stacks with and without MADV_GUARD_INSTALL, barriers, io_uring or none, signals, processes, cgroups,
# threads at a halt, stacks that are given back. Each test is made lighter, by which it loses nothing but repetitions.
. "$(dirname "$0")/../check.sh"

built=${BUILD:-build}/runtime
[ -x "$built/examples/sleepers" ] || skip "the runtime's tests are not built (make runtime-tests)"
export RT_LIGHTER=100
failed=0
# passes NAME COMMAND…
passes() {
  local name=$1 output code=0
  shift
  output=$("$@" 2>&1) || code=$?
  [ $code = 0 ] || { printf '%s: exit code %s\n%s\n' "$name" $code "$(tail -n 15 <<<"$output")"; failed=$((failed + 1)); }
}
for test in chan fiber sync scope pin preempt stack epoch file net pool processes misuse cpu_limit gc cold freeze; do
  passes $test "$built/tests/${test}_test"
done
# Without a ring for files and sockets, as where it is forbidden.
for test in file net; do
  passes "$test without io_uring" env OSPREY_RT_URING=0 "$built/tests/${test}_test"
done
# More than have guards where each guard splits a mapping: the rest has canaries.
passes "30 000 fibers" "$built/examples/sleepers" 30000
[ $failed = 0 ] || fail "$failed failed"
