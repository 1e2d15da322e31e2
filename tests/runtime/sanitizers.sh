#!/bin/bash
# The runtime under gcc's sanitizers: tests of each kind of waiting, and of what memory order they make, with AddressSanitizer and
# UndefinedBehaviorSanitizer, and with ThreadSanitizer, which must find the edge that is left out on purpose.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
build=$(realpath -m "${BUILD:-build}")
tests=(chan sync scope litmus arena)
bad=0
export RT_LIGHTER=10

# under NAME SANITIZERS: builds the tests with them, and runs each.
under() {
	local at=$build/runtime-$1 test said programs=("${tests[@]/%/_test}")
	make -s -j2 OPT=-O1 -C runtime BUILD="$at" SAN="$2" WERROR=1 "${programs[@]/#/$at/tests/}" || exit 1
	for test in "${programs[@]}"; do
		said=$(timeout 100 "$at/tests/$test" 2>&1) || { echo "failed under $1: $test"; head -n 40 <<<"$said"; bad=1; }
		[[ $said != *WARNING:* ]] || { echo "$1 says of $test:"; head -n 40 <<<"$said"; bad=1; }
	done
}

under memory address,undefined
under threads thread
said=$(LITMUS_BROKEN=1 timeout 100 "$build/runtime-threads/tests/litmus_test" 2>&1)
[[ $said == *"data race"* ]] || { echo "not so: an edge that is missing is found"; bad=1; }
exit $bad
