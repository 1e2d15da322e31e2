#!/bin/bash
# Latencies against work of known number, and against what the kernel counts elsewhere.
. "$(dirname "$0")/common"
need jq cc taskset
[ "$(id -u)" = 0 ] || skip "needs root"
"$osprey" latency runq --for 10ms >/dev/null 2>"$scratch/err" || { grep -q 'not measurable' "$scratch/err" && skip "$(head -1 "$scratch/err")"; }
cc -O1 -pthread -o "$scratch/target" tests/dig/latency_target.c || { echo "the target does not build"; exit 1; }

of() { jq -r "$1" "$scratch/json"; }
# attached PID: it sleeps, so it has attached.
attached() {
	local i
	for i in $(seq 200); do
		grep -qE 'poll' "/proc/$1/wchan" 2>/dev/null && return 0
		kill -0 "$1" 2>/dev/null || return 1
		sleep 0.05
	done
	wrong "osprey does not come to rest"
}
# measure ARGUMENT…: in the background into $scratch/json, once it has attached; `measured` ends it.
measure() {
	"$osprey" latency "$@" --for 60 --json >"$scratch/json" 8>&- 9<&- & measuring=$!
	started+=("$measuring")
	attached "$measuring"
}
measured() { kill -INT "$measuring"; wait "$measuring" || wrong "latency: exit code $?"; }
# target KIND: waits for a line
target() {
	rm -f "$scratch/in" "$scratch/out"
	mkfifo "$scratch/in" "$scratch/out"
	"$scratch/target" "$1" <"$scratch/in" >"$scratch/out" & target=$!
	started+=("$target")
	exec 8>"$scratch/in" 9<"$scratch/out"
}
work() { echo >&8; read -r -u 9 done_ first second; exec 8>&- 9<&-; wait "$target"; }

# Waits for a CPU: two that spin on one CPU, against the scheduler's own sum.
start taskset -c 0 sh -c 'while :; do :; done'
start taskset -c 0 sh -c 'while :; do :; done'
spinner=${started[-1]}
waited() { cut -d' ' -f2 "/proc/$spinner/schedstat"; }
outer=$(waited)
measure runq --pid "$spinner"
inner=$(waited)
sleep 1.5
inner=$(($(waited) - inner))
measured
outer=$(($(waited) - outer))
"$osprey" latency runq --pid "$spinner" --slower 1ms --for 0.6 --json >"$scratch/slow"
"$osprey" latency runq --pid "$spinner" --slower 1ms --for 0.4 --no-color >"$scratch/text"
# From here on they would only hold the test up.
kill "${started[@]}" 2>/dev/null; wait 2>/dev/null; started=()
within "waits of a spinner" "$(of .total.total_ns)" $((inner - 200000000)) "$outer"
within "they are slices" "$(of .total.p90_ns)" 500000 2000000000
is "rows of one process" "$(of '.rows | length')" 1
is "its pid" "$(of '.rows[0].pid')" "$spinner"
is "histogram and count" "$(of '([.total.histogram[].count] | add) == .total.count')" true
is "nothing waited longer than the worst" "$(of '.total.p99_ns <= .total.max_ns')" true

# Above a threshold, each as it comes.
within "slow ones" "$(grep -c 'latency.slow/1' "$scratch/slow")" 3 1000
is "none is below the threshold" "$(jq -s '[.[] | select(.schema == "osprey.latency.slow/1" and .took_ns < 1000000)] | length' "$scratch/slow")" 0
is "all are of the process" "$(jq -s --argjson p "$spinner" '[.[] | select(.schema == "osprey.latency.slow/1" and .pid != $p)] | length' "$scratch/slow")" 0
jq -s '.[-1]' "$scratch/slow" >"$scratch/json"
is "they are counted" "$(of .slow)" "$(grep -c 'latency.slow/1' "$scratch/slow")"
is "the worst comes first" "$(of '.worst[0].took_ns == ([.worst[].took_ns] | max)')" true
holds "a slow one in words" "$scratch/text" "^[0-9:.]+ sh \($spinner\) waited .*ms for CPU 0 behind .* \([0-9]+\)"

# Futexes: every wait that slept, at its address.
target futex
measure futex --pid "$target"
work
measured
is "waits for the futex" "$(of "[.rows[] | select(.address == $((first)))] | .[0].count")" "$done_"
is "its address" "$(of "[.rows[] | select(.address == $((first)))] | .[0].name | split(\" \")[0]")" "$first"

# System calls: each one.
target calls
measure syscall --pid "$target" --top 100
work
measured
count_of() { of "[.rows[] | select(.name == \"$1\")] | .[0].count"; }
is "getppid" "$(count_of getppid)" "$done_"
is "write" "$(($(count_of write) - 1))" "$first" # and the line that it prints
is "nanosleep" "$(count_of nanosleep)" "$second"
within "nanosleep takes what it is told" "$(of '[.rows[] | select(.name == "nanosleep")] | .[0].p50_ns')" 1000000 1000000000
is "nanosleep waits by trade" "$(of '[.rows[] | select(.name == "nanosleep")] | .[0].waits_by_trade')" true
if command -v strace >/dev/null; then
	echo | strace -f -c -o "$scratch/strace" "$scratch/target" calls >/dev/null 2>&1
	for call in getppid write nanosleep; do
		is "$call, against strace" "$(count_of $call)" "$(awk -v c=$call '$NF == c { print $4 }' "$scratch/strace")"
	done
fi

# Disks: requests of a disk of our own, against its counters.
truncate -s 16M "$scratch/disk"
if loop=$(losetup --show -f "$scratch/disk" 2>/dev/null); then
	requests() { awk -v d="${loop#/dev/}" '$3 == d { print $4 + $8 + $15 + $19 }' /proc/diskstats; }
	outer=$(requests)
	measure disk
	dd if="$loop" of=/dev/null bs=4k count=500 iflag=direct status=none
	dd if=/dev/zero of="$loop" bs=16k count=300 oflag=direct status=none
	measured
	outer=$(($(requests) - outer))
	losetup -d "$loop"
	is "requests of ${loop#/dev/}" "$(of "[.rows[] | select(.name == \"${loop#/dev/}\")] | .[0].count")" "$outer"
	within "they are ours" "$outer" 800 900
else
	echo "no loop device: disks are not tested"
fi

# Soft interrupts, against /proc/softirqs.
interrupts() { awk 'NR > 1 { for (i = 2; i <= NF; i++) n += $i } END { print n }' /proc/softirqs; }
outer=$(interrupts)
measure softirq
inner=$(interrupts)
sleep 0.7
inner=$(($(interrupts) - inner))
measured
outer=$(($(interrupts) - outer))
within "soft interrupts" "$(of .total.count)" $((inner * 9 / 10)) "$outer"
is "vectors have names" "$(of '[.rows[].name | select(. == "?")] | length')" 0

# A series, and mistakes.
"$osprey" latency runq --interval 0.2 --for 0.6 --no-color >"$scratch/text"
is "lines of a series" "$(wc -l <"$scratch/text")" 4
"$osprey" latency runq --by disk 2>/dev/null; is "exit code of what does not fit" $? 2
"$osprey" latency runq --pid 4194303 2>/dev/null; is "exit code without the process" $? 3
"$osprey" latency runqq 2>"$scratch/err"; is "exit code of a wrong kind" $? 2
holds "the closest kind" "$scratch/err" 'closest: runq'
"$osprey" latency runq --cgroup /no/such 2>/dev/null; is "exit code without the cgroup" $? 2
LC_ALL=C COLUMNS=80 "$osprey" latency runq --for 0.2 --no-color >"$scratch/text"
is "lines longer than 80 columns" "$(awk 'length($0) > 80' "$scratch/text" | wc -l)" 0
if [ "$(cat /proc/sys/kernel/unprivileged_bpf_disabled 2>/dev/null)" != 0 ] && command -v setpriv >/dev/null; then
	cp "$osprey" "$scratch/osprey" && chmod 755 "$scratch" "$scratch/osprey"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$scratch/osprey" latency runq 2>"$scratch/err"; is "exit code without the right" $? 3
	holds "what is missing" "$scratch/err" 'not measurable: .*CAP_BPF and CAP_PERFMON'
fi
end
