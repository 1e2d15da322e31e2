#!/bin/bash
# The doctor gives a verdict on an idle guest, as JSON of the promised schema.
. "$(dirname "$0")/../check.sh"

answer=$(doctor --window 2s)
jq -e '.schema == "osprey.doctor/1"' <<<"$answer" >/dev/null ||
  fail "not osprey.doctor/1: ${answer:0:2000}"
