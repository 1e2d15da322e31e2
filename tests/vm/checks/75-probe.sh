#!/bin/bash
# Kernel functions, that kernels of distributions can probe: entered and left, arguments by their types; tracepoints and user
# functions as everywhere.
. "$(dirname "$0")/../check.sh"

[ -e /sys/bus/event_source/devices/kprobe/type ] || skip "no kprobes"
scratch=$(mktemp -d)
# shellcheck disable=SC2317  # the trap calls it
clean() { [ -z "${watcher:-}" ] || kill -9 "$watcher" 2>/dev/null || true; rm -rf "$scratch"; }
trap clean EXIT

# watch ARGUMENT…; work; ended
watch() {
  "$osprey" probe "$@" >"$scratch/out" 2>"$scratch/talk" &
  watcher=$!
  for _ in $(seq 600); do
    grep -q probed "$scratch/talk" && return 0
    kill -0 $watcher 2>/dev/null || break
    sleep 0.1
  done
  cat "$scratch/talk" >&2
  fail "osprey probe $* did not start"
}
ended() { kill -INT $watcher; wait $watcher || fail "osprey probe ended with $?"; watcher=; }
wanted() { grep -qE "$1" "$scratch/out" || { cat "$scratch/out" >&2; fail "no '$1'"; }; }

# Reads of 512 bytes that this shell's child makes, no more and no fewer.
watch --json 'kprobe:vfs_read if count == 517 && comm == "dd" count; kprobe:vfs_read if count == 517 && comm == "dd" sum count;
  kretprobe:vfs_read if retval == 517 && comm == "dd" count by probe;
  kprobe:vfs_read if comm == "dd" && count == 517 count by file->f_path.dentry->d_name.name != 0;
  tracepoint:syscalls:sys_enter_read if count == 517 && comm == "dd" count;
  rawtracepoint:sys_enter if id == 0 && regs->dx == 517 count;
  tracepoint:sched:sched_process_exec if str(filename) starts "/" count by filename'
dd if=/dev/zero of=/dev/null bs=517 count=40 2>/dev/null
ended
# Five of them are 40 reads.
[ "$(grep -oE '"count": ?40[,}]' "$scratch/out" | wc -l)" -ge 5 ] || { cat "$scratch/out" >&2; fail "not 40 everywhere"; }
wanted '"sum": ?20680'
wanted '"retval|"probe": ?"kretprobe:vfs_read"'
wanted 'dd"'

# Many at once, and a stack.
watch --stack 'kprobe:vfs_re* count by probe, comm'
dd if=/dev/zero of=/dev/null bs=517 count=40 2>/dev/null
ended
wanted 'kprobe:vfs_read'
wanted 'k .*(ksys_read|x64_sys_read|vfs_read)'

# User functions: by one link since 6.6, by perf events before.
watch 'uprobe:bash:*alloc* count by probe'
bash -c 'for i in 1 2 3; do x=$i; done'
ended
wanted 'uprobe:.*bash:.*alloc'
"$osprey" probe list 'kprobe:vfs_rea*' >"$scratch/out"
wanted '^kprobe:vfs_read$'
[ -z "$(ls -A /sys/kernel/tracing/instances 2>/dev/null)" ] || fail "a tracing instance stays"
