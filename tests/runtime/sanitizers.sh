#!/bin/bash
# The runtime under gcc's sanitizers: tests of each kind of waiting, and of what memory order they make, with
# AddressSanitizer and UndefinedBehaviorSanitizer, and with ThreadSanitizer, which must find the edge that is
# left out on purpose. Those that are quick; all of them by night (make -C runtime nightly-tools).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
build=$(realpath -m "${BUILD:-build}")
bad=0
export RT_LIGHTER=10 QUIET=1 LIMIT_S=100

runtime/tests/under address "$build/runtime-memory" chan sync scope litmus arena epoch pin || bad=1
runtime/tests/under thread "$build/runtime-threads" chan sync scope litmus arena epoch || bad=1
exit $bad
