#!/bin/bash
# The runtime as it is, under Valgrind: it follows fibers' stacks, and nothing is read before it was written,
# or lost. What is quick; all of it by night (make -C runtime nightly-tools). $TESTS names others than these.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export RT_LIGHTER=${RT_LIGHTER:-100} QUIET=1 LIMIT_S=120
# shellcheck disable=SC2086 # words
runtime/tests/under valgrind "${BUILD:-build}/runtime" ${TESTS:-chan sync scope fiber}
