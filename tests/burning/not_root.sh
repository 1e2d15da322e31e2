#!/bin/bash
# As an ordinary user: runs, finds what can be found, says what it could not see.
. "$(dirname "$0")/common"

cp "$osprey" "$scratch/osprey"
chmod 755 "$scratch/osprey"
as_nobody=()
if [ "$(id -u)" = 0 ]; then as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups); fi
"${as_nobody[@]}" timeout 20 bash -c 'while :; do :; done' & pids+=($!)
doctor 10 "${as_nobody[@]}" "$scratch/osprey" doctor --json --window 2s
diagnosed
[ "$(ask .abilities.root)" = false ] || wrong "it takes itself for root"
[ "$(ask .host.processes)" -gt 1 ] || wrong "it saw $(ask .host.processes) processes"
if [ "$(ask .abilities.tasks_from)" = proc ]; then
	[ "$(ask .abilities.no_bpf_because)" != null ] || wrong "no reason is given for doing without BPF"
fi
# Whether a process of somebody else waits for a mutex cannot be seen.
unmeasured lock_contention deadlock
echo "as text:"
doctor 10 "${as_nobody[@]}" "$scratch/osprey" doctor --window 1s
grep -qE 'not measured|root|CAP_' "$scratch/out" || wrong "the report does not say what is missing"
exit $bad
