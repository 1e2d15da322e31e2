#!/bin/bash
# What finding leaks costs an allocation and its free, beside memleak (bcc), its method in bpftrace, and heaptrack
cd "$(dirname "$0")/.." || exit 3
osprey=$PWD/build/osprey
target=$PWD/build/bench/leaks_target
pairs=${PAIRS:-50000} looks=${LOOKS:-3}
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
command -v bpftrace >/dev/null || { echo "needs bpftrace"; exit 77; }
[ -x "$target" ] || { echo "$target is not built (make benches)"; exit 3; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# What memleak does: size and stack of each call, its address at the return, a table of all that is live.
cat >"$scratch/memleak.bt" <<END
uprobe:$target:malloc { @size[tid] = arg0; }
uretprobe:$target:malloc /@size[tid]/ { @live[retval] = @size[tid]; @stack[ustack] = sum(@size[tid]); delete(@size[tid]); }
uprobe:$target:free { delete(@live[arg0]); }
END

best() { local i; for i in $(seq "$looks"); do "$@"; done | sort -n | head -1; } # the least disturbed
# with COMMAND…: the figure while it watches the target, whose pid it is given as PID; the target waits meanwhile
with() {
	local i
	for i in $(seq "$looks"); do
		"$target" "$pairs" 0 stop >"$scratch/figure" & local t=$!
		until grep -q '^State:.T' "/proc/$t/status"; do sleep 0.01; done
		timeout -s INT 60 "${@//PID/$t}" >"$scratch/seen" 2>&1 </dev/null & local watcher=$!
		sleep "${settle:-2}"
		kill -CONT "$t"
		wait "$t"
		kill -INT "$watcher" 2>/dev/null
		wait "$watcher" 2>/dev/null
		cat "$scratch/figure"
	done | sort -n | head -1
}
line() { # NAME NS
	awk -v n="$1" -v ns="$2" -v bare="$bare" 'BEGIN { printf "  %-44s %6d ns a pair, %+6d ns, x%.1f\n", n, ns, ns - bare, ns / bare }'
}
bare=$(best "$target" "$pairs")
line bare "$bare"
ours=$(with "$osprey" memory --pid PID --leaks --for 600 --json); line "osprey memory --leaks" "$ours"
cp "$scratch/seen" "$scratch/ours.json"
theirs=$(with bpftrace "$scratch/memleak.bt"); line "the method of memleak, in bpftrace" "$theirs"
if command -v memleak-bpfcc >/dev/null; then
	line "memleak-bpfcc" "$(with memleak-bpfcc -p PID -O "$target" 600)"
fi
if command -v heaptrack >/dev/null; then
	cc -O2 -Isrc -o "$scratch/dynamic" bench/leaks_target.c src/base/clock.c -D_GNU_SOURCE 2>"$scratch/err" ||
		{ cat "$scratch/err"; exit 3; }
	heap() { (cd "$scratch" && heaptrack -o "$scratch/heap" "$scratch/dynamic" "$pairs" 2>/dev/null | grep -E '^[0-9]+$'); }
	line "heaptrack (in the process)" "$(best heap)"
fi
again=$(best "$target" "$pairs"); line "bare, again" "$again"
jq -r '"  osprey: \(.sites[0].function) holds \(.sites[0].live.bytes | floor) B (±\(100 * .sites[0].live.error_bytes / .sites[0].live.bytes | floor) %), \(.counts.samples) samples, \(.counts.lost_samples) lost"' "$scratch/ours.json"
awk -v a="$ours" -v b="$theirs" -v bare="$bare" -v again="$again" 'BEGIN {
	bare = bare < again ? bare : again
	printf "added: osprey %d ns, the method of memleak %d ns a pair: x%.2f\n", a - bare, b - bare, (b - bare) / (a - bare)
	exit !(a < b) }'
