#!/bin/bash
# the scheduler, channels, locks and timers beside Go, threads, GNU Pth, State Threads and Boost.Fiber, at P = 1 and 2
#
# usage: runtime/bench/core.sh [--rounds N] [--short] [ROW…]
#   --rounds N  each program runs so often, in turn, and its best figure counts (3)
#   --short     without the rows of a million fibers (5 GB of memory)
# PARKED in the environment: how many fibers the rows of cold ones and of callbacks have (a million; of callbacks no more than files may be
# open). parked-cold-tables are the page tables beside; wait, -within and -cold: to be woken and wait again, warm, within
# rt_cold_begin, and cold each time.
# What the columns are: nanoseconds (milliseconds of -ms, seconds of -s, bytes of -bytes); CPU time of the process at P = 1,
# wall time at P = 2 and where a row waits. A goal was set in one place, where Go's figure is known (the column "Go then"): the
# goal of a time that counts here is scaled by what Go takes now. Exit: 0 all reached, 1 some missed.
set -euo pipefail
# shellcheck source=place
. "$(dirname "${BASH_SOURCE[0]}")/place"
cd "$runtime"
rounds=3
short=''
names=()
while [ $# -gt 0 ]; do
	case $1 in
	--help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | head -n -1; exit 0 ;;
	--rounds) rounds=$2; shift ;;
	--short) short=1 ;;
	-*) echo "unknown option: $1 (--help tells)" >&2; exit 2 ;;
	*) names+=("$1") ;;
	esac
	shift
done
dir=$(mktemp -d "${TMPDIR:-/tmp}/osprey-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
of "$build/bench/core"
cp "$build/bench/core" "$dir/osprey"
command -v go >/dev/null && GO111MODULE=off GOCACHE=$dir/cache go build -o "$dir/go" bench/go/core.go
c=(cc -std=gnu17 -D_GNU_SOURCE -O2)
"${c[@]}" -o "$dir/pthread" bench/peers/pthread.c -pthread
"${c[@]}" -o "$dir/floor" bench/peers/floor.c
"${c[@]}" -o "$dir/pth" bench/peers/pth.c -lpth 2>/dev/null || true
"${c[@]}" -o "$dir/st" bench/peers/st.c -lst 2>/dev/null || true
g++ -O2 -o "$dir/boost" bench/peers/boost.cc -lboost_fiber -lboost_context -pthread 2>/dev/null || true

# name, goal, Go where the goal was set (0: not scaled)
cat >"$dir/goals" <<'END'
yield 6 75
spawn+join 40 351
batch 30 240
unbuffered 90 354
across-spinning 1000 0
across-parked 3000 0
buffered-128 25 69
select-2 120 252
poll-2 15 53
mutex 13 17
mutex-100 20 30
timer 40 421
hog-ms 3 0
sleeps-s 2.5 4.9
parked-bytes 4506 0
parked-ns - 0
parked-cold-bytes 1024 0
parked-cold-tables - 0
parked-callback-bytes 160 0
wait - 0
wait-within - 0
wait-cold - 0
END
[ -z "$short" ] || sed -i '/^sleeps-s\|^parked/d' "$dir/goals"
[ ${#names[@]} -gt 0 ] || mapfile -t names < <(cut -d' ' -f1 "$dir/goals")

programs=()
for program in osprey go pthread pth st boost floor; do [ ! -x "$dir/$program" ] || programs+=("$program"); done
missed=0
for processors in 1 2; do
	: >"$dir/figures"
	for ((round = 0; round < rounds; round++)); do
		for program in "${programs[@]}"; do
			case $processors$program in 2pth | 2st | 2boost) continue ;; esac
			# Memory that one row has left would be missing in what another takes: those that look at it begin afresh.
			for set in '^parked-bytes\|^parked-ns' '^parked-c' '^[^p]\|^p[^a]'; do
				mapfile -t rows < <(printf '%s\n' "${names[@]}" | grep "$set")
				[ ${#rows[@]} -eq 0 ] || timeout 300 "$dir/$program" $processors "${rows[@]}" | sed "s/^/$program /" >>"$dir/figures"
			done
		done
	done
	echo "P = $processors, best of $rounds rounds"
	awk -v list="${programs[*]}" '
	NR == FNR { goal[$1] = $2; then_[$1] = $3; order[++n] = $1; next }
	{ key = $2 SUBSEP $1; if (!(key in best) || $3 < best[key]) best[key] = $3 }
	END {
		np = split(list, p, " ")
		printf "%-16s", "row"
		for (i = 1; i <= np; i++) printf " %9s", p[i]
		printf " %9s %9s %9s  %s\n", "Go/ours", "Go then", "goal", "verdict"
		for (r = 1; r <= n; r++) {
			row = order[r]
			if (!((row, "osprey") in best)) continue
			printf "%-16s", row
			for (i = 1; i <= np; i++)
				printf " %9s", (row, p[i]) in best ? sprintf("%.1f", best[row, p[i]]) : "-"
			ours = best[row, "osprey"]; go = best[row, "go"]
			printf " %9s", go && ours ? sprintf("%.1f", go / ours) : "-"
			printf " %9s", then_[row] ? then_[row] : "-"
			if (goal[row] == "-") { print "         -"; continue }
			scaled = then_[row] && go ? goal[row] * go / then_[row] : goal[row]
			printf " %9.1f  %s\n", scaled, ours <= scaled ? "reached" : "MISSED"
			if (ours > scaled) missed++
		}
		exit missed > 0
	}' "$dir/goals" "$dir/figures" || missed=1
done
exit $missed
