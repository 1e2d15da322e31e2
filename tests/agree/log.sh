#!/bin/bash
# Records of the kernel log and their times, beside dmesg.
set -euo pipefail
. "$(dirname "$0")/common"
need dmesg
osprey=${BUILD:-build}/osprey
dmesg >"$scratch/probe" 2>"$scratch/err" || skip "dmesg is denied: $(cat "$scratch/err")"
dmesg --time-format iso 2>/dev/null >"$scratch/probe" || skip "this dmesg knows no --time-format iso"

# The same records: between two looks of ours that saw the same, dmesg sees it too.
for _ in 1 2 3 4 5; do
	"$osprey" log --json --all >"$scratch/a" || [ $? = 1 ]
	dmesg --raw --time-format raw >"$scratch/raw" 2>/dev/null || dmesg --raw >"$scratch/raw"
	dmesg --time-format iso >"$scratch/iso"
	dmesg --kernel --raw >"$scratch/kernel"
	"$osprey" log --json --all >"$scratch/b" || [ $? = 1 ]
	cmp -s <(jq -c '[.records[].sequence]' "$scratch/a") <(jq -c '[.records[].sequence]' "$scratch/b") && break
	same=no
done
[ "${same:-yes}" = yes ] || cmp -s <(jq -c '[.records[].sequence]' "$scratch/a") <(jq -c '[.records[].sequence]' "$scratch/b") ||
	skip "the log does not hold still"
cleared=$(jq .log.cleared "$scratch/b")
# dmesg leaves out what was cleared; its lines of one record of several begin with a time only once, and those of an
# empty record not at all.
near "records" "$(jq '[.records[] | select(.text != "")] | length' "$scratch/b")" "$(($(grep -c '^<[0-9]*>' "$scratch/raw") + cleared))" 0

# Times: dmesg reckons from the time of boot, to the second or so; the last record, which it cannot be far off with.
# (Where the machine has slept, dmesg is wrong by the sleep: then there is nothing to compare with.)
slept=$(jq '.log.slept_s' "$scratch/b")
if awk -v s="$slept" 'BEGIN { exit !(s < 1) }'; then
	ours=$(jq -r '.records[-1].time' "$scratch/b")
	theirs=$(grep -E '^[0-9]{4}-' "$scratch/iso" | tail -1 | cut -d' ' -f1)
	near "time of the last record" "$(date -d "$ours" +%s.%N)" "$(date -d "${theirs/,/.}" +%s.%N)" 3
	ours=$(jq -r --argjson n "$cleared" '.records[$n].time' "$scratch/b")
	theirs=$(grep -m1 -oE '^[0-9]{4}-[^ ]*' "$scratch/iso")
	near "time of the first record" "$(date -d "$ours" +%s.%N)" "$(date -d "${theirs/,/.}" +%s.%N)" 30
fi
# Levels of the kernel's own records, counted: the low three bits of the priority in front of dmesg's raw lines.
# (Of other facilities it writes facility | level, a number that is neither.)
level=0
for name in emerg alert crit err warn notice info debug; do
	near "records of level $name" "$(jq --arg l "$name" '[.records[] | select(.facility == "kern" and .level == $l)] | length' "$scratch/b")" \
		"$(awk -v level=$level '/^<[0-9]+>/ { split(substr($0, 2), p, ">"); n += p[1] % 8 == level } END { print n + 0 }' "$scratch/kernel")" "$cleared"
	level=$((level + 1))
done
agreed
