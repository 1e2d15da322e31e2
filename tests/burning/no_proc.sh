#!/bin/bash
# /proc is not mounted: nothing can be measured, and that is what it says.
. "$(dirname "$0")/common"
own_mounts

mount -t tmpfs tmpfs /proc
doctor 10 "$osprey" doctor --json --window 1s
[ ! -s "$scratch/out" ] || wrong "it answered: $(head -c 200 "$scratch/out")"
refused /proc
umount /proc
exit $bad
