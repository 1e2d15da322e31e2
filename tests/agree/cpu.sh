#!/bin/bash
# CPU time, context switches and forks: against /proc/stat by hand, vmstat and mpstat, while a
# spinner, two processes that pass a byte to and fro, and a shell that forks keep the CPUs at work.
. "$(dirname "$0")/common"
need vmstat mpstat

load sh -c 'while :; do :; done'
load sh -c 'while :; do sleep 0.05; done'
load python3 -c '
import os
a, b = os.pipe(), os.pipe()
if os.fork() == 0:
    while os.read(a[0], 1): os.write(b[1], b"x")
import time
while True:
    for _ in range(50):
        os.write(a[1], b"x"); os.read(b[0], 1)
    time.sleep(0.02)'

# The kernel counts in ticks of 10 ms here: idle and the rest, guest time is part of user.
read_stat() {
	awk '$1 == "cpu" { print "busy_ns", ($2 + $3 + $4 + $7 + $8 + $9) * 1e7
		print "user_ns", $2 * 1e7; print "system_ns", $4 * 1e7; print "idle_ns", $5 * 1e7 }
		$1 == "ctxt" { print "context_switches", $2 } $1 == "processes" { print "forks", $2 }' \
		CONVFMT=%.0f OFMT=%.0f /proc/stat
}
sleep 0.5
vmstat -n 4 2 >"$scratch/vmstat" & vmstat_pid=$!
mpstat 4 1 -o JSON >"$scratch/mpstat" & mpstat_pid=$!
brackets 4 read_stat
wait $vmstat_pid $mpstat_pid

for counter in busy_ns user_ns system_ns idle_ns context_switches forks; do
	bracketed "$counter" ".cpu.$counter | d"
done

# vmstat rounds to whole percents; all three start within 0.1 s of each other in 4 s.
read -r _ _ _ _ _ _ _ _ _ _ _ switches user system idle iowait _ < <(tail -n 1 "$scratch/vmstat")
share() { of "100 * (.cpu.$1 | d) / (.cpu.total_ns | d)"; }
near "vmstat us, %" "$(of '100 * ((.cpu.user_ns | d) + (.cpu.nice_ns | d)) / (.cpu.total_ns | d)')" "$user" 6
near "vmstat sy, %" "$(of '100 * ((.cpu.system_ns | d) + (.cpu.irq_ns | d) + (.cpu.softirq_ns | d)) / (.cpu.total_ns | d)')" "$system" 6
near "vmstat id, %" "$(share idle_ns)" "$idle" 6
near "vmstat wa, %" "$(share iowait_ns)" "$iowait" 6
near "vmstat cs, /s" "$(of '(.cpu.context_switches | d) / .seconds')" "$switches" "$(larger 200 "$(percent 15 "$switches")")"
mp() { jq -r ".sysstat.hosts[0].statistics[0][\"cpu-load\"][0].$1" "$scratch/mpstat"; }
near "mpstat %idle" "$(share idle_ns)" "$(mp idle)" 6
near "mpstat %usr" "$(share user_ns)" "$(mp usr)" 6
near "mpstat %sys" "$(share system_ns)" "$(mp sys)" 6
agreed
