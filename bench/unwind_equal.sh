#!/bin/bash
# Are our unwind rows libdw's, for all of /usr/bin and /usr/lib? Goal: no difference; lookups ten times as fast
set -uo pipefail
cd "$(dirname "$0")/.." || exit 3
make -s build/tests/dig/unwind_equal >/dev/null || exit 3
find /usr/bin /usr/lib -type f \( -perm -u+x -o -name '*.so*' \) 2>/dev/null | sort | build/tests/dig/unwind_equal -
