#!/bin/bash
# Signals reach the program as if osprey were not there; the exit code says which one ended it; what is
# killed by KILL leaves nobody behind.
. "$(dirname "$0")/run_common"

# until FILE: it has a line; bounded.
until_line() {
	local i
	for i in $(seq 500); do [ -s "$1" ] && return 0; sleep 0.02; done
	wrong "$1 stayed empty"
}
start() { # PROGRAM…: in the background; `pid` is osprey's. It says "ready" first. Without job control
	# a shell starts background jobs with INT and QUIT ignored.
	: >"$scratch/out"
	env --default-signal "$osprey" run "${options[@]}" -- "$@" 9>"$scratch/alive" >"$scratch/out" 2>"$scratch/err" &
	pid=$!
	started+=("$pid")
	until_line "$scratch/out"
}
options=(-q)

for signal in HUP INT QUIT USR1 USR2 ALRM TERM WINCH CONT TSTP URG IO PWR RTMIN RTMAX-3; do
	witness
	start bash -c "trap 'echo got; exit 7' $signal; echo ready; while :; do sleep 0.05; done"
	kill -s $signal "$pid"
	wait "$pid"
	is "$signal: exit code" $? 7
	is "$signal" "$(tr '\n' ' ' <"$scratch/out")" "ready got "
	nobody_left_within 2 "$signal"
done

for signal in HUP INT TERM QUIT USR1; do
	witness
	start sh -c 'ulimit -c 0; echo ready; exec sleep 30'
	kill -s $signal "$pid"
	wait "$pid"
	is "died of $signal: exit code" $? $((128 + $(kill -l $signal)))
	nobody_left_within 2 "died of $signal"
done

# osprey dies of it too, and does not merely exit with 128 and its number: another osprey sees the difference.
# Not as the first process of a pid namespace, which no signal of its own ends; nor of a timeout.
for signal in INT TERM KILL SEGV; do
	"$osprey" run --json --output "$scratch/json" -- "$osprey" run -q -- sh -c "ulimit -c 0; kill -s $signal \$\$" 2>"$scratch/err"
	is "dies of $signal: exit code" $? $((128 + $(kill -l $signal)))
	says json "\"signal\": \"$signal\""
	says json '"core_dumped": false'
done
"$osprey" run --json --output "$scratch/json" -- "$osprey" run -q --timeout 100ms -- sleep 30
is "timeout: exit code" $? 124
says json '"signal": null'
"$osprey" run --json --output "$scratch/json" -- "$osprey" run -q --repeat 3 -- sh -c 'ulimit -c 0; kill -s TERM $$'
says json '"signal": "TERM"'
if unshare -pf true 2>/dev/null; then
	unshare -pf "$osprey" run -q -- sh -c 'ulimit -c 0; kill -s SEGV $$'
	is "the first process: exit code" $? 139
fi

# Repeats end when osprey is asked to, whatever came before.
options=(-q --repeat 100)
witness
start sh -c 'echo ready; sleep 0.2; exit 3'
for i in $(seq 200); do [ "$(wc -l <"$scratch/out")" -ge 2 ] && break; sleep 0.02; done
kill -INT "$pid"
wait "$pid"
is "repeats, INT: exit code" $? 130
nobody_left_within 2 "repeats, INT"
options=(-q)

# What outlives the program and is waited for is ended by a signal that asks osprey to end. (The program ignores it.)
for signal in TERM INT; do
	witness
	env --default-signal "$osprey" run --grace 100ms --leftover wait -- "$tree" daemon 1 leave 9>"$scratch/alive" 2>"$scratch/err" &
	pid=$!
	started+=("$pid")
	for i in $(seq 40); do
		sleep 0.05
		kill -s $signal "$pid" 2>/dev/null || break
	done
	wait "$pid"
	is "waited for, $signal: exit code" $? 0
	nobody_left_within 2 "waited for, $signal"
	says err 'ended +1 that outlived it'
done

# The share of a CPU is that of the time in which all of it ran: no more than there are CPUs.
"$osprey" run --leftover wait -- sh -c '{ i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done; } & :' 2>"$scratch/err"
share=$(sed -n 's/.*, \([0-9]*\)[0-9 .]* % of one CPU$/\1/p' "$scratch/err")
[ "${share:-9999}" -le $((110 * $(nproc --all))) ] || wrong "share of a CPU: $(cat "$scratch/err")"

# Ignored before osprey: ignored by the program too.
(trap '' HUP PIPE; "$osprey" run -q -- sh -c 'grep SigIgn /proc/self/status' >"$scratch/out")
read -r _ ignored <"$scratch/out"
is "HUP and PIPE ignored" $((0x$ignored & 0x1001)) $((0x1001))
"$osprey" run -q -- grep -E 'Sig(Ign|Blk)' /proc/self/status >"$scratch/out"
grep -E 'Sig(Ign|Blk)' /proc/self/status >"$scratch/err"
is "signals ignored and blocked" "$(cat "$scratch/out")" "$(cat "$scratch/err")"

# Stopped and continued, with the caller.
options=(-q)
witness
start bash -c 'echo ready; while :; do sleep 0.05; done'
program=$(ps -o pid= --ppid "$(ps -o pid= --ppid "$pid" | tr -d ' ')" | tr -d ' ')
state_of() { # PID WANTED: the state, once it is that, or what it is in the end
	local i state
	for i in $(seq 100); do
		state=$(cut -d' ' -f3 "/proc/$1/stat")
		[ "$state" = "$2" ] && break
		sleep 0.02
	done
	echo "$state"
}
kill -TSTP "$pid"
is "the program" "$(state_of "$program" T)" T
is "osprey, with it" "$(state_of "$pid" T)" T
kill -CONT "$pid"
is "osprey, continued" "$(state_of "$pid" S)" S
is "the program, continued" "$(state_of "$program" S)" S
kill -STOP "$program"
is "osprey, when the program alone is stopped" "$(state_of "$pid" T)" T
kill -CONT "$program"
is "osprey, when the program alone is continued" "$(state_of "$pid" S)" S
kill -KILL "$program"
wait "$pid"
is "killed program: exit code" $? 137
nobody_left_within 2 "killed program"

# osprey killed by KILL: the program and all below it die at once.
killed() { # NAME WHICH MODE…
	local name=$1 which=$2 victim
	shift 2
	witness
	start sh -c 'echo ready; exec "$0" "$@"' "$tree" "$@"
	sleep 0.1 # the tree grows
	victim=$pid
	[ "$which" = keeper ] && victim=$(pgrep -P "$pid")
	kill -KILL "$victim"
	# A front that has stopped with its program acts when the shell continues it.
	[ "$1" = stopped ] && kill -CONT "$pid" 2>/dev/null
	wait "$pid"
	is "$name: exit code" $? 137
	nobody_left_within 3 "$name"
}
for which in front keeper; do
	for mode in daemon hopper session_hopper "respawn 3" "crowd 20" stopped; do
		# shellcheck disable=SC2086
		killed "$mode, its $which killed" $which $mode
	done
done
says err 'killed by KILL; the program and all below it were killed'

# The whole group at once, as `kill -9 -GROUP` and a shell's `kill -9 %1` do: the keeper is in none of it.
witness
setsid "$osprey" run -q -- "$tree" crowd 5 9>"$scratch/alive" &
pid=$!
started+=("$pid")
for i in $(seq 100); do [ "$(pgrep -c -g "$pid" 2>/dev/null)" -ge 2 ] && break; sleep 0.02; done
kill -KILL -- "-$pid"
wait "$pid"
nobody_left_within 3 "its group killed"

# A shell that becomes osprey by exec keeps the children that it had.
bash -c 'sleep 30 & echo $!; exec "$0" run -q --timeout 200ms --grace 0s -- sleep 20' "$osprey" >"$scratch/out"
is "after exec: exit code" $? 124
kill "$(head -1 "$scratch/out")" || wrong "a child that was there before was ended"

done_checking
