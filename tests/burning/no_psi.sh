#!/bin/bash
# A kernel without pressure stall information: what it would tell is told as missing, never as zero, and a
# cause that has other witnesses is found all the same.
. "$(dirname "$0")/common"
own_mounts

[ -d /proc/pressure ] || skip "this kernel has none anyway: every other test is this one"
mount -t tmpfs tmpfs /proc/pressure
spin no_psi_spin $((4 * $(nproc))) 6
doctor 10 "$osprey" doctor --json --window 2s
kill -9 "${pids[@]}" 2>/dev/null || true
diagnosed
[ "$(ask '.findings[0].condition')" = cpu_saturated ] || wrong "first finding: $(ask '.findings[0].title')"
if grep -q '/proc/pressure' <(ask '(.findings + .absorbed)[].evidence[] | select(.value != null) | .source'); then
	wrong "it has evidence from files that are not there"
fi
memory=$(ask '(.cleared + .unmeasured)[] | select(.condition == "memory_pressure") | .reason // .needs')
[[ -z $memory || $memory == *PSI* ]] || wrong "memory_pressure is judged as if there were PSI: $memory"
[ -n "$memory" ] || [ "$(ask '(.findings + .absorbed)[] | select(.condition == "memory_pressure") | .lost.estimated')" = true ] ||
	wrong "memory_pressure has an exact price without PSI"
present=$("$osprey" sources --json | jq -r '.sources[] | select(.source | startswith("psi_")) | select(.presence == "present") | .source')
[ -z "$present" ] || wrong "sources that are not there are called present:" $present
exit $bad
