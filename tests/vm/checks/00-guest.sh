#!/bin/bash
# The kernel under test has what the other checks take for granted.
. "$(dirname "$0")/../check.sh"

[ "$(uname -n)" = osprey-vm ] || skip "this is no guest"
for file in /sys/kernel/btf/vmlinux /proc/pressure/cpu /proc/self/schedstat \
  /sys/kernel/tracing/events/sched; do
  [ -e "$file" ] || fail "no $file"
done
