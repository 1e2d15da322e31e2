#!/bin/bash
# /proc is not mounted: from /proc nothing can be measured, and that is what it says. Where the
# tasks come from BPF, what only they tell is judged, and all the rest is not.
. "$(dirname "$0")/common"
own_mounts

mount -t tmpfs tmpfs /proc
echo "without BPF:"
doctor 10 "$osprey" doctor --json --window 1s --no-bpf
[ ! -s "$scratch/out" ] || wrong "it answered: $(head -c 200 "$scratch/out")"
refused /proc
echo "with BPF where there is:"
doctor 10 "$osprey" doctor --json --window 1s
if [ "$code" = 3 ]; then
	refused /proc
else
	umount /proc
	diagnosed
	[ "$(ask .abilities.tasks_from)" = bpf ] || wrong "the tasks came from $(ask .abilities.tasks_from)"
	unmeasured cpu_saturated memory_pressure disk_saturated filesystem_full tcp_retransmits \
		listen_overflow udp_buffer_overflow fork_storm swap_thrash
	for figure in memory_bytes load1 kernel; do
		[ "$(ask ".host.$figure")" = null ] || wrong "it invents $figure: $(ask ".host.$figure")"
	done
fi
exit $bad
