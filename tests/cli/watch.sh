#!/bin/bash
# --watch writes each look over the one before on a terminal that can, and one below the other elsewhere:
# a dumb terminal shows escapes as they are.
set -uo pipefail
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/../.." || exit
osprey=$(realpath "${BUILD:-build}/osprey")
command -v script >/dev/null || { echo "skip: needs script" >&2; exit 77; }
bad=0
fail() { echo "not so: $*"; bad=1; }
on_terminal() { TERM=$1 timeout 30 script -qec "'$osprey' cpu 0.05 3 --watch --table cpus --no-color" /dev/null </dev/null; }
looks() { grep -c ' over ' <<<"$1"; }

output=$(on_terminal xterm)
grep -q $'\e\[H' <<<"$output" || fail "a terminal: no look goes back to the top"
[ "$(looks "$output")" -eq 3 ] || fail "a terminal: $(looks "$output") looks, not 3"
for output in "$(on_terminal dumb)" "$(TERM=xterm "$osprey" cpu 0.05 3 --watch --table cpus)"; do
	! grep -q $'\e' <<<"$output" || fail "a dumb terminal or a pipe: escapes: $(cat -v <<<"$output")"
	[ "$(looks "$output")" -eq 3 ] || fail "a dumb terminal or a pipe: $(looks "$output") looks, not 3"
	[ "$(grep -c '^.\?$' <<<"$output")" -eq 2 ] || fail "a dumb terminal or a pipe: looks do not stand apart"
done
exit $bad
