#!/bin/bash
# With cgroup v2 alone, and on kernels that lack cgroup.kill: processes are signalled, changed and
# limited, and what was before comes back.
. "$(dirname "$0")/../check.sh"

[ -e /sys/fs/cgroup/cgroup.controllers ] || skip "no cgroup v2 at /sys/fs/cgroup"
before=$(cat /sys/fs/cgroup/cgroup.subtree_control)
for controller in cpu memory io pids; do
  grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers || continue
  echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done
failed=0
for name in signal priority limit; do
  code=0
  tests/cli/act-$name.sh || code=$?
  [ "$code" = 0 ] || [ "$code" = 77 ] || { echo "tests/cli/act-$name.sh: exit code $code"; failed=1; }
done
for controller in cpu memory io pids; do
  grep -qw "$controller" <<<"$before" || echo "-$controller" >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || true
done
exit $failed
