#!/bin/bash
# Pressure stall information against /proc/pressure by hand, under three spinners a CPU.
. "$(dirname "$0")/common"
[ -r /proc/pressure/cpu ] && cat /proc/pressure/cpu >/dev/null 2>&1 || skip "needs pressure stall information"

for _ in $(seq $((3 * $(nproc)))); do load sh -c 'while :; do :; done'; done
sleep 0.3
read_pressure() {
	for what in cpu memory io; do
		sed -n "s/^some .*total=\(.*\)/${what}_some_ns \1000/p" /proc/pressure/$what
	done
}
brackets 2 read_pressure
for what in cpu memory io; do bracketed "${what}_some_ns" ".psi.${what}_some_ns | d"; done
[ "$(of '.psi.cpu_some_ns | d')" -gt 1000000000 ] || { echo "the spinners made no pressure"; exit 1; }
agreed
