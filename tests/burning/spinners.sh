#!/bin/bash
# 64 processes want the CPUs.
. "$(dirname "$0")/common"

spin burn_spin 64 8
doctor 8 "$osprey" doctor --json --window 2s
kill -9 "${pids[@]}" 2>/dev/null || true
[ "$took" -lt 6000 ] || wrong "a window of 2 s took $took ms"
diagnosed
[ "$(ask '.findings[0].condition')" = cpu_saturated ] || wrong "first finding: $(ask '.findings[0].title')"
[ "$(ask '.findings[0].culprit.comm')" = burn_spin ] || wrong "culprit: $(ask '.findings[0].culprit.comm')"
exit $bad
