#!/bin/bash
# What a hit costs the program that is probed, and how soon the probe is there: osprey probe beside bpftrace, the same line
set -uo pipefail
cd "$(dirname "$0")/.."
osprey=build/osprey target=$PWD/build/bench/probe
[ "$(id -u)" -eq 0 ] || { echo "skip: needs root"; exit 77; }
command -v bpftrace >/dev/null || { echo "skip: needs bpftrace"; exit 77; }
[ -x "$target" ] || { echo "skip: make benches"; exit 77; }
if [ ! -e /sys/kernel/tracing/events ] && [ -z "${PROBE_BENCH_INSIDE:-}" ]; then
	# bpftrace finds tracepoints in a tracefs that is mounted: here for us alone.
	PROBE_BENCH_INSIDE=1 exec unshare -m sh -c 'mount -t tracefs t /sys/kernel/tracing; exec bash "$0" "$@"' "$0" "$@"
fi
ulimit -l unlimited 2>/dev/null
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT

# until_there WORDS: the probe says so on either stream.
until_there() {
	for _ in $(seq 1500); do
		grep -q "$1" "$work/out" "$work/err" 2>/dev/null && return 0
		sleep 0.02
	done
	return 1
}
# with WORDS WARM-UP-SECONDS MODE COMMAND…: ns a call while the command watches. Best of three: what else runs only adds.
with() {
	local words=$1 pause=$2 mode=$3 n=20000 watcher best='' ns
	shift 3
	[ "$mode" = syscall ] && n=200000
	: >"$work/out"; : >"$work/err"
	"$@" >"$work/out" 2>"$work/err" &
	watcher=$!
	until_there "$words" || { echo "it did not start: $*" >&2; cat "$work/err" >&2; }
	sleep "$pause"
	for _ in 1 2 3; do
		ns=$("$target" $n "$mode")
		best=$(awk -v a="$ns" -v b="${best:-$ns}" 'BEGIN { print a < b ? a : b }')
	done
	kill -INT $watcher; wait $watcher 2>/dev/null
	# A probe that has seen nothing has cost nothing: no figure.
	tr -d ' ' <"$work/out" | grep -qE '[1-9][0-9]{4}' || { echo "nothing was counted: $*" >&2; best=nan; }
	echo "$best"
}
row() { # NAME MODE OSPREY-LINE BPFTRACE-LINE
	local bare ours theirs
	bare=$("$target" 200000 "$2")
	ours=$(with 'probed' 0.2 "$2" "$osprey" probe "$3")
	theirs=$(with 'Attaching' 2 "$2" bpftrace -e "$4")
	awk -v name="$1" -v b="$bare" -v o="$ours" -v t="$theirs" 'BEGIN {
		printf "  %-28s bare %.0f ns, osprey +%.0f ns, bpftrace +%.0f ns: %.2f times its cost\n", name, b, o - b, t - b, (o - b) / (t - b) }'
}
row "uprobe count" function "uprobe:$target:probed count" "uprobe:$target:probed { @ = count(); }"
row "uprobe count by comm" function "uprobe:$target:probed count by comm" "uprobe:$target:probed { @[comm] = count(); }"
row "uretprobe histogram" function "uretprobe:$target:probed histogram retval" "uretprobe:$target:probed { @ = hist(retval); }"
row "tracepoint count" syscall "tracepoint:syscalls:sys_enter_getppid count" "tracepoint:syscalls:sys_enter_getppid { @ = count(); }"
row "tracepoint count by comm" syscall 'tracepoint:syscalls:sys_enter_getppid count by comm' \
	"tracepoint:syscalls:sys_enter_getppid { @[comm] = count(); }"

start() { # NAME OSPREY-LINE BPFTRACE-LINE: CPU time from the command to its end, nothing watched
	local ours theirs
	TIMEFORMAT='%U %S'
	ours=$( { time "$osprey" probe --for 1ms "$2" >/dev/null 2>&1; } 2>&1 | awk '{ print $1 + $2 }')
	theirs=$( { time bpftrace -e "$3 interval:ms:1 { exit(); }" >/dev/null 2>&1; } 2>&1 | awk '{ print $1 + $2 }')
	awk -v name="$1" -v o="$ours" -v t="$theirs" 'BEGIN {
		printf "  %-28s osprey %.3f s of CPU, bpftrace %.3f s: %.1f times faster\n", name, o, t, (o > 0 ? t / o : 0) }'
}
start "start, uprobe" "uprobe:$target:probed count" "uprobe:$target:probed { @ = count(); }"
start "start, tracepoint" "tracepoint:sched:sched_switch count by prev_comm" "tracepoint:sched:sched_switch { @[args->prev_comm] = count(); }"
