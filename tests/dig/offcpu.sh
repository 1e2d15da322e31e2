#!/bin/bash
# Blocked time of a program whose waits are known: how long, where, for what, and who ended them.
. "$(dirname "$0")/common"
need cc
[ "$(id -u)" = 0 ] || skip "needs root"
"$osprey" offcpu $$ --for 10ms >/dev/null 2>"$scratch/err" || skip "$(head -1 "$scratch/err")"
[ "$(uname -m)" = x86_64 ] || skip "user stacks need x86-64"
cc -O2 -fomit-frame-pointer -pthread -o "$scratch/target" tests/dig/offcpu_target.c || { echo "the target does not build"; exit 1; }

of() { jq -r "$1" "$scratch/json"; }
# attached PID: it has loaded its programs and waits for what they tell.
attached() {
	local i
	for i in $(seq 200); do
		grep -qE 'poll' "/proc/$1/wchan" 2>/dev/null && return 0
		kill -0 "$1" 2>/dev/null || return 1
		sleep 0.05
	done
	wrong "osprey does not come to rest"
}
mkfifo "$scratch/in" "$scratch/out"
"$scratch/target" 10 <"$scratch/in" >"$scratch/out" & target=$!
started+=("$target")
exec 8>"$scratch/in" 9<"$scratch/out"

# By thread, from before its threads are until after they have ended.
"$osprey" offcpu "$target" --threads --for 60 --json >"$scratch/json" 8>&- 9<&- & watcher=$!
started+=("$watcher")
attached "$watcher"
echo >&8
read -r -u 9 rounds
kill -INT "$watcher"
wait "$watcher"; is "exit code" $? 0
is "rounds" "$rounds" 10
is "schema" "$(of .schema)" osprey.offcpu/1
# Where a first process is hidden from tracing some events are not seen: what they belong to is counted, none goes silently.
lost=$(of .lost) wakers_lost=$(of .wakers_lost)
within "lost" "$((lost + wakers_lost))" 0 4
# row THREAD FUNCTION FILTER: of the waits of a thread with a function in their stack
row() { of "[.rows[] | select(.thread == \"$1\" and ([.stack[].function] | index(\"$2\")))] | $3"; }
naps=$(row napper nap_here 'map(.count) | add')
within "naps" "$naps" $((10 - lost)) 10
within "time of naps" "$(row napper nap_here 'map(.total_ns) | add')" $((naps * 50000000)) 5000000000
is "naps are by trade" "$(row napper nap_here 'all(.by_trade)')" true
is "what naps wait for" "$(row napper nap_here '.[0].waits_for')" "time to pass"
within "naps that an interrupt ends" "$(row napper nap_here '[.[].wakers[] | select(.kind == "interrupt") | .count] | add')" \
	$((naps - wakers_lost)) "$naps"
is "wakers of naps that are no interrupt" "$(row napper nap_here '[.[].wakers[] | select(.kind != "interrupt" and .kind != "unknown") | .name] | join(",")')" ""
[ "$bad" = 0 ] || of '[.rows[] | select(.thread == "napper")]'
# After the signal it waits for the mutex, which the giver holds: long, when that one has no CPU. That is not counted here.
gifts() { row getter wait_for_gift "map(select(.waits_for == \"a condition: another thread's signal\") | .$1) | add"; }
within "waits for the gift" "$(gifts count)" $((10 - lost)) 11
within "time of these" "$(gifts total_ns)" $(((10 - lost) * 25000000)) 5000000000
is "they are not by trade" "$(row getter wait_for_gift 'any(.by_trade)')" false
is "what they wait for" "$(row getter wait_for_gift '.[0].waits_for')" "a condition: another thread's signal"
is "the call" "$(row getter wait_for_gift '.[0].call')" futex
is "who gives" "$(row getter wait_for_gift '.[0].wakers[0].name')" giver
is "from where" "$(row getter wait_for_gift '.[0].wakers[0].stack | map(.function) | index("give_gift") != null')" true
is "stacks are whole" "$(row getter wait_for_gift '.[0].stack[-1].function')" "$(row napper nap_here '.[0].stack[-1].function')"
is "states" "$(of '[.rows[].state] | unique | join(",")')" S
is "no wait is longer than its sum" "$(of '[.rows[] | select(.max_ns > .total_ns)] | length')" 0
is "no wait is shorter than asked" "$(of '[.rows[] | select(.total_ns < .count * 1000000)] | length')" 0
is "wakers end all of them" "$(of '[.rows[] | select(([.wakers[].count] | add) != .count)] | length')" 0

# What has not ended: the target waits for a line from before the watch until after it.
"$osprey" offcpu "$target" --for 0.5 --json >"$scratch/json"
is "a wait that has not ended" "$(of '.rows | map(.still_blocked) | add')" 1
within "how long" "$(of '.rows[0].total_ns')" 500000000 "$(of .elapsed_ns)"
is "for what" "$(of '.rows[0].waits_for')" "data in a pipe"
is "where" "$(of '.rows[0].stack | map(.function) | index("main") != null')" true
is "nobody has ended it" "$(of '.rows[0].wakers | map(.kind) | join(",")')" still_blocked
"$osprey" offcpu "$target" --for 0.1 --state D --json >"$scratch/json"
is "none is uninterruptible" "$(of '.rows | length')" 0
LC_ALL=C COLUMNS=80 "$osprey" offcpu "$target" --for 0.1 --no-color >"$scratch/text"
holds "the answer" "$scratch/text" "^target \[$target\]: blocked for .* in .*\."
holds "the frame" "$scratch/text" "^      main target"
is "lines longer than 80 columns" "$(awk 'length($0) > 80' "$scratch/text" | wc -l)" 0
"$osprey" offcpu "$target" --for 0.1 --folded >"$scratch/folded"
holds "a folded stack" "$scratch/folded" "^target \[$target\];.*;main;.* [0-9]{8,}$"
"$osprey" offcpu "$target" --for 0.1 --svg -o "$scratch/svg" >"$scratch/text" 2>/dev/null
holds "a picture" "$scratch/svg" '</svg>'
holds "and the answer" "$scratch/text" "blocked for"

# It ends meanwhile.
"$osprey" offcpu "$target" --for 60 --no-color >"$scratch/text" 8>&- 9<&- & watcher=$!
started+=("$watcher")
attached "$watcher"
echo >&8
wait "$watcher"; is "exit code when it has ended" $? 0
has "that it has" "$(tr -s '\n ' ' ' <"$scratch/text")" "has ended meanwhile"
exec 8>&- 9<&-; wait "$target"; is "the target is well" $? 0

# Mistakes.
"$osprey" offcpu 4194303 2>"$scratch/err"; is "exit code without the process" $? 3
holds "why" "$scratch/err" "there is no process 4194303"
# A child that nobody waits for, as the program that its parent has become does not.
sh -c 'true & exec sleep 1000' & parent=$!
started+=("$parent")
zombie() { read -r dead _ </proc/$parent/task/$parent/children && grep -q '^State:.Z' "/proc/$dead/status"; }
until_true 5 zombie
for command in offcpu profile trace; do
	"$osprey" $command "$dead" >/dev/null 2>"$scratch/err"; is "exit code of $command of a zombie" $? 3
	holds "what $command says" "$scratch/err" "process $dead has ended: a zombie that its parent, $parent, has not waited for"
done
"$osprey" offcpu nobody 2>/dev/null; is "exit code of no PID" $? 2
"$osprey" offcpu --svg --json 2>/dev/null; is "exit code of two forms" $? 2
"$osprey" offcpu --cgroup /no/such 2>/dev/null; is "exit code without the cgroup" $? 2
if [ "$(cat /proc/sys/kernel/unprivileged_bpf_disabled 2>/dev/null)" != 0 ] && command -v setpriv >/dev/null; then
	cp "$osprey" "$scratch/osprey" && chmod 755 "$scratch" "$scratch/osprey"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$scratch/osprey" offcpu 2>"$scratch/err"; is "exit code without the right" $? 3
	holds "what is missing" "$scratch/err" 'not measurable: .*CAP_BPF and CAP_PERFMON'
fi
end
