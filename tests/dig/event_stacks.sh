#!/bin/bash
# User stacks of system calls and probes: through libraries without frame pointers to main, of programs that have ended before
# they were looked at, and what is lost under load is counted.
# shellcheck source=tests/dig/common
. "$(dirname "$0")/common"
[ "$(uname -m)" = x86_64 ] || skip "user stacks are unwound on x86-64 alone"
[ "$(id -u)" -eq 0 ] || skip "needs root"
[ -e /sys/kernel/btf/vmlinux ] || skip "this kernel has no BTF"
need gcc
target=$scratch/event_target
gcc -O2 -fomit-frame-pointer -o "$target" tests/dig/event_target.c || exit 1

# One line a stack, innermost first.
traced() { jq -r 'select(.stack) | [.stack[].function // "?"] | join(" ")' "$1"; }
calls='inner middle outer main __libc_start'

# A command that lives for a millisecond: nothing of it is there any more when its stacks are named.
"$osprey" trace --stack --json -e write -o "$scratch/trace" -- "$target" >/dev/null 2>&1
is "stacks of write()" "$(traced "$scratch/trace" | grep -c "$calls")" 3
is "stacks of write() through stdio" "$(traced "$scratch/trace" | grep -cE '^__write (_IO_)?[^ ]*write[^ ]* .*fflush inner')" 3
is "stacks that are not whole" "$(jq -c 'select(.stack and .stack_ends)' "$scratch/trace" | wc -l)" 0
# Its children, with and without exec.
# shellcheck disable=SC2016  # the inner shell's
"$osprey" trace --stack --json -e write -o "$scratch/trace" -- sh -c '"$1"; (echo child); exec "$1"' - "$target" >/dev/null 2>&1
is "stacks of children" "$(traced "$scratch/trace" | grep -c "$calls")" 6
is "stacks of a child without exec" "$(traced "$scratch/trace" | grep -c "^__\?write .*__libc_start")" 7
# As text.
"$osprey" trace --stack -e write -o "$scratch/text" -- "$target" >/dev/null 2>&1
holds "text" "$scratch/text" '^    > inner\+0x[0-9a-f]+ \(event_target\)$'

# Lost records are told, and those that came are whole.
"$osprey" trace --stack --json --buffer 64 -e write -o "$scratch/load" -- dd if=/dev/zero of=/dev/null bs=1 count=5000 >/dev/null 2>&1
lost=$(jq 'select(.type == "end").lost' "$scratch/load") came=$(jq -c 'select(.call == "write" and .result == 1)' "$scratch/load" | wc -l)
within "lost with a small buffer" "$lost" 1 5100
within "written, came and lost" "$((came + lost))" 5000 5100
is "stacks under load without main's caller" "$(jq -r 'select(.call == "write" and .result == 1) | [.stack[].function // "?"] | join(" ")' \
	"$scratch/load" | grep -vc __libc_start)" 0

# Probes. The program waits until they are attached.
probed() { # N LINE…: into $scratch/probe
	local n=$1 watcher
	shift
	: >"$scratch/talk"
	mkfifo "$scratch/go"
	"$target" "$n" <"$scratch/go" >/dev/null &
	local pid=$!
	exec 9>"$scratch/go"
	# It waits for its input once it has started; the loader has mapped the C library by then.
	for _ in $(seq 200); do [ "$(cat "/proc/$pid/wchan")" != 0 ] && grep -q libc.so "/proc/$pid/maps" && break; sleep 0.02; done
	"$osprey" probe --json --stack --pid "$pid" "$@" >"$scratch/probe" 2>"$scratch/talk" &
	watcher=$!
	for _ in $(seq 400); do grep -q probed "$scratch/talk" && break; sleep 0.05; done
	echo go >&9
	exec 9>&-
	wait "$pid"
	wait "$watcher"
	is "exit code of probe" $? 0
	rm "$scratch/go"
}
stacks() { jq -r 'select(.values) | .values.ustack | map(sub("\\+.*"; "")) | join(" ")' "$scratch/probe"; }
if [ -e /sys/bus/event_source/devices/uprobe/type ]; then
	probed 5 'uprobe:libc:malloc if arg0 == 12345 print; uprobe:libc:malloc if arg0 == 12345 count by comm'
	is "stacks of malloc()" "$(stacks | grep -cE "malloc $calls")" 5
	is "stacks of malloc() that are not whole" "$(jq -c 'select(.values.ustack_ends)' "$scratch/probe" | wc -l)" 0
	is "how keys are made" "$(jq -r 'select(.rows).user_stacks' "$scratch/probe")" "frame pointers"
	"$osprey" probe --json --for 1s 'uprobe:libc:malloc if comm == "event_target" && arg0 == 12345 count by ustack' >"$scratch/keys" 2>"$scratch/talk" &
	watcher=$!
	for _ in $(seq 400); do grep -q probed "$scratch/talk" && break; sleep 0.05; done
	"$target" >/dev/null
	wait "$watcher"
	holds "a key of a program that has ended" "$scratch/keys" 'malloc\+0x0 \(libc'
	probed 5 'uretprobe:libc:malloc print retval'
	within "stacks of malloc()'s return" "$(stacks | grep -cE "^$calls")" 5 6
	probed 4000 --rate 0 'uprobe:libc:malloc if arg0 == 12345 print arg0'
	came=$(stacks | wc -l) lost=$(jq 'select(.lost).lost.buffer_full + .lost.missed' "$scratch/probe" | head -1)
	is "hits under load, shown and lost" "$((came + lost))" 4000
	is "stacks under load that are not whole" "$(stacks | grep -vcE "malloc $calls")" 0
fi
probed 5 'rawtracepoint:sys_exit print ustack'
within "stacks at a tracepoint" "$(jq -r 'select(.values) | .values.ustack | map(sub("\\+.*"; "")) | join(" ")' "$scratch/probe" | grep -cE "write .*$calls")" 5 20
end
