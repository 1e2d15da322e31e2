#!/bin/bash
# osprey cgroups against the files of a group made for it: CPU time, memory, pids and throttling.
. "$(dirname "$0")/common"
osprey=${BUILD:-build}/osprey
name=osprey-agree-$$
cpu= memory= pids= account=
[ -w /sys/fs/cgroup ] || skip "needs root and a cgroup hierarchy"
if [ -f /sys/fs/cgroup/cgroup.controllers ] && grep -qw cpu /sys/fs/cgroup/cgroup.subtree_control; then
	cpu=/sys/fs/cgroup/$name memory=$cpu pids=$cpu
else
	for d in /sys/fs/cgroup/cpu /sys/fs/cgroup/cpu,cpuacct; do [ -d "$d" ] && cpu=$d/$name; done
	[ -d /sys/fs/cgroup/cpuacct ] && account=/sys/fs/cgroup/cpuacct/$name
	[ -d /sys/fs/cgroup/memory ] && memory=/sys/fs/cgroup/memory/$name
	[ -d /sys/fs/cgroup/pids ] && pids=/sys/fs/cgroup/pids/$name
fi
[ -n "$cpu" ] || skip "needs the cpu controller"
groups=$(printf '%s\n' "$cpu" "$memory" "$pids" "$account" | sed '/^$/d' | sort -u)
remove() {
	clean_up
	local d
	for d in $groups; do
		for _ in $(seq 50); do rmdir "$d" 2>/dev/null && break; [ -d "$d" ] || break; sleep 0.05; done
	done
}
trap remove EXIT
mkdir $groups
[ -f "$cpu/cpu.max" ] && echo "20000 100000" >"$cpu/cpu.max" || { echo 20000 >"$cpu/cpu.cfs_quota_us"; }
sh -c 'for g; do echo $$ >"$g/cgroup.procs"; done; while :; do :; done' sh $groups &
load_pids+=($!)
sleep 0.3

first() { for f; do [ -f "$f" ] && { cat "$f"; return; }; done; echo 0; }
"$osprey" cgroups 2 1 --json >"$scratch/ours.json"
of_group() { jq -r ".tables.cgroups[] | select(.cgroup == \"/$name\") | .$1" "$scratch/ours.json"; }
# A loop that wants a whole CPU gets its quota, and is held back in nearly every period of a quiet host.
near "CPU, %" "$(of_group cpu_pct)" 20 4
near "quota, CPUs" "$(of_group cpu_quota)" 0.2 0
near "throttled periods, %" "$(of_group throttled_pct)" 100 70
[ -z "$memory" ] || near "memory, bytes" "$(of_group memory_bytes)" "$(first "$memory"/memory.current "$memory"/memory.usage_in_bytes)" 262144
[ -z "$pids" ] || near "pids" "$(of_group pids)" "$(cat "$pids/pids.current")" 0
agreed
