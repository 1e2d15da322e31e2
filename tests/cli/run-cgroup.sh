#!/bin/bash
# Limits of cgroups hold, are measured, and leave no cgroup behind; those of a killed osprey are removed by
# the next.
. "$(dirname "$0")/run_common"
[ "$(id -u)" = 0 ] || skip "needs root"
grep -q ' cgroup2\? ' /proc/self/mountinfo || skip "no cgroups here"
"$osprey" run -q --cgroup --pids-limit 50 --memory-limit 64M --cpu-limit 1 true 2>"$scratch/err" || skip "$(cat "$scratch/err")"

groups() { find /sys/fs/cgroup -type d -name 'osprey-run-*' 2>/dev/null; }
ours() { groups | grep -E -- "-$1-[0-9]+(-[cmip]+)?\$" || true; }
figure() { sed -n "s/^ *\"$1\": \([^,]*\),\{0,1\}\$/\1/p" "$scratch/json"; }
json() { "$osprey" run --json --output "$scratch/json" "$@" 2>"$scratch/err"; }
more() { # WHAT A B
	checks=$((checks + 1))
	awk -v a="$2" -v b="$3" 'BEGIN { exit !(a > b) }' || wrong "$1: $2 is not more than $3"
}
before=$(groups | sort)

# CPU: a tenth of one, and the throttling is told.
json --cpu-limit 0.1 --timeout 700ms --grace 0s -- sh -c 'while :; do :; done'
is "cpu: exit code" $? 124
more throttled "$(figure throttled_s)" 0.02
more "throttled periods" "$(figure throttled_periods)" 2

# Memory: who wants more is killed, and it says so.
json --memory-limit 32M --swap-limit 0 -- dd if=/dev/zero of=/dev/null bs=200M count=1
is "memory: exit code" $? 137
is "OOM kills" "$(figure oom_kills)" 1
more "peak of the cgroup" "$(figure cgroup_peak_bytes)" $((20 << 20))
json --memory-limit 200M -- dd if=/dev/zero of=/dev/null bs=64M count=1
more "peak of the cgroup" "$(figure cgroup_peak_bytes)" $((60 << 20))

# Processes.
json --pids-limit 3 -- bash -c 'for i in 1 2 3 4 5 6; do sleep 0.1 & done 2>/dev/null; wait'
more "refused forks" "$(figure pids_limit_hits)" 0

# Bytes to and from a disk.
disk=$(lsblk -ndo MAJ:MIN,TYPE 2>/dev/null | awk '$2 == "disk" { print $1; exit }')
if [ -n "$disk" ] && "$osprey" run -q --io-limit "$disk:rbps=100M" true 2>"$scratch/err"; then
	"$osprey" run -q --io-limit "$disk:rbps=1M,wiops=50" -- sh -c '
		for f in $(cut -d: -f3 /proc/self/cgroup); do
			cat /sys/fs/cgroup/blkio$f/blkio.throttle.read_bps_device /sys/fs/cgroup$f/io.max 2>/dev/null
		done; true' >"$scratch/out"
	says out "^$disk (1048576|rbps=1048576)"
fi

# A timeout: all of it at once.
witness
"$osprey" run -q --timeout 300ms --grace 0s --pids-limit 100 -- "$tree" respawn 5 9>"$scratch/alive"
is "timeout: exit code" $? 124
nobody_left_within 1 "timeout"

# CPU time of the cgroup, of children that nobody waits for too.
start=$(date +%s%N)
"$osprey" run -q --cpu-timeout 400ms --grace 0s --cgroup -- "$tree" unwaited
is "CPU timeout: exit code" $? 124

# Below a group with less: v2 takes it and grants less, v1 refuses, which is explained.
"$osprey" run -q --cpu-limit 0.5 -- "$osprey" run -q --cpu-limit 1 true 2>"$scratch/err"
case $? in
0) ;;
125) says err 'the CPU limit is refused: the cgroup .*osprey-run-.* has a lower one' ;;
*) wrong "nested CPU limits: $(cat "$scratch/err")" ;;
esac

is "cgroups left" "$(groups | sort)" "$before"

# The keeper killed before it has started anything: that is told.
json --cgroup true
parent=$(dirname "$(figure cgroup | tr -d '"')")
if command -v flock >/dev/null; then
	flock "$parent" "$osprey" run --cgroup -- echo begun >"$scratch/out" 2>"$scratch/err" &
	pid=$!
	started+=("$pid")
	for i in $(seq 100); do
		keeper=$(pgrep -P "$(pgrep -P "$pid")") && grep -q lock "/proc/$keeper/wchan" && break
		sleep 0.02
	done
	kill -KILL "$keeper"
	wait "$pid"
	is "killed before the start: exit code" $? 137
	is "killed before the start: started" "$(cat "$scratch/out")" ""
	says err 'killed by KILL before it had started it'
fi

# Front and keeper killed at once: the group stays, and the next run removes it with all in it.
witness
"$osprey" run -q --pids-limit 20 -- "$tree" daemon 9>"$scratch/alive" &
front=$!
started+=("$front")
for i in $(seq 100); do
	keeper=$(pgrep -P "$front") && [ -n "$(ours "$keeper")" ] && [ "$(wc -l <"$(ours "$keeper" | head -1)/cgroup.procs")" -ge 2 ] && break
	sleep 0.02
done
[ -n "$(ours "$keeper")" ] || wrong "there is no cgroup of keeper $keeper"
kill -STOP "$front" "$keeper" # so that neither sees the other die
kill -KILL "$keeper" "$front"
wait "$front" 2>/dev/null
sleep 0.2
[ -e "$scratch/gone" ] && wrong "the daemon has died with its keeper: nothing is tested"
is "left by the killed" "$([ -n "$(ours "$keeper")" ] && echo yes)" yes
"$osprey" run -q --pids-limit 20 true 2>"$scratch/err"
is "the next: exit code" $? 0
says err "removed .*osprey-run-[0-9]+-$keeper-.*, which a killed osprey run had left"
nobody_left_within 2 "the next run"
is "cgroups left" "$(groups | sort)" "$before"

# One of another pid namespace is not touched, whatever lives there under its numbers.
for root in /sys/fs/cgroup/pids /sys/fs/cgroup/unified /sys/fs/cgroup; do
	[ -e "$root/cgroup.procs" ] && break
done
mkdir "$root/osprey-run-1-999999-5"
"$osprey" run -q --pids-limit 20 true
rmdir "$root/osprey-run-1-999999-5" || wrong "another namespace's cgroup was removed"

# What cannot be had is told before anything starts.
"$osprey" run --io-limit 0:0:rbps=1M -- touch "$scratch/started" 2>"$scratch/err"
is "no such disk: exit code" $? 125
[ -e "$scratch/started" ] && wrong "it was started all the same"
is "cgroups left" "$(groups | sort)" "$before"

done_checking
