#!/bin/bash
# Stacks of real programs: each frame and name against eu-stack, lines and inlined calls against gdb, cores against the
# process that they were taken of; files that are gone or in another root; other users; processes that end or cannot.
# What is compared stands still or is stopped meanwhile, so that both look at the same.
. "$(dirname "$0")/common"
need jq python3 eu-stack
[ "$(id -u)" = 0 ] || skip "needs root"

json() { "$osprey" stack --json --no-lines "$@" 2>"$scratch/errors"; }
# compare WHAT LEAST-FRAMES OURS THEIRS
compare() { checks=$((checks + 1)); python3 tests/dig/stack_compare.py "$@" || bad=1; }
# against_eu WHAT LEAST-FRAMES PID: ours first, since eu-stack interrupts what sleeps
against_eu() {
	json --threads --os-threads "$3" >"$scratch/ours" || wrong "$1: exit code $?: $(<"$scratch/errors")"
	eu-stack -n 0 -p "$3" >"$scratch/theirs" 2>/dev/null
	compare "$1" "$2" "$scratch/ours" "$scratch/theirs"
}
# shellcheck disable=SC2317  # until_true calls it
is_stopped() { grep -q '^State:.T' "/proc/$1/status"; }
# stopped_against_eu WHAT LEAST-FRAMES PID
stopped_against_eu() {
	kill -STOP "$3"
	until_true 5 is_stopped "$3" || wrong "$1 does not stop"
	against_eu "$@"
	kill -CONT "$3"
}
get() { jq -r "$1" <"$scratch/ours"; }

threads() {
	target_threads 60 10 || return
	pauses_forget
	local i
	for i in 1 2 3; do json "$target_pid" >"$scratch/ours" || wrong "threads: exit code $?"; done
	pauses
	is "calls that returned EINTR" "$seen_interrupted" 0
	is "calls that returned" "$seen_returned" 0
	is "stopped threads" "$(get .stopped_threads)" 0
	is "threads" "$(get .threads)" 62
	is "places of those that wait" "$(get '[.stacks[] | select(.threads | length == 10)] | length')" 6
	against_eu threads 700 "$target_pid"
	cp "$scratch/ours" "$scratch/before"
	json --threads --consistent "$target_pid" >"$scratch/ours" || wrong "--consistent: exit code $?"
	is "threads that --consistent stops" "$(get .stopped_threads)" 62
	is "the pause is told" "$(get '.pause_ns > 0 and .pause_ns < 60e9')" true
	compare "threads, consistent" 700 "$scratch/ours" "$scratch/before"
	pauses
	[ "$seen_interrupted" -gt 0 ] || wrong "--consistent is said to interrupt epoll_wait, and it did not"

	# Several, one of which does not exist.
	"$osprey" stack --json --no-lines "$target_pid" 4194303 "$$" >"$scratch/ours" 2>"$scratch/errors"
	is "exit code with one PID of nobody" $? 3
	is "processes of three operands" "$(get 'map(.pid) | join(" ")')" "$target_pid $$"
	is "what is said of the third" "$(<"$scratch/errors")" "osprey: stack: there is no process 4194303"
	local tid
	tid=$(basename "$(dirname "$(grep -lx epoll-3 /proc/"$target_pid"/task/*/comm)")")
	json --tid "$tid" "$target_pid" >"$scratch/ours"
	is "the thread of --tid" "$(get '[.stacks[].threads[].tid] | join(" ")')" "$tid"

	# Cores, of osprey and of gdb: as the process was.
	"$osprey" core "$target_pid" -o "$scratch/core.osprey" >/dev/null 2>"$scratch/errors" || wrong "core: $(<"$scratch/errors")"
	json --threads "$scratch/core.osprey" >"$scratch/ours" || wrong "core: exit code $?: $(<"$scratch/errors")"
	compare "core by osprey" 700 "$scratch/ours" "$scratch/before"
	if command -v gcore >/dev/null; then
		gcore -o "$scratch/core" "$target_pid" >/dev/null 2>&1 || wrong "gcore: exit code $?"
		json --threads "$scratch/core.$target_pid" >"$scratch/ours" || wrong "core of gdb: $(<"$scratch/errors")"
		compare "core by gdb" 700 "$scratch/ours" "$scratch/before"
	fi
	rm -f "$scratch"/core*
	stop "$target_pid"
}

# Each program that is not ours, stopped meanwhile.
services() {
	target_threads_static 12 3 && against_eu "static, stripped" 90 "$target_pid" && stop "$target_pid"
	target_nofp && stopped_against_eu "no frame pointers" 8 "$target_pid" && stop "$target_pid"
	target_python && stopped_against_eu python 40 "$target_pid" && stop "$target_pid"
	if [ -x "$build/tests/dig/goroutines" ]; then
		target_go 30 && stopped_against_eu "go" 20 "$target_pid" && stop "$target_pid"
		target_go_stripped 30 && stopped_against_eu "go, stripped" 10 "$target_pid" && stop "$target_pid"
	fi
	if command -v redis-server redis-cli >/dev/null; then
		target_redis && stopped_against_eu redis 25 "$target_pid" && stop "$target_pid"
	fi
	if PATH=$PATH:/usr/sbin command -v nginx >/dev/null; then
		target_nginx && stopped_against_eu nginx 5 "$target_pid" &&
			stopped_against_eu "nginx, worker" 8 "${nginx_worker// /}" && stop "$target_pid"
	fi
	if [ -n "$(postgres_bin)" ] && target_postgres && pgbench_begin 1; then
		local backend
		stopped_against_eu postgres 6 "$target_pid"
		backend=$(postgres_backends | head -1)
		stopped_against_eu "postgres, backend" 6 "$backend"
		stop "$pgbench_pid" "$target_pid"
	fi
}

# The lines, innermost first, of what has some: "file:line", without folders. Not those of the C library: gdb ends at
# main, and adds frames of tail calls that are in no register or memory.
our_lines() { jq -r '.stacks[] | "thread \(.threads[0].tid)", (.frames[] | select(.file) | "\(.file | sub(".*/"; "")):\(.line)")'; }
gdb_lines() {
	gdb -nx -batch -p "$1" -ex 'thread apply all bt' 2>/dev/null |
		sed -nE '/_wait_cancelable64 /d; s/^Thread .*\(LWP ([0-9]+)\).*/thread \1/p; s/^Thread .*Thread [^ ]* \(LWP ([0-9]+)\).*/thread \1/p; s|^#.* at (.*/)?([^/ ]+:[0-9]+)$|\2|p'
}
own_lines() { grep -vE '\.[cS]:|^libc_start'; }
by_thread() { awk '/^thread / { t = $2; next } { print t, ++n[t], $0 }' | sort; }
lines() {
	command -v gdb >/dev/null || { echo "left out: lines need gdb"; return; }
	kill -STOP "$target_pid"
	until_true 5 is_stopped "$target_pid" || wrong "$1 does not stop"
	"$osprey" stack --json --threads "$target_pid" | our_lines | own_lines | by_thread >"$scratch/ours"
	gdb_lines "$target_pid" | own_lines | by_thread >"$scratch/theirs"
	kill -CONT "$target_pid"
	is "lines of $1, against gdb" "$(diff "$scratch/theirs" "$scratch/ours")" ""
	within "frames of $1 with lines" "$(wc -l <"$scratch/ours")" "$2" 1000
	echo "$1: $(wc -l <"$scratch/ours") lines and inlined calls compared with gdb's"
}
languages() {
	target_cpp && stopped_against_eu C++ 10 "$target_pid" && lines C++ 8 && stop "$target_pid"
	[ -x "$build/tests/dig/worker" ] && target_rust && stopped_against_eu Rust 20 "$target_pid" && lines Rust 15 && stop "$target_pid"
}

goroutines() {
	[ -x "$build/tests/dig/goroutines" ] || { echo "left out: no compiler for Go"; return; }
	local kind function
	for kind in target_go target_go_stripped; do
		$kind 300 || return
		json "$target_pid" >"$scratch/ours" || wrong "$kind: exit code $?"
		# 300 that wait, main, and the one that computes.
		is "goroutines of $kind" "$(get '[.goroutines.stacks[] | select(.system | not) | .goroutines[]] | length')" 302
		is "unread ones" "$(get .goroutines.unread)" 0
		for function in main.onChannel main.onMutex main.onTimer; do
			is "goroutines in $function" \
				"$(get "[.goroutines.stacks[] | select(.frames | map(.function) | index(\"$function\")) | .goroutines[]] | length")" 100
		done
		is "calls of main.level below" "$(get '[.goroutines.stacks[] | [.frames[] | select(.function == "main.level")] | length] | max')" 6
		stop "$target_pid"
	done
}

# Its files are told by its own root; here none has that name.
container() {
	can_container || { echo "left out: a container needs root and namespaces"; return; }
	target_container 12 6 || return
	against_eu container 120 "$target_pid"
	is "names from a file of the container" "$(get '[.stacks[].frames[] | select(.function == "descend")] | length')" 72
	is "frames without a name" "$(get '[.stacks[].frames[] | select(.function == null)] | length')" 0
	stop "$target_pid"
}

deleted() {
	cp "$build/tests/dig/threads" "$scratch/gone" && target_seen=$scratch/seen-gone
	target_begin "$scratch/gone" "$scratch/gone" "$target_seen" 6 7 && target_await target_says_ready || return
	json --threads "$target_pid" >"$scratch/before"
	rm "$scratch/gone"
	json --threads "$target_pid" >"$scratch/ours" || wrong "deleted program: exit code $?"
	is "names from a program that was deleted" "$(get '[.stacks[].frames[] | select(.function == "descend")] | length')" 42
	compare "deleted program" 70 "$scratch/ours" "$scratch/before"
	stop "$target_pid"
}

# Without BPF: nobody's look at a process of nobody. And nobody's at ours.
nobody() {
	command -v setpriv >/dev/null || { echo "left out: another user needs setpriv"; return; }
	local as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	cp "$osprey" "$build/tests/dig/threads" "$scratch/" && chmod 755 "$scratch"/{osprey,threads}
	mkdir "$scratch/theirs.d" && chown 65534 "$scratch/theirs.d"
	target_seen=$scratch/theirs.d/seen
	target_begin "$scratch/threads" "${as[@]}" "$scratch/threads" "$target_seen" 12 5 && target_await target_says_ready || return
	json --threads "$target_pid" >"$scratch/before"
	"${as[@]}" "$scratch/osprey" stack --json --threads --no-lines "$target_pid" >"$scratch/ours" 2>"$scratch/errors"
	local code=$?
	if [ $code = 3 ] && [ "$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo 0)" != 0 ]; then
		echo "left out: Yama closes processes of the same user"
	else
		is "exit code as nobody" $code 0
		is "BPF as nobody" "$(get '.why_no_bpf != null')" true
		compare "without BPF" 100 "$scratch/ours" "$scratch/before"
		pauses
		is "calls that a look without BPF interrupted" "$seen_interrupted" 0
	fi
	stop "$target_pid"
	target_threads 2 2 || return
	"${as[@]}" "$scratch/osprey" stack "$target_pid" >"$scratch/out" 2>"$scratch/errors"
	is "exit code of nobody for a process of root" $? 3
	is "lines about it" "$(wc -l <"$scratch/errors") $(wc -c <"$scratch/out")" "1 0"
	holds "what it needs" "$scratch/errors" 'CAP_SYS_PTRACE'
	stop "$target_pid"
}

cat >"$scratch/odd.c" <<'C'
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
static void *stays(void *unused) { for (;;) pause(); return unused; }
int main(int argc, char *argv[])
{
	pthread_t t;
	prctl(PR_SET_PDEATHSIG, 9);
	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc > 1 && strcmp(argv[1], "vfork") == 0) {
		puts("ready"); /* until the child ends the parent sleeps uninterruptibly */
		if (vfork() == 0) {
			prctl(PR_SET_PDEATHSIG, 9);
			for (;;)
				pause();
		}
	}
	if (argc > 1 && strcmp(argv[1], "zombie") == 0) {
		if (fork() == 0)
			_exit(0);
		sleep(1);
		puts("ready");
		stays(NULL);
	}
	pthread_create(&t, NULL, stays, NULL);
	puts("ready");
	pthread_exit(NULL);
}
C
# shellcheck disable=SC2317  # target_await calls it
in_state() { [ "$(awk '/^State:/ { print $2 }' "/proc/$1/status")" = "$2" ]; }
odd_ones() {
	local child
	command -v cc >/dev/null && cc -w -O1 -g -pthread -o "$scratch/odd" "$scratch/odd.c" || { echo "left out: odd ones need cc"; return; }
	# Uninterruptible: the parent of a vfork.
	target_begin "$scratch/odd" "$scratch/odd" vfork
	target_await in_state "$target_pid" D || wrong "no uninterruptible sleep"
	"$osprey" stack "$target_pid" >"$scratch/out"
	is "exit code of an uninterruptible one" $? 0
	holds "its state" "$scratch/out" '^1 thread sleeps, and no signal wakes it'
	holds "where it stands" "$scratch/out" '0  (__)?vfork\+'
	holds "its call" "$scratch/out" '1  main\+.*odd\.c:'
	kill -9 "$(tr -d " " <"/proc/$target_pid/task/$target_pid/children")"
	stop "$target_pid"
	# Ended, and nobody took notice.
	target_begin "$scratch/odd" "$scratch/odd" zombie && target_await target_says_ready
	child=$(tr -d ' ' <"/proc/$target_pid/task/$target_pid/children")
	"$osprey" stack "$child" >"$scratch/out"
	is "exit code of a zombie" $? 0
	holds "a zombie" "$scratch/out" 'it has ended, and waits for its parent to take notice'
	stop "$target_pid"
	# The first thread has ended, the other stays.
	target_begin "$scratch/odd" "$scratch/odd" && target_await target_says_ready && target_await in_state "$target_pid" Z
	json --threads "$target_pid" >"$scratch/ours"
	is "exit code without its first thread" $? 0
	is "threads without the first" "$(get '[.stacks[] | select(.frames | map(.function) | index("stays")) | .threads[]] | length')" 1
	stop "$target_pid"
	# Those that end while they are looked at: an answer or one line.
	local i code
	for i in 1 2 3 4; do
		"$scratch/odd" >/dev/null & child=$!
		disown
		(sleep "0.0$i"; kill -9 $child) 2>/dev/null &
		"$osprey" stack --no-lines $child >"$scratch/out" 2>"$scratch/errors"
		code=$?
		until_true 5 is_gone $child || wrong "one that is killed does not end"
		checks=$((checks + 1))
		case $code,$(wc -l <"$scratch/errors") in
		0,0 | 3,1) ;;
		*) wrong "one that ends: exit code $code, $(head -3 "$scratch/errors")" ;;
		esac
	done
}
kernel_thread() {
	[ "$(cat /proc/2/comm 2>/dev/null)" = kthreadd ] || return
	"$osprey" stack 2 >"$scratch/out"
	is "exit code of a kernel thread" $? 0
	holds "a kernel thread" "$scratch/out" '^1 thread of the kernel sleeps'
	holds "where it stands" "$scratch/out" ' k  kthreadd\+'
}

threads
services
languages
goroutines
container
deleted
nobody
odd_ones
kernel_thread
end
