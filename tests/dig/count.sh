#!/bin/bash
# Counts of events against perf stat, against work of known size, and against what the kernel tells elsewhere.
. "$(dirname "$0")/common"
need jq perf taskset dd
grep -qE '(^|,)0' /sys/fs/cgroup/cpuset.cpus.effective 2>/dev/null || taskset -c 0 true 2>/dev/null || skip "needs CPU 0"

value() { jq -r --arg n "$1" '.events[] | select(.name == $n) | .value' "$scratch/json"; }
metric() { jq -r ".metrics.$1" "$scratch/json"; }
counted() { "$osprey" count --json --output "$scratch/json" "$@" || wrong "count $*: exit code $?"; }
theirs() { # EVENTS COMMAND…: lines "event value"
	local events=$1
	shift
	perf stat -x, -o "$scratch/perf" -e "$events" -- "$@" || wrong "perf stat: exit code $?"
	awk -F, '/^[0-9.]/ { print $3, $1 }' "$scratch/perf" >"$scratch/theirs"
}
their() { awk -v n="$1" '$1 == n { print $2 }' "$scratch/theirs"; }

# 64 MiB that are touched page by page are 16384 faults, whoever counts.
work=(dd if=/dev/zero of=/dev/null bs=64M count=1 status=none)
theirs page-faults,major-faults,minor-faults,task-clock "${work[@]}"
counted -e page-faults,major-faults,minor-faults,task-clock,page-faults:u,page-faults:k -- "${work[@]}"
page=$(getconf PAGESIZE)
within "page faults, against perf" "$(value page-faults)" $(($(their page-faults) - 25)) $(($(their page-faults) + 25))
is "both kinds of faults" "$(($(value minor-faults) + $(value major-faults)))" "$(value page-faults)"
is "faults of user space and the kernel" "$(($(value page-faults:u) + $(value page-faults:k)))" "$(value page-faults)"
[ "$(cat /sys/kernel/mm/transparent_hugepage/enabled 2>/dev/null | grep -c '\[always\]')" = 1 ] ||
	within "page faults, against the bytes" "$(value page-faults)" $((67108864 / page)) $((67108864 / page + 400))
within "task-clock, against CPU time" "$(value task-clock)" \
	"$(jq '(.user_s + .system_s) * 0.5e9 - 2e7' "$scratch/json")" "$(jq '(.user_s + .system_s) * 1.5e9 + 2e7' "$scratch/json")"
awk -v a="$(their task-clock)" -v b="$(value task-clock)" 'BEGIN { exit !(b / 1e6 < a * 4 + 20 && a < b / 1e6 * 4 + 20) }' ||
	wrong "task-clock is $(value task-clock) ns, perf's $(their task-clock) ms"

# Every sleep is a switch; children are counted with their parents.
cat >"$scratch/sleeps" <<'END'
for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.005; done
END
counted -- sh "$scratch/sleeps"
within "switches of ten sleeps" "$(value context-switches)" 20 100000
ours=$(value context-switches)
counted -e cs,sched:sched_switch -- sh "$scratch/sleeps"
within "the tracepoint and the event" "$(value sched:sched_switch)" "$(value cs)" "$(($(value cs) + 2))"
is "rate of switches" "$(jq '.metrics.context_switches_per_s as $m | (.events[0].value / .elapsed_s - $m) | fabs < 0.01' "$scratch/json")" true
[ "$ours" -gt 0 ] || wrong "no switches"

# One CPU, all of it: task-clock is the time of the run less what others took.
counted -- taskset -c 0 sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done'
within "CPUs used by a loop" "$(metric cpus_used)" 0.05 1.02

# Where there is no PMU it says so; where there is one, cycles are cycles.
if ls -d /sys/bus/event_source/devices/{cpu,cpu_core,armv8_*} >/dev/null 2>&1; then
	within "instructions a cycle" "$(metric instructions_per_cycle)" 0.01 12
else
	is "cycles" "$(value cycles)" null
	is "IPC" "$(metric instructions_per_cycle)" null
	checks=$((checks + 1))
	[[ $(jq -r '.events[] | select(.name == "cycles") | .why' "$scratch/json") == 'needs a hardware PMU'* ]] || wrong "no reason for cycles"
	"$osprey" count -e cycles --for 0.1 2>"$scratch/err"; is "exit code without a PMU" $? 3
	holds "no PMU" "$scratch/err" 'not measurable: needs a hardware PMU'
fi

# A process that runs: all its threads, those of before and those of after.
cat >"$scratch/threads.c" <<'END'
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
static volatile int go;
static void *touch(void *unused)
{
	while (!go)
		usleep(20000);
	char *p = mmap(NULL, 1000 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(p, 1000 * 4096, MADV_NOHUGEPAGE);
	for (int i = 0; i < 1000; i++)
		p[i * 4096] = 1;
	return unused;
}
int main(void)
{
	pthread_t t[40];
	char line;
	for (int i = 0; i < 20; i++)
		pthread_create(&t[i], NULL, touch, NULL);
	write(1, "r", 1);
	read(0, &line, 1);
	for (int i = 20; i < 40; i++)
		pthread_create(&t[i], NULL, touch, NULL);
	go = 1;
	for (int i = 0; i < 40; i++)
		pthread_join(t[i], NULL);
}
END
if cc -O1 -pthread -o "$scratch/threads" "$scratch/threads.c" 2>/dev/null; then
	mkfifo "$scratch/in" "$scratch/out"
	"$scratch/threads" <"$scratch/in" >"$scratch/out" & started+=($!)
	exec 8>"$scratch/in" 9<"$scratch/out"
	read -rn 1 -u 9 _
	"$osprey" count --json --for 20 -e page-faults "${started[-1]}" >"$scratch/json" &
	counter=$!
	# It has attached when it sleeps in poll.
	until grep -q '^[^ ]*poll' "/proc/$counter/wchan" 2>/dev/null || ! kill -0 "$counter" 2>/dev/null; do sleep 0.05; done
	echo >&8
	wait "$counter" || wrong "count PID: exit code $?"
	exec 8>&- 9<&-
	within "faults of 40 threads" "$(value page-faults)" 40000 40600
	is "threads counted twice" "$(jq .threads_perhaps_counted_twice "$scratch/json")" 0
fi

# The whole host has at least what one process does; a cgroup has that, too.
start sh -c 'while :; do /bin/true; done'
"$osprey" count --json --for 0.5 >"$scratch/json" || wrong "count: exit code $?"
within "faults of the host" "$(value page-faults)" 100 1e12
within "CPUs used on the host" "$(metric cpus_used)" 0.05 "$(nproc)".2
if "$osprey" count --cgroup / --json --for 0.3 >"$scratch/json" 2>/dev/null; then
	within "faults of the root cgroup" "$(value page-faults)" 50 1e12
fi

# A series is a line for each look; counts of the looks are differences.
"$osprey" count --interval 0.2 --for 0.8 --csv -e faults,cs >"$scratch/csv"
is "lines of a series" "$(wc -l <"$scratch/csv")" 5
is "its head" "$(head -1 "$scratch/csv")" at_s,elapsed_s,faults,faults.running_pct,cs,cs.running_pct
within "its last moment" "$(tail -1 "$scratch/csv" | cut -d, -f1)" 0.7 3
"$osprey" count --interval 0.2 --for 0.4 --json | jq -e .schema >/dev/null || wrong "a series in JSON"

# Repeats, exit codes, mistakes.
counted --repeat 4 -- true
is "runs" "$(jq .runs "$scratch/json")" 4
is "their deviation is a number" "$(jq '.events[0].stddev | type' "$scratch/json")" '"number"'
"$osprey" count -- sh -c 'exit 7' 2>/dev/null; is "exit code of the command" $? 7
"$osprey" count /nonexistent 2>/dev/null; is "exit code without the command" $? 127
( "$osprey" count -- sh -c 'kill -TERM $$' 2>/dev/null; exit $? ) 2>/dev/null; is "exit code of a killed command" $? 143
"$osprey" count -e cyclse true 2>"$scratch/err"; is "exit code of a wrong event" $? 2
holds "the closest event" "$scratch/err" 'closest: cycles'
"$osprey" count -e sched:sched_swatch true 2>/dev/null; is "exit code of a wrong tracepoint" $? 2
"$osprey" count 1 true 2>/dev/null; is "exit code of a PID that is a word" $? 2
is "stdout is the command's" "$("$osprey" count -- echo alone 2>/dev/null)" alone
end
