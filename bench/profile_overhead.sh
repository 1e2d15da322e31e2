#!/bin/bash
# What a profile at 999 Hz costs, from the start to the answer: CPU time of target and profiler, against perf record (dwarf) and report
cd "$(dirname "$0")/.." || exit 3
[ "$(id -u)" = 0 ] || { echo "skip: needs root"; exit 0; }
command -v perf >/dev/null || { echo "skip: needs perf"; exit 0; }
rounds=${1:-5} missed=0
scratch=$(mktemp -d) || exit 3
trap 'rm -rf "$scratch"' EXIT

# A fixed amount of work 20 calls deep; tells its own CPU time in ns, which others on the machine do not add to.
cat >"$scratch/work.c" <<'END'
#include <stdint.h>
#include <stdio.h>
#include <time.h>
volatile uint64_t sink;
#define LEAF __attribute__((noinline, noclone))
LEAF static uint64_t heavy(uint64_t n, uint64_t a) { while (n--) a = a * 6364136223846793005u + n; return a; }
LEAF static uint64_t down(int depth, uint64_t a)
{
	char room[64];
	room[depth] = 1;
	a = depth ? down(depth - 1, a) : heavy(1000000, a);
	return a + room[depth];
}
int main(void)
{
	struct timespec t;
	for (int i = 0; i < 1200; i++) sink = down(20, sink);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	printf("%lld\n", (long long)t.tv_sec * 1000000000 + t.tv_nsec);
}
END
gcc -O2 -fomit-frame-pointer -o "$scratch/work" "$scratch/work.c" || exit 3

least() { sort -n | head -1; }
# CPU seconds of a command and all its children
TIMEFORMAT='%U %S'
run() { # WHAT COMMAND…: appends the target's ns to WHAT, the profiler's own CPU seconds (less the target's) to WHAT.cpu
	local what=$1 ns
	shift
	{ time "$@" >"$scratch/out" 2>/dev/null; } 2>"$scratch/time"
	ns=$(grep -E '^[0-9]+$' "$scratch/out" | head -1)
	echo "$ns" >>"$scratch/$what"
	awk -v ns="$ns" '{ print $1 + $2 - ns / 1e9 }' "$scratch/time" >>"$scratch/$what.cpu"
}
for ((i = 0; i < rounds; i++)); do
	run bare "$scratch/work"
	run osprey build/osprey profile --rate 999 -o "$scratch/p.pb.gz" -- "$scratch/work"
	# shellcheck disable=SC2016  # the inner shell expands it
	run perf sh -c 'perf record -q -F 999 --call-graph dwarf -o "$1/perf.data" "$1/work"; perf report --stdio --no-inline -i "$1/perf.data" >"$1/report"' \
		sh "$scratch"
done
bare=$(least <"$scratch/bare")
for who in osprey perf; do
	awk -v who=$who -v bare="$bare" -v with="$(least <"$scratch/$who")" -v own="$(least <"$scratch/$who.cpu")" 'BEGIN {
		printf "%-7s target %+.2f %% CPU time (%.0f ms of %.0f), profiler itself %.2f s\n", who, (with - bare) / bare * 100, (with - bare) / 1e6,
			bare / 1e6, own }'
done
awk -v a="$(least <"$scratch/osprey")" -v b="$(least <"$scratch/perf")" -v bare="$bare" -v oa="$(least <"$scratch/osprey.cpu")" -v ob="$(least <"$scratch/perf.cpu")" 'BEGIN {
	ours = (a - bare) / 1e9 + oa; theirs = (b - bare) / 1e9 + ob
	printf "all together: osprey %.3f s, perf %.3f s: ratio %.2f (goal: at most 1) %s\n", ours, theirs, ours / theirs, (ours <= theirs ? "ok" : "MISSED")
	exit !(ours <= theirs) }' || missed=1
exit $missed
