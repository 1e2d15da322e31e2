#!/bin/bash
# Programs by chance on the runtime, for STRESS_SECONDS (60) in all: most with delays in the places where another order of things matters,
# beside them some on the library as it is.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}/runtime
seconds=${STRESS_SECONDS:-60}
"$build/rt-stress-plain" --seconds $((seconds / 3)) &
plain=$!
"$build/rt-stress" --seconds $((seconds - seconds / 3))
delayed=$?
wait $plain && exit $delayed
