#!/bin/bash
# osprey pid of a small process beside ps, one look from start to end; and osprey limits
#
# Each runs RUNS times (default 60) by turns; medians of wall time and CPU time. Goal: osprey pid, which reads
# all of a process, under 5 ms. Exit: 0 when it is reached, 1 when not.
cd "$(dirname "$0")/.." || exit 3
sleep 300 &
pid=$!
trap 'kill $pid' EXIT
python3 - "${BUILD:-build}/osprey" "$pid" "${1:-60}" <<'PYTHON'
import os, shutil, statistics, sys, time

osprey, pid, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
GOAL_MS = 5.0


def once(argv):
    null = os.open(os.devnull, os.O_WRONLY)
    start = time.perf_counter()
    child = os.posix_spawnp(argv[0], argv, os.environ,
                            file_actions=[(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)])
    _, status, used = os.wait4(child, 0)
    wall = time.perf_counter() - start
    os.close(null)
    if status:
        sys.exit("%s does not run" % " ".join(argv))
    return wall * 1e3, (used.ru_utime + used.ru_stime) * 1e3


commands = {
    "osprey pid": [osprey, "pid", pid],
    "osprey pid -s identity": [osprey, "pid", pid, "--section", "identity"],
    "osprey limits": [osprey, "limits"],
    "ps -p": ["ps", "-p", pid, "-o", "pid,ppid,user,stat,wchan,args"],
    "ps -e": ["ps", "-ef"],
}
if shutil.which("lsof"):
    commands["lsof -p"] = ["lsof", "-p", pid]
if shutil.which("pmap"):
    commands["pmap -x"] = ["pmap", "-x", pid]
times = {name: [] for name in commands}
for _ in range(runs):
    for name, argv in commands.items():
        times[name].append(once(argv))
medians = {name: [statistics.median(c) for c in zip(*t)] for name, t in times.items()}
for name, (wall, cpu) in medians.items():
    print("%-24s %6.2f ms (CPU %5.2f)   %.2f of ps -p" % (name, wall, cpu, wall / medians["ps -p"][0]))
reached = medians["osprey pid"][0] < GOAL_MS
print("osprey pid under %g ms: %s" % (GOAL_MS, "reached" if reached else "missed"))
sys.exit(0 if reached else 1)
PYTHON
