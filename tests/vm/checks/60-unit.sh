#!/bin/bash
# The unit tests pass on this kernel too.  77 is a test that says why it cannot run.
. "$(dirname "$0")/../check.sh"

mapfile -t tests < <(find "${BUILD:-build}/test" -type f -executable -name '*_test' 2>/dev/null | sort)
[ ${#tests[@]} -gt 0 ] || skip "no unit tests in ${BUILD:-build}/test"
failed=0
for test in "${tests[@]}"; do
  code=0
  output=$("$test" 2>&1) || code=$?
  case $code in
    0|77) ;;
    *)    printf '%s: exit code %s\n%s\n' "$test" "$code" "$(tail -n 10 <<<"$output")"; failed=$((failed + 1)) ;;
  esac
done
[ $failed = 0 ] || fail "$failed of ${#tests[@]} unit tests failed"
