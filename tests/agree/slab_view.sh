#!/bin/bash
# osprey slab: exactly what /proc/slabinfo says, of the very bytes it read; and slabtop just before and after.
. "$(dirname "$0")/common"
need slabtop python3
osprey=${BUILD:-build}/osprey
head -n 1 /proc/slabinfo 2>/dev/null | grep -q 'version: 2' || skip "needs root and /proc/slabinfo"

slabtop -o -s c >"$scratch/before"
"$osprey" slab --all --json --capture "$scratch/capture" >"$scratch/json"
slabtop -o -s c >"$scratch/after"
page=$(getconf PAGESIZE)
tests/agree/captured "$scratch/capture" /proc/slabinfo | awk -v page="$page" '$7 == ":" { printf "%s %s %s %s %s %.0f\n", $1, $2, $3, $4, $15, $15 * $6 * page }' |
	LC_ALL=C sort >"$scratch/hand"
jq -r '.tables.slabs[] | "\(.name) \(.active_objects) \(.objects) \(.object_bytes) \(.slabs) \(.bytes)"' "$scratch/json" |
	LC_ALL=C sort >"$scratch/ours"
diff "$scratch/hand" "$scratch/ours" >"$scratch/diff" && same=1 || same=0
near "caches of /proc/slabinfo, line by line ($(wc -l <"$scratch/ours"))" "$same" 1 0
[ "$same" = 1 ] || head -5 "$scratch/diff"

# The largest by slabtop: OBJS ACTIVE USE SIZE SLABS OBJ/SLAB CACHE-SIZE NAME.
of_slabtop() { awk -v name="$2" -v c="$3" '$8 == name { sub("K", "", $c); print $c; exit }' "$scratch/$1"; }
while read -r name; do
	a=$(of_slabtop before "$name" 7) b=$(of_slabtop after "$name" 7)
	low=$(awk -v a="$a" -v b="$b" 'BEGIN { print 1024 * (a < b ? a : b) }') high=$(awk -v a="$a" -v b="$b" 'BEGIN { print 1024 * (a > b ? a : b) }')
	between "$name of slabtop" "$(jq --arg n "$name" '.tables.slabs[] | select(.name == $n).bytes' "$scratch/json")" \
		"$low" "$high" $(($(percent 3 "$high") + (1 << 20)))
done < <(awk 'NR > 7 && NR <= 17 { print $8 }' "$scratch/before")
first=$(jq -r '.tables.slabs[0].name' "$scratch/json")
near "the largest comes first" "$(jq '.tables.slabs[0].bytes == ([.tables.slabs[].bytes] | max)' "$scratch/json" | grep -c true)" 1 0
echo "largest: $first"
flag=/sys/kernel/slab/dentry/reclaim_account
if [ -r "$flag" ]; then
	near "dentry shrinks" "$(jq -r '.tables.slabs[] | select(.name == "dentry").reclaimable' "$scratch/json" | sed 's/yes/1/;s/no/0/')" "$(cat "$flag")" 0
fi
agreed
