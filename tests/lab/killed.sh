#!/bin/bash
# kill -9 of the runner in any scenario leaves nothing behind within 2 s; kill -9 of the guardian
# leaves nothing that `lab clean` does not undo.
. "$(dirname "$0")/common"
exec "$build/tests/lab/killed" "$@"
