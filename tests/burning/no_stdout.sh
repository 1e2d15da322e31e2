#!/bin/bash
# Nobody can take the answer: stdout closed, stdin and stderr closed too, a reader that went away.
. "$(dirname "$0")/common"

echo "stdout closed:"
doctor 10 bash -c 'exec "$0" doctor --json --window 1s >&-' "$osprey"
refused "answer"
echo "all closed:"
doctor 10 bash -c 'exec "$0" doctor --json --window 1s <&- >&- 2>&-' "$osprey"
[ "$code" = 3 ] || wrong "exit code $code, wanted 3"
echo "a reader that went away:"
doctor 10 bash -c '"$0" doctor --window 1s | true; exit ${PIPESTATUS[0]}' "$osprey"
[ "$code" = 3 ] || wrong "exit code $code, wanted 3"
[ ! -s "$scratch/err" ] || wrong "it complains: $(cat "$scratch/err")"
exit $bad
