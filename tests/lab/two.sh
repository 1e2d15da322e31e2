#!/bin/bash
# Two labs at once: each sees its own fault, and the end of one is none of the other.
. "$(dirname "$0")/common"

start first cpu_throttled --seconds 5
first=$runner first_guardian=$guardian
start second listen_overflow --seconds 2
# shellcheck disable=SC2034  # by ${!which}
second=$runner second_guardian=$guardian
[ "$first_guardian" != "$second_guardian" ] || wrong "they have one guardian"
lab clean
grep -qx 'nothing to undo' "$scratch/out" || wrong "lab clean touches labs that live: $(cat "$scratch/out")"

for which in second first; do
	code=0
	wait "${!which}" || code=$?
	cat "$scratch/$which.out"
	[ "$code" = 0 ] || { wrong "exit code $code of the $which"; cat "$scratch/$which.err"; }
	guardian=${which}_guardian
	nothing_left "${!guardian}"
	[ "$which" = first ] || kill -0 "$first" || wrong "the first ended with the second"
done
exit $bad
