#!/bin/bash
# In a pids cgroup that is full: not one process or thread more can be started.
. "$(dirname "$0")/common"
need python3

own_cgroup pids
# Fills its cgroup until a fork is refused, and becomes the doctor. (A shell would try again.)
cat >"$scratch/full" <<'FULL'
import os, sys, time
def write(name, text):
    with open(sys.argv[1] + "/" + name, "w") as file: file.write(text)
write("cgroup.procs", str(os.getpid()))
write("pids.max", "4")
try:
    while os.fork(): pass
except BlockingIOError:
    os.execv(sys.argv[2], sys.argv[2:])
time.sleep(30)
FULL
doctor 10 python3 "$scratch/full" "$cgroup" "$osprey" doctor --json --window 1s
[ "$(cat "$cgroup/pids.current")" = 3 ] || wrong "the cgroup was not full"
grep -q '^max [1-9]' "$cgroup/pids.events" || wrong "no fork was refused"
diagnosed
[ "$(ask '[.unmeasured[] | select(.condition == "filesystem_full")] | length')" = 0 ] || wrong "local filesystems were not asked"
exit $bad
