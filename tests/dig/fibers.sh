#!/bin/bash
# Fibers of programs with libospreyrt that know what their fibers do: each state and wait, live, in core files, static, stripped, with the
# shared library, deleted while they run, in containers and with clocks of their own; deadlocks; what the runtime itself lists; and that nobody
# is held up.
# shellcheck disable=SC2016  # what jq is told stands in single quotes
. "$(dirname "$0")/common"
need jq cc perl
target=$build/tests/dig/fibers
export MALLOC_ARENA_MAX=1                # core files of 200 MB tell no more
[ -x "$target" ] || skip "$target is not built"
[ "$(id -u)" = 0 ] || skip "needs root"

# begin PROGRAM ARGUMENT…: to $pid once it stands; its output goes to $scratch/out
begin() {
	: >"$scratch/out"
	"$@" >"$scratch/out" 2>"$scratch/told" </dev/null &
	pid=$!
	started+=("$pid")
	until_true 10 grep -q ready "$scratch/out" || wrong "$1 does not start"
}
json() { "$osprey" fibers --json --no-lines "$@" >"$scratch/json" 2>"$scratch/errors"; code=$?; }
get() { jq -r "$1" "$scratch/json"; }
# Fibers are named after what they wait for; those that do something else are told apart.
mismatched='[.stacks[] | . as $s | .fibers[] | select(.name != null and .name != "blocks" and .name != "computes" and .name != "ends"
	and .name != "ticks" and .name != $s.wait)] | length'
function_of='[.stacks[] | select(.fibers[0].name == "NAME") | .frames[].function] | map(select(. != null)) | join(" ")'
calls() { get "${function_of/NAME/$1}"; }

begin "$target" all
json "$pid"
is "exit code" $code 0
is "the schema" "$(get .schema)" osprey.fibers/1
is "all" "$(get .count)" 27
is "those that run" "$(get .states.running)" 2
is "those to be joined" "$(get .states.ended)" 1
is "those that are not what they are called" "$(get "$mismatched")" 0
is "kinds of waits" "$(get '.waits | keys | length')" 15
has "where receivers stand" "$(calls receive)" "rt_receive.waits receive_job"
has "where the one is whose stack is away" "$(calls event)" "rt_event_wait waits_event"
has "where the one that computes is" "$(calls computes)" "computes"
has "where the one that blocks is" "$(calls blocks)" "blocks"
is "it is in a blocking call" "$(get '[.stacks[].fibers[] | select(.name == "blocks") | .blocked] | first')" true
is "the five with one stack are one" "$(get '[.stacks[] | select(.wait == "receive" and .count == 5)] | length')" 1
is "the channel's length" "$(get '[.stacks[].fibers[] | select(.name == "send") | .object.facts.length] | first')" 2
is "the channel's capacity" "$(get '[.stacks[].fibers[] | select(.name == "send") | .object.facts.capacity] | first')" 2
holder=$(get '[.stacks[].fibers[] | select(.name == "mutex") | .object.facts.owner] | first')
has "the owner of the mutex holds it" "$(get "[.stacks[] | select(.fibers[].id == $holder) | .frames[].function] | map(select(. != null)) | join(\" \")")" holds
is "the mutex has a name" "$(get '[.stacks[].fibers[] | select(.name == "mutex") | .object.variable] | first')" held
has "what the descriptor leads to" "$(get '[.stacks[].fibers[] | select(.name == "read") | .object.leads_to] | first')" unix
is "select's cases" "$(get '[.stacks[].fibers[] | select(.name == "select") | .cases[] | .sends] | sort | map(tostring) | join(" ")')" "false true"
is "who made the scope's fiber" "$(get '[.stacks[] | select(.made_in[0].function == "closes_scope")] | length')" 1
first=$(get '[.stacks[].fibers[] | select(.creator == 0) | .id] | first')
is "who made the others" "$(get "[.stacks[].fibers[] | select(.name == \"receive\") | .creator] | unique | join(\" \")")" "$first"
is "ages go on" "$(get '[.stacks[].fibers[] | select(.name == "receive") | .state_ns > 0 and .age_ns >= .state_ns] | all')" true
is "the one that is cold" "$(get '[.cold, (.stacks[].fibers[] | select(.cold) | .name)] | map(tostring) | join(" ")')" "1 event"
is "no deadlock" "$(get '.deadlock_suspected, (.deadlocks | length)' | tr '\n' ' ')" "false 0 "

# Filters.
json --state running "$pid"
is "running alone" "$(get '[.stacks[].state] | unique | join(" ")')" running
json --wait receive --all "$pid"
is "each by itself" "$(get '([.stacks[] | select(.wait == "receive" and .count == 1)] | length), .shown' | tr '\n' ' ')" "5 5 "
json --function closes_scope "$pid"
is "by function" "$(get .shown)" 2
json --older 1h "$pid"
is "none is so old" "$(get .shown)" 0
run fibers --wait nonsense "$pid"
is "a wait that does not exist" "$code" 2
has "those that do" "$errors" "wait group"
run fibers --no-color --older 1h "$pid"
has "in words" "$output" "None of them is what was asked for."
run fibers --no-color --wait join "$pid"
has "one is shown" "$output" "1 of them is shown."

# In words, and by `stack`.
run fibers --no-color "$pid"
has "the answer first" "$output" "27 fibers on 2 processors"
has "the one that is cold" "$output" "1 of them is cold"
has "whose end is waited for, not where it lies" "$(grep -A2 "waiting: join" <<<"$output" | tail -1)" "the end of fiber "
lacks "an address of a fiber" "$output" "fiber 0x"
has "a variable's name" "$output" "(held), owner fiber"
has "who made them" "$output" "made by fiber $first"
lacks "the runtime's own frames" "$output" "fiber_park"
# What has a source there is what the fiber has called.
is "the runtime's other frames" "$(grep -E '^ +[0-9]+ .* src/[a-z_/]+\.c:[0-9]+$' <<<"$output" | grep -vE '^ +[0-9]+  rt_[a-z_.]+\+')" ""
run fibers --no-color --runtime-frames "$pid"
has "its own frames when asked for" "$output" "fiber_park"
run stack --no-color "$pid"
has "stack knows them" "$output" "27 fibers on 2 processors"
run stack --json "$pid"
is "stack's JSON has them" "$(jq .fibers.count <<<"$output")" 27
run stack --os-threads --no-color "$pid"
lacks "threads when asked for" "$output" "27 fibers"

# It is not held up: the longest gap between the turns of a fiber, beside one without being looked at.
gap() {
	local n
	n=$(grep -c gap "$scratch/out")
	kill -USR1 "$pid"
	until_true 5 eval '[ "$(grep -c gap "$scratch/out")" -gt '"$n"' ]' || wrong "the target says no gap"
	awk '/gap/ { g = $2 } END { print g }' "$scratch/out"
}
gap >/dev/null; sleep 0.3; plain=$(gap)
for _ in 1 2 3; do json "$pid"; done
looked=$(gap)
is "threads that were stopped" "$("$osprey" fibers --no-color "$pid" | grep -c 'nothing was stopped')" 1
echo "longest gap between turns: $plain us undisturbed, $looked us while it was read"
grep -q '^TracerPid:.0$' "/proc/$pid/status" || wrong "it is traced"

# One that is stopped is read as well.
kill -STOP "$pid"
json "$pid"
is "all of one that is stopped" "$(get .count)" 27
is "waits of it" "$(get "$mismatched")" 0
kill -CONT "$pid"

# A core file of it says the same.
if command -v gcore >/dev/null; then
	gcore -o "$scratch/core" "$pid" >/dev/null 2>&1
	json "$scratch/core.$pid"
	is "all in gcore's file" "$(get .count)" 27
	is "waits in gcore's file" "$(get "$mismatched")" 0
	# It gives up a mapping at the first guard in it; then there is no stack, and none is invented.
	stand=$(calls receive)
	[ -z "$stand" ] || has "where receivers stand in it" "$stand" "rt_receive.waits receive_job"
fi
"$osprey" core --output "$scratch/own" "$pid" >/dev/null 2>&1
json "$scratch/own"
is "all in our core file" "$(get .count)" 27
is "waits in our core file" "$(get "$mismatched")" 0
has "where receivers stand in our core file" "$(calls receive)" "rt_receive.waits receive_job"
has "and where the one whose stack is away" "$(calls event)" "rt_event_wait waits_event"
has "where the one that computes is in it" "$(calls computes)" "computes"
stop "$pid"

# Other ways to build: static without any symbols, at a fixed place and at any; with the shared library, and deleted while it runs.
source=tests/dig/targets/fibers.c
for how in -static -static-pie; do
	cc -O1 -D_GNU_SOURCE -Iruntime/include $how -s -o "$scratch/static" $source "$build/runtime/libospreyrt.a" -pthread \
		2>"$scratch/link" || { cat "$scratch/link"; bad=1; }
	begin "$scratch/static" quiet
	json "$pid"
	is "$how and stripped" "$(get .count)" 23
	is "waits of it" "$(get "$mismatched")" 0
	is "frames without names" "$(get '[.stacks[] | select(.wait == "receive") | .frames | length > 2] | all')" true
	run fibers --no-color "$pid"
	has "it says so" "$output" "stripped"
	has "the most frequent waits first" "$output" "waiting: 5 sleep, 5 receive, 1 join"
	stop "$pid"
done

# Of a library that is newer than osprey.
perl -0777 -pe 's/(pyrtroot)\x01\0\0\0/$1\x02\0\0\0/' "$scratch/static" >"$scratch/newer"
chmod +x "$scratch/newer"
begin "$scratch/newer" quiet
run fibers "$pid"
is "exit code of another version" "$code" 3
has "which one" "$errors" "described in version 2, and osprey reads version 1"
run stack --no-color "$pid"
is "its threads are shown" "$code" 0
stop "$pid"

cc -O1 -D_GNU_SOURCE -Iruntime/include -o "$scratch/dynamic" $source -L"$build/runtime" -lospreyrt -Wl,-rpath,"$build/runtime" -pthread
begin "$scratch/dynamic" quiet
rm "$scratch/dynamic"
json "$pid"
is "with the library, deleted" "$(get .count)" 23
is "waits of it" "$(get "$mismatched")" 0
has "its stacks" "$(calls receive)" "rt_receive.waits receive_job"
stop "$pid"

# In a container: another pid namespace, and a program that lies where only it can see.
# The program is the child of unshare.
child_of() { pgrep -P "$1" | head -1; }
mkdir "$scratch/root"
if unshare -fpm --mount-proc true 2>/dev/null; then
	begin unshare -fpm --mount-proc sh -c 'mount -t tmpfs none "$1" && cp "$2" "$1/program" && exec "$1/program" all' - "$scratch/root" "$target"
	outer=$pid pid=$(child_of "$pid")
	is "only it can see its program" "$(ls "$scratch/root")" ""
	json "$pid"
	is "all in a container" "$(get .count)" 27
	is "waits in it" "$(get "$mismatched")" 0
	has "where receivers stand in it" "$(calls receive)" "rt_receive.waits receive_job"
	has "the thread of the one that computes is found by its number inside" "$(calls computes)" "computes"
	is "numbers inside are small" "$(get '[.stacks[].fibers[].tid | numbers | . < 100] | all')" true
	started+=("$pid")
	stop "$pid" "$outer"
fi

# With a clock that is eleven days ahead of ours, or behind.
for offset in 1000000 -1; do
	unshare -T --monotonic "$offset" -f true 2>/dev/null || break
	begin unshare -T --monotonic "$offset" -f "$target" quiet
	outer=$pid pid=$(child_of "$pid")
	json "$pid"
	is "fibers of another time" "$(get .count)" 23
	is "their clock is known" "$(get .clock_known)" true
	is "their ages are ours" "$(get '[.stacks[].fibers[] | select(.name == "receive") | .state_ns > 0 and .age_ns < 60e9] | all')" true
	run fibers --no-color "$pid"
	lacks "times are the usual ones" "$output" "clock"
	started+=("$pid")
	stop "$pid" "$outer"
done
if [ -n "${offset:-}" ] && unshare -T --monotonic 5 -f true 2>/dev/null; then
	# One whose children have another clock than itself: then only theirs is told.
	UNSHARE_TIME=1 begin unshare -T --monotonic 1000000 -f "$target" quiet
	outer=$pid pid=$(child_of "$pid")
	json "$pid"
	is "its clock is not known" "$(get .clock_known)" false
	is "ages are those of its own clock" "$(get '[.stacks[].fibers[].age_ns < 60e9] | all')" true
	run fibers --no-color "$pid"
	has "it says so" "$output" "cannot be told"
	started+=("$pid")
	stop "$pid" "$outer"
fi

# It ends while it is looked at: what was read is shown, or one line says why there is nothing.
for _ in 1 2; do
	begin "$target" many 3000
	{ sleep 0.02; kill -9 "$pid"; } &
	run fibers --no-color "$pid"
	checks=$((checks + 1))
	{ [ "$code" = 0 ] && [[ $output == *fibers* ]]; } || { [ "$code" = 3 ] && [ "$(wc -l <"$scratch/errors")" = 1 ]; } ||
		wrong "code $code of one that ends: $output $errors"
	wait $!
	stop "$pid"
done 2>/dev/null
run fibers "$pid"
is "exit code of one that has ended" "$code" 3
has "it says so" "$errors" "no process"

# Not ours.
begin "$target" quiet
output=$(setpriv --reuid 65534 --clear-groups "$osprey" fibers "$pid" 2>&1)
is "exit code for others" $? 3
has "what is needed" "$output" "CAP_SYS_PTRACE"
stop "$pid"

# One thread, which computes: another is ready and never ran.
begin "$target" hog
json "$pid"
is "ready and running" "$(get '.states.ready, .states.running' | tr '\n' ' ')" "1 1 "
is "it has not run" "$(get '[.stacks[] | select(.state == "ready") | .fibers[0].turns, (.frames | length)] | join(" ")')" "0 0"
is "where it will begin" "$(get '[.stacks[] | select(.state == "ready") | .starts_in[0].function] | first')" ends
stop "$pid"

# A ring of three mutexes, which the runtime cannot see since another fiber sleeps.
begin "$target" ring
json "$pid"
is "exit code of a deadlock" $code 1
is "its ring" "$(get '.deadlocks | length, (.[0] | length)' | tr '\n' ' ')" "1 3 "
run fibers --no-color "$pid"
has "a line for each" "$output" "(ring) waits for mutex 0x"
is "they are those" "$(get '.deadlocks[0] as $d | [.stacks[].fibers[] | select(.id as $i | $d | index($i)) | .name] | unique | join(" ")')" ring
stop "$pid"

# The runtime's own listing of a deadlock, beside its core file.
if [ "$(sysctl -n kernel.core_pattern)" = core ]; then
	(cd "$scratch" && ulimit -c unlimited && "$target" deadlock >/dev/null 2>"$scratch/told"; true) 2>/dev/null
	mv "$scratch"/core* "$scratch/dead" 2>/dev/null
fi
if [ -e "$scratch/dead" ]; then
	json "$scratch/dead"
	is "exit code" $code 1
	sed -nE 's/^fiber ([0-9]+).*(0x[0-9a-f]+)$/\1 \2/p' "$scratch/told" | sort >"$scratch/listed"
	get '.stacks[].fibers[] | select(.object) | "\(.id) \(.object.address)"' | sort >"$scratch/read"
	is "fibers that it told" "$(wc -l <"$scratch/listed")" 5
	cmp -s "$scratch/listed" "$scratch/read" || wrong "the runtime lists $(cat "$scratch/listed"), and the core $(cat "$scratch/read")"
fi

# A core file whose program is gone, and what is neither.
run fibers --no-color --executable /nonexistent "$scratch/dead"
[ ! -e "$scratch/dead" ] || has "why there are no names" "$output" "Functions have no names: "
start sh -c 'true & exec sleep 100'
dead=
# shellcheck disable=SC2317  # until_true calls it
has_dead_child() { dead=$(pgrep -P "${started[-1]}") && grep -q '^State:.Z' "/proc/$dead/status"; }
until_true 5 has_dead_child
run fibers "${dead:-0}"
has "one that nobody has waited for" "$errors" "it has no memory"

# A process without the runtime: one line.
start sleep 100
run fibers "${started[-1]}"
is "exit code without fibers" "$code" 3
is "one line" "$(wc -l <"$scratch/errors")" 1
has "which says why" "$errors" "libospreyrt"
end
