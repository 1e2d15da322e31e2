#!/bin/bash
# A target that leaks at a known rate in one function and frees in another: is the one named, with the right sum?
. "$(dirname "$0")/common"
need cc nm od dash
[ "$(id -u)" = 0 ] || skip "needs root"
cc -O1 -g -pthread -o "$scratch/target" tests/dig/leaks_target.c || { echo "the target does not build"; exit 1; }
cc -O1 -g -pthread -static -no-pie -o "$scratch/static_target" tests/dig/leaks_target.c || { echo "no static target"; exit 1; }
of() { jq -r "$1" "$scratch/json"; }

# target COMMAND…: it answers by leaked
target() {
	rm -f "$scratch/in" "$scratch/out"
	mkfifo "$scratch/in" "$scratch/out"
	"$@" <"$scratch/in" >"$scratch/out" & target=$!
	started+=("$target")
	exec 8>"$scratch/in" 9<"$scratch/out"
}
leaked() { echo >&8; read -r -u 9 bytes count; }
gone() { exec 8>&- 9<&-; wait "$target"; }
leaks() { "$osprey" memory --pid "$target" --leaks "$@" 8>&- 9<&-; }

# The place that leaks comes first, with what it leaked meanwhile; the one that frees has nothing old.
check_target() { # NAME ALLOCATOR SECONDS COMMAND…
	local name=$1 allocator=$2 for=$3 before before_count
	shift 3
	target "$@" 900 2000
	leaked; before=$bytes before_count=$count
	leaks --for "$for" --json >"$scratch/json" 2>"$scratch/err" ||
		{ [ "$name" = glibc ] && grep -q 'not measurable: needs' "$scratch/err" && skip "$(cat "$scratch/err")"
		  wrong "$name: $(cat "$scratch/err")"; gone; return; }
	leaked
	local from first live error allocations growth total lost young way seconds
	# shellcheck disable=SC2016  # jq's variable
	read -r seconds from first live error allocations growth total lost young way < <(of '
		[.sites[] | select(.function == "leak_here")] as $leak |
		[.seconds, .allocator, .sites[0].function, ([$leak[].live.bytes] | add), ([$leak[].live.error_bytes] | add),
		 ([$leak[].live.allocations] | add), ([$leak[].growth_bytes_per_s] | add), .total.live.bytes,
		 .counts.lost_samples + .counts.missed_hits,
		 ([.sites[] | select(.function == "fine_here") | .live_old.bytes] | add // 0),
		 (.sites[0].frames | map(.function) | index("main") != null)] | map(tostring) | join(" ")')
	holds "$name: the allocator" <(echo "$from") "$allocator"
	is "$name: first" "$first" leak_here
	# It lags behind a little where the machine is busy: its own count bounds what can have been seen.
	within "$name: leaked bytes" "$live" \
		"$(awk -v s="$seconds" -v e="$error" 'BEGIN { print 900 * 2000 * s * 0.7 - 2.5 * e }')" \
		"$(awk -v b=$((bytes - before)) -v e="$error" 'BEGIN { print b + 2.5 * e }')"
	within "$name: allocations of it" "$allocations" 1 "$(((count - before_count) * 3 / 2))"
	within "$name: growth" "$growth" 600000 3600000
	is "$name: nothing old that is freed" "$young" 0
	within "$name: error" "$(awk -v e="$error" -v b="$total" 'BEGIN { print e / b }')" 0 0.5
	is "$name: lost" "$lost" 0
	is "$name: all the way up" "$way" true
	kill -0 "$target" 2>/dev/null || wrong "$name: the target has ended"
	leaked
	gone
}
check_target glibc 'libc' 1s "$scratch/target"
for library in libjemalloc.so.2 libtcmalloc_minimal.so.4; do
	path=$(find /usr/lib -maxdepth 2 -name "$library" | head -1)
	[ -z "$path" ] || check_target "$library" "${library%.so*}" 700ms env LD_PRELOAD="$path" "$scratch/target"
done

# A static program; its code is as before once we are done, and also when we are killed.
malloc=$((0x$(nm "$scratch/static_target" | awk '$3 == "malloc" { print $1 }')))
first_byte() { dd if="/proc/$target/mem" bs=1 count=1 skip="$malloc" 2>/dev/null | od -An -tx1 | tr -d ' '; }
target "$scratch/static_target" 900 2000
leaked
byte=$(first_byte)
"$osprey" memory --pid "$target" --leaks --for 60 --no-color >"$scratch/text" 8>&- 9<&- & watcher=$!
for _ in $(seq 100); do [ "$(first_byte)" = cc ] && break; sleep 0.02; done
is "a probe at malloc" "$(first_byte)" cc
sleep 0.4
kill -INT $watcher
wait $watcher
is "exit code" $? 0
is "malloc as before" "$(first_byte)" "$byte"
holds "the answer comes first" "$scratch/text" '^static_target \([0-9]+\): .* allocated in the .* watched is still live'
holds "who" "$scratch/text" 'leak_here \(leaks_target.c:[0-9]+\)'
"$osprey" memory --pid "$target" --leaks --for 60 >"$scratch/text" 8>&- 9<&- & watcher=$!
for _ in $(seq 100); do [ "$(first_byte)" = cc ] && break; sleep 0.02; done
is "a probe again" "$(first_byte)" cc
kill -KILL $watcher
wait $watcher 2>/dev/null
for _ in $(seq 100); do [ "$(first_byte)" != cc ] && break; sleep 0.02; done
is "malloc as before, though we were killed" "$(first_byte)" "$byte"
gone

# became NAME: the process that was forked runs the program by now
became() { for _ in $(seq 100); do [ "$(cat "/proc/$target/comm")" = "$1" ] && return; sleep 0.01; done; wrong "no $1"; }

# It ends meanwhile; it becomes another program meanwhile.
"$scratch/target" 900 2000 700 & target=$!
started+=("$target")
became target
"$osprey" memory --pid "$target" --leaks --for 60 --json >"$scratch/json" || wrong "exit code $?"
is "ended by" "$(of .ended_by)" exited
is "of one that has ended" "$(of '.sites[0].function')" leak_here
dash -c 'sleep 0.5; exec sleep 60' & target=$!
started+=("$target")
became dash
"$osprey" memory --pid "$target" --leaks --for 60 --json >"$scratch/json" || wrong "exit code $?"
is "ended by exec" "$(of .ended_by)" exec

# What cannot be.
strip -o "$scratch/stripped" "$scratch/static_target"
target "$scratch/stripped" 900 10
leaked
leaks --for 1s >"$scratch/text" 2>"$scratch/err"
is "a stripped static program" $? 3
holds "why" "$scratch/err" 'not measurable: a static program'
leaks --for 1s --older 2s 2>/dev/null
is "older than all" $? 2
leaks 5 2>/dev/null
is "an interval" $? 2
gone
"$osprey" memory --pid 2 --leaks --for 1s 2>/dev/null
is "a kernel thread" $? 3
end
