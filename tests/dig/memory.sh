#!/bin/bash
# memory --pid: sums of mappings as smaps_rollup and pmap have them, arenas as glibc's own mallinfo2 has them, growth as
# it was made; static and other allocators; errors.
. "$(dirname "$0")/common"
need jq

get() { jq -r "$1" <<<"$output"; }
# near WHAT GOT WANTED WITHIN
near() {
	awk -v a="$2" -v b="$3" -v w="$4" 'BEGIN { d = a - b; exit !(a ~ /^[0-9.]+$/ && b ~ /^[0-9.]+$/ && d <= w && d >= -w) }' ||
		wrong "$1: $2, wanted $3"
}
rollup() { awk -v n="$1:" '$1 == n { s = $2 * 1024 } END { print s }' "/proc/$target_pid/smaps_rollup"; }

target_mallocs || exit 1
read -r arena in_use free _ <"$target_sums"
run memory --pid "$target_pid" --json
is "exit code" "$code" 0
is "schema" "$(get .schema)" osprey.memory-of-process/1
is "arenas" "$(get '.malloc.arenas | length')" 3
is "main arenas" "$(get '[.malloc.arenas[] | select(.main)] | length')" 1
is "bytes of the arenas" "$(get .malloc.total.system_bytes)" "$arena"
is "bytes in use" "$(get .malloc.total.in_use_bytes)" "$in_use"
is "free bytes" "$(get .malloc.total.free_bytes)" "$free"
is "torn" "$(get .malloc.total.torn)" false
near "resident" "$(get .total.resident_bytes)" "$(rollup Rss)" 65536
is "swapped" "$(get .total.swap_bytes)" "$(rollup Swap)"
near "own dirty" "$(get .total.private_dirty_bytes)" "$(rollup Private_Dirty)" 65536
near "resident, by kind" "$(get '[.kinds[].resident_bytes] | add')" "$(get .total.resident_bytes)" 0
if command -v pmap >/dev/null; then
	near "resident, by pmap" "$(get .total.resident_bytes)" \
		"$(pmap -X "$target_pid" | awk 'NR == 2 { for (i = 1; i <= NF; i++) if ($i == "Rss") at = i }
			$1 ~ /^[0-9a-f]+$/ && $2 ~ /^[r-][w-]/ { sum += $at } END { print sum * 1024 }')" 65536
fi
run memory --pid "$target_pid"
has "text" "$output" "($(cat "/proc/$target_pid/comm")) has "
has "text" "$output" "malloc holds"
has "text" "$output" "in 3 arenas"
is "state of a target that was read" "$(awk '/^TracerPid/ { print $2 }' "/proc/$target_pid/status")" 0
stop "$target_pid"
run memory --pid "$target_pid"
is "exit code for a process that has ended" "$code" 3
has "message for it" "$errors" "no such process"

# No symbols and no libc.so to look for.
target_threads_static 6 3 || exit 1
run memory --pid "$target_pid" --json
is "reason why a static program has no heap" "$(get .malloc.missing)" null
is "main arena of a static program" "$(get '.malloc.arenas[0].main')" true
stop "$target_pid"

# In a time that it says itself it takes 24 MiB by brk, and a thread, which it starts then, 6 MiB of an arena of its own.
python=$(python3 -c 'import os, sys; print(os.path.realpath(sys.executable))' 2>/dev/null)
if [ -n "$python" ]; then
	target_begin "$python" "$python" -c 'import sys, threading, time
def thread():
    kept = [bytearray(b"x" * 60000) for _ in range(100)]
    print("grown", flush=True)
    time.sleep(1000)
print("ready", flush=True)
while not __import__("os").path.exists(sys.argv[1]): time.sleep(0.01)
kept = [bytes(60000) for _ in range(400)]
kept2 = [bytearray(b"x" * 60000) for _ in range(400)]
threading.Thread(target=thread).start()
time.sleep(1000)' "$scratch/go"
	target_await target_says_ready || exit 1
	"$osprey" memory --pid "$target_pid" --json 60 >"$scratch/two" 2>&1 &
	looker=$!
	until_true 20 grep -q '^230 ' "/proc/$looker/syscall" # clock_nanosleep: the first look has been
	touch "$scratch/go"
	target_await grep -qx grown "$target_output"
	kill "$looker" # what makes the second look early
	wait "$looker"
	is "exit code of two looks" "$?" 0
	output=$(<"$scratch/two")
	[ "$(get '.growth.bytes | floor')" -ge 20000000 ] || wrong "24 MB were allocated, growth says $(get .growth.bytes)"
	is "what grew most" "$(get '.growth.parts[0].kind')" heap
	is "the mapping that grew most" "$(get '.growth.mappings[0].name')" '[heap]'
	is "bytes of the mappings less those of the whole" "$(get '([.growth.mappings[].bytes] | add) - .growth.bytes')" 0
	thread=$(ls "/proc/$target_pid/task" | tail -1)
	is "the thread whose stack is new" "$(get '.growth.mappings[] | select(.threads == 1).tid')" "$thread"
	arena=$(get '.growth.mappings[] | select(.arena and .bytes > 5000000).arena')
	has "the arena that grew" "$(get '.malloc.arenas[] | select(.main | not).address | tostring')" "$((arena))"
	stop "$target_pid"
fi

if command -v redis-server redis-cli >/dev/null && ldd "$(command -v redis-server)" | grep -q jemalloc; then
	target_redis || exit 1
	run memory --pid "$target_pid"
	is "exit code with jemalloc" "$code" 0
	# It may hold what libc itself has allocated, or nothing.
	[[ $output == *"not measurable: no heap of glibc"* || $output == *"malloc holds"* ]] || wrong "jemalloc: $output"
	stop "$target_pid"
fi
if can_container; then
	target_container 6 3 || exit 1
	run memory --pid "$target_pid" --json
	is "heap in a container" "$(get .malloc.missing)" null
	has "files of a container" "$(get '.files[].path')" /threads
	stop "$target_pid"
fi

run memory --pid 2 --json
is "exit code for a kernel thread" "$code" 3
run memory --pid $$ --csv
is "exit code for an option of the host's tables" "$code" 2
run memory --pid $$ 1 2
is "exit code for a COUNT" "$code" 2
run memory --pid $$ soon
is "exit code for no interval" "$code" 2
run memory --pid 0
is "exit code for no pid" "$code" 2
end
