#!/bin/bash
# osprey tune sets, lists and takes back, in a network namespace of its own, with a journal of its own.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
osprey=$(realpath "${BUILD:-build}/osprey")

if [ "${1:-}" != --inside ]; then
	[ "$(id -u)" = 0 ] || { echo "skip: needs root"; exit 77; }
	unshare -n true 2>/dev/null || { echo "skip: no network namespaces here"; exit 77; }
	unshare -n test -w /proc/sys/net/ipv4/tcp_fin_timeout || { echo "skip: /proc/sys is read-only"; exit 77; }
	exec unshare -n "$0" --inside
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/osprey-tune.XXXXXX")
trap 'rm -rf "$work"' EXIT
export OSPREY_STATE_DIR=$work/state
failed=0
timeout=/proc/sys/net/ipv4/tcp_fin_timeout cookies=/proc/sys/net/ipv4/tcp_syncookies

# tune STATUS TEXT ARGS…: must end so, and say that.
tune() {
	local status wanted=$1 text=$2
	shift 2
	"$osprey" tune "$@" >"$work/out" 2>&1 </dev/null
	status=$?
	if [ $status != "$wanted" ] || ! grep -qF -- "$text" "$work/out"; then
		echo "FAIL tune $*: status $status, not $wanted, or it does not say: $text"
		cat "$work/out"
		failed=1
	fi
}

# is FILE VALUE
is() {
	[ "$(cat "$1")" = "$2" ] || { echo "FAIL $1 is $(cat "$1"), not $2"; failed=1; }
}

echo 3 >$timeout
echo 0 >$cookies
fast=(--window 200ms)
names=(net.ipv4.tcp_fin_timeout net.ipv4.tcp_syncookies)

tune 1 "dangerous; set 60" "${fast[@]}" net.ipv4.tcp_fin_timeout
is $timeout 3
tune 2 "--yes" "${fast[@]}" --apply "${names[@]}"
is $timeout 3
tune 0 "3 → 60" "${fast[@]}" --apply --dry-run "${names[@]}"
is $timeout 3
[ ! -e "$OSPREY_STATE_DIR" ] || { echo "FAIL a journal was written before anything was to change"; failed=1; }
tune 0 "lost at the next boot" "${fast[@]}" --apply --yes "${names[@]}"
is $timeout 60
is $cookies 1
tune 3 "nothing to apply" "${fast[@]}" --apply --yes net.ipv4.tcp_fin_timeout
tune 0 "1 net.ipv4.tcp_syncookies = 1, before 0 (in force)" --changes
tune 0 "2 net.ipv4.tcp_fin_timeout = 60, before 3" --rollback all --dry-run
is $timeout 60
tune 0 "2  net.ipv4.tcp_fin_timeout: 3 again" --rollback 2
is $timeout 3
tune 0 "undone already" --rollback 2
tune 2 "there is no change 9" --rollback 9

# A third hand's value stays, unless forced.
echo 2 >$cookies
tune 3 "set by somebody else" --rollback 1
is $cookies 2
tune 3 "it stays" --rollback all
tune 0 "0 again" --rollback all --force
is $cookies 0
tune 0 "no change" --changes
tune 0 "nothing to take back" --rollback all

# At a terminal it asks; anything but y is no.
if command -v script >/dev/null; then
	ask="'$osprey' tune --window 200ms --apply net.ipv4.tcp_fin_timeout"
	echo 3 >$timeout
	(sleep 2; echo n) | timeout 20 script -qec "$ask" /dev/null >"$work/out" 2>&1
	grep -qF "[y/N]" "$work/out" || { echo "FAIL it did not ask:"; cat "$work/out"; failed=1; }
	is $timeout 3
	(sleep 2; echo y) | timeout 20 script -qec "$ask" /dev/null >"$work/out" 2>&1
	is $timeout 60
	tune 0 "3 again" --rollback all
fi

# kill -9 somewhere between begin and commit: whatever was set is in the journal, and taken back.
for delay in 0 0.0005 0.001 0.002 0.004; do
	echo 3 >$timeout
	rm -rf "$OSPREY_STATE_DIR"
	"$osprey" tune "${fast[@]}" --apply --yes net.ipv4.tcp_fin_timeout >/dev/null 2>&1 </dev/null &
	pid=$!
	for _ in $(seq 2000); do
		[ ! -s "$OSPREY_STATE_DIR/changes/journal" ] || break
		kill -0 $pid 2>/dev/null || break
		sleep 0.001
	done
	sleep $delay
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	"$osprey" tune --rollback all >"$work/out" 2>&1 || { cat "$work/out"; failed=1; }
	is $timeout 3
done

# Where it may not write it says why, and nothing is half done.
if unshare -m true 2>/dev/null; then
	unshare -m bash -c "mount -o bind,ro /proc/sys /proc/sys && exec '$osprey' tune --window 200ms --apply --yes net.ipv4.tcp_fin_timeout" \
		>"$work/out" 2>&1 </dev/null
	[ $? = 3 ] && grep -q "read-only" "$work/out" || { echo "FAIL a read-only /proc/sys:"; cat "$work/out"; failed=1; }
	is $timeout 3
	tune 0 "no change" --changes
fi
exit $failed
