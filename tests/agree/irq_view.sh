#!/bin/bash
# osprey irq: exactly what /proc/interrupts and /proc/softirqs say, of the very bytes it read; mpstat beside it.
. "$(dirname "$0")/common"
need mpstat python3
osprey=${BUILD:-build}/osprey
[ -r /proc/interrupts ] || skip "no /proc/interrupts here"

load python3 -c '
import time
while True: time.sleep(0.002)'
"$osprey" irq --all --json --table counts --capture "$scratch/capture" >"$scratch/counts.json"
tests/agree/captured "$scratch/capture" /proc/interrupts | awk '$1 == "tick" { next } NR == 2 { for (n = 0; n < NF; n++) cpu[n] = substr($(n + 1), 4); next }
	{ sub(":", "", $1) } $1 == "ERR" || $1 == "MIS" { next } { for (i = 0; i < n; i++) print $1, cpu[i], $(i + 2) }' | sort >"$scratch/hand"
jq -r '.tables.counts[] | select(.kind == "hard") | "\(.line) \(.cpu) \(.count)"' "$scratch/counts.json" | sort >"$scratch/ours"
diff "$scratch/hand" "$scratch/ours" >"$scratch/diff" && same=1 || same=0
near "interrupts, line by line ($(wc -l <"$scratch/ours") counts)" "$same" 1 0
[ "$same" = 1 ] || head -5 "$scratch/diff"
tests/agree/captured "$scratch/capture" /proc/softirqs | awk '$1 == "tick" || NR == 2 { next } { sub(":", "", $1); s = 0; for (i = 2; i <= NF; i++) s += $i; print $1, s }' |
	sort >"$scratch/hand"
jq -r '[.tables.counts[] | select(.kind == "soft")] | group_by(.line)[] | "\(.[0].line) \([.[].count] | add)"' "$scratch/counts.json" | sort >"$scratch/ours"
diff "$scratch/hand" "$scratch/ours" >/dev/null && same=1 || same=0
near "soft interrupts, line by line" "$same" 1 0

# Since boot, each CPU: HARD/s of osprey is intr/s of mpstat.
mpstat -I SUM -P ALL >"$scratch/boot"
"$osprey" irq --json >"$scratch/json"
while read -r cpu theirs; do
	near "CPU $cpu since boot, of mpstat" "$(jq ".tables.cpus[] | select(.cpu == $cpu).hard_per_s" "$scratch/json")" "$theirs" \
		"$(awk -v v="$theirs" 'BEGIN { print v / 100 + 0.1 }')"
done < <(awk '$2 ~ /^[0-9]+$/ { print $2, $3 }' "$scratch/boot")

# Over the same two seconds.
"$osprey" irq 2 1 --json >"$scratch/json" &
ours=$!
# With -I ALL mpstat 12.6 gives the CPUs the sums of soft interrupts.
LC_ALL=C mpstat -I SUM -P ALL 2 1 >"$scratch/mpstat"
wait "$ours"
while read -r cpu theirs; do
	near "CPU $cpu over 2 s, of mpstat" "$(jq ".tables.cpus[] | select(.cpu == $cpu).hard_per_s" "$scratch/json")" "$theirs" \
		"$(awk -v v="$theirs" 'BEGIN { print v * 0.25 + 150 }')"
done < <(awk '$1 == "Average:" && $2 ~ /^[0-9]+$/ && NF == 3 { print $2, $3 }' "$scratch/mpstat")
# /proc/irq/N/smp_affinity_list
while read -r line allowed; do
	near "line $line may go where its affinity says" "$([ "$allowed" = "$(cat "/proc/irq/$line/smp_affinity_list")" ] && echo 1)" 1 0
done < <(jq -r '.tables.lines[] | select(.allowed_cpus != null) | "\(.line) \(.allowed_cpus)"' "$scratch/json" | head -3)
agreed
