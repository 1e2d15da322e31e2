#!/bin/bash
# osprey core is killed by SIGKILL at random instants: the target runs on, untraced, without a child, without write
# protection, no call of it is interrupted, and there is no
# file that is not complete.
#
#     core_killed.sh [TIMES=12] [SEED]
. "$(dirname "$0")/core_common"
need readelf pgrep
build_target
times=${1:-12}
RANDOM=${2:-$$}
start_target 6 24 1000
ways=(precopy fork plain auto)
"$osprey" core "$target" -o "$scratch/warm" -m precopy >/dev/null 2>"$scratch/err" ||
	{ grep -q 'needs Linux 6.7' "$scratch/err" && ways=(fork plain auto); }

declare -A wall
for way in "${ways[@]}"; do
	from=$(date +%s%N)
	"$osprey" core "$target" -o "$scratch/$way" -m "$way" >/dev/null || wrong "$way does not work at all"
	wall[$way]=$(($(date +%s%N) - from))
done

settled() { # the guardian has ended, or it takes too long
	for _ in $(seq 300); do
		pgrep -f "$osprey core $target" >/dev/null || return 0
		sleep 0.02
	done
	wrong "the guardian is still there after 6 s"
}

finished=0
for i in $(seq "$times"); do
	way=${ways[RANDOM % ${#ways[@]}]}
	file=$scratch/killed.$i
	"$osprey" core "$target" -o "$file" -m "$way" >/dev/null 2>&1 &
	osprey_pid=$!
	sleep "$(awk -v ns="${wall[$way]}" -v part=$((RANDOM % 1000)) 'BEGIN { printf "%.6f", ns / 1e9 * part / 1000 }')"
	kill -9 "$osprey_pid" 2>/dev/null || true
	rc=0; wait "$osprey_pid" 2>/dev/null || rc=$?
	[ "$rc" = 0 ] && finished=$((finished + 1))
	settled
	unharmed "kill $i ($way)"
	# It gets its name when it is complete: killed right behind that, it may be there.
	for left in "$file"*; do
		[ -e "$left" ] || continue
		[ "$left" = "$file" ] && readelf -lnW "$left" >/dev/null 2>"$scratch/err" && [ ! -s "$scratch/err" ] ||
			wrong "kill $i ($way): $left is left, incomplete: $(head -n 2 "$scratch/err")"
	done
	rm -f "$file"*
	[ $bad = 0 ] || break
done
[ "$finished" -lt "$times" ] || wrong "osprey was never killed in time"
echo "$((times - finished)) of $times killed under way; the target: $(ask_target)"
exit $bad
