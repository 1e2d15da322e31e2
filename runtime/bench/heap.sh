#!/bin/bash
# the heap as malloc, beside those of glibc, jemalloc, mimalloc and tcmalloc
#
# usage: runtime/bench/heap.sh [ROUNDS]     5, with LONG 7; shapes without a goal at most 2
#
# Every program of heap_*.c runs under each allocator in turn; the best round counts, ns are CPU time of one
# operation. The ratio is ours to the best other of the run. "calls" is two functions that do
# nothing in the place of malloc and free: what no allocator is below. 0: the goals are reached, 1: they are
# missed, 77: it cannot run here.
set -euo pipefail
# shellcheck source=place
. "$(dirname "${BASH_SOURCE[0]}")/place"
rounds=${1:-${long:+7}}
rounds=${rounds:-5}
progress building
of all benches || exit 3
lib=$(dirname "$(gcc -print-file-name=libc.so.6)")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

declare -A preload=([glibc]='' [ours]=$build/libospreymalloc.so)
for a in jemalloc:libjemalloc.so.2 mimalloc:libmimalloc.so.2.0 tcmalloc:libtcmalloc_minimal.so.4; do
	path=$(find /usr/lib /usr/local/lib "$lib" -name "${a#*:}" -print -quit 2>/dev/null)
	[ -n "$path" ] || { echo "skip: ${a#*:} is missing (libjemalloc2, libmimalloc2.0, libtcmalloc-minimal4)"; exit 77; }
	preload[${a%%:*}]=$path
done
order=(glibc jemalloc mimalloc tcmalloc ours)
shapes=(hot larson xmalloc burst mixed realloc queue scratch)

cat >"$tmp/calls.c" <<'C'
#include <stddef.h>
static char block[4096] __attribute__((aligned(16)));
void *malloc(size_t n) { (void)n; return block; }
void free(void *p) { (void)p; }
C
gcc -O2 -shared -fPIC -fno-builtin -o "$tmp/calls.so" "$tmp/calls.c"

# NAME VALUE lines of a run, the least of each kept in best[shape.name.allocator].
declare -A best
run() {		# shape allocator library
	local name value key
	while read -r name value; do
		key=$1.$name.$2
		if [ -z "${best[$key]:-}" ] || awk "BEGIN { exit !($value < ${best[$key]}) }"; then best[$key]=$value; fi
	done < <(timeout 120 env LD_PRELOAD="$3" "$build/bench/heap_$1")
}
for ((r = 0; r < rounds; r++)); do
	for shape in "${shapes[@]}"; do
		case $shape in hot | larson | xmalloc | burst) ;; *) [ $r -lt 2 ] || continue ;; esac
		progress "round $((r + 1)) of $rounds: $shape"
		for a in "${order[@]}"; do run "$shape" "$a" "${preload[$a]}"; done
	done
	run hot calls "$tmp/calls.so"
done
progress_end

# What the goals are: ours over the best other on the reference, 5.4, 16, 73 and 19 ns; and memory over
# jemalloc's.
declare -A goal=([hot.ns]=$(awk 'BEGIN { print 4.5 / 5.4 }') [larson.ns]=$(awk 'BEGIN { print 14 / 16 }')
	[xmalloc.ns]=$(awk 'BEGIN { print 65 / 73 }') [burst.ns]=1 [burst.peak]=1.2)
missed=0
row() {		# shape.name peers...
	local key=$1 peer=inf a ratio word=''
	shift
	for a; do peer=$(awk "BEGIN { a = ${best[$key.$a]}; b = \"$peer\"; print b == \"inf\" || a < b + 0 ? a : b }"); done
	ratio=$(awk "BEGIN { printf \"%.2f\", ${best[$key.ours]} / ($peer > 0 ? $peer : 1) }")
	if [ -n "${goal[$key]:-}" ]; then
		# As exact as it is printed.
		word=$(verdict "heap: $key" "$ratio" "$(awk "BEGIN { printf \"%.2f\", ${goal[$key]} }")") || missed=1
		word=$(printf '%.2f  %s' "${goal[$key]}" "$word")
	fi
	printf '%-12s' "$key"
	for a in "${order[@]}"; do printf '%9s' "${best[$key.$a]}"; done
	printf '%7s  %s\n' "$ratio" "$word"
}
printf '%-12s' shape
printf '%9s' "${order[@]}"
printf '%7s  %-5s %s\n' ratio goal verdict
for shape in "${shapes[@]}"; do row "$shape.ns" glibc jemalloc mimalloc tcmalloc; done
row burst.peak jemalloc
row burst.after jemalloc
echo "ns of CPU time an operation, best of $rounds (mixed to scratch: of 2); ratio: ours to the best other"
echo "peak and after: KiB of resident memory, ratio to jemalloc's"
echo "calls alone, of hot: ${best[hot.ns.calls]} ns"
exit $missed
