#!/bin/bash
# A listener that overflows: tune tells the program's own backlog from the kernel's cap, sets the cap in that
# network namespace alone, and takes it back there. What it saw, captured, gives the same advice again.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
osprey=$(realpath "${BUILD:-build}/osprey")
[ "$(id -u)" = 0 ] || { echo "skip: needs root"; exit 77; }
unshare -n true 2>/dev/null || { echo "skip: no network namespaces here"; exit 77; }

work=$(mktemp -d "${TMPDIR:-/tmp}/osprey-tune.XXXXXX")
lab=
trap '[ -z "$lab" ] || { kill -INT "$lab"; wait "$lab"; } 2>/dev/null; rm -rf "$work"' EXIT
export OSPREY_STATE_DIR=$work/state COLUMNS=200
failed=0

"$osprey" lab run listen_overflow --yes --seconds 30 >"$work/lab" 2>&1 &
lab=$!
server=
for _ in $(seq 200); do
	server=$(sed -n 's/.*culprit: process lazy_server: \([0-9]*\).*/\1/p' "$work/lab")
	[ -z "$server" ] || break
	kill -0 "$lab" 2>/dev/null || { echo "skip: the lab could not start:"; cat "$work/lab"; exit 77; }
	sleep 0.1
done
[ -n "$server" ] || { echo "skip: no server within 20 s"; exit 77; }
[ -e "/proc/$server/ns/net" ] || { echo "skip: the server's pid is of another namespace"; exit 77; }

# within FILE: what it says in the server's namespace.
within() { nsenter -t "$server" -n cat "$1"; }
cap=/proc/sys/net/core/somaxconn

# says FILE REGEX: over the line breaks.
says() {
	tr -s ' \n' ' ' <"$1" | grep -qE -- "$2" || { echo "FAIL: $1 does not say: $2"; cat "$1"; failed=1; }
}

"$osprey" tune --window 1s net.core.somaxconn >"$work/program" 2>&1
says "$work/program" '127.0.0.1:8080 refuses .* its backlog is 8: that is what its program gave to listen'
says "$work/program" 'look elsewhere'

own=$(cat $cap)
nsenter -t "$server" -n sh -c "echo 8 >$cap"
"$osprey" tune --window 1s --capture "$work/capture" net.core.somaxconn >"$work/live"
[ $? = 1 ] || { echo "FAIL: advice is a finding"; failed=1; }
says "$work/live" 'change to 4096: 127.0.0.1:8080 refuses'
says "$work/live" 'nsenter -t [0-9]+ -n sysctl -w net.core.somaxconn=4096'
"$osprey" tune --host "$work/capture" net.core.somaxconn >"$work/again"
diff <(tail -n +2 "$work/live") <(tail -n +2 "$work/again") || { echo "FAIL: a capture gives other advice"; failed=1; }

"$osprey" tune --window 1s --apply --yes net.core.somaxconn >"$work/apply" 2>&1 </dev/null ||
	{ echo "FAIL: apply:"; cat "$work/apply"; failed=1; }
[ "$(within $cap)" = 4096 ] || { echo "FAIL: the cap there is $(within $cap)"; failed=1; }
[ "$(cat $cap)" = "$own" ] || { echo "FAIL: our own cap was changed to $(cat $cap)"; failed=1; }
"$osprey" tune --rollback all >"$work/rollback" 2>&1 || { echo "FAIL: rollback:"; cat "$work/rollback"; failed=1; }
[ "$(within $cap)" = 8 ] || { echo "FAIL: after rollback the cap there is $(within $cap)"; failed=1; }
exit $failed
