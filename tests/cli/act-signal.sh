#!/bin/bash
# osprey signal: ends, stops and looks, whole trees and cgroups, and never the next owner of a pid.
# Every process is the test's own.
# shellcheck disable=SC2015,SC2016  # short circuits are meant; the inner shells expand
. "$(dirname "$0")/act-common"
state() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -c1; }
# until_state PID LETTERS
until_state() {
	for _ in $(seq 100); do [[ $2 == *"$(state "$1")"* ]] && return 0; sleep 0.02; done
	return 1
}
run() { output=$("$osprey" signal "$@" 2>&1); code=$?; }

name=act$$s # a name that nobody else has
cp "$(command -v sleep)" "$work/$name"

# ---- one process ----
start "$work/$name" 900
run --dry-run "$last"
is "dry run" "$code" 0; has "dry run" "$output" "would get TERM"
[ -n "$(state "$last")" ] || fail "a dry run ended it"
run "$last"
is "TERM" "$code" 0; has "TERM" "$output" "TERM sent; ended after"
wait "$last" 2>/dev/null; is "its end" $? 143
run "$last"
is "a pid that is gone" "$code" 3; has "a pid that is gone" "$output" "no process $last"

# ---- one that ignores TERM ----
start bash -c 'trap "" TERM; echo ready >"$0"; while :; do read -rt 1 <> <(:); done' "$work/ready"
for _ in $(seq 100); do [ -s "$work/ready" ] && break; sleep 0.02; done
run --grace 200ms --no-kill "$last"
is "no kill" "$code" 3; has "no kill" "$output" "not ended after 200 ms"; has "no kill" "$output" "--signal KILL $last"
run --grace 200ms "$last"
is "grace" "$code" 0; has "grace" "$output" "not ended after 200 ms; KILL sent; ended"
wait "$last" 2>/dev/null; is "its end" $? 137

# ---- stop, go on, end while stopped ----
start "$work/$name" 900
run --signal STOP "$last"
has "STOP" "$output" "undo: osprey signal --signal CONT $last"
until_state "$last" T || fail "not stopped"
run -s sigcont "$last"
until_state "$last" S || fail "does not go on"
run -s 19 "$last"
until_state "$last" T || fail "not stopped by number"
run --signal 0 "$last"; is "signal 0" "$code" 0
run "$last"
is "one that is stopped" "$code" 0; has "one that is stopped" "$output" "CONT since it was stopped; ended"

# ---- names ----
start "$work/$name" 900; a=$last
start "$work/$name" 200; b=$last
run "$name"
is "an ambiguous name" "$code" 2; has "an ambiguous name" "$output" "$a $work/$name 900"; has "an ambiguous name" "$output" "--all"
run --match "$name 20+"
is "an expression" "$code" 0; has "an expression" "$output" "$b ($name)"
[ -n "$(state "$a")" ] || fail "the expression hit another"
run --all --user "$(id -u)" "$name"; is "a user's" "$code" 0
run "${name}x"
is "no such name" "$code" 3; has "no such name" "$output" "nothing was done"
run --match '('; is "no expression" "$code" 2
long=act$$-with-a-long-name
cp "$work/$name" "$work/$long"
start "$work/$long" 900
run "${long}r"; is "a long name that is none" "$code" 3
run "$long"; is "a long name" "$code" 0
# One that has ended, and is not waited for: not before its parent is a program that waits for nobody.
start bash -c 'until grep -qx sleep "/proc/$$/comm"; do sleep 0.01; done & echo $! >"$0"; exec sleep 900' "$work/child"
for _ in $(seq 100); do [ -s "$work/child" ] && break; sleep 0.02; done
child=$(cat "$work/child")
until_state "$child" Z || fail "no zombie"
for number in 0 TERM KILL; do
	run --signal $number "$child"
	is "a zombie" "$code" 0; has "a zombie" "$output" "had ended already"; has "a zombie" "$output" "its parent $last"
done
run 1; is "pid 1" "$code" 2; has "pid 1" "$output" "--force"
run --dry-run --match "signal --dry-run --match"; is "osprey itself" "$code" 3
run --signal NOPE 1; is "no signal" "$code" 2
start "$work/$name" 900
output=$("$osprey" signal --json "$last"); is "JSON" $? 0
if command -v jq >/dev/null; then
	is "JSON" "$(jq -c '[.schema,.signal,.processes[0].pid,.processes[0].ended]' <<<"$output")" "[\"osprey.signal/1\",\"TERM\",$last,true]"
fi

# ---- a tree that forks all the while ----
start bash -c 'echo $$ >"$0"; f() { bash -c "exec -a '"$name"' sleep 900 & sleep 0.01"; }; while :; do f; done' "$work/pid"
for _ in $(seq 100); do [ "$(pgrep -cf "^$name" || true)" -gt 3 ] && break; sleep 0.02; done
# The sleeps have lost their parent by now: no tree has them. Their shell's descendants end.
run --tree "$last"
is "a forking tree" "$code" 0
wait "$last" 2>/dev/null
pkill -9 -f "^$name 900|^$name" 2>/dev/null
start bash -c 'bash -c "sleep 900 & sleep 900 & wait" & bash -c "sleep 900 & wait" & wait'
top=$last
for _ in $(seq 100); do [ "$(pgrep -cP "$(pgrep -d, -P "$top")" 2>/dev/null || true)" = 3 ] && break; sleep 0.02; done
tree=$(echo "$top"; pgrep -P "$top"; pgrep -P "$(pgrep -d, -P "$top")")
is "the tree" "$(wc -w <<<"$tree")" 6
run --tree --signal KILL "$top"
is "a tree" "$code" 0; is "a tree" "$(wc -l <<<"$output")" 6
for pid in $tree; do until_state "$pid" "Z" || [ -z "$(state "$pid")" ] || fail "$pid of the tree lives"; done

# ---- a pid that another process has now: in a pid namespace of its own ----
if unshare -pf --mount-proc true 2>/dev/null; then
	# shellcheck disable=SC2016
	unshare -pf --mount-proc bash -c '
		sleep 900 & first=$!
		start=$(cut -d" " -f22 /proc/$first/stat)
		kill -9 $first; wait $first 2>/dev/null
		sleep 0.02
		echo $((first - 1)) >/proc/sys/kernel/ns_last_pid
		sleep 900 & second=$!
		[ $first = $second ] || { echo "skip"; exit 0; }
		'"$osprey"' signal --dry-run $second && kill -9 $second' >"$work/reuse" 2>&1 || fail "in a pid namespace: $(cat "$work/reuse")"
	# /proc of another namespace is refused: its pids would be others here.
	output=$(unshare -pf "$osprey" signal -s 0 1 2>&1); is "a foreign /proc" $? 3
	has "a foreign /proc" "$output" "another pid namespace"
fi

# ---- cgroups ----
for mount in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/pids; do
	[ -e "$mount/cgroup.procs" ] && mkdir "$mount/$name" 2>/dev/null || continue
	groups+=("$mount/$name/below" "$mount/$name")
	mkdir "$mount/$name/below"
	start bash -c 'echo $$ >"$0"; while :; do "$1" 900 & read -rt 0.01 <> <(:); done' "$mount/$name/below/cgroup.procs" "$work/$name"
	for _ in $(seq 100); do [ "$(wc -l <"$mount/$name/below/cgroup.procs")" -gt 5 ] && break; sleep 0.02; done
	run --cgroup "$mount/$name" --dry-run
	is "$mount: dry run" "$code" 0
	run --cgroup "$mount/$name" --signal KILL
	is "$mount" "$code" 0
	for _ in $(seq 50); do [ -z "$(cat "$mount/$name/below/cgroup.procs")" ] && break; sleep 0.02; done
	is "$mount: what is left" "$(cat "$mount/$name/below/cgroup.procs")" ""
	run --cgroup "$mount/$name"
	is "$mount: an empty one" "$code" 0
done
run --cgroup /no/such/cgroup; is "no cgroup" "$code" 3
exit $failed
