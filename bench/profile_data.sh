#!/bin/bash
# Bytes of profile data for equal stacks: perf record --call-graph dwarf against what osprey profile moves out of the kernel
cd "$(dirname "$0")/.." || exit 3
[ "$(id -u)" = 0 ] || { echo "skip: needs root"; exit 0; }
command -v perf >/dev/null || { echo "skip: needs perf"; exit 0; }
goal=50 seconds=${1:-8} missed=0
scratch=$(mktemp -d) || exit 3
target=''
trap '[ -z "$target" ] || kill "$target"; rm -rf "$scratch"' EXIT

# One function has several names: __GI___qsort_r is qsort_r, cfree is free.
plain() { sed -E 's/@@?[A-Za-z0-9_.]*//g; s/(^|;)(__GI_)?_+(libc_)?/\1/g; s/(^|;)cfree/\1free/g' | awk '{ n[$0]++ } END { for (s in n) print n[s], s }'; }
# measure NAME COMMAND…: both look at one process at the same time, at the same rate.
measure() {
	local name=$1 recorder
	shift
	"$@" >/dev/null 2>&1 &
	target=$!
	sleep 1
	perf record -q -F 99 --call-graph dwarf -p "$target" -o "$scratch/perf" -- sleep "$seconds" >/dev/null 2>&1 &
	recorder=$!
	build/osprey profile "$target" --for "${seconds}s" --by nothing --user-only --json >"$scratch/json" 2>"$scratch/err" || cat "$scratch/err"
	wait "$recorder"
	kill "$target"; wait "$target" 2>/dev/null; target=''
	jq -r '.frames as $f | .stacks[] | .weight as $w | ([.frames[] | $f[.] | select(.inlined != true) | .function // "[unknown]"] | join(";")) as $s | range($w) | $s' \
		"$scratch/json" | plain >"$scratch/ours"
	perf script --no-inline -i "$scratch/perf" -F ip,sym 2>/dev/null |
		awk '/^$/ { if (s) print s; s = "" } NF >= 2 && $1 !~ /^ffff/ { s = s ? $2 ";" s : $2 } END { if (s) print s }' | plain >"$scratch/theirs"
	awk -v name="$name" -v theirs="$(stat -c %s "$scratch/perf")" -v ours="$(jq .bytes_moved "$scratch/json")" \
		-v whole="$(jq '.user_stacks.whole / (.samples + 1e-9) * 100' "$scratch/json")" -v goal=$goal '
		{ n = $1; sub(/^[0-9]+ /, "") }
		FNR == NR { mine[$0] = n; our_samples += n; next }
		{ samples += n; if ($0 in mine) equal += n; if (!/^start/) broken += n }
		END {
			ratio = (theirs / samples) / (ours / our_samples)
			printf "%-10s perf %8.0f bytes in %d samples   osprey %7.0f bytes in %d samples   a sample: %.0fx less (goal: %d) %s\n", name,
				theirs, samples, ours, our_samples, ratio, goal, (ratio >= goal ? "ok" : "MISSED")
			printf "%-10s %.1f %% of perf'"'"'s samples have a stack that osprey met too; whole stacks: osprey %.1f %%, perf %.1f %%\n", "",
				100 * equal / samples, whole, 100 * (1 - broken / samples)
			exit !(ratio >= goal) }' "$scratch/ours" "$scratch/theirs" || missed=1
}

cat >"$scratch/split.c" <<'END'
#include <stdint.h>
#include <stdlib.h>
volatile uint64_t sink;
#define LEAF __attribute__((noinline, noclone))
LEAF static uint64_t heavy(uint64_t n, uint64_t a) { while (n--) a = a * 6364136223846793005u + n; return a; }
LEAF static int by_value(const void *a, const void *b) { sink = heavy(1000, sink); return *(const int *)a < *(const int *)b ? -1 : 1; }
LEAF static void down(int depth, int *numbers)
{
	char room[64];
	room[depth] = 1;
	if (depth) down(depth - 1, numbers); else qsort(numbers, 64, sizeof *numbers, by_value);
	sink += room[depth];
}
int main(void)
{
	for (int numbers[64];;) {
		for (int i = 0; i < 64; i++) numbers[i] = (i * 37) % 64;
		down(20, numbers);
	}
}
END
gcc -O2 -fomit-frame-pointer -fno-optimize-sibling-calls -o "$scratch/split" "$scratch/split.c" || exit 3
measure "C, -O2" "$scratch/split"
cat >"$scratch/work.py" <<'END'
import json, re, zlib
d = [{"a": i, "b": [str(i)] * 5} for i in range(100)]
while True:
    s = json.dumps(d); json.loads(s); re.findall(r"a\d*", s); zlib.compress(s.encode())
END
python=$(PATH=/usr/bin:/bin command -v python3) && measure python3 "$python" "$scratch/work.py"
exit $missed
