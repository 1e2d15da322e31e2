#!/bin/bash
# osprey memory: exactly what /proc says by hand, of the very bytes it read; and what free, vmstat, swapon
# say beside it, within bounds.
. "$(dirname "$0")/common"
need free vmstat python3
osprey=${BUILD:-build}/osprey
shot=$scratch/shot lines=$scratch/lines

load python3 -c '
import os, time
f = os.open("'"$scratch"'/load", os.O_CREAT | os.O_WRONLY | os.O_DSYNC)
while True:
    block = bytearray(16 << 20); os.pwrite(f, block[:1 << 20], 0); time.sleep(0.1)'
sleep 0.3

# ---- one look
free -b >"$scratch/free"
"$osprey" memory --json --capture "$shot" >"$scratch/json"
free -b >>"$scratch/free"
host() { jq -r ".tables.memory[0].$1" "$scratch/json"; }
tests/agree/captured "$shot" /proc/meminfo >"$scratch/meminfo"
by_meminfo() { awk -v e="$1" 'BEGIN { split(e, terms, " ") } { v[$1] = $2 * 1024 }
	END { for (i = 1; i in terms; i++) { s = 1; n = terms[i]; if (n ~ /^-/) { s = -1; n = substr(n, 2) } sum += s * v[n ":"] } printf "%.0f", sum }' "$scratch/meminfo"; }
near "total of the file" "$(host total_bytes)" "$(by_meminfo MemTotal)" 0
near "used of the file" "$(host used_bytes)" "$(by_meminfo 'MemTotal -MemAvailable')" 0
near "cache of the file" "$(host cache_bytes)" "$(by_meminfo 'Buffers Cached SReclaimable')" 0
near "file cache of the file" "$(host file_cache_bytes)" "$(by_meminfo 'Cached -Shmem')" 0
near "slab of the file" "$(host slab_bytes)" "$(by_meminfo Slab)" 0
near "swap used of the file" "$(host swap_used_bytes)" "$(by_meminfo 'SwapTotal -SwapFree')" 0
near "committed of the file" "$(host committed_bytes)" "$(by_meminfo Committed_AS)" 0
near "the parts together" "$(jq '[.tables.parts[].bytes] | add' "$scratch/json")" "$(by_meminfo MemTotal)" 0
total=$(awk '$1 == "Mem:" { print $2; exit }' "$scratch/free")
near "total of free" "$(host total_bytes)" "$total" 0
slack=$(($(percent 1 "$total") + (64 << 20)))
beside() { # NAME COLUMN OURS
	local low high
	{ read -r low; read -r high; } < <(awk -v c="$2" '$1 == "Mem:" { print $c }' "$scratch/free" | sort -n)
	between "$1 of free" "$(host "$3")" "$low" "$high" "$slack"
}
beside used 3 used_bytes
beside free 4 free_bytes
beside shared 5 shmem_bytes
beside buff/cache 6 cache_bytes
beside available 7 available_bytes

# ---- zones, free blocks, nodes, swap
"$osprey" memory --json --table zones --capture "$scratch/zones" >"$scratch/zones.json"
page=$(getconf PAGESIZE)
tests/agree/captured "$scratch/zones" /proc/zoneinfo | awk -v page="$page" '
	$1 == "Node" { sub(",", "", $2); zone = $2 "/" $4 } $1 == "pages" { free = $3 } $1 == "min" { min = $2 }
	$1 == "low" { low = $2 } $1 == "high" { high = $2 } $1 == "present" { present = $2 }
	$1 == "managed" && $2 > 0 { printf "%s %.0f %.0f %.0f %.0f %.0f %.0f\n", zone, free * page, min * page, low * page, high * page, present * page, $2 * page }' >"$scratch/zones.hand"
jq -r '.tables.zones[] | "\(.node)/\(.zone) \(.free_bytes) \(.min_bytes) \(.low_bytes) \(.high_bytes) \(.present_bytes) \(.managed_bytes)"' \
	"$scratch/zones.json" >"$scratch/zones.ours"
diff "$scratch/zones.hand" "$scratch/zones.ours" >/dev/null && same=1 || same=0
near "zones of /proc/zoneinfo, line by line" "$same" 1 0
"$osprey" memory --json --table free --capture "$scratch/free.capture" >"$scratch/free.json"
for order in 0 3 9; do
	near "free pages scattered, order $order" \
		"$(jq "[.tables.free[] | select(.order == $order)][-1].unusable_pct" "$scratch/free.json")" \
		"$(tests/agree/captured "$scratch/free.capture" /proc/buddyinfo | awk -v order="$order" '$1 == "Node" {
			all = small = 0; for (i = 5; i <= NF; i++) { n = $i * 2 ^ (i - 5); all += n; if (i - 5 < order) small += n } p = all ? 100 * small / all : 0 }
			END { printf "%.9f", p }')" 1e-6
done
near "swap devices" "$("$osprey" memory --json --table swap | jq '.tables.swap | length')" "$(($(wc -l </proc/swaps) - 1))" 0
near "nodes" "$("$osprey" memory --json --table nodes | jq '.tables.nodes | length')" \
	"$(find /sys/devices/system/node -maxdepth 1 -name 'node[0-9]*' 2>/dev/null | wc -l)" 0

# ---- rates: exactly as the two looks say, and beside vmstat
"$osprey" memory 2 1 --json --capture "$lines" >"$scratch/rates.json" &
ours=$!
vmstat -w 2 2 | tail -n 1 >"$scratch/vmstat"
wait "$ours"
rate() { jq -r ".tables.vm[0].$1" "$scratch/rates.json"; }
tests/agree/captured "$lines" /proc/vmstat >"$scratch/counters"
grown() { awk -v name="$1" -v unit="$2" '$1 == "tick" { t[++n] = $2 } $1 == name { v[n] = $2 }
	END { printf "%.6f", (v[n] - v[1]) * unit / (t[n] - t[1]) }' "$scratch/counters"; }
near "faults/s of the file" "$(rate faults_per_s)" "$(grown pgfault 1)" 0.01
near "major faults/s of the file" "$(rate major_faults_per_s)" "$(grown pgmajfault 1)" 0.01
near "in/s of the file" "$(rate in_bytes_per_s)" "$(grown pgpgin 1024)" 1
near "out/s of the file" "$(rate out_bytes_per_s)" "$(grown pgpgout 1024)" 1
near "swap in/s of the file" "$(rate swap_in_bytes_per_s)" "$(grown pswpin "$page")" 1
near "swap out/s of the file" "$(rate swap_out_bytes_per_s)" "$(grown pswpout "$page")" 1
# Columns of vmstat: r b swpd free buff cache si so bi bo in cs …, in KiB a second; 16 MiB/s of slack is the rest of the machine.
column() { awk -v c="$1" '{ printf "%.0f", $c * 1024 }' "$scratch/vmstat"; }
out=$(column 10)
near "written/s of vmstat" "$(rate out_bytes_per_s)" "$out" $(($(percent 30 "$out") + (16 << 20)))
near "free of vmstat" "$(rate free_bytes)" "$(column 4)" "$slack"
near "swapped in/s of vmstat" "$(rate swap_in_bytes_per_s)" "$(column 7)" $((16 << 20))
agreed
