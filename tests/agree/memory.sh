#!/bin/bash
# Memory: against free just before and just after, and against /proc/vmstat by hand while a
# process takes and gives back 64 MiB.
. "$(dirname "$0")/common"
need free

load python3 -c '
import time
while True:
    block = bytearray(64 << 20); time.sleep(0.2); del block; time.sleep(0.2)'
sleep 0.5
read_vmstat() { awk '$1 == "pgfault" || $1 == "pgpgin" || $1 == "pgpgout" || $1 == "pgmajfault"' /proc/vmstat; }
free -b >"$scratch/free"
brackets 2 read_vmstat
free -b >>"$scratch/free"

bracketed pgfault '.vmstat.faults | d'
bracketed pgmajfault '.vmstat.major_faults | d'
bracketed pgpgin '.vmstat.pages_in_kib | d'
bracketed pgpgout '.vmstat.pages_out_kib | d'

total=$(awk '$1 == "Mem:" { print $2; exit }' "$scratch/free")
near "total" "$(of '.memory.total_bytes[1]')" "$total" 0
near "swap total" "$(of '.memory.swap_total_bytes[1]')" "$(awk '$1 == "Swap:" { print $2; exit }' "$scratch/free")" 0
# The others move while we look: 128 MiB is our own load, 2 % is that of the machine.
slack=$(($(percent 2 "$total") + (128 << 20)))
column() { awk -v c="$1" '$1 == "Mem:" { print $c }' "$scratch/free" | sort -n; }
around() { # NAME COLUMN FILTER
	local low high
	{ read -r low; read -r high; } < <(column "$2")
	between "$1" "$(of "$3")" "$low" "$high" "$slack"
}
around free 4 '.memory.free_bytes[1]'
around available 7 '.memory.available_bytes[1]'
around shared 5 '.memory.shmem_bytes[1]'
around buff/cache 6 '.memory | .buffers_bytes[1] + .cached_bytes[1] + .slab_reclaimable_bytes[1]'
agreed
