#!/bin/bash
# No BPF: asked for, no privilege for it, no type information of the kernel.
. "$(dirname "$0")/common"
[ "$(id -u)" != 0 ] || own_mounts

from_proc() {
	diagnosed
	[ "$(ask .abilities.tasks_from)" = proc ] || wrong "the tasks came from $(ask .abilities.tasks_from)"
	[ "$(ask .abilities.no_bpf_because)" != null ] || wrong "no reason is given"
	[ "$(ask .host.processes)" -gt 1 ] || wrong "it saw $(ask .host.processes) processes"
	echo "reason: $(ask .abilities.no_bpf_because)"
}

echo "asked for:"
doctor 10 "$osprey" doctor --json --window 1s --no-bpf
from_proc

need_root
echo "without the capabilities:"
doctor 10 setpriv --bounding-set -bpf,-perfmon,-sys_admin --inh-caps -bpf,-perfmon,-sys_admin \
	"$osprey" doctor --json --window 1s
from_proc

echo "without type information:"
[ -e /sys/kernel/btf/vmlinux ] || skip "this kernel has none anyway"
mount -t tmpfs tmpfs /sys/kernel/btf
doctor 10 "$osprey" doctor --json --window 1s
diagnosed
[ "$(ask .host.processes)" -gt 1 ] || wrong "it saw $(ask .host.processes) processes"
exit $bad
