#!/bin/bash
# In a memory cgroup of 48 MiB, on a host with a thousand more processes.
. "$(dirname "$0")/common"

own_cgroup memory
if [ -n "$cgroup_v2" ]; then
	echo $((48 << 20)) >"$cgroup/memory.max"
	echo 0 >"$cgroup/memory.swap.max" 2>/dev/null || true
else
	echo $((48 << 20)) >"$cgroup/memory.limit_in_bytes"
	echo $((48 << 20)) >"$cgroup/memory.memsw.limit_in_bytes" 2>/dev/null || true
fi
cat >"$scratch/many" <<'MANY'
for ((i = 0; i < 1000; i++)); do setpriv --pdeathsig KILL sleep 600 & done
echo started
wait
MANY
coproc many { exec setpriv --pdeathsig KILL bash "$scratch/many" 2>/dev/null; }
pids+=("$many_PID")
read -r _ <&"${many[0]}"
echo 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' >"$scratch/enter"
for more in "" --no-bpf; do
	echo "options: ${more:-none}"
	# shellcheck disable=SC2086  # no word or one
	doctor 20 bash "$scratch/enter" "$cgroup" "$osprey" doctor --json --window 2s $more
	diagnosed
	[ "$(ask .host.processes)" -ge 1000 ] || wrong "saw $(ask .host.processes) processes of over 1000"
	[ "$(ask .cost.peak_rss_kib)" -lt $((32 << 10)) ] || wrong "took $(ask .cost.peak_rss_kib) KiB"
done
kills=$(awk '$1 == "oom_kill" { print $2 }' "$cgroup/memory.events" "$cgroup/memory.oom_control" 2>/dev/null | head -n 1) || true # of the two files one is missing
[ "${kills:-0}" = 0 ] || wrong "$kills processes were killed for want of memory"
exit $bad
