#!/bin/bash
# A core of each way is read by gdb and eu-stack as gcore's is: stacks, registers, globals, memory that is left out; it
# shows one moment; and the target has noticed nothing.
. "$(dirname "$0")/core_common"
need gdb gcore eu-stack zstd readelf
build_target

# Without the separate debug information of libc, which takes gdb seconds each time.
quick=(-nx -q -batch -iex 'set debuginfod enabled off' -iex 'set debug-file-directory /nonexistent')
look() { # CORE: what gdb tells of it
	gdb "${quick[@]}" -ex 'thread apply all -q bt' -ex 'p text_global' -ex 'p struct_global' \
		-ex 'p hello' -ex 'p (char*)shared_memory+3*4096' -ex 'x/s unreadable' -ex 'x/s secret' \
		-ex 'x/2gx memory+4096' -ex 'x/2gx memory' -ex 'x/4wx file_memory' -ex 'p own_number' -ex 'info auxv' \
		-ex 'info proc mappings' -ex 'info registers' -ex 'info registers float' \
		-ex 'p $mxcsr' "$scratch/target" "$1" 2>&1 |
		grep -v '^k[0-7] ' | # gdb 13 and its gcore read these wrong where XSAVE is laid out as AMD's
		sed -E 's/\(LWP [0-9]+\)//; s/^\[New LWP.*//; /^Program terminated|^Core was|^$/d'
}

echo "threads that stand still:"
start_target TARGET_CALM=1 8 4
ask_target >/dev/null
gcore -o "$scratch/gcore" "$target" >/dev/null 2>&1
mv "$scratch/gcore.$target" "$scratch/gcore"
before=$(ask_target)
look "$scratch/gcore" >"$scratch/gcore.look"
eu-stack -e "$scratch/target" --core="$scratch/gcore" >"$scratch/gcore.stack" 2>/dev/null || true
sed -i '1d' "$scratch/gcore.stack"
grep -q 'block_in' "$scratch/gcore.look" && grep -q 'block_in' "$scratch/gcore.stack" || skip "gdb does not read gcore's own core"
for way in precopy fork plain zstd; do
	core=$scratch/$way
	case $way in
	zstd) "$osprey" core "$target" --zstd -o "$core.zst" --json >"$scratch/$way.json"
		zstd -qd --sparse "$core.zst" -o "$core" ;;
	*) "$osprey" core "$target" -m "$way" -o "$core" --json >"$scratch/$way.json" 2>"$scratch/err" || {
		if [ $way = precopy ] && grep -q 'needs Linux 6.7' "$scratch/err"; then echo "no pre-copy: $(cat "$scratch/err")"; continue; fi
		wrong "$way: $(cat "$scratch/err")"; continue; } ;;
	esac
	look "$core" | diff "$scratch/gcore.look" - >"$scratch/diff" || { wrong "$way: gdb reads it otherwise"; head -n 20 "$scratch/diff"; }
	eu-stack -e "$scratch/target" --core="$core" 2>/dev/null | sed 1d | diff "$scratch/gcore.stack" - >"$scratch/diff" ||
		{ wrong "$way: eu-stack reads it otherwise"; head -n 20 "$scratch/diff"; }
	readelf -lW "$core" >/dev/null 2>"$scratch/err"
	[ ! -s "$scratch/err" ] || wrong "$way: readelf complains: $(head -n 2 "$scratch/err")"
	[ "$(stat -c %a "$core")" = 600 ] || [ $way = zstd ] || wrong "$way: others may read it"
	! grep -q SECRET-OF-TARGET "$core" || wrong "$way: memory that is not to be dumped is in it"
	unharmed "$way"
done
# The 4 in epoll_wait would have seen one with each stop; gcore's they have.
[ "$(ask_target)" = "$before" ] || wrong "blocked calls were interrupted: $before before, $(ask_target) after"

echo "coredump_filter:"
echo 0x10 >"/proc/$target/coredump_filter"
"$osprey" core "$target" -o "$scratch/filtered" --json >"$scratch/filtered.json"
gdb "${quick[@]}" -ex 'p text_global' "$scratch/target" "$scratch/filtered" 2>&1 |
	grep -q 'at run time' && wrong "private memory is in a core whose filter leaves it out"
"$osprey" core "$target" -o "$scratch/filtered" --force --filter 0x33 >/dev/null
grep -qa 'in shared memory' "$scratch/filtered" || wrong "--filter does not go before coredump_filter"
"$osprey" core "$target" -o "$scratch/filtered" 2>"$scratch/err" && wrong "a file was replaced without --force"
grep -q -- --force "$scratch/err" || wrong "not told how to replace: $(cat "$scratch/err")"
"$osprey" core "$target" -o - 2>/dev/null | cat >"$scratch/out"
cmp -s -n 4 "$scratch/out" <(printf '\177ELF') || wrong "no core on standard output"
kill "$target"; wait "$target" 2>/dev/null || true

echo "threads that run:"
start_target TARGET_VECTORS=1 2 32 2000
cat >"$scratch/moment.gdb" <<'END'
python
v = lambda e: int(gdb.parse_and_eval(e))
first, second = v('pair_first'), v('*pair_second')
n = [first] + [v('*ring[%d]' % i) for i in range(64)] + [second]
steps = sum(a != b for a, b in zip(n, n[1:]))
print('moment', 'whole' if steps <= 1 and first - second in (0, 1) and first > 0 else 'torn %s' % n)
for t in gdb.selected_inferior().threads():
    t.switch()
    f = gdb.newest_frame()
    if f.name() == 'vectors':
        print('vectors', gdb.execute('p $xmm7.v2_int64', False, True).strip(), gdb.execute('p $ymm7.v4_int64', False, True).strip())
end
END
vectors='vectors $1 = {1229782938247303441, 2459565876494606882} $2 = {1229782938247303441, 2459565876494606882, 3689348814741910323, 4919131752989213764}'
for way in precopy precopy fork plain; do
	"$osprey" core "$target" -m "$way" -o "$scratch/$way" --force --json >"$scratch/$way.json" 2>"$scratch/err" || {
		[ $way = precopy ] && grep -q 'needs Linux 6.7' "$scratch/err" || wrong "$way: $(cat "$scratch/err")"; continue; }
	gdb "${quick[@]}" -x "$scratch/moment.gdb" "$scratch/target" "$scratch/$way" >"$scratch/moment" 2>&1
	grep -q '^moment whole' "$scratch/moment" || wrong "$way: not one moment: $(grep moment "$scratch/moment")"
	if grep -qw avx2 /proc/cpuinfo; then
		grep -qxF "$vectors" "$scratch/moment" || wrong "$way: vector registers: $(grep ^vectors "$scratch/moment")"
	fi
	unharmed "$way"
done
exit $bad
