#!/bin/bash
# What tracing costs a getppid loop: bare, strace, perf trace, bpftrace, osprey trace; the cost that each adds, and the ratios.
set -uo pipefail
cd "$(dirname "$0")/.."
osprey=${BUILD:-build}/osprey
dir=$(mktemp -d "${TMPDIR:-/tmp}/osprey-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cat >"$dir/loop.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
/* usage: loop CALLS [SECONDS before]: prints ns a call, the least of 200 short rounds: others use the CPUs as well. */
int main(int argc, char **argv)
{
	long n = atol(argv[1]) / 200;
	double least = 1e18;
	if (argc > 2)
		sleep((unsigned)atoi(argv[2]));
	for (int round = 0; round < 200; round++) {
		struct timespec a, b;
		clock_gettime(CLOCK_MONOTONIC, &a);
		for (long i = 0; i < n; i++)
			syscall(SYS_getppid);
		clock_gettime(CLOCK_MONOTONIC, &b);
		double ns = ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / (double)n;
		least = ns < least ? ns : least;
	}
	printf("%.0f\n", least);
	return 0;
}
C
${CC:-gcc} -O2 -o "$dir/loop" "$dir/loop.c" || exit 1
many=2000000 few=50000

bare=$("$dir/loop" $many)
summary=$("$osprey" trace --summary -o "$dir/summary" -- "$dir/loop" $many)
full=$("$osprey" trace --buffer 131072 -o "$dir/full" -- "$dir/loop" $many)
lost=$(tail -1 "$dir/full")
stacks=$("$osprey" trace --stack -o "$dir/stacks" -- "$dir/loop" 20000)
declare -A peer
command -v strace >/dev/null && {
	peer[strace -c -f]=$(strace -c -f -o /dev/null "$dir/loop" $few)
	peer[strace -f]=$(strace -f -o /dev/null "$dir/loop" $few)
	strace -k -o /dev/null true 2>/dev/null && peer[strace -k -f]=$(strace -k -f -o /dev/null "$dir/loop" 2000)
}
command -v perf >/dev/null && {
	peer[perf trace -s]=$(unshare -m sh -c "mount -t tracefs none /sys/kernel/tracing 2>/dev/null; perf trace -s -o $dir/perf $dir/loop $few" 2>/dev/null)
}
command -v bpftrace >/dev/null && {
	"$dir/loop" $many 4 >"$dir/bpftrace.loop" &
	loop=$!
	unshare -m sh -c "mount -t tracefs none /sys/kernel/tracing 2>/dev/null; exec bpftrace -e '
		tracepoint:raw_syscalls:sys_enter /pid == $loop/ { @start[tid] = nsecs; }
		tracepoint:raw_syscalls:sys_exit /@start[tid]/ { @ns[args->id] = hist(nsecs - @start[tid]); @n[args->id] = count(); delete(@start[tid]); }'" >/dev/null 2>&1 &
	tracer=$!
	wait $loop
	kill -INT $tracer 2>/dev/null
	wait $tracer 2>/dev/null
	peer[bpftrace timed]=$(cat "$dir/bpftrace.loop")
}

printf '%-28s %10s %10s\n' "getppid loop" "ns/call" "added"
printf '%-28s %10s\n' bare "$bare"
for name in "strace -c -f" "strace -f" "strace -k -f" "perf trace -s" "bpftrace timed"; do
	[ -n "${peer[$name]:-}" ] && printf '%-28s %10s %10s\n' "$name" "${peer[$name]}" $((peer[$name] - bare))
done
printf '%-28s %10s %10s\n' "osprey trace --summary" "$summary" $((summary - bare))
printf '%-28s %10s %10s\n' "osprey trace" "$full" $((full - bare))
printf '%-28s %10s %10s\n' "osprey trace --stack" "$stacks" $((stacks - bare))
echo "osprey trace: $lost"
echo "osprey trace --stack: $(tail -1 "$dir/stacks")"
code=0
verdict() { # NAME OURS GOAL
	[ -n "${peer[$1]:-}" ] || { echo "$1: not measurable: it is not here"; return; }
	awk -v peer=$((peer[$1] - bare)) -v ours=$(($2 - bare)) -v goal="$3" -v name="$1" 'BEGIN {
		ours = ours < 1 ? 1 : ours
		ratio = peer / ours
		printf "%-28s %.1f times less added cost (goal %s): %s\n", name, ratio, goal, (ratio >= goal ? "reached" : "MISSED")
		exit (ratio < goal) }' || code=1
}
verdict "strace -c -f" "$summary" 60
verdict "perf trace -s" "$summary" 200
verdict "bpftrace timed" "$summary" 3
verdict "strace -f" "$full" 25
verdict "strace -k -f" "$stacks" 50
grep -q ' 0 lost' <<<"$lost" || { echo "osprey trace lost events: MISSED"; code=1; }
exit $code
