#!/bin/bash
# trace against strace: a fixed program's calls, one by one and argument by argument, by BPF and by ptrace; the counts of the
# summary; filters; what is lost is told; without privilege.
set -uo pipefail
cd "$(dirname "$0")/../.."
osprey=$PWD/${BUILD:-build}/osprey

command -v strace >/dev/null || { echo "skip: strace is not installed"; exit 77; }
[ "$(uname -m)" = x86_64 ] || { echo "skip: the table of calls is that of x86-64"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/osprey-trace.XXXXXX")
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
strace -o /dev/null true 2>/dev/null || { echo "skip: ptrace is not permitted here"; exit 77; }
${CC:-gcc} -w -O1 -o "$dir/target" tests/dig/trace_target.c || exit 1

bad=0
complain() { echo "$*"; bad=1; }
bpf=1
"$osprey" trace -e getpid -o /dev/null -- true 2>&1 | grep -q ptrace && bpf=

# Without whose line it is, how long it took, and what differs from run to run: addresses, numbers of processes, times, random bytes.
# The two print a few things on purpose otherwise: the variables of an environment and the entries of a directory are not counted.
# strace tells a call of two processes at once in two halves, which are put together; so the order of the lines is no matter.
normal() {
	awk '/<unfinished \.\.\.>$/ { begun[$1] = $0; sub(/ <unfinished \.\.\.>$/, "", begun[$1]); next }
		/<\.\.\. [a-z0-9_]+ resumed>/ { rest = $0; sub(/.*resumed>/, "", rest); print begun[$1] rest; next } { print }' "$1" |
	sed -E 's/^\[[0-9]+ [^]]*\] //; s/^[0-9]+ +//; s/ <[0-9.]+(ns|us|ms|s)>$//; s/0x[0-9a-f]{6,}/ADDRESS/g; s/ +=/ =/
		s,ADDRESS /\* [0-9]+ (vars|entries) \*/,ADDRESS,; s/htons\([0-9]+\)/htons(N)/
		/^(set_tid_address|getpid|getppid|clone|wait4|getdents64|gettid|vfork|fork)\(/ s/ = [0-9]+$/ = N/
		/^getrandom/ s/"[^"]*"/RANDOM/; s/tv_(sec|usec|nsec)=[0-9]+/tv_\1=N/g; s/f_(bfree|bavail|ffree)=[0-9]+/f_\1=N/g' |
		grep -E '^[a-z_0-9]+\(' | sort
}

strace -f -o "$dir/strace" "$dir/target" >/dev/null 2>&1 </dev/null
normal "$dir/strace" >"$dir/strace.normal"
calls=$(wc -l <"$dir/strace.normal")
[ "$calls" -ge 150 ] || complain "the target made only $calls calls"

agrees() { # WAY OPTION…
	local way=$1
	shift
	"$osprey" trace "$@" -o "$dir/$way" -- "$dir/target" >/dev/null 2>&1 </dev/null
	local code=$?
	[ $code = 7 ] || complain "$way: the exit code is $code, not the target's 7"
	normal "$dir/$way" >"$dir/$way.normal"
	diff -u "$dir/strace.normal" "$dir/$way.normal" >"$dir/diff" || { complain "$way: not as strace:"; cat "$dir/diff"; }
	tail -1 "$dir/$way" | grep -q ' 0 lost' || complain "$way: the last line does not say that nothing was lost"
	grep -q '^.*+++ exited with 7 +++' "$dir/$way" || complain "$way: the exit is not shown"
}
agrees ptrace --ptrace
[ -z "$bpf" ] || agrees bpf

# BPF programs that the kernel refuses are no reason to fall back where it has them.
by_the_way_asked_for() { grep -q 'by ptrace' "$dir/said" && complain "$1: $(<"$dir/said")"; }
# strace has descriptors that are waited for among those of a path.
strace -f -P /etc/passwd -o "$dir/strace" "$dir/target" >/dev/null 2>&1 </dev/null
normal "$dir/strace" | grep -vE '^p?poll\(' >"$dir/path.strace"
grep -q '^read(3' "$dir/path.strace" || complain "strace shows no read of /etc/passwd"

# ---- filters: each must leave some, and nothing else ----
only() { # WHAT PATTERN OPTION…
	local what=$1 pattern=$2
	shift 2
	"$osprey" trace "$@" -o "$dir/filtered" -- "$dir/target" >/dev/null 2>"$dir/said" </dev/null
	by_the_way_asked_for "$what"
	grep -E '^(\[[^]]*\] )?[a-z_0-9]+\(' "$dir/filtered" >"$dir/kept"
	[ -s "$dir/kept" ] || complain "$what: nothing is left"
	grep -vE "$pattern" "$dir/kept" >"$dir/wrong" && { complain "$what: not wanted:"; head -5 "$dir/wrong"; }
}
for way in ${bpf:+bpf} ptrace; do
	force=()
	[ $way = bpf ] || force=(--ptrace)
	only "$way: two calls" '(openat|close)\(' "${force[@]}" -e openat,close
	only "$way: a class" '(socket|connect|bind|listen|[a-z]*(send|recv)[a-z]*|[gs]etsockopt|getpeername|getsockname|shutdown|accept4|socketpair)\(' "${force[@]}" -e %network
	only "$way: an error" 'ENOENT' "${force[@]}" -E ENOENT
	only "$way: any error" '= -1 E' "${force[@]}" -E any
	only "$way: a path" '"/no/such' "${force[@]}" -P /no/such
	"$osprey" trace "${force[@]}" -P =/etc/passwd -o "$dir/filtered" -- "$dir/target" >/dev/null 2>"$dir/said" </dev/null
	by_the_way_asked_for "$way: an open file"
	diff -u "$dir/path.strace" <(normal "$dir/filtered") >"$dir/diff" || { complain "$way: -P is not as strace -P:"; cat "$dir/diff"; }
	# A relative path, and the descriptor that another program was started with.
	"$osprey" trace "${force[@]}" -P =/etc/passwd -o "$dir/filtered" -- sh -c 'cd /etc && head -c 1 <passwd' >/dev/null 2>&1
	grep -q 'openat(AT_FDCWD, "passwd"' "$dir/filtered" || complain "$way: a relative path is not known"
	grep -q ' read(0, "' "$dir/filtered" || { complain "$way: a descriptor that was inherited is not known"; cat "$dir/filtered"; }
	only "$way: a suffix" '(cache"|fstatat\(3|mmap\(.* 3, 0\)|close\(3)' "${force[@]}" -P '*.cache'
	only "$way: a descriptor" '\((3|3, |[a-z_]+, .*)' "${force[@]}" --fd 3 -e read,close,fstat,lseek
	"$osprey" trace "${force[@]}" -e '!%file' -o "$dir/filtered" -- "$dir/target" >/dev/null 2>&1 </dev/null
	grep -q 'openat(' "$dir/filtered" && complain "$way: a class that was excluded is there"
	"$osprey" trace "${force[@]}" --slower 1h -o "$dir/filtered" -- "$dir/target" >/dev/null 2>&1 </dev/null
	grep -E '^(\[[^]]*\] )?[a-z_0-9]+\(' "$dir/filtered" && complain "$way: a call took an hour"
	"$osprey" trace "${force[@]}" --limit 5 -o "$dir/filtered" -- sh -c 'while :; do cd /; done' >/dev/null 2>&1 </dev/null
	[ "$(wc -l <"$dir/filtered")" = 6 ] || complain "$way: --limit 5 gave $(wc -l <"$dir/filtered") lines, last one included"
	"$osprey" trace "${force[@]}" --json -e openat -o "$dir/json" -- "$dir/target" >/dev/null 2>&1 </dev/null
	grep -q '"call":"openat","arguments":\["AT_FDCWD","\\"/no/such\\"","O_RDWR|O_CREAT|O_TRUNC|O_APPEND","0640"\],"result":-1,"error":"ENOENT"' "$dir/json" ||
		complain "$way: the JSON line of an open is not there"
	"$osprey" trace "${force[@]}" -- "$dir/json" >"$dir/filtered" 2>&1
	grep -q 'exit_group' "$dir/filtered" && complain "$way: what a command that cannot be run did not do is shown"
	[ $way = ptrace ] || grep -qx "osprey: trace: cannot run '$dir/json': Permission denied" "$dir/filtered" ||
		complain "no word about a command that cannot be run, but: $(<"$dir/filtered")"
	tail -1 "$dir/json" | grep -q '"type":"end".*"lost":0' || complain "$way: the last JSON line does not count what was lost"
done

# ---- the summary counts as strace -c does ----
if [ -n "$bpf" ]; then
	strace -c -f -o "$dir/count" "$dir/target" >/dev/null 2>&1 </dev/null
	awk '$1 ~ /^[0-9.]+$/ && $NF != "total" { print $NF, $4, (NF == 6 ? $5 : 0) }' "$dir/count" | sort >"$dir/count.strace"
	"$osprey" trace --summary -o "$dir/count" -- "$dir/target" >/dev/null 2>&1 </dev/null
	awk '$1 ~ /%$/ { print $NF, $3, $4 }' "$dir/count" | sort >"$dir/count.osprey"
	diff -u "$dir/count.strace" "$dir/count.osprey" >"$dir/diff" || { complain "the summary counts otherwise than strace -c:"; cat "$dir/diff"; }

	# A buffer of one page cannot hold what this does, and that is said.
	"$osprey" trace --buffer 4 -o "$dir/lost" -- dd if=/dev/zero of=/dev/null bs=1 count=20000 >/dev/null 2>&1
	tail -1 "$dir/lost" | grep -qE ' 0 lost' && complain "nothing was lost in a buffer of one page"
	tail -1 "$dir/lost" | grep -qE 'lost' || complain "what was lost is not told"

	# A running process, attached and left.
	sleep 1000 &
	sleeper=$!
	"$osprey" trace --for 200ms $sleeper >"$dir/attached" 2>&1
	grep -q 'clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=1000, tv_nsec=0}, .* <unfinished ...>' "$dir/attached" ||
		{ complain "the call that a process sleeps in is not shown:"; cat "$dir/attached"; }
	"$osprey" trace --ptrace --for 200ms $sleeper >"$dir/attached" 2>&1
	kill -0 $sleeper && [ "$(awk '/^State/ { print $2 }' /proc/$sleeper/status)" != t ] || complain "ptrace left the target stopped"
	kill $sleeper
	wait $sleeper 2>/dev/null
fi

# ---- as nobody ----
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	cp "$osprey" "$dir/osprey"
	chmod 755 "$dir/osprey" "$dir/target"
	setpriv --reuid=65534 --regid=65534 --clear-groups "$dir/osprey" trace -e openat -- "$dir/target" >/dev/null 2>"$dir/nobody" </dev/null
	[ $? = 7 ] || complain "nobody: the exit code is not the target's"
	grep -q 'openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3' "$dir/nobody" || { complain "nobody: no trace"; cat "$dir/nobody"; }
	setpriv --reuid=65534 --regid=65534 --clear-groups "$dir/osprey" trace 1 >"$dir/nobody" 2>&1
	[ $? = 3 ] || complain "nobody: tracing process 1 did not end with 3"
	grep -q CAP_SYS_PTRACE "$dir/nobody" || { complain "nobody: the capability is not named"; cat "$dir/nobody"; }
fi
exit $bad
