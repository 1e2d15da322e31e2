#!/bin/bash
# `osprey run` on this kernel: its timeouts, signals, jobs, and cgroups, which here are v2 alone.
. "$(dirname "$0")/../check.sh"

[ -x "${BUILD:-build}/tests/cli/run_tree" ] || skip "tests/cli/run_tree is not built"
for script in timeout signals cgroup jobs; do
  code=0
  output=$(timeout -k 5 200 "tests/cli/run-$script.sh" 2>&1) || code=$?
  case $code in
    0)  echo "$script: $(tail -n 1 <<<"$output")" ;;
    77) echo "$script: skipped: $output" ;;
    *)  fail "run-$script.sh: exit code $code"$'\n'"$(tail -n 30 <<<"$output")" ;;
  esac
done
