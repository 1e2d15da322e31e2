#!/bin/bash
# osprey priority and osprey pin against renice, chrt, ionice and taskset: what they set is what those
# read, and what was before comes back.
# shellcheck disable=SC2015,SC2016  # short circuits are meant; the inner shells expand
. "$(dirname "$0")/act-common"
need chrt ionice taskset renice ps python3
[ "$(nice)" = 0 ] && renice -n 1 $$ >/dev/null && renice -n 0 $$ >/dev/null 2>&1 || skip "needs nice 0 and CAP_SYS_NICE"

# A process of five threads, the second of which has values of its own.
cat >"$work/threads" <<'PYTHON'
import ctypes, os, sys, threading, time
def own():
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 4)
    os.sched_setaffinity(threading.get_native_id(), [0])
    open(sys.argv[1], "w").write("x")
    time.sleep(900)
threading.Thread(target=own, daemon=True).start()
for i in range(3): threading.Thread(target=time.sleep, args=(900,), daemon=True).start()
time.sleep(900)
PYTHON
start python3 "$work/threads" "$work/ready"; pid=$last
for _ in $(seq 250); do [ -s "$work/ready" ] && [ "$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)" = 5 ] && break; sleep 0.02; done
nices() { ps -L -o ni= -p "$pid" | sort -n | uniq -c | awk '{ printf "%s%sx%s", s, $2, $1; s = "," }'; }
policies() { chrt -ap "$pid" | sed -n 's/.*policy: SCHED_//p' | sort | uniq -c | awk '{ printf "%s%sx%s", s, $2, $1; s = "," }'; }
# Of no class the level says nothing; kernels before 6.0 show one that cannot be set.
classes() { for t in "/proc/$pid/task"/*; do ionice -p "${t##*/}"; done | sed 's/none: prio .*/none/' | sort | uniq -c | sed 's/^ *//; s/ / of /' | paste -sd,; }
cpus() { taskset -acp "$pid" | sed 's/.*: //' | sort | uniq -c | awk '{ printf "%s%sx%s", s, $2, $1; s = "," }'; }
is "the threads" "$(nices)" "0x4,4x1"

# ---- nice ----
run priority --nice 10 --dry-run "$pid"
is "dry run" "$code" 0; has "dry run" "$output" "dry run"; is "dry run" "$(nices)" "0x4,4x1"
[ ! -e "$work/state" ] || fail "a dry run made a journal"
run priority --nice 10 "$pid"
is "nice" "$code" 0; is "nice" "$(nices)" "10x5"
has "nice" "$output" "nice of $pid (python3): 0 (4 threads), 4 (1 thread) -> 10 (5 threads); undo: osprey priority --undo $(change_id)"
run priority --nice 10 "$pid"; has "again" "$output" "already"
run priority "$pid"; has "shown" "$output" "10  other"
run priority --undo; is "undo" "$code" 0; is "undo" "$(nices)" "0x4,4x1"
run priority --nice 6 "$pid"; change=$(change_id)
renice -n 9 -p "$pid" >/dev/null
run priority --undo "$change"
is "a third hand" "$code" 3; has "a third hand" "$output" "is 9, not 6"
is "a third hand" "$(nices)" "0x3,4x1,9x1"
run priority --list; has "list" "$output" "changed since: 9"
run priority --undo "$change" --force; is "forced" "$(nices)" "0x4,4x1"

# ---- one above the other ----
run priority --nice 5 "$pid"; first=$(change_id)
run priority --nice 6 "$pid"; second=$(change_id)
run priority --undo "$first"; is "order" "$code" 3; has "order" "$output" "--undo $second comes first"
run priority --undo all; is "all" "$code" 0; is "all" "$(nices)" "0x4,4x1"
run priority --undo all; has "nothing" "$output" "nothing to undo"
run pin --undo "$first"; is "another's change" "$code" 2; has "another's change" "$output" "osprey priority --undo $first"
run priority --undo 999; is "no change" "$code" 2
run priority --undo x; is "no id" "$code" 2

# ---- policy, I/O, OOM ----
run priority --policy batch "$pid"; is "policy" "$(policies)" "BATCHx5"
run priority --policy idle "$pid"; is "policy" "$(policies)" "IDLEx5"
run priority --undo all; is "policy" "$(policies)" "OTHERx5"
if chrt -r 1 true 2>/dev/null; then
	run priority --policy rr:3 "$pid"; is "rr" "$(policies)" "RRx5"
	is "rr" "$(chrt -p "$pid" | sed -n 's/.*priority: //p')" 3
	run priority --undo; is "rr" "$(policies)" "OTHERx5"; is "nice after rr" "$(nices)" "0x4,4x1"
fi
before=$(classes)
run priority --io idle "$pid"; is "I/O" "$(classes)" "5 of idle"
run priority --io best-effort:2 "$pid"; is "I/O" "$(classes)" "5 of best-effort: prio 2"
run priority --undo all; is "I/O" "$(classes)" "$before"
run priority --oom 321 "$pid"; is "OOM" "$(cat "/proc/$pid/oom_score_adj")" 321
run priority --undo; is "OOM" "$(cat "/proc/$pid/oom_score_adj")" 0
for wrong in "--nice 20" "--nice x" "--policy fifo" "--policy rr:0" "--io never" "--oom 1001"; do
	# shellcheck disable=SC2086
	run priority $wrong "$pid"; is "$wrong" "$code" 2; has "$wrong" "$output" "nothing was changed"
done

# ---- CPUs ----
before=$(cpus)
run pin --cpus 0 "$pid"; is "pin" "$(cpus | sed 's/x.*//')" 0; is "pin" "$(cpus)" "0x5"
run pin "$pid"; has "pin shown" "$output" "$pid  0"
run pin --undo; is "pin undone" "$(cpus)" "$before"
run pin --cpus 4095 "$pid"; is "no such CPU" "$code" 3; has "no such CPU" "$output" "4095"
run pin --cpus 0-4095 "$pid"; [ "$code" = 0 ] || fail "more CPUs than there are: $output"
run pin --undo all; is "pin undone" "$(cpus)" "$before"
run pin --cpus 3-1 "$pid"; is "no list" "$code" 2
output=$("$osprey" pin --json "$pid")
if command -v jq >/dev/null; then is "JSON" "$(jq -r '.processes[0].threads' <<<"$output")" 5; fi

# ---- what has ended, and whose pid another has ----
start sleep 900; short=$last
run priority --nice 3 "$short"; change=$(change_id)
kill -9 "$short"; wait "$short" 2>/dev/null
run priority --undo "$change"; is "ended" "$code" 0; has "ended" "$output" "has ended; change $change is obsolete"
run priority --nice 3 "$short"; is "ended" "$code" 3
if unshare -pf --mount-proc true 2>/dev/null; then
	# shellcheck disable=SC2016
	unshare -pf --mount-proc bash -c '
		sleep 900 & first=$!
		'"$osprey"' priority --nice 3 $first >/dev/null || exit 1
		kill -9 $first; wait $first 2>/dev/null
		sleep 0.05
		echo $((first - 1)) >/proc/sys/kernel/ns_last_pid
		sleep 900 & second=$!
		[ $first = $second ] || exit 0
		renice -n 3 $second >/dev/null
		'"$osprey"' priority --undo
		[ "$(ps -o ni= -p $second)" -eq 3 ] || echo "the next owner of the pid was hit"
		kill -9 $second' >"$work/reuse" 2>&1 || fail "in a pid namespace"
	grep -q "another process's now" "$work/reuse" || [ ! -s "$work/reuse" ] || fail "the next owner: $(cat "$work/reuse")"
	! grep -q "was hit" "$work/reuse" || fail "$(cat "$work/reuse")"
fi

# ---- the journal under fire ----
start sleep 900; pid=$last
workers=()
for i in 1 2 3 4 5 6; do "$osprey" priority --nice "$i" "$pid" >>"$work/many" 2>&1 & workers+=($!); done
for worker in "${workers[@]}"; do wait "$worker" || fail "one of many at once: $(cat "$work/many")"; done
is "many at once" "$(grep -c 'undo: osprey' "$work/many")" 6
run priority --undo all; is "many at once" "$(ps -o ni= -p "$pid" | tr -d ' ')" 0
# Killed at any moment, what was changed is in the journal.
for delay in 0.001 0.002 0.003 0.004 0.006; do
	timeout -s KILL "$delay" "$osprey" priority --nice 7 "$pid" >/dev/null 2>&1
	run priority --undo all; [ "$code" = 0 ] || fail "undo after a kill: $output"
	is "killed after $delay s" "$(ps -o ni= -p "$pid" | tr -d ' ')" 0
done
# A full disk: nothing is changed that could not be written down.
mkdir "$work/small"
if mount -t tmpfs -o size=16k tmpfs "$work/small" 2>/dev/null; then
	export OSPREY_STATE_DIR=$work/small/state
	run priority --nice 2 "$pid"; is "a small disk" "$code" 0
	head -c 20000 /dev/zero >"$work/small/fill" 2>/dev/null
	for i in $(seq 3 19); do
		now=$(ps -o ni= -p "$pid" | tr -d ' ')
		run priority --nice "$i" "$pid"
		[ "$code" = 0 ] || break
	done
	is "a full disk" "$code" 3; has "a full disk" "$output" "OSPREY_STATE_DIR"
	is "a full disk" "$(ps -o ni= -p "$pid" | tr -d ' ')" "$now"
	rm "$work/small/fill"
	run priority --undo all; is "room again" "$code" 0
	is "room again" "$(ps -o ni= -p "$pid" | tr -d ' ')" 0
	export OSPREY_STATE_DIR=$work/state
fi
chmod o+w "$work/state/changes"
run priority --nice 2 "$pid"; is "a journal that others can write" "$code" 3; has "that" "$output" "can be written by others"
chmod o-w "$work/state/changes"

# ---- an ordinary user ----
if setpriv --reuid 65534 --clear-groups true 2>/dev/null; then
	mkdir -m 0777 "$work/other"; chmod 0755 "$work"
	cp "$osprey" "$work/osprey" # where the repository lies others may not go
	as_other() { output=$(setpriv --reuid 65534 --clear-groups env OSPREY_STATE_DIR="$work/other/state" "$work/osprey" "$@" 2>&1); code=$?; }
	as_other priority --nice 5 "$pid"; is "another's process" "$code" 3; has "another's process" "$output" "CAP_SYS_NICE"
	as_other signal "$pid"; is "another's process" "$code" 3; has "another's process" "$output" "CAP_KILL"
	start setpriv --reuid 65534 --clear-groups sleep 900; own=$last
	for _ in $(seq 100); do [ "$(stat -c %u "/proc/$own")" = 65534 ] && [ "$(cat "/proc/$own/comm")" = sleep ] && break; sleep 0.02; done
	as_other priority --nice 5 "$own"; is "one's own" "$code" 0; has "one's own" "$output" "setting it back will need CAP_SYS_NICE"
	as_other priority --undo; is "one's own" "$code" 3; has "one's own" "$output" "RLIMIT_NICE"
fi
exit $failed
