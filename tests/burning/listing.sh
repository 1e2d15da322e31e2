#!/bin/bash
# Lists processes while others are born and die by the thousand, threads end, and a name and
# arguments would move the cursor; then again without any privilege.
. "$(dirname "$0")/common"
need python3
need_root
cp "$osprey" "$scratch/osprey" # where everybody may run it
chmod 755 "$scratch/osprey"
osprey=$scratch/osprey

# Four shells that fork, a process whose threads come and go: for 12 s at most, each is ended by id.
for _ in 1 2 3 4; do
	bash -c 'while ((SECONDS < 12)); do /bin/true; done' &
	pids+=($!)
done
python3 -c '
import threading, time
end = time.monotonic() + 12
while time.monotonic() < end:
    some = [threading.Thread(target=int) for _ in range(20)]
    [t.start() for t in some]; [t.join() for t in some]' &
pids+=($!)
bash -c 'exec -a "$(printf "evil\n\033[2J")" sleep 12' &
evil=$!
pids+=("$evil")
sleep 0.3

check() { # WHAT COMMAND…: exit 0, itself among the rows, each row with its columns, nothing raw
	local what=$1
	shift
	for i in $(seq 8); do
		"$@" >"$scratch/out" 2>"$scratch/err" || { cat "$scratch/err"; wrong "$what: exit $?"; }
		grep -q "osprey" "$scratch/out" || wrong "$what: osprey is not in its own list"
		awk 'NR > 1 && $0 !~ /^ *- not measurable/ && $1 !~ /^[0-9]+$/ { print "odd line: " $0; bad = 1 } END { exit bad }' "$scratch/out" ||
			wrong "$what: a line that is no row"
		! LC_ALL=C grep -q $'\033' "$scratch/out" || wrong "$what: an escape went through"
		[ ! -s "$scratch/err" ] || { cat "$scratch/err"; wrong "$what: something on stderr"; }
	done
	echo "$what: $(wc -l <"$scratch/out") lines"
}
check "ps" "$osprey" ps --no-color
check "ps by BPF" "$osprey" ps --interval 20ms --no-color --no-header
check "threads" "$osprey" ps --threads --columns tid,pid,state,command
check "tree" "$osprey" tree --columns pid,command
[ "$("$osprey" ps "$evil" --columns pid,command --no-header)" = "$evil evil\\n\\x1b[2J 12" ] ||
	wrong "the evil name: $("$osprey" ps "$evil" --columns pid,command --no-header)"
"$osprey" ps --json | jq -e '.tables.processes | length > 3 and all(.[]; .pid > 0 and .state != null)' >/dev/null || wrong "JSON"
check "ps without privilege" setpriv --reuid 65534 --regid 65534 --clear-groups "$osprey" ps --no-color
check "tree without privilege" setpriv --reuid 65534 --regid 65534 --clear-groups "$osprey" tree --no-color --columns pid,command
exit $bad
