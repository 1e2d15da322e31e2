#!/bin/bash
# Ctrl-C, SIGTERM, SIGHUP: the lab ends in under two seconds, tells what was, and undoes all. So it
# does when its terminal goes, and when the signal comes a second time.
. "$(dirname "$0")/common"

for signal in INT TERM HUP; do
	echo "SIG$signal:"
	start one memory_pressure --seconds 60 || continue
	sleep 0.5
	kill -"$signal" "$runner"
	ends "$runner" 3000
	cp "$scratch/one.out" "$scratch/out"
	says out "^undone"
	says out "^residue +none"
	nothing_left "$guardian"
done

echo "twice:"
if start twice cpu_throttled --seconds 60; then
	kill -INT "$runner"
	kill -INT "$runner" 2>/dev/null || true
	ends "$runner" 3000
	for i in $(seq 100); do kill -0 "$guardian" 2>/dev/null || break; sleep 0.02; done
	nothing_left "$guardian"
fi

echo "while it starts:"
env --default-signal=INT "$osprey" lab run --yes filesystem_full --seconds 60 >"$scratch/out" 2>"$scratch/err" &
runner=$!
pids+=("$runner")
for i in $(seq 200); do guardian=$(pgrep -P "$runner" -x osprey-guard) && break; sleep 0.01; done
kill -INT "$runner"
ends "$runner" 5000
[ -z "$guardian" ] || nothing_left "$guardian"

echo "the guardian takes no signal but SIGKILL:"
if start deaf cpu_throttled --seconds 2; then
	kill -INT "$guardian"; kill -TERM "$guardian"; kill -HUP "$guardian"
	code=0
	wait "$runner" || code=$?
	[ "$code" = 0 ] || wrong "exit code $code: $(cat "$scratch/deaf.out" "$scratch/deaf.err")"
	nothing_left "$guardian"
fi
exit $bad
