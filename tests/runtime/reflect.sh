#!/bin/bash
# Type descriptors: what gcc and clang, optimised or not, DWARF 4, 5 and BTF say is the same; what cannot be described is
# told with its line; JSON and TOML agree with python's; a process and its core file can be looked into.
set -u
cd "$(dirname "$0")/../.." || exit
runtime=${BUILD:-build}/runtime
types=$runtime/tools/osprey-rt-types
oracle=$runtime/tests/reflect_oracle
[ -x "$types" ] || { echo "skip: osprey-rt-types was not built (libdw and libbpf are needed)"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/osprey-reflect.XXXXXX")
looked=
trap '[ -n "$looked" ] && kill "$looked" 2>/dev/null; rm -rf "$work"' EXIT
bad=0
wrong() { echo "$*"; bad=1; }

compile() { # OUTPUT FILE COMPILER OPTION...
	local out=$1 file=$2
	shift 2
	"$@" -std=gnu17 -D_GNU_SOURCE -Iruntime/include -Iruntime/tests -x c -c -o "$out" "$file" || wrong "$* does not compile $file"
}

# The same description from all compilers; the source that is made compiles, and checks itself against the header.
same() {
	local first='' variant
	echo '#include "reflect_types.h"' >"$work/all.c"
	for variant in "gcc -g -O0 -gdwarf-5" "gcc -g -O2 -gdwarf-4" "clang -g -O0 -gdwarf-4" "clang -g -O2 -gdwarf-5 -gz"; do
		command -v "${variant%% *}" >/dev/null || continue
		# shellcheck disable=SC2086 # words of a command
		compile "$work/all.o" "$work/all.c" $variant
		"$types" -i reflect_types.h -o "$work/made.c" "$work/all.o" || wrong "$variant: not described"
		[ -n "$first" ] || { cp "$work/made.c" "$work/first.c"; first=$variant; }
		cmp -s "$work/first.c" "$work/made.c" || wrong "$first and $variant give different descriptions: $(diff "$work/first.c" "$work/made.c" | head -5)"
	done
	compile "$work/first.o" "$work/first.c" gcc -Wall -Wextra -Werror
	mkdir "$work/newer"
	sed 's/uint64_t id;/uint64_t id; int added;/' runtime/tests/reflect_types.h >"$work/newer/reflect_types.h"
	gcc -std=gnu17 -D_GNU_SOURCE -I"$work/newer" -Iruntime/include -c -o "$work/stale.o" "$work/first.c" 2>"$work/said" && wrong "a changed header is not seen"
	grep -q 'struct order has changed' "$work/said" || wrong "a changed header is not told: $(head -3 "$work/said")"
}

# BTF has no lines, and says nothing else otherwise, but for arrays of arrays: those of gcc 12 are the other way round.
btf() {
	compile "$work/btf.o" "$work/all.c" gcc -gbtf
	"$types" -f btf "$work/btf.o" 2>&1 | grep -q 'an array of arrays' || wrong "a doubtful array of BTF is taken"
	mkdir "$work/square"
	sed 's/grid\[2\]\[3\]/grid[2][2]/' runtime/tests/reflect_types.h >"$work/square/reflect_types.h"
	cp "$work/all.c" "$work/square/"
	compile "$work/square/all.o" "$work/square/all.c" gcc -g
	compile "$work/square/btf.o" "$work/square/all.c" gcc -gbtf
	"$types" "$work/square/all.o" | sed 's/\.origin = "[^"]*"//' >"$work/dwarf.c"
	"$types" -f btf "$work/square/btf.o" | sed 's/\.origin = "[^"]*"//' >"$work/btf.c"
	diff "$work/dwarf.c" "$work/btf.c" >"$work/said" || wrong "BTF says otherwise: $(head -5 "$work/said")"
}

# Each line that ends in `//! text` is complained about by its number and this text.
errors() {
	cat >"$work/errors.c" <<-'C'
	#include <osprey/rt/reflect.h>
	union either { int a; float b; };
	struct untold {
		union either e; //! nothing tells which member of union either is there
		long double wide; //! long double of 16 bytes cannot be described
		_Complex double z; //! cannot be described
		int many[]; //! a flexible array needs count
	};
	RT_REFLECT(struct untold);
	struct tags {
		int *list; //! count = nowhere: there is no such member
		float real;
		int *other; //! count = real: there is no such member
		int number; //! min = "x" does not fit its type
		uint8_t small; //! max = 256 does not fit its type
		char text[4]; //! initial = "long" does not fit its type
		int twice; //! member number has the key n too
		union { int in; }; //! nothing tells when it is there
		struct { union { int a, b; } u; } part; //! nothing tells which member
	};
	RT_REFLECT(struct tags, (list, count = nowhere), (other, count = real), (number, min = "x", name = "n"), (small, max = 256),
		(text, initial = "long"), (twice, name = "n"));
	struct unused { int a; };
	RT_REFLECT(struct unused, (b, required), (a, funny, count = a)); //! struct unused has no member b
	typedef int number;
	RT_REFLECT(number); //! number is no struct, union or enumeration
	struct tail { int n; int items[]; };
	RT_REFLECT(struct tail, (items, count = n));
	struct within {
		struct tail tail; //! ends with a flexible array, which cannot be within
		int after;
		struct tail *list; //! cannot be the element of an array or a list
		unsigned n;
	};
	RT_REFLECT(struct within, (list, count = n));
	C
	compile "$work/errors.o" "$work/errors.c" gcc -g -w
	"$types" "$work/errors.o" >"$work/made.c" 2>"$work/said" && wrong "what cannot be described is taken"
	[ -s "$work/made.c" ] && wrong "a description with errors is written"
	local line text
	while IFS=$'\t' read -r line text; do
		grep -q "errors.c:$line: .*$text" "$work/said" || wrong "not said of line $line: $text"
	done < <(sed -n 's/.*\/\/! //;t1;d;:1;=;p' "$work/errors.c" | paste - - | grep .)
	grep -q 'funny is no tag' "$work/said" || wrong "an unknown tag is not told"
	echo 'int x;' >"$work/empty.c"
	compile "$work/empty.o" "$work/empty.c" gcc -g
	"$types" "$work/empty.o" 2>&1 | grep -q 'no type is annotated' || wrong "an object without annotations is taken"
	compile "$work/plain.o" "$work/all.c" gcc -g0
	"$types" "$work/plain.o" 2>&1 | grep -q 'compile it with -g' || wrong "an object without debug information is taken"
	"$types" /bin/true 2>&1 | grep -q 'no type is annotated' || wrong "/bin/true is taken"
	"$types" "$work/errors.c" 2>&1 | grep -q 'is no object file' || wrong "a source is taken as object"
	"$types" -o /nonexistent/x "$work/all.o" 2>&1 | grep -q 'No such file' || wrong "an output that cannot be written is not told"
	# Cut at any place it is refused or described, never read behind its end.
	local size
	size=$(stat -c %s "$work/all.o")
	for part in 3 40 70 95; do
		head -c $((size * part / 100)) "$work/all.o" >"$work/cut.o"
		"$types" "$work/cut.o" >/dev/null 2>&1
		[ $? -le 1 ] || wrong "cut at $part %: ended by a signal"
	done
}

# One address in a process, and in its core.
look() {
	local pid address
	mkfifo "$work/in"
	: >"$work/looked"
	"$oracle" look <"$work/in" >"$work/looked" &
	looked=$!
	exec 9>"$work/in"
	until read -r pid address <"$work/looked"; do
		kill -0 "$looked" 2>/dev/null || { wrong "the program to look into ended"; return; }
		sleep 0.02
	done
	"$types" -p "$pid" "struct order" "$address" >"$work/shown" 2>&1
	for part in 'id = 77' 'name = "pot"' 'price = 4.5 EUR' 'state = STATE_PAID' 'secret = (secret)' '-> -7'; do
		grep -qF -e "$part" "$work/shown" || wrong "of the process is not shown: $part"
	done
	"$types" -s -p "$pid" "struct order" "$address" | grep -q 'secret = "hush"' || wrong "-s shows no secret"
	"$types" -p "$pid" | grep -q '^struct every .* bytes .*reflect_types.h:' || wrong "the types of a process are not listed"
	"$types" -p "$pid" "struct order" 0x10 | grep -q 'id = (cannot be read)' || wrong "an address where nothing is is not told"
	"$types" -p "$pid" "struct strange" "$address" 2>&1 | grep -q 'is not described there' || wrong "a type that is not there is taken"
	"$types" -p $$ 2>&1 | grep -q 'no descriptors there' || wrong "a program without descriptors has some"
	if command -v gcore >/dev/null && gcore -o "$work/core" "$pid" >/dev/null 2>&1; then
		"$types" -c "$work/core.$pid" "struct order" "$address" | cmp -s - "$work/shown" || wrong "the core shows something else than the process"
	fi
	exec 9>&-
	wait "$looked"
	looked=
}

same
btf
errors
look
timeout 60 python3 tests/runtime/reflect_oracle.py "$oracle" || bad=1
exit $bad
