#!/bin/bash
# The lab's faults can be made on this kernel, move their counters and leave nothing.
# $LAB_SCENARIOS names others.
. "$(dirname "$0")/../check.sh"

failed=0
for scenario in ${LAB_SCENARIOS:-cpu_throttled cpu_saturated}; do
  "$osprey" lab run "$scenario" --seconds 3 || { echo "lab run $scenario: exit code $?"; failed=1; }
done
exit $failed
