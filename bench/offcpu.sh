#!/bin/bash
# What watching blocked threads costs a pipe ping-pong, beside libbpf-tools' offcputime; and each wait that is looked at
cd "$(dirname "$0")/.." || exit 3
osprey=$PWD/build/osprey
pingpong=build/bench/latency_pingpong
rounds=${ROUNDS:-40000} looks=${LOOKS:-5}
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
command -v offcputime >/dev/null || { echo "needs offcputime (libbpf-tools)"; exit 77; }
[ -x $pingpong ] || { echo "$pingpong is not built (make benches)"; exit 3; }
scratch=$(mktemp -d) || exit 3
trap 'rm -rf "$scratch"' EXIT

best() { local i; for i in $(seq "$looks"); do "$@"; done | sort -n | head -1; } # the least disturbed
with() { # COMMAND…: the figure while it watches; what it printed is in $scratch/out
	"$@" >"$scratch/out" 2>/dev/null &
	local watcher=$!
	sleep "${SETTLE:-4}"
	best $pingpong "${count:-$rounds}"
	kill -INT $watcher 2>/dev/null
	wait $watcher 2>/dev/null
}
line() { # NAME NS
	awk -v n="$1" -v ns="$2" -v bare="$bare" 'BEGIN { printf "  %-44s %6d ns a round, %+5d ns, x%.2f\n", n, ns, ns - bare, ns / bare }'
}
bare=$(best $pingpong "$rounds")
line bare "$bare"
ours=$(with "$osprey" offcpu --for 600); line "osprey offcpu (1 ms and longer)" "$ours"
theirs=$(with offcputime -m 1000 600); line "offcputime -m 1000" "$theirs"
again=$(best $pingpong "$rounds"); line "bare, again" "$again"
# All waits, however short: each is looked at.
all=$(count=4000 with "$osprey" offcpu --min 1us --for 600 --json); line "osprey offcpu --min 1us" "$all"
jq -r '"  each wait that was looked at: \(.stack_cpu_ns / .waits / 1000 * 10 | round / 10) us (\(.waits) waits and their wakers, lost \(.lost))"' "$scratch/out"
every=$(count=4000 with offcputime -m 1 600); line "offcputime -m 1 (no wakers, no unwinding)" "$every"
awk -v a="$ours" -v b="$theirs" -v bare="$bare" -v again="$again" 'BEGIN {
	bare = bare < again ? bare : again
	printf "added: osprey %d ns, offcputime %d ns a round; osprey costs x%.2f of bare (goal: at most 1.1)\n", a - bare, b - bare, a / bare
	exit !(a <= bare * 1.1 && a <= b) }'
