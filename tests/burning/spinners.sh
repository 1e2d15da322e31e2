#!/bin/bash
# 64 processes want the CPUs, for at most 8 s, which they bound themselves: who kills `timeout`
# leaves what it ran.
. "$(dirname "$0")/common"

cat >"$scratch/burn_spin" <<'SPIN'
#!/bin/bash
while ((SECONDS < 8)); do :; done
SPIN
chmod +x "$scratch/burn_spin"
for _ in $(seq 64); do "$scratch/burn_spin" & pids+=($!); done
doctor 8 "$osprey" doctor --json --window 2s
kill -9 "${pids[@]}" 2>/dev/null || true
[ "$took" -lt 6000 ] || wrong "a window of 2 s took $took ms"
diagnosed
[ "$(ask '.findings[0].condition')" = cpu_saturated ] || wrong "first finding: $(ask '.findings[0].title')"
[ "$(ask '.findings[0].culprit.comm')" = burn_spin ] || wrong "culprit: $(ask '.findings[0].culprit.comm')"
exit $bad
