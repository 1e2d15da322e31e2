#!/bin/bash
# No cgroup filesystem: what only cgroups tell is not measurable, the rest is diagnosed.
. "$(dirname "$0")/common"
own_mounts

while umount /sys/fs/cgroup/* /sys/fs/cgroup 2>/dev/null; do :; done
umount -l /sys/fs/cgroup 2>/dev/null || true
mount -t tmpfs tmpfs /sys/fs/cgroup 2>/dev/null || true
if grep -q ' - cgroup2\? ' /proc/self/mountinfo; then skip "the cgroups cannot be unmounted"; fi
doctor 10 "$osprey" doctor --json --window 1s
diagnosed
unmeasured cpu_throttled io_throttled
exit $bad
