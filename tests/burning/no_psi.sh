#!/bin/bash
# A kernel without pressure stall information.
. "$(dirname "$0")/common"
own_mounts

[ -d /proc/pressure ] || skip "this kernel has none anyway: every other test is this one"
mount -t tmpfs tmpfs /proc/pressure
doctor 10 "$osprey" doctor --json --window 1s
diagnosed
if grep -q '/proc/pressure' <(ask '.findings[].evidence[] | select(.value != null) | .source'); then
	wrong "it has evidence from files that are not there"
fi
exit $bad
