#!/bin/bash
# Libraries that are loaded while a program runs: by its fibers, with constructors and thread-local data; one that is built on the
# runtime, by a program that is not, whose threads live on when it is unloaded; two runtimes in one process; exit within.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
build=$(realpath -m "${BUILD:-build}")/runtime
work=$(mktemp -d "${TMPDIR:-/tmp}/osprey-dlopen.XXXXXX")
trap 'rm -rf "$work"' EXIT
bad=0
not_so() { echo "not so: $*"; bad=1; }
export LD_LIBRARY_PATH=$build
from=runtime/tests/dlopen

# built NAME SOURCE ARGUMENT…
built() {
	cc -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -Iruntime/include -o "$work/$1" "$from/$2.c" "${@:3}" -pthread || exit 1
}
built plugin.so plugin -fPIC -shared
built carrier.so carrier -fPIC -shared -L"$build" -lospreyrt
# Who puts the archive into a library has to say that it is not to be unloaded.
built twin.so carrier -fPIC -shared "$build/libospreyrt.a" -Wl,-z,nodelete,-Bsymbolic
built host host -rdynamic "$build/libospreyrt.a"
built host_shared host -rdynamic -L"$build" -lospreyrt
built stranger stranger

for host in host host_shared; do
	timeout 60 "$work/$host" "$work/plugin.so" "$work/twin.so" || not_so "$host loads libraries"
done
timeout 60 "$work/stranger" "$work/carrier.so" || not_so "a program without the runtime loads a library with it"
said=$(timeout 60 "$work/stranger" "$work/carrier.so" exit)
code=$?
# First what was asked for last.
[ "$code $said" = "23 napped bye buffered " ] || not_so "exit from a fiber: $code, '$said'"

# What a library loaded later needs of static thread-local storage comes out of some hundred bytes that glibc keeps for all.
bytes=$(readelf -lW "$build/libospreyrt.so.0" | awk '$1 == "TLS" { print $6 }')
case $((bytes)) in
[1-9] | [1-5][0-9] | 6[0-4]) ;;
*) not_so "the library has 64 bytes of thread-local storage at most ($bytes)" ;;
esac
readelf -dW "$build/libospreyrt.so.0" | grep NODELETE >/dev/null || not_so "the library stays where it is loaded"
exit $bad
