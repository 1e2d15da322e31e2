#!/bin/bash
# signal, priority, pin and limit where no process or thread can be started, no descriptor is left, the
# disk is full: what they do is done and told, what they cannot do is told and not half done.
# shellcheck disable=SC2015  # short circuits are meant
. "$(dirname "$0")/common"
need python3 prlimit ps
export OSPREY_STATE_DIR=$scratch/state
name=burn$$x
cp "$(command -v sleep)" "$scratch/$name"
many() { # NUMBER: as many processes, in $targets
	local i
	targets=()
	for ((i = 0; i < $1; i++)); do "$scratch/$name" 100 & targets+=($!); pids+=($!); done
	for _ in $(seq 200); do [ "$(pgrep -xc "$name")" -ge "$1" ] && return 0; sleep 0.02; done
}
nice_of() { ps -o ni= -p "$1" | tr -d ' '; }

# ---- a pids cgroup that is full ----
many 3
own_cgroup pids
cat >"$scratch/full" <<'FULL'
import os, sys, time
def write(name, text):
    with open(sys.argv[1] + "/" + name, "w") as file: file.write(text)
write("cgroup.procs", str(os.getpid()))
write("pids.max", "4")
try:
    while os.fork(): pass
except BlockingIOError:
    os.execv(sys.argv[2], sys.argv[2:])
time.sleep(3)
FULL
full() { code=0; timeout 20 python3 "$scratch/full" "$cgroup" "$osprey" "$@" >"$scratch/out" 2>"$scratch/err" || code=$?; cat "$scratch/out" "$scratch/err"; }
full priority --nice 7 "${targets[0]}"
[ "$code" = 0 ] && [ "$(nice_of "${targets[0]}")" = 7 ] || wrong "priority: code $code"
full priority --undo
[ "$code" = 0 ] && [ "$(nice_of "${targets[0]}")" = 0 ] || wrong "undo: code $code"
full limit "${targets[0]}"
[ "$code" = 0 ] || wrong "limit: code $code"
full signal --all --match "$scratch/$name 1"
[ "$code" = 0 ] || wrong "signal: code $code"
for pid in "${targets[@]}"; do [[ $(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null) = [ZX] || ! -e /proc/$pid ]] || wrong "$pid lives"; done

# ---- fewer descriptors than processes ----
many 40
for limit in 32 20; do
	prlimit --nofile=$limit:$limit "$osprey" signal --all --signal STOP "$name" >"$scratch/out" 2>"$scratch/err" || wrong "nofile $limit: code $?"
	[ "$(grep -c 'STOP sent' "$scratch/out")" = 40 ] || wrong "nofile $limit: $(cat "$scratch/out" "$scratch/err")"
done
for limit in 10 8 7 6 5; do
	code=0
	prlimit --nofile=$limit:$limit "$osprey" signal --all "$name" >"$scratch/out" 2>"$scratch/err" || code=$?
	echo "nofile $limit: code $code: $(tail -1 "$scratch/err")"
	[ "$code" = 0 ] && break
	[ "$code" = 3 ] || wrong "nofile $limit: code $code"
	[ -s "$scratch/err" ] || wrong "nofile $limit: says nothing"
done
"$osprey" signal --all "$name" >/dev/null 2>&1 || true
[ "$(pgrep -xc "$name" -r S,R,T || true)" = 0 ] || wrong "some live"

# ---- a signal that comes while it waits ----
bash -c 'trap "" TERM; echo >"$0"; while :; do read -rt 1 <> <(:); done' "$scratch/ready" & stubborn=$!; pids+=($!)
for _ in $(seq 200); do [ -e "$scratch/ready" ] && break; sleep 0.02; done
"$osprey" signal --tree --grace 60s $stubborn >"$scratch/out" 2>"$scratch/err" & osprey_pid=$!
for _ in $(seq 200); do grep -q '^State:.*T' "/proc/$stubborn/status" && break; sleep 0.005; done
for _ in $(seq 200); do [ -r "/proc/$osprey_pid/wchan" ] && grep -q poll "/proc/$osprey_pid/wchan" && break; sleep 0.02; done
kill -INT $osprey_pid 2>/dev/null || kill -TERM $osprey_pid
wait $osprey_pid && wrong "interrupted, and it says fine"
grep -q "nobody was killed" "$scratch/out" || wrong "interrupted: $(cat "$scratch/out" "$scratch/err")"
grep -q '^State:.*S' "/proc/$stubborn/status" || grep -q '^State:.*R' "/proc/$stubborn/status" || wrong "left stopped"
exit $bad
