#!/bin/bash
# the scheduler, channels, locks and timers beside Go, threads, GNU Pth, State Threads and Boost.Fiber, at P = 1 and 2
#
# usage: runtime/bench/core.sh [--rounds N] [--short] [--fibers N] [ROW…]
#   --rounds N  each program runs so often, in turn, and its best figure counts (3; with LONG 5). Rows of many fibers run once
#   --short     without the rows of many fibers
#   --fibers N  how many those have; else a million (5 GB of memory), and cold-… and callback-… 300 000
# With LONG in the environment all of those have a million, and run at P = 2 too.
#
# Columns are nanoseconds (milliseconds of -ms, seconds of -s, bytes of -bytes); CPU time of the process at P = 1, wall time at
# P = 2 and where a row waits. A goal was set in one place, where Go's figure is known (of across-…: that of two threads and
# a futex): that of a time which counts here is scaled by what Go, or the futex, takes now. spsc-128 is buffered-128, in which one sends and one receives, against the goal of such channels.
# callback-bytes has no more than files may be open. cold-tables are the page tables beside; wait, wait-within and wait-cold: to
# be woken and wait again, warm, within rt_cold_begin, and cold each time. Exit: 0 all reached, 1 some missed.
set -euo pipefail
# shellcheck source=place
. "$(dirname "${BASH_SOURCE[0]}")/place"
cd "$runtime"
rounds=${long:+5}
rounds=${rounds:-3}
short='' fibers='' names=()
while [ $# -gt 0 ]; do
	case $1 in
	--help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | head -n -1; exit 0 ;;
	--rounds) rounds=$2; shift ;;
	--fibers) fibers=$2; shift ;;
	--short) short=1 ;;
	-*) echo "unknown option: $1 (--help tells)" >&2; exit 2 ;;
	*) names+=("$1") ;;
	esac
	shift
done
many=${fibers:-1000000}
cold=${fibers:-${long:+1000000}}
cold=${cold:-300000}
dir=$(mktemp -d "${TMPDIR:-/tmp}/osprey-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
progress building
of "$build/bench/core"
cp "$build/bench/core" "$dir/osprey"
command -v go >/dev/null && GO111MODULE=off GOCACHE=$dir/cache go build -o "$dir/go" bench/go/core.go
c=(cc -std=gnu17 -D_GNU_SOURCE -O2)
"${c[@]}" -o "$dir/pthread" bench/peers/pthread.c -pthread
"${c[@]}" -o "$dir/floor" bench/peers/floor.c -pthread
"${c[@]}" -o "$dir/pth" bench/peers/pth.c -lpth 2>/dev/null || true
"${c[@]}" -o "$dir/st" bench/peers/st.c -lst 2>/dev/null || true
g++ -O2 -o "$dir/boost" bench/peers/boost.cc -lboost_fiber -lboost_context -pthread 2>/dev/null || true

# name, goal (-: none), the peer where the goal was set (0: not scaled), at which P, the row whose figure it is, the peer (go)
cat >"$dir/rows" <<'END'
yield 6 75 12 yield
spawn+join 40 351 12 spawn+join
batch 30 240 12 batch
unbuffered 90 354 12 unbuffered
across-spinning 1000 2060 2 across-spinning pthread
across-parked 3000 2060 2 across-parked pthread
buffered-128 25 69 12 buffered-128
spsc-128 10 69 12 buffered-128
select-2 120 252 12 select-2
poll-2 15 53 12 poll-2
mutex 13 17 12 mutex
mutex-100 20 30 12 mutex-100
timer 40 421 12 timer
hog-ms 3 0 1 hog-ms
wait - 0 12 wait
wait-within - 0 12 wait-within
wait-cold - 0 12 wait-cold
sleeps-s 2.5 4.9 many sleeps-s
parked-bytes 4506 0 many parked-bytes
parked-ns - 0 many parked-ns
cold-bytes 1024 0 many cold-bytes
cold-tables - 0 many cold-tables
callback-bytes 160 0 many callback-bytes
END
sed -i "s/ many / 1$([ -z "$long" ] || echo 2) /" "$dir/rows"
[ -z "$short" ] || sed -i '/^sleeps-s\|^parked\|^cold\|^callback/d' "$dir/rows"
if [ ${#names[@]} -gt 0 ]; then
	for name in "${names[@]}"; do
		awk -v name="$name" '$1 == name { found = 1 } END { exit !found }' "$dir/rows" || {
			echo "no such row: $name; there are: $(cut -d' ' -f1 "$dir/rows" | tr '\n' ' ')" >&2
			exit 2
		}
	done
	awk -v names="${names[*]}" 'BEGIN { n = split(names, a, " "); for (i = 1; i <= n; i++) wanted[a[i]] = 1 } $1 in wanted' \
		"$dir/rows" >"$dir/wanted"
	mv "$dir/wanted" "$dir/rows"
fi

programs=()
for program in osprey go pthread pth st boost floor; do [ ! -x "$dir/$program" ] || programs+=("$program"); done

# measure PROGRAM PARKED ROW…: what it prints is added to the figures. Not all programs have all rows.
measure()
{
	local program=$1 parked=$2 status=0
	shift 2
	PARKED=$parked timeout 300 "$dir/$program" "$processors" "$@" >"$dir/out" || status=$?
	sed "s/^/$program /" "$dir/out" >>"$dir/figures"
	[ $status = 0 ] || { progress_end; echo "$program failed at P = $processors ($*): exit code $status" >&2; }
}

# table: what was found, and the verdicts.
table()
{
	awk -v list="${programs[*]}" -v p="$processors" -v verdicts="$verdicts" -v partial="$([ "$many" = 1000000 ] || echo 1)" '
	NR == FNR { if (index($4, p)) { goal[$1] = $2; then_[$1] = $3; from[$1] = $5; peer[$1] = $6 == "" ? "go" : $6; order[++n] = $1 }; next }
	{ key = $2 SUBSEP $1; if (!(key in best) || $3 < best[key]) best[key] = $3 }
	function short(f) { return f < 100 ? sprintf("%.1f", f) : f < 1e5 ? sprintf("%.0f", f) : sprintf("%.0fk", f / 1000) }
	function cell(program, text) { printf program == "pthread" ? "%8s" : "%7s", text }
	END {
		np = split(list, program, " ")
		printf "%-15s", "row"
		for (i = 1; i <= np; i++)
			if (program[i] != "floor")
				cell(program[i], program[i])
		printf "%8s%6s %s\n", "Go/ours", "goal", "verdict"
		for (r = 1; r <= n; r++) {
			row = order[r]
			printf "%-15s", row
			for (i = 1; i <= np; i++)
				if (program[i] != "floor")
					cell(program[i], (from[row], program[i]) in best ? short(best[from[row], program[i]]) : "-")
			has = (from[row], "osprey") in best
			ours = best[from[row], "osprey"]; go = best[from[row], "go"]
			printf "%8s", go && ours ? sprintf("%.1f", go / ours) : "-"
			if (goal[row] == "-") { printf "%6s\n", "-"; continue }
			if (row == "sleeps-s" && partial) { printf "%6s of a million\n", "-"; continue }
			now = best[from[row], peer[row]]
			scaled = then_[row] && now ? goal[row] * now / then_[row] : goal[row]
			reached = has && ours <= scaled
			printf "%6s %s\n", short(scaled), reached ? "reached" : has ? "MISSED" : "FAILED"
			printf "%s\tcore, P = %s: %s\t%s\t%.2f\n", reached ? "reached" : "missed", p, row, has ? ours : "none", scaled >> verdicts
			missed += !reached
		}
		for (r = 1; r <= n; r++)
			if ((order[r], "floor") in best)
				printf "%s: %s of it is the machine, which no scheduler can save\n", order[r], short(best[order[r], "floor"])
		exit missed > 0
	}' "$dir/rows" "$dir/figures"
}

missed=0
for processors in 1 2; do
	mapfile -t here < <(awk -v p=$processors 'index($4, p) { print $5 }' "$dir/rows" | sort -u)
	[ ${#here[@]} -gt 0 ] || continue
	mapfile -t quick < <(printf '%s\n' "${here[@]}" | grep -v '^sleeps-s\|^parked\|^cold\|^callback' || true)
	: >"$dir/figures"
	for ((round = 1; round <= rounds && ${#quick[@]} > 0; round++)); do
		for program in "${programs[@]}"; do
			case $processors$program in 2pth | 2st | 2boost) continue ;; esac
			progress "P = $processors, round $round of $rounds: $program"
			measure "$program" "$many" "${quick[@]}"
		done
	done
	# Memory that one row has left would be missing in what another takes: each begins in a process of its own.
	for set in '^sleeps-s' '^parked' '^cold' '^callback'; do
		mapfile -t rows < <(printf '%s\n' "${here[@]}" | grep "$set" || true)
		[ ${#rows[@]} -gt 0 ] || continue
		# The second of two is measured with the first.
		case $set in
		^cold) number=$cold rows=(cold-bytes cold-tables) ;;
		^callback) number=$cold ;;
		^parked) number=$many rows=(parked-bytes parked-ns) ;;
		*) number=$many ;;
		esac
		for program in osprey go floor; do
			case $set$program in ^c*go | ^c*floor) continue ;; esac
			[ -x "$dir/$program" ] || continue
			progress "P = $processors, $number fibers: ${rows[*]} of $program"
			measure "$program" "$number" "${rows[@]}"
		done
	done
	progress_end
	[ $processors = 1 ] || echo
	note=''
	[ ${#here[@]} = ${#quick[@]} ] || note="; sleeps and parked: $many fibers; cold and callback: $cold"
	echo "P = $processors, best of $rounds rounds$note"
	table || missed=1
done
exit $missed
