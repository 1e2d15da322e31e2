#!/bin/bash
# The runtime's probes: each is in the notes of a program and of the library, and fires as often as what it stands for happens.
# shellcheck disable=SC2016  # what jq is told stands in single quotes
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
skip() { echo "skip: $*"; exit 77; }
build=$(realpath "${BUILD:-build}")
lib=$build/runtime/libospreyrt.a
[ -e "$lib" ] || skip "$lib is not built"
command -v readelf >/dev/null || skip "needs readelf"
command -v cc >/dev/null || skip "needs cc"
scratch=$(mktemp -d "${TMPDIR:-/tmp}/osprey-probes.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
bad=0
is() { [ "$2" = "$3" ] || { echo "not so: $1 is '$2', wanted '$3'"; bad=1; }; }

# 100 fibers take one value each, one by one; one of them blocks, one sleeps; then the channel is closed.
cat >"$scratch/program.c" <<'C'
#include <osprey/rt.h>
static struct rt_chan *chan;
static int takes(void *arg)
{
	long value;
	(void)arg;
	return rt_receive(chan, &value, RT_FOREVER);
}
static int first(void *arg)
{
	struct rt_fiber f;
	long value = 1;
	(void)arg;
	if (rt_chan_new(sizeof value, 1, &chan) < 0)
		return 1;
	for (int i = 0; i < 100; i++) {
		if (rt_spawn(takes, 0, 0, &f) < 0 || rt_send(chan, &value, RT_FOREVER) < 0 || rt_join(f, 0, RT_FOREVER) < 0)
			return 1;
	}
	rt_block_begin();
	rt_block_end();
	rt_close(chan);
	return rt_sleep(1000000);
}
int main(void)
{
	struct rt_options options = { .processors = 1 };
	return rt_run(&options, first, 0);
}
C
cc -O1 -D_GNU_SOURCE -Iruntime/include -o "$scratch/program" "$scratch/program.c" "$lib" -pthread || exit 1
is "exit code of the program" "$("$scratch/program"; echo $?)" 0

all="block_begin block_end chan_close chan_receive chan_send exit handoff park ready run spawn steal timer"
for file in "$scratch/program" "$build/runtime/libospreyrt.so.0"; do
	readelf -nW "$file" 2>/dev/null | awk '/Provider: osprey_rt/ { getline; print $2 }' | sort -u | tr '\n' ' ' >"$scratch/names"
	is "probes in $(basename "$file")" "$(<"$scratch/names")" "$all "
done

# They fire.
osprey=$build/osprey
[ -x "$osprey" ] || skip "$osprey is not built"
[ "$(id -u)" = 0 ] || skip "uprobes need root"
[ -e /sys/bus/event_source/devices/uprobe/type ] || skip "this kernel has no uprobes"
command -v jq >/dev/null || skip "needs jq"
"$osprey" probe --for 2s --top 1000 --json "usdt:$scratch/program:osprey_rt:* count by probe, pid" >"$scratch/json" 2>"$scratch/errors" &
watcher=$!
while kill -0 $watcher 2>/dev/null; do "$scratch/program"; sleep 0.1; done
wait $watcher || { cat "$scratch/errors"; exit 1; }
# A probe that stands in several places has a row for each. Runs that were watched from their first fiber to their last.
jq -s -r '[.[0].rows[] | {pid: .key.pid, probe: (.key.probe | sub(".*:"; "")), count}] | group_by(.pid)
	| map(reduce .[] as $row ({}; .[$row.probe] += $row.count)) | map(select(.spawn == 101 and .exit == 101))
	| (length > 0), (map(.chan_send == 100 and .chan_receive == 100 and .chan_close == 1 and .block_begin == 1 and .block_end == 1
	and .timer == 1 and .park >= 100 and .ready >= 201 and .run >= .park) | all)' "$scratch/json" >"$scratch/verdict"
is "a run was seen whole; its probes fired as often as they had to" "$(tr '\n' ' ' <"$scratch/verdict")" "true true "
[ $bad = 0 ] || cat "$scratch/json"
exit $bad
