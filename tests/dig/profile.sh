#!/bin/bash
# CPU profiles of targets whose shares are known; stacks without frame pointers; the kernel's part; all formats.
. "$(dirname "$0")/common"
[ "$(id -u)" = 0 ] || skip "needs root"
[ -e /sys/kernel/btf/vmlinux ] || skip "needs a kernel with BTF"
need jq gcc python3
sleep_while() { local i; for ((i = 0; i < 100; i++)); do "$@" || return 0; sleep 0.05; done; return 1; }

# Two functions that share the time 70 to 30, deep below others; built without frame pointers.
cat >"$scratch/split.c" <<'END'
#include <stdint.h>
#include <stdlib.h>
volatile uint64_t sink;
#define LEAF __attribute__((noinline, noclone))
LEAF static uint64_t heavy(uint64_t n, uint64_t a) { while (n--) a = a * 6364136223846793005u + n; return a; }
LEAF static uint64_t light(uint64_t n, uint64_t a) { while (n--) a = a * 2862933555777941757u + n; return a; }
LEAF static int by_value(const void *a, const void *b)
{
	sink = heavy(700, sink);
	uint64_t x = light(300, sink);
	sink = x;
	return *(const int *)a < *(const int *)b ? -1 : 1;
}
LEAF static void down(int depth, int *numbers)
{
	char room[64 + 16];
	room[depth] = 1;
	if (depth)
		down(depth - 1, numbers);
	else
		qsort(numbers, 64, sizeof *numbers, by_value);
	sink += room[depth];
}
int main(void)
{
	for (int numbers[64];;) {
		for (int i = 0; i < 64; i++)
			numbers[i] = (i * 37) % 64;
		down(10, numbers);
	}
}
END
gcc -O2 -fomit-frame-pointer -fno-optimize-sibling-calls -g0 -o "$scratch/split" "$scratch/split.c" || exit 1
gcc -O1 -fno-omit-frame-pointer -fno-optimize-sibling-calls -fno-asynchronous-unwind-tables -fno-unwind-tables -o "$scratch/pointers" "$scratch/split.c" || exit 1

# total_of FUNCTION, self_of FUNCTION: shares in the JSON document.
share_of() { jq -r --arg n "$2" ".total as \$t | ([.functions[] | select(.function == \$n) | .$1] | add // 0) / \$t" "$scratch/json"; }
number() { jq -r "$1" "$scratch/json"; }
profile() { timeout 100 "$osprey" profile "$@"; }

start "$scratch/split"; target=$!
profile "$target" --for 1s --rate 999 --json >"$scratch/json" || wrong "exit code $?"
within "share of heavy" "$(share_of self heavy)" 0.55 0.8
within "share of light" "$(share_of self light)" 0.2 0.45
within "what passes through main" "$(share_of total main)" 0.97 1
within "what passes through qsort" "$(jq -r '.total as $t | .functions | map(select(.function | test("^(__)?qsort(_r)?$"))) | (map(.total) | max) / $t' "$scratch/json")" 0.97 1
is "lost" "$(number .lost)" 0
within "stacks that are whole" "$(number '.user_stacks.whole / .samples')" 0.97 1
# down() eleven times below each other: no frame is missing.
is "depth of the recursion" "$(jq -r '(.frames | map(.function) | index("down")) as $d | [.stacks[] | [.frames[] | select(. == $d)] | length] | max' "$scratch/json")" 11

# The answer in words, on 80 columns.
profile "$target" --for 300ms --rate 499 >"$scratch/text" || wrong "exit code $?"
holds "the answer" "$scratch/text" 'of the CPU time is spent in heavy, called by'
holds "the proof" "$scratch/text" 'Lost: 0\.'
is "lines over 80 columns" "$(awk 'length > 80' "$scratch/text" | wc -l)" 0

# The same stacks as perf's, function by function, in one run.
if command -v perf >/dev/null; then
	perf record -q -F 499 --call-graph dwarf,16384 -p "$target" -o "$scratch/perf" -- sleep 1 >/dev/null 2>&1 &
	recorder=$!
	profile "$target" --for 1s --rate 499 --user-only --format folded >"$scratch/ours" || wrong "exit code $?"
	wait $recorder
	if perf script --no-inline -i "$scratch/perf" -F ip,sym 2>/dev/null >"$scratch/script" && [ -s "$scratch/script" ]; then
		# Kernel frames (high addresses) are left away; innermost comes first there.
		# One function has several names (__GI___qsort_r, qsort_r): what they begin with and versions are left away.
		plain() { sed -E 's/@@?[A-Za-z0-9_.]*//g; s/(^|;)(__GI_)?_+/\1/g'; }
		awk '/^$/ { if (s) print s; s = "" } NF >= 2 && $1 !~ /^ffff/ { s = s ? $2 ";" s : $2 } END { if (s) print s }' "$scratch/script" | plain |
			sort -u >"$scratch/theirs"
		sed -E 's/ [0-9]+$//; s/[^;]*_\[i\];?//g' "$scratch/ours" | plain | sort -u >"$scratch/mine"
		grep -E ';(heavy|light)$' "$scratch/theirs" | sort >"$scratch/theirs.hot"
		both=$(comm -12 "$scratch/theirs.hot" "$scratch/mine" | wc -l)
		within "stacks of the two functions that are equal to perf's" \
			"$(awk -v b="$both" -v n="$(wc -l <"$scratch/theirs.hot")" 'BEGIN { print n ? b / n : "none" }')" 0.8 1
	fi
fi
kill "$target"

# Where only frame pointers lead, they do, and it is said.
start "$scratch/pointers"; target=$!
profile "$target" --for 500ms --rate 999 --json >"$scratch/json" || wrong "exit code $?"
within "frame pointers: share of heavy" "$(share_of self heavy)" 0.5 0.85
within "frame pointers: what passes through main" "$(share_of total main)" 0.9 1
within "frame pointers: samples that are marked" "$(number '.user_stacks.guessed / .samples')" 0.9 1
kill "$target"

# CPython: no stack is broken.
cat >"$scratch/work.py" <<'END'
import json, re, zlib
d = [{"a": i, "b": [str(i)] * 5} for i in range(100)]
while True:
    s = json.dumps(d); json.loads(s); re.findall(r"a\d*", s); zlib.compress(s.encode())
END
python=$(PATH=/usr/bin:/bin command -v python3) && {
	start "$python" "$scratch/work.py"; target=$!
	sleep 0.3
	profile "$target" --for 1s --rate 999 --json >"$scratch/json" || wrong "exit code $?"
	within "python3: stacks that are whole" "$(number '.user_stacks.whole / .samples')" 0.99 1
	kill "$target"
}

# The kernel's part of a program that reads all the time.
start dd if=/dev/zero of=/dev/null bs=1M; target=$!
profile "$target" --for 500ms --rate 999 --json >"$scratch/json" || wrong "exit code $?"
within "share of the kernel" "$(jq -r '.total as $t | (.frames | map(.kind)) as $k | ([.stacks[] | select($k[.frames[-1]] == "kernel") | .weight] | add // 0) / $t' "$scratch/json")" 0.5 1
jq -e '[.functions[].function] | index("ksys_read") or index("vfs_read")' "$scratch/json" >/dev/null || wrong "no read in the kernel's part"
profile "$target" --for 300ms --rate 499 --user-only --json >"$scratch/json" || wrong "exit code $?"
is "kernel frames with --user-only" "$(jq '[.stacks[].frames[]] as $f | [.frames | to_entries[] | select(.value.kind == "kernel") | .key] | map(select(. as $k | $f | index($k))) | length' "$scratch/json")" 0

# The whole host names who burns.
profile --for 1s --rate 199 --json >"$scratch/json" || wrong "exit code $?"
jq -e --arg p "dd [$target]" '[.frames[] | select(.kind == "group") | .function] | index($p)' "$scratch/json" >/dev/null || wrong "the host's profile does not name dd [$target]"
kill "$target"

# A control group, of v1 or v2: nothing but what is in it.
group=''
for root in /sys/fs/cgroup/cpu /sys/fs/cgroup; do
	mkdir "$root/osprey-profile-$$" 2>/dev/null && { group=$root/osprey-profile-$$; mkdir "$group/below"; break; }
done
if [ -n "$group" ]; then
	start "$scratch/split"; target=$!
	if echo "$target" 2>/dev/null >"$group/below/cgroup.procs"; then
		profile --cgroup "$group" --for 500ms --rate 199 --json >"$scratch/json" || wrong "cgroup: exit code $?"
		is "processes of the cgroup" "$(jq -c '[.frames[] | select(.kind == "group") | .function]' "$scratch/json")" "[\"split [$target]\"]"
		profile --cgroup "$group" --for 200ms --by cgroup --json >"$scratch/json" || wrong "cgroup: exit code $?"
	fi
	kill "$target"; wait "$target" 2>/dev/null
	rmdir "$group/below" "$group"
fi

# Within a pid namespace the numbers are those of that namespace.
if unshare -pf --mount-proc true 2>/dev/null; then
	unshare -pf --mount-proc timeout 60 "$osprey" profile --rate 499 --by process --json -o "$scratch/json" -- timeout 0.7 "$scratch/split" >/dev/null ||
		wrong "pid namespace: exit code $?"
	jq -e '[.frames[] | select(.kind == "group") | .function | capture("split \\[(?<n>[0-9]+)\\]").n | tonumber] | length == 1 and .[0] < 100' \
		"$scratch/json" >/dev/null || wrong "pid namespace: $(jq -c '[.frames[] | select(.kind == "group") | .function]' "$scratch/json")"
	checks=$((checks + 1))
fi

# It ends with its target, and on Ctrl-C, with what it has.
"$scratch/split" & target=$!
{ sleep 1; kill "$target"; } &
begin=$SECONDS
profile "$target" --for 60s --json >"$scratch/json" || wrong "exit code $?"
within "seconds until it saw the target's end" $((SECONDS - begin)) 0 40
start "$scratch/split"; target=$!
"$osprey" profile "$target" --for 60s --json >"$scratch/json" & ours=$!
sleep 3; kill -INT "$ours" 2>/dev/null; wait "$ours"; is "exit code after Ctrl-C" $? 0
jq -e '.seconds < 50' "$scratch/json" >/dev/null || wrong "after Ctrl-C there is no result"
kill "$target"

# A program that it starts, with a child of its own; it learns what they are as they run.
profile --rate 999 --json --by command -o "$scratch/json" -- sh -c "timeout 1 $scratch/split; true" >/dev/null || wrong "exit code $?"
within "share of heavy in a child" "$(share_of total heavy)" 0.4 0.85
is "named as commands" "$(jq '[.frames[] | select(.kind == "group" and .function == "split")] | length' "$scratch/json")" 1

# Every format parses; pprof and folded come back as they were; a profile against itself does not differ.
start "$scratch/split"; target=$!
profile "$target" --for 300ms --rate 499 -o "$scratch/p.pb.gz" >/dev/null 2>&1 || wrong "exit code $?"
kill "$target"
for format in folded svg html json speedscope pprof; do
	"$osprey" profile --input "$scratch/p.pb.gz" --format $format >"$scratch/p.$format" || wrong "$format: exit code $?"
done
jq -e '.["$schema"] and (.profiles[0].samples | length) == (.profiles[0].weights | length) and .profiles[0].endValue == (.profiles[0].weights | add)' \
	"$scratch/p.speedscope" >/dev/null || wrong "speedscope"
python3 -c '
import sys, xml.dom.minidom
xml.dom.minidom.parse(sys.argv[1])
import html.parser
html.parser.HTMLParser().feed(open(sys.argv[2]).read())' "$scratch/p.svg" "$scratch/p.html" || wrong "SVG or HTML"
! grep -oE '(src|href)="?[a-z]+:' "$scratch/p.svg" "$scratch/p.html" || wrong "a flame graph loads something"
"$osprey" profile --input "$scratch/p.folded" --format folded | cmp -s - "$scratch/p.folded" || wrong "folded does not come back as it was"
"$osprey" profile --input "$scratch/p.pprof" --format folded | cmp -s - "$scratch/p.folded" || wrong "pprof does not come back as it was"
if command -v go >/dev/null; then
	go tool pprof -raw "$scratch/p.pb.gz" >"$scratch/raw" 2>&1 || wrong "go tool pprof: $(head -3 "$scratch/raw")"
	holds "go tool pprof" "$scratch/raw" ' heavy '
	is "samples that go counts" "$(awk '/^Samples:/ { on = 1; next } /^Locations/ { on = 0 } on && $1 ~ /^[0-9]+$/ { n += $1 } END { print n }' "$scratch/raw")" \
		"$(awk '{ n += $NF } END { print n }' "$scratch/p.folded")"
fi
"$osprey" profile --input "$scratch/p.folded" --against "$scratch/p.pb.gz" >"$scratch/text"
holds "against itself" "$scratch/text" "No function's share changed"
sed 's/;light/;other/' "$scratch/p.folded" >"$scratch/changed"
"$osprey" profile --input "$scratch/changed" --against "$scratch/p.folded" >"$scratch/text"
holds "what grew" "$scratch/text" '^other grew most.*light shrank most|^other grew most'

# What cannot be done is said, with the exit code that belongs to it.
refused() { local code=$1; shift; "$osprey" profile "$@" >"$scratch/out" 2>"$scratch/err"; is "exit code of $*" $? "$code"; is "lines on stderr of $*" "$(wc -l <"$scratch/err")" 1; }
refused 2 12 x
refused 3 --input tests/dig/profile.sh
refused 2 --kernel-only --user-only
refused 2 --input "$scratch/p.folded" --rate 5
refused 2 -o "$scratch/x.unknown"
refused 3 --input /dev/null
refused 3 -- /no/such/program
refused 3 --cgroup /proc
refused 3 2147483600
ls -d /sys/bus/event_source/devices/{cpu,cpu_core,armv8_*} >/dev/null 2>&1 || refused 3 --event cycles
end
