#!/bin/bash
# Programs by chance on the runtime, for STRESS_SECONDS (25): most of the time with delays in the places where another order matters.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}/runtime
seconds=${STRESS_SECONDS:-25}
"$build/rt-stress" --seconds $((seconds - seconds / 4))
"$build/rt-stress-plain" --seconds $((seconds / 4))
