#!/bin/bash
# every fiber of a live process with FIBERS of them (a million): wall time and the target's pause, gdb beside osprey (goal: 50 times faster)
#
# gdb reads id, state, wait and name of each from the same table by a script, without stacks, of the first 20 000: what it takes for
# each is compared with what osprey takes for each, with its stack; of both the best of three. A million fibers take 4.4 GB.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${BUILD:-build}")
n=${FIBERS:-1000000}
some=20000
command -v gdb >/dev/null || { echo "skip: needs gdb"; exit 0; }
target=$build/tests/dig/fibers
[ -x "$target" ] || make -s "$target"
dir=$(mktemp -d "${TMPDIR:-/tmp}/osprey-bench.XXXXXX")
pid=
# shellcheck disable=SC2317  # the trap calls it
clean() { [ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$dir"; }
trap clean EXIT
"$target" many "$n" >"$dir/out" &
pid=$!
until grep -q ready "$dir/out"; do kill -0 $pid; sleep 0.1; done

# measure TIMES COMMAND…: wall time, CPU time and memory of the best of so many runs
measure() {
	local best='' times=$1 i
	shift
	for ((i = 0; i < times; i++)); do
		/usr/bin/time -f '%e %U %S %M' -o "$dir/took" "$@" >"$dir/ours"
		[ -n "$best" ] && [ "$(sort -n "$dir/took" <(echo "$best") | head -1)" = "$best" ] || best=$(cat "$dir/took")
	done
	echo "$best"
}
now_ms() { echo $(($(date +%s%N) / 1000000)); }
read -r ours ours_user ours_system kilobytes <<<"$(measure 3 "$build/osprey" fibers --no-color $pid)"
ours=$(awk -v s="$ours" 'BEGIN { printf "%d", s * 1000 }')
ours_cpu=$(awk -v a="$ours_user" -v b="$ours_system" 'BEGIN { printf "%d", (a + b) * 1000 }')
echo "osprey: $ours ms ($ours_cpu ms of CPU, $((kilobytes / 1024)) MB) for all $n with their stacks; $(head -1 "$dir/ours" | sed 's/.*; //')"
for how in --all --json; do
	read -r wall _ _ kilobytes <<<"$(measure 1 "$build/osprey" fibers --no-color $how $pid)"
	echo "osprey $how: $wall s, $((kilobytes / 1024)) MB, $(wc -c <"$dir/ours") bytes of text"
done

cat >"$dir/walk.py" <<'PY'
import gdb, time
start, cpu = time.time(), time.process_time()
table = gdb.parse_and_eval('fiber_tables[0]')
fibers, found = table['fibers'], 0
for i in range(SOME):
    f = fibers[i]
    if int(f['id']) and int(f['state']):
        found += 1
        int(f['wait']), int(f['wait_object'])
        f['name'].string() if int(f['name']) else ''
print('took', int((time.time() - start) * 1000), found, int((time.process_time() - cpu) * 1000))
PY
sed -i "s/SOME/$some/" "$dir/walk.py"
theirs=
for _ in 1 2 3; do
	start=$(now_ms)
	gdb -q -nx -batch -p $pid -ex "source $dir/walk.py" >"$dir/theirs" 2>&1 </dev/null
	all=$(($(now_ms) - start))
	read -r _ took found cpu <<<"$(grep '^took' "$dir/theirs")"
	if [ -z "$theirs" ] || [ "$took" -lt "$theirs" ]; then
		theirs=$took stopped=$all theirs_cpu=$cpu
	fi
done
echo "gdb:    $theirs ms ($theirs_cpu ms of CPU) for $found of them without stacks; the target was stopped for some $stopped ms"
ratio=$(awk -v a="$theirs" -v m="$found" -v b="$ours" -v n="$n" 'BEGIN { printf "%.0f", (a / m) / (b / n) }')
echo "a fiber: osprey $(awk -v b="$ours" -v n="$n" 'BEGIN { printf "%.2f", b * 1000 / n }') us, gdb $(awk -v a="$theirs" -v m="$found" 'BEGIN { printf "%.1f", a * 1000 / m }') us"
echo "ratio of CPU: $(awk -v a="$theirs_cpu" -v m="$found" -v b="$ours_cpu" -v n="$n" 'BEGIN { printf "%.0f", (a / m) / (b / n) }')"
echo "ratio: $ratio"
[ "$ratio" -ge 50 ]
