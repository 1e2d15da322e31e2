#!/bin/bash
# osprey ps against ps of procps: a stopped process stands still, so its figures must be the same to
# the digit; the list of all processes is the same but for those that come and go.
. "$(dirname "$0")/common"
need ps python3
osprey=${BUILD:-build}/osprey

nice -n 7 python3 -c '
import threading, time, os
ballast = bytearray(30 << 20)
for _ in range(3): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
end = time.process_time() + 0.3
while time.process_time() < end: pass
os.kill(os.getpid(), 19)
time.sleep(60)' &
pid=$!
load_pids+=("$pid")
for _ in $(seq 200); do
	[ "$(ps -o state= -p $pid | tr -d ' ')" = T ] && break
	sleep 0.05
done
[ "$(ps -o state= -p $pid | tr -d ' ')" = T ] || { echo "the process did not stop"; exit 1; }

value() { jq -r ".tables.processes[] | select(.pid == $pid) | .$1" "$scratch/ours.json"; }
theirs() { ps -o "$1=" -p "$pid" | sed 's/^ *//; s/ *$//'; }
same() {
	compared=$((compared + 1))
	[ "$2" = "$3" ] || { echo "not so: $1: osprey '$2', ps '$3'"; bad=1; return; }
	echo "agree: $1: $2"
}
interval=
compare() {
	echo "osprey ps $*:"
	"$osprey" ps "$pid" --json "$@" >"$scratch/ours.json"
	peer_pct=$(theirs pcpu) # at once: the share of its life falls by the moment
	same pid "$(value pid)" "$pid"
	same ppid "$(value ppid)" "$(theirs ppid)"
	same user "$(value user)" "$(theirs user)"
	same state "$(value state)" "$(theirs state)"
	same threads "$(value threads)" "$(theirs nlwp)"
	same nice "$(value nice)" "$(theirs ni)"
	same policy "$(value policy)" "$(case $(theirs cls) in TS) echo other ;; B) echo batch ;; *) theirs cls ;; esac)"
	same command "$(value command | tr '\n' ' ' | sed 's/ *$//')" "$(tr '\0\n' '  ' <"/proc/$pid/cmdline" | sed 's/ *$//')"
	same "minor faults" "$(value minor_faults)" "$(theirs min_flt)"
	same "major faults" "$(value major_faults)" "$(theirs maj_flt)"
	same "virtual memory, KiB" "$(($(value virtual_bytes) / 1024))" "$(theirs vsz)"
	near "resident memory, KiB" "$(($(value rss_bytes) / 1024))" "$(theirs rss)" 512 # batches of each CPU
	near "CPU time, s" "$(jq -n "$(value cpu_ns) / 1e9")" "$(awk '{ print ($14 + $15) / 100 }' "/proc/$pid/stat")" 0.021
	near "start, s since 1970" "$(date -d "$(value start)" +%s)" "$(date -d "$(theirs lstart)" +%s)" 1
	near "share of memory, %" "$(value memory_pct)" "$(theirs pmem)" 0.1
	[ -n "$interval" ] || near "CPU, %" "$(value cpu_pct)" "$peer_pct" "$(awk -v p="$peer_pct" 'BEGIN { print p / 5 + 1 }')"
}
sleep 2 # so that its age is more than the time between the two
compare --no-bpf
interval=1
compare --interval 10ms
# A stopped process does not grow.
same "CPU% over an interval" "$(value cpu_pct)" 0
"$osprey" ps --json --columns pid >"$scratch/all.json"
near "processes" "$(jq '.tables.processes | length' "$scratch/all.json")" "$(ps -e --no-headers -o pid | wc -l)" 5
same "threads of it" "$("$osprey" ps --threads "$pid" --filter "pid == $pid" --json | jq '.tables.processes | length')" "$(ps -L --no-headers -p "$pid" | wc -l)"
kill -CONT "$pid"
agreed
