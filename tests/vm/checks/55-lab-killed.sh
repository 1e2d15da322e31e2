#!/bin/bash
# vm: --disk 4G
# With cgroup v2 alone, and zram and loop as modules: whatever dies in a lab, nothing is left, neither
# cgroups nor controllers that were handed down.
. "$(dirname "$0")/../check.sh"

killed=${BUILD:-build}/tests/lab/killed
[ -x "$killed" ] || skip "$killed is not built (make tests)"
mkfs.ext4 -q /dev/vda
mount /dev/vda /var/tmp
before=$(cat /sys/fs/cgroup/cgroup.subtree_control)
"$killed" cpu_throttled memory_pressure swap_thrash io_throttled filesystem_full tcp_retransmits
after=$(cat /sys/fs/cgroup/cgroup.subtree_control)
[ "$before" = "$after" ] || fail "controllers handed down before: '$before', after: '$after'"
