#!/bin/bash
# Our rows against libdw's: some files of the system, spread over their names, and programs built for what the system's
# files lack: .debug_frame alone, compressed, beside .eh_frame; no section headers; no PT_GNU_EH_FRAME.
set -uo pipefail
cd "$(dirname "$0")/../.."
equal=${BUILD:-build}/tests/dig/unwind_equal
make -s BUILD="${BUILD:-build}" "$equal" >/dev/null || exit 1
work=$(mktemp -d "${TMPDIR:-/tmp}/osprey-unwind.XXXXXX")
trap 'rm -rf "$work"' EXIT
bad=0

# 40 files of at most 2 MB.
find /usr/bin /usr/lib -type f -size -2M \( -perm -u+x -o -name '*.so*' \) 2>/dev/null | sort >"$work/all"
step=$(($(wc -l <"$work/all") / 40 + 1))
awk -v step=$step 'NR % step == 1 || step == 1' "$work/all" | "$equal" - >"$work/out" || bad=1
cat "$work/out"
files=$(sed -n 's/^\([0-9]*\) files.*/\1/p' "$work/out")
[ "${files:-0}" -ge 5 ] || { echo "only ${files:-0} files were compared"; bad=1; }

cc=${CC:-gcc}
command -v "${cc%% *}" >/dev/null || { echo "skip: no C compiler for the other half"; [ $bad = 0 ] && exit 77; exit 1; }
cat >"$work/a.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
__attribute__((noinline)) int wide(int n)
{
	volatile char a[64] __attribute__((aligned(64)));
	volatile char *p = __builtin_alloca(n);
	p[0] = a[1] = n;
	return p[0] + a[1] + getpid();
}
int compare(const void *a, const void *b) { return wide(*(const int *)a) - wide(*(const int *)b); }
int main(int argc, char **argv)
{
	int v[] = { argc, 3, 2 };
	qsort(v, 3, sizeof *v, compare);
	return printf("%d\n", v[0]) < 0;
}
END
# build NAME FLAGS…
build() { "$cc" -w -O2 -o "$work/$1" "$work/a.c" "${@:2}" 2>"$work/errors" || { cat "$work/errors"; bad=1; }; }
alone=(-fno-asynchronous-unwind-tables -fno-unwind-tables -g)
build debug_frame "${alone[@]}"
build compressed "${alone[@]}" -gz=zlib
build omitted -fomit-frame-pointer
build static -static
build no_header -Wl,--no-eh-frame-hdr
build static_no_header -static -Wl,--no-eh-frame-hdr
build large_code -mcmodel=large -fno-pie -no-pie
for name in debug_frame compressed omitted static no_header static_no_header large_code; do
	out=$("$equal" "$work/$name") || { echo "$name: $out"; bad=1; }
	echo "$name: $(head -1 <<<"$out")"
done
readelf -SW "$work/debug_frame" | grep -q ' \.debug_frame ' || { echo "debug_frame has none"; bad=1; }

# A file without section headers has the rows of the whole one.
cp "$work/omitted" "$work/cut"
printf '\0\0\0\0\0\0\0\0' | dd of="$work/cut" bs=1 seek=40 conv=notrunc status=none
printf '\0\0\0\0' | dd of="$work/cut" bs=1 seek=60 conv=notrunc status=none
rows() { sed -n 's/.*files, \([0-9]*\) rows.*, \([0-9]*\) differences.*/\1 \2/p' <<<"$("$equal" "$1")"; }
whole=$(rows "$work/omitted") cut=$(rows "$work/cut")
echo "without section headers: rows and differences $cut, with them $whole"
[ -n "$cut" ] && [ "$cut" = "$whole" ] || bad=1
exit $bad
