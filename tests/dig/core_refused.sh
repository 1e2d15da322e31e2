#!/bin/bash
# What cannot be dumped is told in one line, with the cause; what hinders one way is got around; nothing is left behind.
. "$(dirname "$0")/core_common"
need python3 setpriv
build_target
start_target TARGET_CALM=1 4 8

refused() { # WORDS… ; then -- COMMAND…
	local words=() rc=0
	while [ "$1" != -- ]; do words+=("$1"); shift; done
	shift
	"$@" >"$scratch/out" 2>"$scratch/err" || rc=$?
	[ "$rc" = 3 ] || wrong "exit code $rc in place of 3: $*"
	[ "$(wc -l <"$scratch/err")" = 1 ] || wrong "not one line: $(cat "$scratch/err")"
	for word in "${words[@]}"; do grep -q -- "$word" "$scratch/err" || wrong "not told '$word': $(cat "$scratch/err")"; done
	! ls "$scratch"/never* >/dev/null 2>&1 || wrong "a file is left: $*"
}
core() { refused "$@" -o "$scratch/never"; }

core "no process" -- "$osprey" core 2000000000
# A pid namespace of its own has none.
[ ! -e /proc/2/comm ] || [ "$(cat /proc/2/comm)" != kthreadd ] || core "thread of the kernel" -- "$osprey" core 2
core "this osprey itself" -- bash -c 'exec "$0" core $$ "$@"' "$osprey"
sleep 0.01 & zombie=$!
python3 -c 'import subprocess, time; p = subprocess.Popen(["true"]); print(p.pid, flush=True); time.sleep(60)' >"$scratch/zombie" &
pids+=($!)
for _ in $(seq 100); do [ -s "$scratch/zombie" ] && break; sleep 0.05; done
sleep 0.2
core "has ended" "waits for its parent" -- "$osprey" core "$(cat "$scratch/zombie")"
core "not permitted" CAP_SYS_PTRACE -- setpriv --reuid 65534 --regid 65534 --clear-groups "$osprey" core "$target"
wait "$zombie" || true

# Whoever waits for a vforked child sleeps uninterruptibly: it has not ended.
cat >"$scratch/vforks.c" <<'END'
#include <unistd.h>
int main(void)
{
	if (vfork() == 0)
		for (;;)
			pause();
	return 0;
}
END
cc -o "$scratch/vforks" "$scratch/vforks.c" 2>/dev/null || wrong "the program that vforks does not build"
"$scratch/vforks" & vforks=$!
pids+=("$vforks")
for _ in $(seq 100); do grep -q '^State:.D' "/proc/$vforks/status" && break; sleep 0.05; done
core "state D" -- "$osprey" core "$vforks"
child=$(tr -d ' ' <"/proc/$vforks/task/$vforks/children")
kill -9 "$child"; wait "$vforks" 2>/dev/null || true

# Traced already.
python3 - "$target" >"$scratch/tracer" <<'END' &
import ctypes, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
assert libc.ptrace(0x4206, int(sys.argv[1]), 0, 0) == 0
print("traced", flush=True)
time.sleep(60)
END
tracer=$!
for _ in $(seq 100); do [ -s "$scratch/tracer" ] && break; sleep 0.05; done
core "traced already" "$tracer" python3 -- "$osprey" core "$target"
kill -9 $tracer; wait $tracer 2>/dev/null || true

# No room, and a file that may not grow.
mkdir "$scratch/small"
if unshare -m bash -c 'mount -t tmpfs -o size=1m tmpfs "$1" && "$0" core "$2" -o "$1/core"' "$osprey" "$scratch/small" "$target" \
	>"$scratch/out" 2>"$scratch/err"; then wrong "8 MiB fitted into one"; fi
grep -q 'needs about .* free' "$scratch/err" || wrong "no room: $(cat "$scratch/err")"
refused "File too large" -- bash -c 'ulimit -f 1000; "$@"' - "$osprey" core "$target" -o "$scratch/never"

# Ctrl-C leaves no file.
"$osprey" core "$target" -o "$scratch/never" >/dev/null 2>&1 & pid=$!
sleep 0.3 # before it is osprey, it is this script, with its clean-up
kill -INT $pid 2>/dev/null || true; wait $pid 2>/dev/null || true
rm -f "$scratch/never"
unharmed "all of these"

# Stopped by a signal it stays so, and is dumped.
kill -STOP "$target"; sleep 0.1
for way in precopy fork plain; do
	"$osprey" core "$target" -m $way -o "$scratch/stopped" --force >/dev/null 2>"$scratch/err" || grep -q 'Linux 6.7' "$scratch/err" ||
		wrong "stopped, $way: $(cat "$scratch/err")"
	grep -q '^State:.T' "/proc/$target/status" || wrong "stopped, $way: it was woken"
done
kill -CONT "$target"; sleep 0.1
unharmed "a stopped one"
kill "$target"; wait "$target" 2>/dev/null || true

# A seccomp filter that kills for userfaultfd and clone is kept out of it with CAP_SYS_ADMIN; without, it is the plain way.
cat >"$scratch/filtered.py" <<'END'
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def ins(code, jt, jf, k): return struct.pack("HBBI", code, jt, jf, k)
kill = [323, 56, 435]
program = ins(0x20, 0, 0, 0) + b"".join(ins(0x15, len(kill) - i, 0, n) for i, n in enumerate(kill)) + ins(6, 0, 0, 0x7fff0000) + ins(6, 0, 0, 0x80000000)
buffer = ctypes.create_string_buffer(program)
fprog = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer)))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, fprog, 0, 0) == 0
print("ready", flush=True)
sys.stdin.read()
END
mkfifo "$scratch/fifo"
sleep 1000 >"$scratch/fifo" & pids+=($!)
if [ "$(uname -m)" = x86_64 ]; then
	python3 "$scratch/filtered.py" <"$scratch/fifo" >"$scratch/filtered" & filtered=$!
	pids+=($filtered)
	for _ in $(seq 100); do [ -s "$scratch/filtered" ] && break; sleep 0.05; done
	"$osprey" core $filtered -o "$scratch/f1" --json >"$scratch/f1.json" || wrong "filtered: no core"
	kill -0 $filtered || wrong "its filter has killed it"
	setpriv --bounding-set -sys_admin --inh-caps -sys_admin "$osprey" core $filtered -o "$scratch/f2" --json >"$scratch/f2.json" ||
		wrong "filtered, without CAP_SYS_ADMIN: no core"
	kill -0 $filtered || wrong "its filter has killed it without CAP_SYS_ADMIN"
	[ "$(jq -r .method "$scratch/f2.json")" = plain ] || wrong "not plain: $(cat "$scratch/f2.json")"
	jq -e '.why_not[] | select(test("seccomp"))' "$scratch/f2.json" >/dev/null || wrong "not told of seccomp"
fi
exit $bad
