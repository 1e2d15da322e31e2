#!/bin/bash
# osprey sockets and net where hardly anything works: without /proc, without descriptors, without privilege,
# without sock_diag, with names that would harm a terminal.
. "$(dirname "$0")/common"
own_mounts "$@"
need python3 unshare ip

# A namespace with one listener that we know; its process has a name with an escape and a newline.
cat >"$scratch/scene" <<'SCENE'
import ctypes, socket, sys, time
ctypes.CDLL(None).prctl(15, b"\033[31mred\nLISTEN", 0, 0, 0)
s = socket.socket(); s.bind(("127.0.0.1", 4242)); s.listen(7)
print("ready", file=open(sys.argv[1] + "/ready", "w"), flush=True)
time.sleep(60)
SCENE
[ -n "${OSPREY_OWN_NET:-}" ] || OSPREY_OWN_NET=1 exec unshare --net "$0" "$@"
ip link set lo up
mkfifo "$scratch/ready"
python3 "$scratch/scene" "$scratch" & pids+=($!)
read -r _ <"$scratch/ready"

# run NAME COMMAND…: `code`, and stdout and stderr in $scratch; bounded.
run() {
	code=0
	timeout -k 5 20 "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || code=$?
	[ "$code" -lt 124 ] || wrong "$*: ended with $code"
}
listed() {
	[ "$code" = 0 ] || wrong "$1: exit $code: $(cat "$scratch/err")"
	grep -q "LISTEN .*127.0.0.1:4242" "$scratch/out" || wrong "$1: the listener is not there: $(cat "$scratch/out")"
}

echo "a name that would harm:"
run "$osprey" sockets
listed "by text"
grep -qF '\x1b[31mred\nLISTEN' "$scratch/out" || wrong "the name is not shown safely"
[ "$(grep -c LISTEN "$scratch/out")" = 1 ] || wrong "a name forged a line"
! grep -q $'\033' "$scratch/out" || wrong "an escape came through"
run "$osprey" sockets --csv --columns local,command
[ "$(wc -l <"$scratch/out")" = 2 ] || wrong "a name forged a line of CSV"
run "$osprey" sockets --json
[ "$(jq -r '.tables.sockets[0].command' "$scratch/out")" = $'\033[31mred\nLISTEN' ] || wrong "JSON lost the name"

echo "another user:"
cp "$osprey" "$scratch/osprey" && chmod 755 "$scratch/osprey"
run setpriv --reuid 65534 --regid 65534 --clear-groups "$scratch/osprey" sockets
listed "without privilege"
grep -q "needs root" "$scratch/out" || wrong "it does not say why nobody holds the socket"
run setpriv --reuid 65534 --regid 65534 --clear-groups "$scratch/osprey" sockets --all-namespaces
grep -q "needs root" "$scratch/out" || wrong "it does not say that namespaces are hidden"
run setpriv --reuid 65534 --regid 65534 --clear-groups "$scratch/osprey" net
[ "$code" = 0 ] || wrong "net without privilege: exit $code"

echo "few descriptors:"
for limit in 16 8 6 5 4; do
	run prlimit --nofile=$limit:$limit "$osprey" sockets
	if [ "$code" = 0 ]; then listed "with $limit descriptors"; else
		grep -q "open files" "$scratch/err" || wrong "limit $limit: it does not say why: $(cat "$scratch/err")"
	fi
	run prlimit --nofile=$limit:$limit "$osprey" net
	[ "$code" = 0 ] || grep -qE "open files|/proc" "$scratch/err" || wrong "net, limit $limit: $(cat "$scratch/err")"
done

echo "48 MB of address space:"
run prlimit --as=$((48 << 20)) "$osprey" sockets
listed "in 48 MB"

echo "no room for the answer:"
if "$osprey" sockets >/dev/full 2>"$scratch/err"; then wrong "it did not notice"; fi
grep -q "No space left" "$scratch/err" || wrong "it does not say why: $(cat "$scratch/err")"

# says_why WHAT: it could not, and names /proc.
says_why() {
	if [ "$code" != 3 ] || ! grep -q /proc "$scratch/err"; then wrong "$1 without /proc: $code, $(cat "$scratch/err")"; fi
}
echo "no /proc:"
mount -t tmpfs tmpfs /proc
run "$osprey" sockets
listed "without /proc"
run "$osprey" sockets --json
[ "$(jq -r '.tables.sockets[0].pid' "$scratch/out")" = null ] || wrong "it invents a pid"
[ "$(jq -r '.missing.sockets.pid' "$scratch/out")" != null ] || wrong "it does not say that holders are unknown"
run "$osprey" sockets --all-namespaces
says_why "namespaces"
run "$osprey" sockets --summary
says_why "summary"
run "$osprey" net
says_why "net"
exit $bad
