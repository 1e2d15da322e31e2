#!/bin/bash
# Probes on a program whose truth is known: calls counted exactly, sums and histograms equal to its own, USDT arguments as it
# printed them; lists equal those of perf and readelf; nothing stays attached, whatever end osprey has.
set -uo pipefail
cd "$(dirname "$0")/../.."
osprey=$PWD/${BUILD:-build}/osprey
skip() { echo "skip: $*"; exit 77; }
[ "$(id -u)" -eq 0 ] || skip "needs root"
[ -e /sys/kernel/btf/vmlinux ] || skip "this kernel has no BTF"
[ -e /sys/bus/event_source/devices/uprobe/type ] || skip "this kernel has no uprobes"
command -v gcc >/dev/null || skip "needs gcc"
echo '#include <sys/sdt.h>' | gcc -xc -fsyntax-only - 2>/dev/null || skip "needs systemtap-sdt-dev"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/osprey-probe.XXXXXX")
target=$scratch/target
children=()
# shellcheck disable=SC2317  # the trap calls it
clean() { for c in "${children[@]}"; do kill -9 "$c" 2>/dev/null; done; rm -rf "$scratch"; }
trap clean EXIT
bad=0
wrong() { echo "wrong: $*"; bad=1; }
is() { [ "$2" = "$3" ] || wrong "$1 is '$2', not '$3'"; }
gcc -O1 -o "$target" tests/dig/probe_target.c || { echo "the target does not compile"; exit 1; }
gcc -O1 -DSEMAPHORES -o "$target.semaphores" tests/dig/probe_target.c || exit 1

# watch ARGUMENT…: osprey probe in the background, attached when this returns.
watch() {
	: >"$scratch/talk"
	"$osprey" probe "$@" >"$scratch/out" 2>"$scratch/talk" &
	watcher=$!
	children+=("$watcher")
	for _ in $(seq 400); do
		grep -q 'probed' "$scratch/talk" && return 0
		kill -0 "$watcher" 2>/dev/null || break
		sleep 0.05
	done
	wrong "osprey probe $* did not start: $(cat "$scratch/talk")"
	return 1
}
# The end of it, and its answer as lines "ACTION<tab>ROW ROW…" and "hit NAME VALUES".
ended() { kill -INT "$watcher"; wait "$watcher"; is "exit code" $? 0; rows; }
rows() { python3 - "$scratch/out" >"$scratch/rows" <<'PY'
import json, sys
for line in open(sys.argv[1]):
    d = json.loads(line)
    if d["schema"] == "osprey.probe.hit/1":
        print(d["probe"].split(":")[-1], *d["values"].values())
    if d["schema"] == "osprey.probe.aggregate/1":
        print(d["action"], " ".join(sorted("/".join([str(v) for v in r["key"].values()]
            + [str(r[k]) for k in r if k not in ("key", "buckets")]
            + ["%s:%s" % (b["from"], b["count"]) for b in r.get("buckets", [])]) for r in d["rows"])), sep="\t")
PY
}
field() { local action row; while IFS=$'\t' read -r action row; do [ "$action" = "$1" ] && echo "$row"; done <"$scratch/rows"; }

# Counts, filters, sums, extremes, histograms, texts, returns.
watch --json "uprobe:$target:work count; sum i32(arg0); min arg2; max arg2; avg arg2; histogram arg2; count by str(arg1); \
uprobe:$target:work if arg0 % 2 == 1 && str(arg1) == \"name-3\" count by comm, probe; \
uretprobe:$target:work if int(retval) < 0 sum int(retval); \
uprobe:$target:work if arg0 / (arg0 - 5) > 1 count by cpu * 0 + 7" && {
	echo go | "$target" 200 2>/dev/null
	ended
	is "count" "$(field count)" 200
	is "sum" "$(field 'sum i32(arg0)')" "200/19900"
	is "min" "$(field 'min arg2')" "200/0"
	is "max" "$(field 'max arg2')" "200/1990"
	is "avg" "$(field 'avg arg2')" "200/995"
	is "histogram" "$(field 'histogram arg2')" "200/0:1/8:1/16:2/32:3/64:6/128:13/256:26/512:51/1024:97"
	is "texts" "$(field 'count by str(arg1)')" "name-0/50 name-1/50 name-2/50 name-3/50"
	is "filter" "$(field 'count by comm, probe')" "target/uprobe:$target:work/50"
	is "returns" "$(field 'sum int(retval)')" "66/-6633"
	# 6/1, 7/2, 8/3, 9/4 are more than 1, 10/5 is 2, then 1; 5/0 is no match and no zero.
	is "division" "$(field 'count by cpu * 0 + 7')" "7/5"
	grep -q '"filter_unreadable": *1,' "$scratch/out" || wrong "the division by zero was not told"
}

# Arguments and results by debug information, with their names and types, wherever the convention puts them.
for level in 0 2; do
	gcc -g -O$level -o "$target.O$level" tests/dig/probe_target.c || exit 1
	watch --json "uprobe:$target.O$level:shapes print tiny, str(name), count, flag, *where, above, last; \
uretprobe:$target.O$level:shapes if retval < 0" || continue
	echo go | "$target.O$level" 50 print shapes 2>/dev/null >"$scratch/truth"
	ended
	cmp -s "$scratch/truth" "$scratch/rows" || wrong "arguments at -O$level: $(diff "$scratch/truth" "$scratch/rows" | head -4)"
done
is "described arguments" "$("$osprey" probe list -v "uprobe:$target.O2:shapes" | sed -n '4p;5p')" \
"    two  struct pair (not readable here)
    none  double (not readable here)"
watch "uprobe:$target.O2:shapes" && {
	echo go | "$target.O2" 1 2>/dev/null
	kill -INT "$watcher"; wait "$watcher"
	grep -q 'tiny=0 name="name-0" count=4000000000 flag=0 where=0x[0-9a-f]* above=65000 last=-1$' "$scratch/out" ||
		wrong "printed arguments: $(cat "$scratch/out")"
}

# USDT: every operand as the program printed it, with semaphores and without.
for program in "$target" "$target.semaphores"; do
	watch --json "usdt:$program:target:sizes; usdt:$program:places print arg0, arg1, arg2, str(arg3), arg4" || continue
	echo go | "$program" 100 print >"$scratch/truth" 2>"$scratch/enabled"
	ended
	cmp -s "$scratch/truth" "$scratch/rows" || wrong "USDT of ${program##*/}: $(diff "$scratch/truth" "$scratch/rows" | head -4)"
	is "probes seen by ${program##*/}" "$(cat "$scratch/enabled")" "enabled 100"
done
# The semaphore is down when nobody watches, also after SIGKILL.
watch "usdt:$target.semaphores:sizes count" && {
	kill -9 "$watcher"; wait "$watcher" 2>/dev/null
	is "semaphore after SIGKILL" "$(echo go | "$target.semaphores" 3 2>&1 >/dev/null)" "enabled 0"
}

# One process of two; the hits of a system call's tracepoint are those that the program made.
mkfifo "$scratch/gate"
"$target" 40 <"$scratch/gate" 2>/dev/null &
one=$!; children+=("$one")
exec 9>"$scratch/gate"
watch --json --pid $one "uprobe:target:work count; tracepoint:syscalls:sys_enter_close if fd >= 1000 count; sum fd; \
rawtracepoint:sys_enter if id == 3 && regs->di >= 1000 count" && {
	echo go | "$target" 30 2>/dev/null
	echo go >&9
	exec 9>&-
	wait "$watcher"
	is "exit code when the process has ended" $? 0
	rows
	is "calls of one process" "$(field count)" "$(printf '40\n40\n40')"
	is "file descriptors of it" "$(field 'sum fd')" "40/$((40 * 1000 + 780))"
}

# The same tracepoint as perf counts it, at the same time: who watches hides nothing from others.
if command -v perf >/dev/null; then
	watch --json 'tracepoint:syscalls:sys_enter_close if comm == "target" count; count by fd >= 1000 && fd < 1500' && {
		# shellcheck disable=SC2016  # the inner shell's
		unshare -m sh -c 'mount -t tracefs t /sys/kernel/tracing 2>/dev/null
			echo go | perf stat -x, -o "$1" -e syscalls:sys_enter_close -- "$2" 70' \
			- "$scratch/perf" "$target" 2>/dev/null
		ended
		is "close() as perf counts it" "$(field count)" "$(grep sys_enter_close "$scratch/perf" | cut -d, -f1)"
		[[ $(field 'count by fd >= 1000 && fd < 1500') == *1/70 ]] || wrong "close() as the program made it: $(cat "$scratch/rows")"
	}
fi

# Lists.
notes=$(readelf -n "$target" | grep -c 'Provider:') probes=$(readelf -n "$target" | sed -n 's/ *Name: //p' | sort -u | wc -l)
[ "$notes" = "$probes" ] && places='' || places=" in $notes places"
is "USDT list" "$("$osprey" probe list "usdt:$target:*" | tail -1)" "$probes probes$places"
is "function list" "$("$osprey" probe list "uprobe:$target:w*" | head -1)" "uprobe:$target:work"
if command -v perf >/dev/null; then
	# Those of ftrace itself are nothing that can be attached to.
	theirs=$(unshare -m sh -c 'mount -t tracefs t /sys/kernel/tracing 2>/dev/null; perf list tracepoint 2>/dev/null' |
		grep 'Tracepoint event' | grep -cv ' ftrace:')
	ours=$("$osprey" probe list 'tracepoint:*:*' | tail -1)
	is "tracepoints" "$ours" "$theirs probes"
fi

is "a group of tracepoints" "$("$osprey" probe list 'sched:*')" "$("$osprey" probe list 'tracepoint:sched:*')"

# What is wrong is said where it is.
says() { # WORDS LINE…
	local words=$1 out code
	shift
	out=$("$osprey" probe "$@" 2>&1 </dev/null); code=$?
	[ $code -eq 2 ] || wrong "$*: exit code $code"
	[[ $out == *"$words"* ]] || wrong "$*: $out"
}
says "closest is 'prev_prio'" 'tracepoint:sched:sched_switch if prev_pri < 100'
says "closest is 'sched:sched_switch'" 'tracepoint:sched:sched_swich'
says "closest is 'sched:sched_switch'" list 'sched:sched_swich'
says "did you mean 'uprobe:'" list 'uprob:x'
says "closest is 'work'" "uprobe:$target:wrok"
says "closest is 'sizes'" "usdt:$target:size"
says "no USDT probes" "usdt:/bin/true:x"
says "No such file" "uprobe:$scratch/none:x"
says "no program or library" "uprobe:$0:x"
says "did you mean 'count'" "uprobe:$target:work cuont"
refuses() { # WORDS LINE…: could not measure
	local words=$1 out code
	shift
	out=$("$osprey" probe "$@" 2>&1 </dev/null); code=$?
	[ $code -eq 3 ] || wrong "$*: exit code $code"
	[[ $out == *"$words"* ]] || wrong "$*: $out"
}
[ -e /sys/bus/event_source/devices/kprobe/type ] || refuses "needs CONFIG_KPROBES" kprobe:vfs_read
refuses "no process" --pid 4194303 "uprobe:libc:malloc"

# Nothing stays, at whatever moment it is killed.
programs() { bpftool prog list 2>/dev/null | grep -c osprey_probe; }
if command -v bpftool >/dev/null || PATH=$PATH:/usr/sbin command -v bpftool >/dev/null; then
	PATH=$PATH:/usr/sbin
	for i in 1 2 3 4; do
		"$osprey" probe "uprobe:$target:* count by probe; tracepoint:sched:sched_switch count by comm" >/dev/null 2>&1 &
		children+=($!)
		sleep "0.0$((i * 3 % 10))$i"
		kill -9 $!; wait $! 2>/dev/null
	done
	# The kernel frees programs after a grace period; others may probe at this time.
	for _ in $(seq 40); do
		left=$(programs)
		[ "$left" -eq 0 ] && break
		pgrep -x osprey >/dev/null && break
		sleep 0.05
	done
	[ "$left" -eq 0 ] || pgrep -x osprey >/dev/null || wrong "$left BPF programs stayed"
fi
exit $bad
