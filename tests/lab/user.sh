#!/bin/bash
# The lab as somebody meets it who has never seen it.
. "$(dirname "$0")/common"
need jq setpriv

lab list
[ "$code" = 0 ] || wrong "exit code $code"
for condition in $(sed -n 's/^CONDITION(\(.*\))$/\1/p' src/conditions/conditions.def) healthy_idle; do
	says out "^$condition"
done

lab run cpu_throtled
[ "$code" = 2 ] || wrong "exit code $code for a name that does not exist"
says err "cpu_throttled"
lab run
[ "$code" = 2 ] || wrong "exit code $code without a scenario"
lab run cpu_throttled --seconds 0
[ "$code" = 2 ] || wrong "exit code $code for no time at all"
lab run cpu_throttled --strength medum
[ "$code" = 2 ] || wrong "exit code $code for a strength that does not exist"
lab score --only cpu_throtled
[ "$code" = 2 ] || wrong "exit code $code for scoring what does not exist"

cp "$osprey" "$scratch/osprey"
chmod 755 "$scratch" "$scratch/osprey"
for command in "run healthy_idle" "clean" "score"; do
	code=0
	# shellcheck disable=SC2086
	setpriv --reuid 65534 --regid 65534 --clear-groups "$scratch/osprey" lab $command \
		>"$scratch/out" 2>"$scratch/err" || code=$?
	echo "lab $command, not root: exit code $code"
	[ "$code" = 3 ] || wrong "exit code $code, wanted 3"
	says err "needs root"
done

echo "a fault, and the doctor in another terminal:"
if start fault cpu_throttled --seconds 6; then
	"$osprey" doctor --json --window 2s >"$scratch/doctor.json" || true
	jq -e '.findings[] | select(.condition == "cpu_throttled") | .culprit.name | test("^/osprey-lab-")' \
		"$scratch/doctor.json" >/dev/null || wrong "the doctor does not name it: $(jq -r '.findings[].title' "$scratch/doctor.json")"
	code=0
	wait "$runner" || code=$?
	cp "$scratch/fault.out" "$scratch/out"
	cp "$scratch/fault.err" "$scratch/err"
	[ "$code" = 0 ] || wrong "exit code $code"
	says err "takes up to .* cpu cgroup"
	says err "culprit: cgroup /osprey-lab-$guardian/fault"
	says out "^scenario +cpu_throttled, medium"
	says out "^culprit +cgroup /osprey-lab-$guardian/fault"
	says out "^moved +yes"
	says out "^undone"
	says out "^residue +none"
	nothing_left "$guardian"
fi

lab clean
[ "$code" = 0 ] || wrong "exit code $code"
exit $bad
