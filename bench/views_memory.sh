#!/bin/bash
# osprey memory, slab and irq beside free, vmstat, slabtop and mpstat, one look from start to end
#
# Each pair runs by turns, RUNS times (default 60); medians of wall time and of CPU time are printed.
# Goal: in wall time no longer than its peer, or under 5 ms. Exit: 0 when all reach it, 1 when not.
cd "$(dirname "$0")/.." || exit 3
exec python3 - "${BUILD:-build}/osprey" "${1:-60}" <<'PYTHON'
import os, shutil, statistics, sys, time

osprey, runs = sys.argv[1], int(sys.argv[2])
GOAL_MS = 5.0
pairs = [
    ("memory", ["free", "-b"]), ("memory", ["vmstat"]),
    ("memory --table vm", ["vmstat"]),
    ("slab", ["slabtop", "-o"]), ("irq", ["mpstat", "-I", "ALL", "-P", "ALL"]),
]


def once(argv):
    null = os.open(os.devnull, os.O_WRONLY)
    start = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)])
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    os.close(null)
    if status:
        return None
    return wall * 1e3, (used.ru_utime + used.ru_stime) * 1e3


missed = 0
for ours, peer in pairs:
    name = "osprey " + ours
    argv = [osprey] + ours.split()
    if not shutil.which(peer[0]):
        print("%-28s not measured: needs %s" % (name, peer[0]))
        continue
    if once(argv) is None or once(peer) is None:
        print("%-28s not measured: %s does not run here (root?)" % (name, " ".join(peer)))
        continue
    mine, theirs = [], []
    for _ in range(runs):
        mine.append(once(argv))
        theirs.append(once(peer))
    (wall, cpu), (peer_wall, peer_cpu) = ([statistics.median(c) for c in zip(*t)] for t in (mine, theirs))
    reached = wall <= peer_wall or wall < GOAL_MS
    missed += not reached
    print("%-28s %6.2f ms (CPU %.2f)   %-22s %6.2f ms (CPU %.2f)   ratio %.2f   %s"
          % (name, wall, cpu, " ".join(peer), peer_wall, peer_cpu, wall / peer_wall, "reached" if reached else "missed"))
sys.exit(1 if missed else 0)
PYTHON
