#!/bin/bash
# Ctrl-C, SIGTERM and SIGKILL in the middle of a long window: it ends in under a second, tells what
# it knows, and leaves nothing behind.
. "$(dirname "$0")/common"

remains() {
	find "$scratch/tmp" -mindepth 1
	find /tmp /var/tmp /dev/shm /run -maxdepth 2 -newer "$scratch/start" -name '*osprey*' -not -path "$scratch*" \
		-not -path '*osprey-lab*' -not -path '/run/osprey*' 2>/dev/null
	# Programs are named after what they do; those of others may come and go.
	if [ "$(id -u)" = 0 ] && command -v bpftool >/dev/null; then
		bpftool -j prog list 2>/dev/null | jq -r --arg pid "$pid" \
			'.[] | select(.pids // [] | any(.pid == ($pid | tonumber))) | "BPF program \(.id)"'
	fi
}

mkdir "$scratch/tmp"
for signal in INT TERM KILL; do
	echo "SIG$signal:"
	touch "$scratch/start"
	# A shell without job control starts background jobs with SIGINT ignored.
	TMPDIR=$scratch/tmp env --default-signal=INT "$osprey" doctor --json --window 60s \
		>"$scratch/out" 2>"$scratch/err" &
	pid=$!
	pids+=("$pid")
	sleep 1.5
	start=$(date +%s%N)
	kill -"$signal" "$pid"
	code=0
	wait "$pid" 2>/dev/null || code=$?
	took=$((($(date +%s%N) - start) / 1000000))
	echo "exit code $code after $took ms"
	[ "$took" -lt 1000 ] || wrong "it took $took ms to end"
	left=$(remains)
	[ -z "$left" ] || wrong "left behind: $left"
	[ "$signal" != KILL ] || continue
	[ "$(ask .interrupted)" = true ] || wrong "it does not say that it was interrupted"
	# Half a window is no all-clear.
	[ "$code" = 3 ] || [ "$code" = 1 ] || wrong "exit code $code"
	[ "$(ask '.window_s > 1 and .window_s < 5')" = true ] || wrong "the window was $(ask .window_s) s"
done
exit $bad
