#!/bin/bash
# A cgroup that may use a fifth of a CPU and wants a whole one is found throttled,
# and is named as the culprit.
. "$(dirname "$0")/../check.sh"

own_cgroup osprey-check cpu
echo "20000 100000" >"$cgroup/cpu.max"
bash -c 'echo $$ >"$1/cgroup.procs"; while :; do :; done' spinner "$cgroup" &
until grep -q . "$cgroup/cgroup.procs"; do sleep 0.05; done

answer=$(doctor --window 3s)
jq -e '[.findings[] | select([.id?, .condition?] | index("cpu_throttled"))]
       | any(tostring | contains("osprey-check"))' <<<"$answer" >/dev/null ||
  fail "no cpu_throttled with osprey-check: $(jq -c .findings <<<"$answer")"
