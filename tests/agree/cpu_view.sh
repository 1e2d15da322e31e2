#!/bin/bash
# osprey cpu against mpstat and vmstat: since boot, and over the same two seconds under load.
. "$(dirname "$0")/common"
need mpstat vmstat
osprey=${BUILD:-build}/osprey

# Columns of mpstat's JSON, ours beside them.
compare() { # BOUND: both files
	local cpu ours theirs
	for cpu in all 0; do
		for pair in user_pct:usr nice_pct:nice system_pct:sys iowait_pct:iowait irq_pct:irq softirq_pct:soft steal_pct:steal guest_pct:guest idle_pct:idle; do
			ours=$(jq -r ".tables.cpus[] | select(.cpu == \"$cpu\") | .${pair%:*}" "$scratch/ours.json")
			theirs=$(jq -r ".sysstat.hosts[0].statistics[0].\"cpu-load\"[] | select(.cpu == \"$cpu\") | .${pair#*:}" "$scratch/theirs.json")
			near "CPU $cpu ${pair%:*}" "$ours" "$theirs" "$1"
		done
	done
}
echo "since boot:"
"$osprey" cpu --json >"$scratch/ours.json"
mpstat -P ALL -o JSON >"$scratch/theirs.json"
compare 0.1
switches=$(jq .tables.scheduler[0].switches_per_s "$scratch/ours.json")
# vmstat 4.0 divides what there was since boot by the time of all CPUs together.
near "context switches/s" "$switches" "$(vmstat | awk -v n="$(nproc)" 'NR == 3 { print $12 * n }')" "$(awk -v n="$switches" 'BEGIN { print n / 100 + 4 }')"
near "context switches/s, by hand" "$switches" "$(awk 'NR == FNR { up = $1; next } $1 == "ctxt" { print $2 / up }' /proc/uptime /proc/stat)" \
	"$(awk -v n="$switches" 'BEGIN { print n / 200 + 2 }')"

read -ra theirs < <(vmstat | tail -1)
at=12
for field in user_pct system_pct idle_pct iowait_pct steal_pct; do
	near "of all CPUs: $field" "$(jq ".tables.scheduler[0].$field" "$scratch/ours.json")" "${theirs[at++]}" 1
done

echo "over two seconds under load:"
load nice sh -c 'while :; do :; done'
mpstat -P ALL -o JSON 2 1 >"$scratch/theirs.json" &
peer=$!
"$osprey" cpu 2 1 --json >"$scratch/ours.json"
wait $peer
compare 6 # both start some tens of milliseconds apart
near "shares of the scheduler's line" "$(jq '.tables.scheduler[0] | .user_pct + .system_pct + .iowait_pct + .steal_pct + .idle_pct' "$scratch/ours.json")" 100 0.1
agreed
