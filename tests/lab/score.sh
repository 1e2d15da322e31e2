#!/bin/bash
# The score of three faults: they count, the doctor names them, the document is whole, and
# the order is the seed's.
. "$(dirname "$0")/common"
need jq

lab score --quick --yes --json --seed 7 --window 2s --only cpu_throttled,fd_exhausted,listen_overflow
[ "$code" = 0 ] || [ "$code" = 3 ] || { wrong "exit code $code"; cat "$scratch/err"; exit 1; }
ask() { jq -r "$1" "$scratch/out"; }
[ "$(ask .schema)" = osprey.lab_score/1 ] || wrong "schema $(ask .schema)"
[ "$(ask '.cases | length')" = 8 ] || wrong "$(ask '.cases | length') cases, wanted 3 faults and 5 healthy"
disturbed=$(ask '[.cases[] | select(.state == "disturbed")] | length')
echo "faults $(ask .summary.faults), first $(ask .summary.right_first), culprit $(ask .summary.right_culprit), disturbed $disturbed"
[ "$(ask '.summary.faults + .summary.rejected + .summary.healthy')" = 8 ] || wrong "cases are lost: $(ask .summary)"
[ "$(ask '[.cases[] | select(.state == "failed" or .state == "unmoved")] | length')" = 0 ] ||
	wrong "cases failed: $(ask '.cases[] | select(.state == "failed" or .state == "unmoved")')"
[ "$(ask .residue | jq length)" = 0 ] || wrong "residue: $(ask .residue)"
[ "$(ask .summary.faults)" -gt 0 ] || skip "others use this host's CPUs: $(ask '.cases[0].why')"
[ "$code" = 0 ] || wrong "exit code $code"
[ "$(ask .summary.right_first)" = "$(ask .summary.faults)" ] || wrong "not all right: $(ask .confusion)"
[ "$(ask .summary.right_culprit)" = "$(ask .summary.faults)" ] || wrong "culprits: $(ask '.cases[].faults[]')"
exit $bad
