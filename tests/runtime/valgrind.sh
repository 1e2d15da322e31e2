#!/bin/bash
# The runtime as it is, under Valgrind: it follows fibers' stacks, and nothing is read before it was written, or lost.
# $TESTS names others than these.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v valgrind >/dev/null || { echo "skip: no valgrind"; exit 77; }
build=$(realpath -m "${BUILD:-build}")/runtime
export RT_LIGHTER=${RT_LIGHTER:-100}
for test in ${TESTS:-chan_test sync_test}; do
	timeout 120 valgrind -q --error-exitcode=9 --fair-sched=yes "$build/tests/$test" || { echo "failed: $test"; exit 1; }
done
