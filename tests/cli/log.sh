#!/bin/bash
# osprey log on this machine: a segfault and an OOM kill in a small cgroup, both made here, are told with the
# right pid and function; following tells them as they come; a user without privilege is told what is missing.
# shellcheck disable=SC2016  # variables of jq
set -euo pipefail
cd "$(dirname "$0")/../.."
osprey=$(realpath "${BUILD:-build}/osprey")
skip() { echo "skip: $*"; exit 77; }
work=$(mktemp -d) cgroup='' follower=''
chmod 755 "$work"
# shellcheck disable=SC2317  # the trap calls it
clean_up() {
	[ -z "$follower" ] || kill "$follower" 2>/dev/null || true
	[ -z "$cgroup" ] || rmdir "$cgroup" 2>/dev/null || true
	rm -rf "$work"
}
trap clean_up EXIT
bad=0 done=0
wrong() { echo "not so: $*"; bad=1; }

# The kernel tells pids as the first namespace numbers them; in another one ours are not to be compared.
same_pids=
[ "$(readlink /proc/self/ns/pid)" != 'pid:[4026531836]' ] || same_pids=yes

# Each kind of event is in the help.
"$osprey" help log >"$work/help"
for kind in $(sed -n 's/^KIND([A-Z_]*, "\([a-z_]*\)".*/\1/p' src/source/kernel_log/kinds.def); do
	grep -qE "[ ,]$kind[,.]|^$kind[,.]" "$work/help" || wrong "help does not name the kind $kind"
done

# ---- without privilege ----
if [ "$(id -u)" = 0 ] && [ "$(cat /proc/sys/kernel/dmesg_restrict)" = 1 ]; then
	cp "$osprey" "$work/osprey"
	status=0
	setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all "$work/osprey" log >"$work/out" 2>"$work/err" || status=$?
	[ "$status" = 3 ] || wrong "the exit status without privilege is $status"
	[ ! -s "$work/out" ] || wrong "without privilege something is told: $(cat "$work/out")"
	grep -q 'CAP_SYSLOG.*dmesg_restrict=0' "$work/err" || wrong "what is missing is not told: $(cat "$work/err")"
	done=1
fi

"$osprey" log --since now >/dev/null 2>"$work/err" || [ $? = 1 ] || skip "the kernel log cannot be read: $(cat "$work/err")"

# ---- without /dev/kmsg ----
# In a mount namespace of its own, /dev/null lies over it, as in containers: syslog(2) tells the history.
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	unshare -m bash -c 'mount --bind /dev/null /dev/kmsg && "$1" log --all; [ $? -le 1 ] && "$1" log --follow' \
		_ "$osprey" >"$work/out" 2>"$work/err" && wrong "following goes on without /dev/kmsg"
	grep -q 'cannot follow' "$work/err" || wrong "why it cannot follow is not told: $(cat "$work/err")"
	"$osprey" log --all >"$work/whole" || [ $? = 1 ]
	# Both end alike, but for what came meanwhile; lines of one record are records there.
	tail -n 50 "$work/whole" | sed 's/^[^ ]* [^ ]* *//' >"$work/whole.end"
	tail -n 60 "$work/out" | sed 's/^[^ ]* [^ ]* *//' >"$work/out.end"
	[ "$(grep -cxFf "$work/whole.end" "$work/out.end")" -ge 40 ] || wrong "syslog(2) tells something else: $(diff "$work/whole.end" "$work/out.end")"
fi

"$osprey" log --follow --json >"$work/followed" 2>"$work/err" &
follower=$!
# It has opened the log when it waits for more.
for _ in $(seq 100); do
	grep -q poll "/proc/$follower/wchan" 2>/dev/null && break
	sleep 0.05
done
events() { "$osprey" log --since 1m --binaries "$work/bin" --json || [ $? = 1 ]; }

# ---- a segfault ----
mkdir "$work/bin"
crash=crash-$$
cat >"$work/crash.c" <<'C'
__attribute__((noinline)) void osprey_wild_store(volatile int *p) { *p = 1; }
int main(void) { osprey_wild_store((volatile int *)0x18); return 0; }
C
if [ "$(cat /proc/sys/debug/exception-trace 2>/dev/null)" != 1 ]; then
	echo "segfaults are not logged here (debug.exception-trace)"
elif ! gcc -O1 -o "$work/bin/$crash" "$work/crash.c" 2>/dev/null; then
	echo "no compiler to make a program that breaks"
else
	"$work/bin/$crash" >/dev/null 2>&1 & victim=$!
	wait "$victim" 2>/dev/null || true
	found() { events | jq -e --arg comm "$crash" --argjson pid "$victim" ".events[] | select(.comm == \$comm and .kind == \"segfault\") | $1" >"$work/found"; }
	found . || wrong "the segfault of $crash is not told"
	[ -z "$same_pids" ] || found '.pid == $pid' || wrong "its pid is not $victim: $(found .pid; cat "$work/found")"
	found '.fault.symbol == "osprey_wild_store"' || wrong "its function is not: $(found .fault; cat "$work/found")"
	found '.fault.address == "0x18" and .fault.code_matches and (.meaning | contains("write to address 0x18, where nothing is mapped"))' ||
		wrong "what it did is not: $(found .meaning; cat "$work/found")"
	# Its time is within the last minute, and not in the future.
	found '(.time | sub("\\.[0-9]+"; "") | fromdate) as $t | (now - $t) > -2 and (now - $t) < 62' || wrong "its time is not: $(found .time; cat "$work/found")"
	# Another file of that name is not taken for it.
	cp "$(type -P true)" "$work/bin/$crash"
	found '.fault.symbol == null and .fault.file_state == "other_file"' || wrong "another file is taken for it: $(found .fault; cat "$work/found")"
	done=1
fi

# ---- an OOM kill ----
memory=/sys/fs/cgroup/memory limit=memory.limit_in_bytes
[ -d $memory ] || { memory=/sys/fs/cgroup limit=memory.max; }
if ! mkdir "$memory/osprey-log-test-$$" 2>/dev/null; then
	echo "no cgroup can be made here"
elif cgroup=$memory/osprey-log-test-$$ && ! echo $((16 << 20)) 2>/dev/null >"$cgroup/$limit"; then
	echo "no memory controller here"
else
	[ ! -e "$cgroup/memory.swap.max" ] || echo 0 >"$cgroup/memory.swap.max"
	[ ! -e "$cgroup/memory.memsw.limit_in_bytes" ] || echo $((16 << 20)) 2>/dev/null >"$cgroup/memory.memsw.limit_in_bytes" || true
	# The shell enters the cgroup and becomes the one that eats: its pid is the victim's.
	bash -c 'echo $$ >"$1/cgroup.procs" && exec python3 -c "b = bytearray(64 << 20)"' _ "$cgroup" >/dev/null 2>&1 & victim=$!
	status=0
	wait "$victim" 2>/dev/null || status=$?
	if [ "$status" != 137 ]; then
		echo "nothing was killed at the limit (status $status)"
	else
		ours="(.kind == \"oom\" and (.oom.limit_cgroup | endswith(\"/osprey-log-test-$$\")))"
		killed() { events | jq -e --argjson pid "$victim" ".events[] | select($ours) | $1" >"$work/found"; }
		killed . || wrong "the kill in $cgroup is not told"
		[ -z "$same_pids" ] || killed '.pid == $pid' || wrong "its pid is not $victim: $(killed .pid; cat "$work/found")"
		killed '.oom.constraint == "cgroup" and .oom.victim_anon_bytes > 1000000' || wrong "its memory is not: $(killed .oom; cat "$work/found")"
		if killed '.oom.limit_bytes != null'; then
			killed '.oom.limit_bytes == 16777216 and (.oom.tasks[0].comm == "python3")' || wrong "its table is not: $(killed .oom; cat "$work/found")"
		fi
		"$osprey" log --since 1m --event oom >"$work/out" || [ $? = 1 ]
		grep -q "osprey-log-test-$$" "$work/out" || wrong "the text does not tell it: $(cat "$work/out")"
		# What followed was told as it came, each once.
		for _ in $(seq 60); do
			grep -q "osprey-log-test-$$" "$work/followed" && break
			sleep 0.1
		done
		[ "$(jq -s "[.[] | select($ours)] | length" "$work/followed")" = 1 ] ||
			wrong "following did not tell the kill once: $(cat "$work/followed" "$work/err")"
		done=1
	fi
fi

# Ctrl-C ends following with an answer, not with a corpse.
kill -INT "$follower"
status=0
wait "$follower" || status=$?
follower=
[ "$status" = 0 ] || [ "$status" = 1 ] || wrong "following ended with $status"
[ "$done" = 1 ] || skip "nothing could be tried here"
exit $bad
