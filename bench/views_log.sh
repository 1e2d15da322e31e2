#!/bin/bash
# The kernel log, whole: osprey log (decoded and ranked) and osprey log --all against dmesg -T
cd "$(dirname "$0")/.." || exit 3
dmesg >/dev/null 2>&1 || { echo "skip: dmesg is denied here"; exit 0; }
missed=0
# best COMMAND…: the least of 15 runs, in ms. The least, since all else is somebody else's time.
best() {
	local least='' start end t
	for _ in $(seq 15); do
		start=$(date +%s%N)
		"$@" >/dev/null 2>&1
		end=$(date +%s%N)
		t=$((end - start))
		[ -n "$least" ] && [ "$t" -ge "$least" ] || least=$t
	done
	awk -v ns="$least" 'BEGIN { printf "%.1f", ns / 1e6 }'
}
# line NAME OURS THEIRS GOAL: the ratio must not pass GOAL.
line() {
	awk -v name="$1" -v a="$2" -v b="$3" -v goal="$4" 'BEGIN {
		printf "%-34s osprey %6.1f ms   dmesg -T %6.1f ms   ratio %.2f (goal: at most %s) %s\n", name, a, b, a / b, goal,
			a / b <= goal ? "ok" : "MISSED"; exit !(a / b <= goal) }' || missed=1
}
records=$(dmesg | wc -l)
echo "$records lines in the log"
theirs=$(best dmesg -T)
line "events, grouped and ranked" "$(best build/osprey log)" "$theirs" 2
line "records with the time of day" "$(best build/osprey log --all)" "$theirs" 2
exit $missed
