#!/bin/bash
# The pause that a core of a 2 GiB process costs it: osprey core (precopy, fork, plain) beside gcore
#
#     core_pause.sh [MiB=2048] [ROUNDS=3] [WRITES a second, heavy=400000]
#
# The target has 8 blocked threads, one that ticks every 100 us (real-time), and one that writes to single pages: 1000 a
# second, then as many as asked. The pause is its longest gap between two ticks while the core was made, the tick itself
# included; medians are printed. Goals: pre-copy stops it at least 500 times less than gcore and 10 times less than the
# fork. Exit: 0 when both are reached with few writes.
cd "$(dirname "$0")/.." || exit 3
exec python3 - "${BUILD:-build}/osprey" "${1:-2048}" "${2:-3}" "${3:-400000}" <<'PYTHON'
import json, os, shutil, signal, statistics, subprocess, sys, tempfile, time

osprey, mib, rounds, heavy = os.path.abspath(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
directory = tempfile.mkdtemp(prefix="osprey-core-bench.", dir="/var/tmp")
free = os.statvfs(directory)
available = next(int(l.split()[1]) for l in open("/proc/meminfo") if l.startswith("MemAvailable:")) >> 10
if free.f_bavail * free.f_frsize >> 20 < 3 * mib or available < mib + mib // 2:
    print("not measured: needs %d MiB of disk and %d MiB of memory" % (3 * mib, mib + mib // 2))
    sys.exit(1)
target_path = directory + "/target"
subprocess.check_call(["gcc", "-O1", "-g", "-pthread", "-o", target_path, "tests/dig/core_target.c"])


class Target:
    def __init__(self, writes):
        self.process = subprocess.Popen([target_path, "8", str(mib), str(writes)], stdout=subprocess.PIPE, text=True,
                                        env=dict(os.environ, TARGET_CALM="1", TARGET_TICKS="1"))
        assert self.process.stdout.readline() == "ready\n"

    def ask(self):
        self.process.send_signal(signal.SIGUSR1)
        words = self.process.stdout.readline().split()
        return int(words[1]), int(words[3])

    def end(self):
        self.process.kill()
        self.process.wait()


def dump(target, way):
    path = directory + "/core"
    pid = str(target.process.pid)
    command = ["gcore", "-o", path, pid] if way == "gcore" else [osprey, "core", pid, "-o", path, "--json"]
    if way not in ("gcore", "auto"):
        command += ["--method", way]
    before = target.ask()[0]
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wall = time.perf_counter() - start
    interrupted, gap = target.ask()
    path += "." + pid if way == "gcore" else ""
    if done.returncode or not os.path.exists(path):
        print("  %-8s not measured: %s" % (way, done.stderr.strip()[-150:]))
        return None
    size = os.stat(path)
    os.unlink(path)
    own = json.loads(done.stdout) if way != "gcore" else None
    return gap / 1e6, wall, size.st_blocks * 512 / 2**20, interrupted - before, own


def measure(writes):
    target = Target(writes)
    figures = {}
    print("%d MiB, %d page writes a second:" % (mib, writes), flush=True)
    ways = (["gcore"] if shutil.which("gcore") else []) + ["precopy", "fork", "plain", "auto"]
    target.ask()
    time.sleep(1)
    quiet = target.ask()[1] / 1e6
    print("  longest gap between two ticks without any of them: %.2f ms" % quiet)
    for way in ways:
        runs = [r for r in (dump(target, way) for _ in range(1 if way == "gcore" else rounds)) if r]
        if not runs:
            continue
        pause, wall, disk, eintr = (statistics.median(r[i] for r in runs) for i in range(4))
        figures[way] = pause
        own = [r[4] for r in runs if r[4]]
        stops = ""
        if own:
            stops = "its own figure %.2f ms" % (statistics.median(o["pauses"]["all_threads_ns"] for o in own) / 1e6)
            if own[0]["method"] != way:
                stops += ", chose " + own[0]["method"]
            if own[0]["passes"]:
                stops += ", %d passes, %.1f MiB in the stop" % (own[-1]["passes"], own[-1]["copied_in_stop_bytes"] / 2**20)
        print("  %-8s pause %9.2f ms   wall %6.2f s   %5.0f MiB on disk   %d calls saw EINTR   %s" % (way, pause, wall, disk, eintr, stops), flush=True)
    target.end()
    return figures


def goal(figures, way, least):
    if "precopy" not in figures or way not in figures:
        print("precopy beside %s: not measured" % way)
        return False
    ratio = figures[way] / figures["precopy"]
    print("precopy pauses %.0f times less than %s; goal: at least %d times: %s" % (ratio, way, least, "reached" if ratio >= least else "missed"))
    return ratio >= least


try:
    few = measure(1000)
    reached = [goal(few, "gcore", 500), goal(few, "fork", 10)]
    many = measure(heavy)
    goal(many, "gcore", 500), goal(many, "fork", 10)
finally:
    shutil.rmtree(directory)
sys.exit(0 if all(reached) else 1)
PYTHON
