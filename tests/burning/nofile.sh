#!/bin/bash
# With few file descriptors left, or none. Three are taken before the program starts.
. "$(dirname "$0")/common"
need prlimit

for limit in 64 24 16; do
	echo "limit $limit:"
	doctor 10 prlimit --nofile=$limit:$limit "$osprey" doctor --json --window 1s
	diagnosed
done
# Below, it may not be able to see anything; it then says so, and never that all is well.
for limit in 10 8 7 6 5 4; do
	echo "limit $limit:"
	doctor 10 prlimit --nofile=$limit:$limit "$osprey" doctor --json --window 1s
	if [ "$code" = 3 ]; then
		grep -q "open files" "$scratch/err" || wrong "it does not say why: $(cat "$scratch/err")"
	else
		diagnosed
		[ "$(ask '.unmeasured | length')" -gt 0 ] || [ "$(ask .host.processes)" -gt 0 ] ||
			wrong "no process was seen and nothing is said of it"
	fi
done
# Not even the root directory can be opened. setpriv has no descriptor of its own to lose.
echo "limit 3:"
doctor 10 prlimit --nofile=3:3 "$osprey" doctor --json --window 1s
[ "$code" = 127 ] || [ "$code" = 126 ] || refused "open files"
exit $bad
