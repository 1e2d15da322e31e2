#!/bin/bash
# Programs as they are do what they do on libospreymalloc: a compiler, sort, git, Python's own tests, also in debug mode, and redis.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath "${BUILD:-build}")
for lib in "$build/runtime/libospreymalloc.so" "$build/libospreymalloc.so"; do [ -e "$lib" ] && break; done
[ -e "$lib" ] || { make -s -C runtime BUILD="$build/runtime" all >&2; lib=$build/runtime/libospreymalloc.so; }
tmp=$(mktemp -d)
pids=()
finish() {
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; wait "$p" 2>/dev/null || true; done
	rm -rf "$tmp"
}
trap finish EXIT

on() { timeout 60 env LD_PRELOAD="$lib" "$@"; }
failed=0
# What a function does is joined by && : set -e does not hold in there.
check() {	# name command...
	local name=$1
	shift
	"$@" >"$tmp/out" 2>&1 && ! grep -q 'osprey/malloc\|cannot be preloaded' "$tmp/out" && return
	echo "failed on libospreymalloc: $name"
	tail -n 20 "$tmp/out"
	failed=1
}
did=0

# It is there at all: the library's own line for a block that is none.
gcc -w -o "$tmp/bad" tests/runtime/preload/bad_free.c
(ulimit -c 0; on "$tmp/bad" >"$tmp/out" 2>&1) && { echo "a block that is none was freed"; failed=1; }
grep -q 'osprey/malloc: heap: block 0x.*: not a block of this heap' "$tmp/out" || { cat "$tmp/out"; failed=1; }

# A fork finds stdio's locks and the heap's in the order in which readers of lines (a stream, then memory) and who flushes
# all streams (their list, then a stream) take them.
gcc -O1 -pthread -o "$tmp/fork" tests/runtime/preload/fork_beside_stdio.c
for ((i = 1; i <= 20; i++)); do head -c $((20000 * i)) /dev/zero | tr '\0' x; echo; done >"$tmp/lines"
check "fork beside getline and fflush" on "$tmp/fork" "$tmp/lines"

# A library's handlers around a fork allocate, also those that run while the heap's own hold its locks.
gcc -O1 -shared -fPIC -o "$tmp/libatfork.so" tests/runtime/preload/atfork.c
gcc -O1 -o "$tmp/fork_once" tests/runtime/preload/fork_once.c -L"$tmp" -latfork -Wl,-rpath,"$tmp"
check "handlers around a fork" on "$tmp/fork_once"
check "handlers around a fork, in debug mode" on env RT_HEAP_DEBUG=1 "$tmp/fork_once"

# The same object, on every allocator.
compiles() {
	local command=(gcc -std=gnu17 -D_GNU_SOURCE -O2 -Iruntime/include -Iruntime/src -c runtime/src/sync.c -o)

	"${command[@]}" "$tmp/plain.o" &&
	on "${command[@]}" "$tmp/ours.o" &&
	cmp "$tmp/plain.o" "$tmp/ours.o"
}
check "gcc" compiles

sorts() {
	seq 200000 | awk '{ print ($1 * 7919) % 200003 }' >"$tmp/numbers" &&
	LC_ALL=C sort -n "$tmp/numbers" >"$tmp/plain" &&
	LC_ALL=C on sort --parallel=4 -S 1M -T "$tmp" -n "$tmp/numbers" | cmp - "$tmp/plain"
}
check "sort" sorts

if command -v git >/dev/null; then
	commits() {
		on git -C "$tmp" init -q repository &&
		cp runtime/src/*.c "$tmp/repository" &&
		on git -C "$tmp/repository" add . &&
		on git -C "$tmp/repository" -c user.name=t -c user.email=t@localhost commit -qm all &&
		on git -C "$tmp/repository" gc -q &&
		on git -C "$tmp/repository" fsck --strict
	}
	check "git" commits
	did=1
fi

python=/usr/bin/python3
if "$python" -c 'import test.test_json, test.test_heapq' 2>/dev/null; then
	check "python3 -m test" on "$python" -m test -q test_dict test_heapq test_struct
	check "python3, debug mode" on env RT_HEAP_DEBUG=1 PYTHONMALLOC=malloc "$python" -m test -q test_heapq
	did=1
fi

if command -v redis-server >/dev/null && command -v redis-benchmark >/dev/null; then
	serves() {
		on redis-server --port 0 --unixsocket "$tmp/redis" --save '' --dir "$tmp" >"$tmp/redis.log" 2>&1 &
		pids+=($!)
		for _ in {1..100}; do [ -S "$tmp/redis" ] && break; sleep 0.1; done
		on redis-benchmark -s "$tmp/redis" -q -n 2000 -c 20 -t set,get,lpush,hset,zadd &&
		redis-cli -s "$tmp/redis" set key value &&
		[ "$(redis-cli -s "$tmp/redis" get key)" = value ] &&
		grep -q libospreymalloc "/proc/$(redis-cli -s "$tmp/redis" info server | sed -n 's/^process_id:\([0-9]*\).*/\1/p')/maps" || return 1
		redis-cli -s "$tmp/redis" shutdown nosave || true
		wait "${pids[-1]}"
	}
	check "redis" serves
	did=1
fi
[ $did = 1 ] || { echo "skip: neither git, Python's tests nor redis"; exit 77; }
exit $failed
