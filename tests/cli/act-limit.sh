#!/bin/bash
# osprey limit: resource limits against prlimit, cgroup limits against the files, v1 or v2 as it is here.
. "$(dirname "$0")/act-common"
need prlimit
start sleep 900; pid=$last
# is_limit WHAT NAME SOFT HARD
is_limit() { is "$1" "$(prlimit -p "$pid" "--$2" -o SOFT,HARD --noheadings --raw)" "$3 $4"; }
can_raise=
prlimit -p "$pid" --locks=100:100 && prlimit -p "$pid" --locks=unlimited:unlimited 2>/dev/null && can_raise=1

# ---- shown ----
run limit "$pid"
is "shown" "$code" 0
for name in cpu fsize data stack core rss nproc nofile memlock as locks sigpending msgqueue nice rtprio rttime; do
	grep -q "^$name " <<<"$output" || fail "shown: no $name"
done
output=$("$osprey" limit --json "$pid")
if command -v jq >/dev/null; then
	for name in nofile nproc stack core; do
		is "$name" "$(jq -r ".processes[0].limits[] | select(.limit == \"$name\") | \"\(.soft) \(.hard)\"" <<<"$output")" \
			"$(prlimit -p "$pid" "--$name" -o SOFT,HARD --noheadings --raw)"
	done
	is "open files" "$(jq -r '.processes[0].limits[] | select(.limit == "nofile") | .used' <<<"$output")" \
		"$(find "/proc/$pid/fd" -mindepth 1 | wc -l)"
fi

# ---- resource limits ----
hard=$(prlimit -p "$pid" --nofile -o HARD --noheadings --raw) soft=$(prlimit -p "$pid" --nofile -o SOFT --noheadings --raw)
run limit --limit nofile=64: "$pid"
is "soft" "$code" 0; is_limit "soft" nofile 64 "$hard"
has "soft" "$output" "limit nofile of $pid (sleep): $soft:$hard -> 64:$hard; undo: osprey limit --undo $(change_id)"
run limit --limit nofile=64: "$pid"; has "again" "$output" "already"
run limit --undo; is "undo" "$code" 0; is_limit "undo" nofile "$soft" "$hard"
stack=$(prlimit -p "$pid" --stack -o HARD --noheadings --raw)
run limit --limit stack=4M: --limit fsize=3G: --limit nofile=32: "$pid"
is_limit "three at once" stack 4194304 "$stack"
is_limit "three at once" nofile 32 "$hard"
run limit --list; is "list" "$(grep -c 'in force' <<<"$output")" 3
prlimit -p "$pid" --nofile=48:
run limit --undo all; is "a third hand" "$code" 3; is_limit "a third hand" nofile 48 "$hard"
run limit --undo all --force --dry-run; has "forced, dry" "$output" "48:$hard -> $soft:$hard"
is_limit "forced, dry" nofile 48 "$hard"
run limit --undo all --force; is "forced" "$code" 0; is_limit "forced" nofile "$soft" "$hard"
has "forced" "$output" "48:$hard -> $soft:$hard"
run limit --limit nofile=70:60 "$pid"; [ "$code" != 0 ] || fail "a soft limit above the hard one"
run limit --limit nonsense=1 "$pid"; is "no limit" "$code" 2; has "no limit" "$output" "there are:"
run limit --limit locks=10:10 "$pid"
if [ -n "$can_raise" ]; then
	run limit --undo; is "hard" "$code" 0; is_limit "hard" locks unlimited unlimited
else
	has "hard" "$output" "setting it back will need CAP_SYS_RESOURCE"
	run limit --undo; is "hard" "$code" 3; has "hard" "$output" "CAP_SYS_RESOURCE"
fi

# ---- cgroups ----
name=osprey-act-$$
# place CONTROLLER: a cgroup of our own with it, in $group; fails where there is none
place() {
	local mount
	for mount in "/sys/fs/cgroup/$1" /sys/fs/cgroup; do
		[ -e "$mount/cgroup.procs" ] || continue
		[ "$mount" != /sys/fs/cgroup ] || grep -qw "$1" "$mount/cgroup.subtree_control" || continue
		group=$mount/$name
		[ -d "$group" ] || { mkdir "$group" 2>/dev/null && groups+=("$group"); } || continue
		echo "$pid" >"$group/cgroup.procs" 2>/dev/null && return 0
	done
	return 1
}
# changes WHAT FILE WANTED OPTION VALUE: sets it, reads the file, undoes it
changes() {
	local before
	before=$(cat "$group/$2")
	run limit --dry-run "$4" "$5" "$pid"; is "$1: dry run" "$(cat "$group/$2")" "$before"
	run limit "$4" "$5" "$pid"
	is "$1" "$code" 0; has "$1" "$output" " in it)"; is "$1" "$(cat "$group/$2")" "$3"
	run limit --undo; is "$1: undo" "$code" 0; is "$1: undo" "$(cat "$group/$2")" "$before"
}
any=
if place cpu; then
	any=1
	if [ -e "$group/cpu.max" ]; then changes cpu cpu.max "50000 100000" --cpu-limit 0.5
	else changes cpu cpu.cfs_quota_us 50000 --cpu-limit 0.5; fi
fi
if place pids; then
	any=1
	changes pids pids.max 20 --pids-limit 20
	start sleep 900; echo "$last" >"$group/cgroup.procs"
	run limit --pids-limit 1 "$pid"; is "below use" "$code" 3; has "below use" "$output" "--force"; is "below use" "$(cat "$group/pids.max")" max
	run limit --pids-limit 1 --force "$pid"; is "below use" "$(cat "$group/pids.max")" 1
	run limit --undo; is "below use" "$(cat "$group/pids.max")" max
	run limit --pids-limit 30 "$pid" "$last"; is "one cgroup once" "$(grep -c 'undo:' <<<"$output")" 1
	echo 33 >"$group/pids.max"
	run limit --undo; is "a third hand" "$code" 3; is "a third hand" "$(cat "$group/pids.max")" 33
	run limit --undo --force; is "forced" "$(cat "$group/pids.max")" max
fi
if place memory; then
	any=1
	if [ -e "$group/memory.max" ]; then changes memory memory.max 104857600 --memory-limit 100M
	else changes memory memory.limit_in_bytes 104857600 --memory-limit 100M; fi
fi
disk=$(grep -l . /sys/block/*/dev 2>/dev/null | head -1)
if [ -n "$disk" ] && place blkio && [ -e "$group/blkio.throttle.read_bps_device" ]; then
	any=1
	changes io blkio.throttle.read_bps_device "$(cat "$disk") 1048576" --io-limit "$(cat "$disk"):rbps=1M"
elif [ -n "$disk" ] && place io && [ -e "$group/io.max" ]; then
	any=1
	changes io io.max "$(cat "$disk") rbps=1048576 wbps=max riops=max wiops=max" --io-limit "$(cat "$disk"):rbps=1M"
fi
[ -n "$any" ] || echo "no cgroup could be made here: their limits were not tested"

# ---- a cgroup that was made anew ----
if place pids; then
	run limit --pids-limit 25 "$pid"; change=$(change_id)
	while read -r p; do echo "$p" >"${group%/*}/cgroup.procs"; done < <(cat "$group/cgroup.procs")
	rmdir "$group" && mkdir "$group" && echo 25 >"$group/pids.max"
	run limit --undo "$change"
	has "made anew" "$output" "obsolete"; is "made anew" "$(cat "$group/pids.max")" 25
fi
run limit --memory-limit 0 "$pid"; is "no memory" "$code" 2
run limit --pids-limit none "$pid"; is "no number" "$code" 2
run limit --cpu-limit x "$pid"; is "no CPUs" "$code" 2
run limit --memory-limit 100G --dry-run $$
[[ $code = 0 || $output == *"--force"* || $output == *"root cgroup"* || $output == *"no cgroup hierarchy"* ]] || fail "its own cgroup: $output"
exit $failed
