#!/bin/bash
# CPU time, memory, I/O and context switches of one process against ps and /proc/PID by hand; the
# task table from BPF where there is one, and from /proc.
. "$(dirname "$0")/common"
need ps python3

work=$(mktemp -d "/var/tmp/osprey-agree.XXXXXX")
trap 'clean_up; rm -rf "$work"' EXIT
python3 -c '
import os, sys, time
ballast = bytearray(50 << 20)
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
end = time.monotonic() + 60
while time.monotonic() < end:
    for _ in range(200000): pass
    os.pwrite(out, b"x" * 65536, 0); os.fdatasync(out)
    time.sleep(0.005)' "$work/file" &
pid=$!
load_pids+=("$pid")
sleep 1

# utime and stime stand behind the name, which may hold blanks; ticks of 10 ms.
read_process() {
	sed 's/.*) //' "/proc/$pid/stat" | awk '{ print "cpu_ns", ($12 + $13) * 1e7 }' CONVFMT=%.0f OFMT=%.0f
	awk '{ print "run_ns", $1; print "wait_ns", $2 }' "/proc/$pid/schedstat"
	awk '$1 == "voluntary_ctxt_switches:" { print "voluntary_switches", $2 }
		$1 == "nonvoluntary_ctxt_switches:" { print "involuntary_switches", $2 }' "/proc/$pid/status"
	[ ! -r "/proc/$pid/io" ] || awk '$1 == "write_bytes:" { print "write_bytes", $2 }' "/proc/$pid/io"
}
compare() { # WORDS FOR THE LINES
	echo "with $*:"
	brackets 3 read_process "$pid"
	# /proc rounds user and system time to ticks, each in its own way.
	bracketed cpu_ns ".process.\"$pid\".cpu_ns" 20000000
	bracketed run_ns ".process.\"$pid\".run_ns | d"
	bracketed wait_ns ".process.\"$pid\".wait_ns"
	bracketed voluntary_switches ".process.\"$pid\".voluntary_switches"
	bracketed involuntary_switches ".process.\"$pid\".involuntary_switches"
	[ ! -r "/proc/$pid/io" ] || bracketed write_bytes ".process.\"$pid\".write_bytes"
	near "ps rss, KiB" "$(of ".process.\"$pid\".rss_bytes / 1024")" "$(ps -o rss= -p "$pid" | tr -d ' ')" 2048
	near "open files" "$(of ".process.\"$pid\".fd_count")" "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)" 0
	near "ps count" "$(of .processes)" "$(ps -e --no-headers -o pid | wc -l)" 25
}
watch_options=(--proc)
compare "tasks from /proc"
watch_options=()
compare "tasks from BPF where it works"
[ "$(of .bpf)" = true ] || echo "no BPF task table here"
agreed
