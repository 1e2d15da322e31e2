#!/bin/bash
# osprey sockets and net beside ss, ip, tc, nstat and sar, start to end, on this host and with thousands of sockets
#
# Each pair is run RUNS times in turn (default 15), output to a pipe; what counts is the best of each. Goal: no
# longer than the peer, or below 5 ms. 
# Exit: 0 all goals reached, 1 not, 3 could not be measured.
cd "$(dirname "$0")/.." || exit 3
osprey=$(realpath "${BUILD:-build}/osprey")
runs=${RUNS:-15} sockets=${SOCKETS:-6000}
for need in ss ip tc nstat python3; do command -v "$need" >/dev/null || { echo "needs $need"; exit 3; }; done
if [ "${1:-}" != inside ]; then
	unshare --net --pid --fork true 2>/dev/null || { echo "needs root for a network namespace"; exit 3; }
	exec unshare --net --pid --fork --kill-child --mount-proc "$PWD/bench/views_network.sh" inside
fi
ip link set lo up

missed=0
# beside WHAT PEER OURS: two command lines.
beside() {
	python3 - "$runs" "$1" "$2" "$3" <<'RUN' || missed=$((missed + 1))
import subprocess, sys, time
runs, what, peer, ours = int(sys.argv[1]), *sys.argv[2:]
best = {}
for _ in range(runs):
    for command in (peer, ours):
        start = time.monotonic()
        done = subprocess.run(command.split(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        took = time.monotonic() - start
        if done.returncode:
            sys.exit("%s failed" % command)
        best[command] = min(took, best.get(command, took))
ratio = best[ours] / best[peer]
reached = ratio <= 1 or best[ours] < 0.005
print("%-44s %-22s %7.2f ms, osprey %7.2f ms: %.2f times  %s" %
      (what, peer, best[peer] * 1e3, best[ours] * 1e3, ratio, "reached" if reached else "MISSED"))
sys.exit(not reached)
RUN
}
all() {
	beside "$1: summary" "ss -s" "$osprey sockets --summary"
	beside "$1: with holders" "ss -tunap" "$osprey sockets"
	beside "$1: without holders" "ss -tuna" "$osprey sockets --columns protocol,state,receive_queue,send_queue,local,remote"
	beside "$1: all that is known" "ss -tunapiemo" "$osprey sockets --columns all"
	beside "$1: listeners" "ss -tulpn" "$osprey sockets --listen"
	beside "$1: one port" "ss -tunap sport = :1" "$osprey sockets :1"
	beside "$1: UNIX sockets" "ss -xap" "$osprey sockets --unix"
	beside "$1: the same as JSON" "ss -tunap" \
		"$osprey sockets --json --columns protocol,state,receive_queue,send_queue,local,remote,pid,command,fd"
}
beside "interfaces" "ip -s link" "$osprey net --table interfaces"
beside "queue disciplines" "tc -s qdisc" "$osprey net --table qdiscs"
beside "every counter" "nstat -asz" "$osprey net --table counters"
all "a quiet namespace"

coproc scene { exec python3 -c '
import resource, socket, sys
n = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (n + 200, max(n + 200, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
a = socket.socket(); a.bind(("127.0.0.1", 0)); a.listen(4096)
keep = []
for i in range(n // 2):
    c = socket.create_connection(a.getsockname()); s, _ = a.accept(); keep += [c, s]
print("ready", flush=True)
sys.stdin.read()' "$sockets"; }
# shellcheck disable=SC2154  # coproc sets it
read -r ready <&"${scene[0]}"
[ "$ready" = ready ] || { echo "$sockets sockets could not be opened"; exit 3; }
all "$sockets connections"
exit $((missed > 0))
