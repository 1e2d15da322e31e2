#!/bin/bash
# The runtime as who takes it alone meets it: installed, found by pkg-config, linked either way, from C and C++; each function has its
# page, each example of a page is built by the page's own command and runs, and only rt_ names are given away.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$(mktemp -d "${TMPDIR:-/tmp}/osprey-install.XXXXXX")
trap 'rm -rf "$root"' EXIT
bad=0
not_so() { echo "not so: $*"; bad=1; }

# shellcheck source=installed
. tests/runtime/installed
read -ra flags <<<"$(pkg-config --cflags --libs osprey-rt)"
read -ra cflags <<<"$(pkg-config --cflags osprey-rt)"

for example in runtime/man/*.c; do
	name=$(basename "$example" .c)
	source=("$example")
	if grep -q '^RT_REFLECT' "$example"; then
		[ -x "$at/bin/osprey-rt-types" ] || continue
		cc -std=gnu11 -Wall -Wextra -pedantic -Werror -g -c "$example" "${cflags[@]}" -o "$root/$name.o" || not_so "$name is compiled"
		"$at/bin/osprey-rt-types" -o "$root/$name.types.c" "$root/$name.o" || not_so "$name is described"
		source=("$root/$name.o" "$root/$name.types.c")
	fi
	cc -std=gnu11 -Wall -Wextra -pedantic -Werror "${source[@]}" "${flags[@]}" -o "$root/$name" || not_so "$name is built"
	cc -Wall -Wextra -Werror "${source[@]}" "${cflags[@]}" "$at/lib/libospreyrt.a" -pthread -o "$root/$name.static" || not_so "$name is linked statically"
	shared=$(timeout 20 "$root/$name") || not_so "$name (shared) ends with 0"
	static=$(timeout 20 "$root/$name.static") || not_so "$name (static) ends with 0"
	[ -n "$shared" ] || not_so "$name says something"
	[ "$(sort <<<"$shared")" = "$(sort <<<"$static")" ] || not_so "$name says the same both ways"
done

headers=("$at"/include/osprey/rt.h "$at"/include/osprey/rt/*.h)
cc -x c -std=c11 -Wall -Wextra -pedantic -Werror "${cflags[@]}" -fsyntax-only "${headers[@]}" || not_so "each header stands alone in C"
cc -x c++ -std=c++17 -Wall -Wextra -Werror "${cflags[@]}" -fsyntax-only "${headers[@]}" || not_so "each header stands alone in C++"
for header in "$at"/include/osprey/rt/*.h; do
	name=$(basename "$header" .h)
	[ -s "$at/share/man/man3/rt_$name.3" ] || not_so "rt_$name(3) is installed"
done

exported=$(nm -D --defined-only "$at/lib/libospreyrt.so" | awk '{ print $3 }' | sort)
# The probes' base is every program's own, and shared by all who have probes.
given=$(nm -g --defined-only "$at/lib/libospreyrt.a" 2>/dev/null | awk 'NF == 3 && $3 != "_.stapsdt.base" { print $3 }' | sort)
[ -z "$(grep -v '^rt_' <<<"$exported")" ] || not_so "names that are not rt_: $(grep -v '^rt_' <<<"$exported" | head -5)"
[ "$exported" = "$given" ] || not_so "both libraries give the same names away: $(diff <(echo "$exported") <(echo "$given") | head -5)"
while read -r function; do
	grep -rqw "$function" "$at"/include/osprey || not_so "$function is in a header"
	[ -s "$at/share/man/man3/$function.3" ] || not_so "$function(3) is installed"
done <<<"$exported"

if command -v man >/dev/null; then
	for page in "$at"/share/man/man*/*; do
		grep -q '^\.so ' "$page" && continue
		said=$(man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null)
		[ -z "$said" ] || not_so "$page: $said"
	done
fi
exit $bad
