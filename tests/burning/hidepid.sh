#!/bin/bash
# /proc is mounted with hidepid: an ordinary user sees its own processes alone.
. "$(dirname "$0")/common"
own_mounts

cp "$osprey" "$scratch/osprey"
chmod 755 "$scratch/osprey"
mount -t proc -o hidepid=2 proc /proc || skip "no /proc with hidepid can be mounted"
as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
if "${as_nobody[@]}" test -e /proc/1; then skip "hidepid does not hide here"; fi
doctor 10 "${as_nobody[@]}" "$scratch/osprey" doctor --json --window 1s
diagnosed
[ "$(ask .abilities.processes_hidden)" = true ] || wrong "it does not say that processes are hidden"
[ "$(ask .host.processes)" -lt 20 ] || wrong "it saw $(ask .host.processes) processes"
# All but its own processes are out of sight: nothing about processes may be called fine.
unmeasured lock_contention deadlock fd_exhausted

echo "root is not affected:"
doctor 10 "$osprey" doctor --json --window 1s
diagnosed
[ "$(ask .abilities.processes_hidden)" = false ] || wrong "root is told that processes are hidden"
exit $bad
