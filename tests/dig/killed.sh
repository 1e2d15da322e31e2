#!/bin/bash
# Each command that digs, killed at random instants of its work: its target lives on, is not stopped or traced, and nothing
# of ours stays in the kernel or on disk. usage: killed.sh [TIMES [COMMAND…]], default 6 each: "stack", "stack --consistent", …
. "$(dirname "$0")/common"
need jq
[ "$(id -u)" = 0 ] || skip "needs root"
times=${1:-6}
[ $# = 0 ] || shift

target_threads 60 8 || exit 1
commands=("stack" "stack --consistent" "locks --for 1" "profile --for 1 -o $scratch/killed.folded" "latency syscall --for 1 --pid"
	"latency futex --for 1 --pid" "count --for 1" "probe --for 1 --pid" "memory --pid"
	"memory --leaks --for 1s --pid" "offcpu --for 1" "trace --for 1" "trace --summary --for 1" "core --force -o $scratch/killed.core")
# The instant is anywhere within what the command takes here: at most this, and less where it ends by itself before.
longest_ms=400
took_ms() { # COMMAND
	local before=$EPOCHREALTIME
	dig "$1" & disown
	until_true 1 is_gone $! || kill -9 $! 2>/dev/null
	awk -v a="$before" -v b="$EPOCHREALTIME" -v most=$longest_ms 'BEGIN { t = (b - a) * 1000; printf "%d", t < most ? t : most }'
}
dig() { # COMMAND: becomes it
	local words program=
	read -ra words <<<"$1"
	[[ $1 != probe* ]] || program="uprobe:$target_program:descend count"
	exec "$osprey" "${words[@]}" "$target_pid" ${program:+"$program"} >"$scratch/out" 2>&1
}

# What could be left: programs, maps and links of BPF by their numbers, uprobes, perf events, files, and processes of ours.
# Others on the machine may use BPF too: what a process that lives holds is not ours, since ours have ended.
in_kernel() {
	if command -v bpftool >/dev/null; then
		bpftool -j prog list | jq -r '.[]? | select(.pids | not) | "program \(.id) \(.name)"'
		bpftool -j link list 2>/dev/null | jq -r '.[]? | select(.pids | not) | "link \(.id)"'
	fi
	cat /sys/kernel/tracing/uprobe_events 2>/dev/null
}
on_disk() { find "${TMPDIR:-/tmp}" -maxdepth 1 -name '*osprey*' ! -path "$scratch" ! -name 'osprey-*.??????' 2>/dev/null; find "$scratch" -name '*killed*'; }
# left BEFORE: what is there now and was not before, and does not go within 2 s; a line each
left() {
	local i now
	for i in $(seq 20); do
		now=$(comm -13 <(sort <<<"$1") <(sort <<<"$(in_kernel)"))
		[ -z "$now" ] && return
		sleep 0.1
	done
	echo "$now"
}
unharmed() { # WHAT
	local status
	status=$(cat "/proc/$target_pid/status" 2>/dev/null) || { wrong "$1: the target is gone"; return; }
	! grep -qE '^State:.[TtZ]' <<<"$status" || wrong "$1: the target is stopped"
	! grep -lE '^State:.[Tt]' /proc/"$target_pid"/task/*/status || wrong "$1: threads are stopped"
	! grep -LE '^TracerPid:.0$' /proc/"$target_pid"/task/*/status | grep -q . || wrong "$1: a thread is traced"
	[ -z "$(cat "/proc/$target_pid/task/$target_pid/children" 2>/dev/null)" ] || wrong "$1: the target has a child"
	! grep -q uprobes "/proc/$target_pid/maps" || wrong "$1: the target has a page for uprobes"
}
ticks() { pauses; echo "$seen_ticks"; }
# shellcheck disable=SC2317  # until_true calls it
ticked_past() { [ "$(ticks)" -gt "$1" ]; }

# kill_once COMMAND WITHIN-MS: false when it had ended before
kill_once() {
	local ours ended after
	after=$(awk -v r=$RANDOM -v w="$2" 'BEGIN { printf "%.4f", r / 32768 * w * 0.8 / 1000 }')
	dig "$1" &
	ours=$!
	disown
	read -rt "$after" -u 7 # to start sleep(1) takes longer than some of them
	kill -9 "$ours" 2>/dev/null
	ended=$?
	until_true 5 is_gone "$ours" || wrong "$1: it does not end"
	return $ended
}

kill_often() {
	local i n=0 within before_kernel before_disk before_ticks
	before_kernel=$(in_kernel)
	before_disk=$(on_disk)
	before_ticks=$(ticks)
	within=$(took_ms "$1")
	for ((i = 0; i < times; i++)); do
		# One that had ended is killed earlier the next time.
		if kill_once "$1" "$within"; then n=$((n + 1)); else within=$((within * 3 / 4 + 1)); fi
		checks=$((checks + 1))
		unharmed "$1"
	done
	is "left in the kernel by $1" "$(left "$before_kernel")" ""
	# A core under way is a file without a name; a finished one is what was asked for.
	rm -f "$scratch"/killed.*
	is "left on disk by $1" "$(comm -13 <(sort <<<"$before_disk") <(on_disk | sort))" ""
	until_true 5 ticked_past "$before_ticks" || wrong "$1: the target does not go on"
	echo "$1: killed $n of $times times within $within ms"
	[ "$n" -gt 0 ] || wrong "$1 always ended before it was killed"
}

exec 7<> <(:)
[ $# = 0 ] || commands=("$@")
for command in "${commands[@]}"; do kill_often "$command"; done
end
