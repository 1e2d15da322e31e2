#!/bin/bash
# Ctrl-C, SIGTERM and SIGKILL in the middle of a long window: it ends in under a second, tells what
# it knows, and leaves nothing behind.
. "$(dirname "$0")/common"

# Ids of BPF programs, one a line; nothing where they cannot be listed.
programs() { bpftool -j prog list 2>/dev/null | jq '.[].id' 2>/dev/null | sort || true; }

remains() {
	local i id
	find "$scratch/tmp" -mindepth 1
	find /tmp /var/tmp /dev/shm /run -maxdepth 2 -newer "$scratch/start" -name '*osprey*' -not -path "$scratch*" \
		-not -path '*osprey-lab*' -not -path '/run/osprey*' 2>/dev/null
	# The kernel takes programs away a moment after their last user.
	for id in $loaded; do
		for ((i = 0; i < 20; i++)); do
			programs | grep -qx "$id" || continue 2
			sleep 0.1
		done
		echo "BPF program $id"
	done
}

mkdir "$scratch/tmp"
for signal in INT TERM KILL; do
	echo "SIG$signal:"
	touch "$scratch/start"
	before=$(programs)
	# A shell without job control starts background jobs with SIGINT ignored.
	TMPDIR=$scratch/tmp env --default-signal=INT "$osprey" doctor --json --window 60s \
		>"$scratch/out" 2>"$scratch/err" &
	pid=$!
	pids+=("$pid")
	sleep 1.5
	loaded=$(comm -13 <(echo "$before") <(programs))
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
	[ "$(ask .abilities.tasks_from)" != bpf ] || ! command -v bpftool >/dev/null || [ -n "$loaded" ] ||
		wrong "it uses BPF, and no program of its own was seen"
	# Half a window is no all-clear.
	[ "$code" = 3 ] || [ "$code" = 1 ] || wrong "exit code $code"
	[ "$(ask '.window_s > 1 and .window_s < 5')" = true ] || wrong "the window was $(ask .window_s) s"
done
exit $bad
