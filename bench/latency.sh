#!/bin/bash
# What latencies cost a pipe ping-pong, beside libbpf-tools' runqlat; counts beside perf stat
cd "$(dirname "$0")/.." || exit 3
osprey=$PWD/build/osprey
pingpong=build/bench/latency_pingpong
rounds=${ROUNDS:-40000} looks=${LOOKS:-5}
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
for tool in runqlat perf; do command -v $tool >/dev/null || { echo "needs $tool"; exit 77; }; done
[ -x $pingpong ] || { echo "$pingpong is not built (make benches)"; exit 3; }

best() { local i; for i in $(seq "$looks"); do "$@"; done | sort -n | head -1; } # the least disturbed
with() { # COMMAND…: the figure while it measures
	"$@" >/dev/null 2>&1 &
	local watcher=$!
	sleep 1.5
	best $pingpong "$rounds"
	kill -INT $watcher 2>/dev/null
	kill -TERM $watcher 2>/dev/null
	wait $watcher 2>/dev/null
}
line() { # NAME NS
	awk -v n="$1" -v ns="$2" -v bare="$bare" 'BEGIN { printf "  %-44s %6d ns a round, %+5d ns, x%.2f\n", n, ns, ns - bare, ns / bare }'
}
bare=$(best $pingpong "$rounds")
line bare "$bare"
ours=$(with "$osprey" latency runq --for 600); line "osprey latency runq" "$ours"
slow=$(with "$osprey" latency runq --for 600 --slower 10ms); line "osprey latency runq --slower 10ms" "$slow"
theirs=$(with runqlat 600 1); line "runqlat" "$theirs"
bytask=$(with runqlat -P 600 1); line "runqlat -P (by process, as osprey)" "$bytask"
calls=$(with "$osprey" latency syscall --for 600); line "osprey latency syscall" "$calls"
futex=$(with "$osprey" latency futex --for 600); line "osprey latency futex" "$futex"
if command -v syscount >/dev/null; then
	line "syscount -L" "$(with syscount -L -d 600)"
fi
count=$(with "$osprey" count --for 600); line "osprey count (the host)" "$count"
perf=$(with perf stat -a -e task-clock,context-switches,cpu-migrations,page-faults,major-faults sleep 600); line "perf stat -a" "$perf"
again=$(best $pingpong "$rounds"); line "bare, again" "$again"
awk -v a="$ours" -v b="$bytask" -v c="$theirs" -v bare="$bare" -v again="$again" 'BEGIN {
	bare = bare < again ? bare : again
	x = a - bare; y = b - bare; z = c - bare
	printf "added by runq: osprey (by process) %d ns, runqlat -P %d ns, runqlat (one histogram) %d ns a round\n", x, y, z
	if (x > 0) printf "runqlat -P adds x%.2f of osprey\n", y / x
	exit !(x <= y) }'
