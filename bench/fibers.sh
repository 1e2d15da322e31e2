#!/bin/bash
# every fiber of a live process with FIBERS of them (a million): wall time and the target's pause, gdb beside osprey (goal: 50 times faster)
#
# gdb reads id, state, wait and name of each from the same table by a script, without stacks, of the first 20 000: what it takes for
# each is compared with what osprey takes for each, with its stack. A million fibers take 4.4 GB.
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

now_ms() { echo $(($(date +%s%N) / 1000000)); }
ours=
for _ in 1 2 3; do
	start=$(now_ms)
	"$build/osprey" fibers --no-color $pid >"$dir/ours"
	took=$(($(now_ms) - start))
	[ -n "$ours" ] && [ "$ours" -le "$took" ] || ours=$took
done
echo "osprey: $ours ms for all $n with their stacks; $(head -1 "$dir/ours" | sed 's/.*; //')"

cat >"$dir/walk.py" <<'PY'
import gdb, time
start = time.time()
table = gdb.parse_and_eval('fiber_tables[0]')
fibers, found = table['fibers'], 0
for i in range(SOME):
    f = fibers[i]
    if int(f['id']) and int(f['state']):
        found += 1
        int(f['wait']), int(f['wait_object'])
        f['name'].string() if int(f['name']) else ''
print('took', int((time.time() - start) * 1000), found)
PY
sed -i "s/SOME/$some/" "$dir/walk.py"
start=$(now_ms)
gdb -q -nx -batch -p $pid -ex "source $dir/walk.py" >"$dir/theirs" 2>&1 </dev/null
all=$(($(now_ms) - start))
read -r _ theirs found <<<"$(grep '^took' "$dir/theirs")"
echo "gdb:    $theirs ms for $found of them without stacks; the target was stopped for some $all ms"
ratio=$(awk -v a="$theirs" -v m="$found" -v b="$ours" -v n="$n" 'BEGIN { printf "%.0f", (a / m) / (b / n) }')
echo "a fiber: osprey $(awk -v b="$ours" -v n="$n" 'BEGIN { printf "%.2f", b * 1000 / n }') us, gdb $(awk -v a="$theirs" -v m="$found" 'BEGIN { printf "%.1f", a * 1000 / m }') us"
echo "ratio: $ratio"
[ "$ratio" -ge 50 ]
