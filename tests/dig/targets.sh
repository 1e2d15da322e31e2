#!/bin/bash
# Each target of tests/dig/targets is what the tests of digging take it for: stripped, static, without frame
# pointers, in namespaces of its own, …; the one that measures the pauses made by an observer measures them;
# and none outlives its test.
. "$(dirname "$0")/common"
need readelf nm objdump

tasks() { cat /proc/"$1"/task/*/comm 2>/dev/null; }
count() { grep -c "$1"; }
# in_call PID CALL-NUMBER: how many threads wait in it
in_call() { cat /proc/"$1"/task/*/syscall 2>/dev/null | count "^$2 "; }
can_see_calls() { [ "$(uname -m)" = x86_64 ] && [ -r /proc/self/syscall ]; }
saves_frame_pointer() { objdump -d --no-show-raw-insn --disassemble="$2" "$1" | grep -q 'mov *%rsp,%rbp'; }

threads() {
	target_threads 60 5 || return
	local names
	names=$(tasks "$target_pid")
	is "threads of threads" "$(wc -l <<<"$names")" 62
	for kind in mutex cond read epoll sleep futex; do
		is "threads that wait in $kind" "$(count "^$kind-" <<<"$names")" 10
	done
	if can_see_calls; then
		is "threads in epoll_wait" "$(in_call "$target_pid" 232)" 10
		is "threads in read" "$(in_call "$target_pid" 0)" 10
	fi
	pauses
	is "threads that say that they wait" "$seen_waiting" 60
	is "EINTR before anything was done" "$seen_interrupted" 0
	is "calls that returned" "$seen_returned" 0
	local ticks_before=$seen_ticks
	pauses_forget
	kill -STOP "$target_pid"
	sleep 0.3
	kill -CONT "$target_pid"
	until_true 5 ticked_past "$ticks_before" || wrong "the ticker does not tick"
	sleep 0.1
	pauses
	[ "$seen_largest_gap_ns" -ge 250000000 ] || wrong "a stop of 300 ms was seen as $seen_largest_gap_ns ns"
	[ "$seen_interrupted" -gt 0 ] || wrong "a stop interrupts epoll_wait, and it was not counted"
	is "calls that returned for another reason" "$seen_returned" 0
	saves_frame_pointer "$target_program" descend || wrong "threads has no frame pointers"
	stop "$target_pid"
}
ticked_past() { pauses; [ "$seen_ticks" -gt "$1" ]; }

threads_static() {
	target_threads_static 6 3 || return
	lacks "program headers of threads_static" "$(readelf -lW "$target_program")" INTERP
	lacks "sections of threads_static" "$(readelf -SW "$target_program")" .symtab
	lacks "sections of threads_static" "$(readelf -SW "$target_program")" .debug_info
	lacks "mappings of threads_static" "$(cat "/proc/$target_pid/maps")" libc.so
	is "threads of threads_static" "$(tasks "$target_pid" | wc -l)" 8
	stop "$target_pid"
}

locks() {
	target_deadlock || return
	is "threads of deadlock" "$(tasks "$target_pid" | sort | tr '\n' ' ')" "deadlock one outside three two "
	! can_see_calls || is "threads of deadlock in futex" "$(in_call "$target_pid" 202)" 4
	stop "$target_pid"
	target_contended 4 || return
	is "fighters" "$(tasks "$target_pid" | count fighter)" 4
	until_true 5 waits_for_lock "$target_pid" || wrong "nobody waits for the hot lock"
	stop "$target_pid"
}
waits_for_lock() { ! can_see_calls || [ "$(in_call "$1" 202)" -gt 0 ]; }

languages() {
	target_nofp || return
	local function
	for function in inner middle work_inner work_outer; do
		! saves_frame_pointer "$target_program" $function || wrong "$function of nofp has a frame pointer"
	done
	has "threads of nofp" "$(tasks "$target_pid")" worker
	stop "$target_pid"
	target_cpp || return
	has "symbols of shapes" "$(nm "$target_program")" _ZN6shapes4rest
	has "threads of shapes" "$(tasks "$target_pid")" thrower
	stop "$target_pid"
	if [ -x "$build/tests/dig/worker" ]; then
		target_rust || return
		has "symbols of worker" "$(nm -C "$target_program")" worker::collatz
		has "threads of worker" "$(tasks "$target_pid")" rust-waiter
		stop "$target_pid"
	fi
	if [ -x "$build/tests/dig/goroutines" ]; then
		target_go 300 || return
		has "sections of goroutines" "$(readelf -SW "$target_program")" .symtab
		stop "$target_pid"
		target_go_stripped 300 || return
		has "sections of goroutines_stripped" "$(readelf -SW "$target_program")" .gopclntab
		lacks "sections of goroutines_stripped" "$(readelf -SW "$target_program")" .symtab
		stop "$target_pid"
	fi
	target_python || return
	is "threads of python" "$(tasks "$target_pid" | wc -l)" 4
	is "program of python" "$(readlink "/proc/$target_pid/exe")" "$target_program"
	stop "$target_pid"
	target_mallocs || return
	read -r arena in_use free mmapped blocks _ <"$target_sums"
	is "bytes of the arenas" $((in_use + free)) "$arena"
	is "blocks that are mapped" "$blocks" 3
	[ "$mmapped" -ge $((3 << 20)) ] || wrong "mapped bytes: $mmapped"
	stop "$target_pid"
}

services() {
	if command -v redis-server redis-cli >/dev/null; then
		target_redis || return
		is "redis" "$(redis-cli -s "$redis_socket" set a b)" OK
		is "program of redis" "$(readlink "/proc/$target_pid/exe")" "$target_program"
		stop "$target_pid"
	fi
	if PATH=$PATH:/usr/sbin command -v nginx >/dev/null; then
		target_nginx || return
		is "nginx's worker" "$(readlink "/proc/${nginx_worker// /}/exe")" "$target_program"
		stop "$target_pid"
		until_true 3 is_gone "${nginx_worker// /}" || wrong "nginx's worker outlives it"
	fi
	if [ -n "$(postgres_bin)" ]; then
		target_postgres && pgbench_begin 3 || return
		local backends
		backends=$(postgres_backends)
		is "backends of pgbench" "$(wc -l <<<"$backends")" 3
		is "program of a backend" "$(readlink "/proc/$(head -1 <<<"$backends")/exe")" "$(readlink -f "$target_program")"
		stop "$pgbench_pid" "$target_pid"
		until_true 3 is_gone "$(head -1 <<<"$backends")" || wrong "a backend outlives its postmaster"
	fi
}

container() {
	can_container || { echo "left out: a container needs root and namespaces"; return; }
	target_container 12 4 || return
	is "pid inside" "$(awk '/^NSpid/ { print $3 }' "/proc/$target_pid/status")" 1
	is "threads of the container" "$(tasks "$target_pid" | wc -l)" 14
	is "its program by its own name" "$(readlink "/proc/$target_pid/exe" | sed 's|.*/||')" threads
	[ ! -e /threads ] || wrong "/threads exists here too, so it proves nothing"
	local space
	for space in pid mnt uts; do
		[ "$(readlink "/proc/$target_pid/ns/$space")" != "$(readlink "/proc/self/ns/$space")" ] ||
			wrong "it shares our $space namespace"
	done
	has "what it sees of itself" "$(cat "/proc/$target_pid/root/proc/1/comm")" threads
	pauses
	is "threads that wait in the container" "$seen_waiting" 12
	stop "$target_pid"
}

threads || bad=1
threads_static || bad=1
locks || bad=1
languages || bad=1
services || bad=1
container || bad=1
end
