#!/bin/bash
# In a pids cgroup that is full: not one process or thread more can be started.
. "$(dirname "$0")/common"

own_cgroup pids
# A shell fills its cgroup and becomes the doctor; a fork that fails ends the loop.
cat >"$scratch/full" <<'FULL'
echo $$ >"$1/cgroup.procs"
echo 4 >"$1/pids.max"
sleep 30 & sleep 30 & sleep 30 &
if [ "$(cat "$1/pids.current" 2>/dev/null)" ]; then echo "the cgroup is not full" >&2; exit 99; fi
shift
exec "$@"
FULL
undo+=('while read -r pid; do kill -9 "$pid"; done <"$cgroup/cgroup.procs"')
doctor 10 bash "$scratch/full" "$cgroup" "$osprey" doctor --json --window 1s
[ "$(cat "$cgroup/pids.max")" = 4 ] || wrong "the limit was not set"
# The shell's own fork for the test above must have been refused.
grep -q 'events\|max' "$cgroup/pids.events" 2>/dev/null && echo "pids.events: $(cat "$cgroup/pids.events")"
diagnosed
exit $bad
