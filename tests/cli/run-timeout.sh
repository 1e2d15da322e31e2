#!/bin/bash
# No process survives a timeout: whatever it does to its parent, session, group, signals, and while it forks.
. "$(dirname "$0")/run_common"

ends() { # NAME RUN-OPTION… -- MODE…: ended by its timeout with 124, nobody is left, and in time
	local name=$1 options=() start took code
	shift
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	witness
	start=$(date +%s%N)
	timeout -k 1 30 "$osprey" run -q "${options[@]}" -- "$tree" "$@" 9>"$scratch/alive" >"$scratch/out" 2>"$scratch/err"
	code=$?
	took=$((($(date +%s%N) - start) / 1000000))
	is "$name: exit code" $code 124
	# Gone before osprey ends, so the end of file is there already.
	nobody_left_within 1 "$name"
	[ $took -lt 9000 ] || wrong "$name took $took ms"
	echo "$name: $took ms"
}

for mode in daemon hopper session_hopper "respawn 5" "crowd 50" stopped; do
	# shellcheck disable=SC2086  # a mode has a number
	ends "$mode" --timeout 300ms --grace 100ms -- $mode
done
ends "at once" --timeout 200ms --grace 0s -- respawn 3
ends "CPU of a tree" --cpu-timeout 400ms --grace 100ms -- burn 2
ends "CPU of children that nobody waits for" --cpu-timeout 600ms --grace 100ms -- unwaited

# Who leaves when asked has the time of the grace, and no KILL.
start=$(date +%s%N)
"$osprey" run -q --timeout 1500ms --grace 20s -- bash -c 'trap "echo asked; exit 0" TERM; while :; do sleep 0.05; done' >"$scratch/out"
is "asked: exit code" $? 124
says out '^asked$'
[ $((($(date +%s%N) - start) / 1000000)) -lt 12000 ] || wrong "the whole grace was waited for"

# Another signal first.
"$osprey" run -q --timeout 1500ms --grace 20s --signal USR1 -- \
	bash -c 'trap "echo usr1; exit 0" USR1; trap "" TERM; while :; do sleep 0.05; done' >"$scratch/out"
says out '^usr1$'

# In time: nothing happens to it.
"$osprey" run -q --timeout 20s true
is "in time: exit code" $? 0

# A timeout bounds what outlives the program too: it ends with it …
witness
"$osprey" run --timeout 20s --grace 100ms -- "$tree" daemon 1 leave 9>"$scratch/alive" 2>"$scratch/err"
is "outlived: exit code" $? 0
nobody_left_within 1 outlived
says err 'ended +[0-9]+ that outlived it'
# … unless it is to be waited for, until the timeout …
witness
"$osprey" run -q --timeout 500ms --grace 100ms --leftover wait -- "$tree" daemon 1 leave 9>"$scratch/alive"
is "waited for: exit code" $? 124
nobody_left_within 1 "waited for"
# … or left, which is told.
"$osprey" run --leftover leave -- sh -c 'setsid sleep 30 & echo $! >"$0"; :' "$scratch/pid" 2>"$scratch/err"
is "left: exit code" $? 0
says err 'left +1 still running: [0-9]+ \((sleep|setsid|sh)\)'
kill "$(cat "$scratch/pid")" || wrong "it was not left"

done_checking
