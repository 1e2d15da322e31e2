#include "dig/core/core_trace.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "dig/core/core_thread.h"

/* Threads have to reach their stop themselves: on a host with a long run queue that takes its time. One that sleeps
 * uninterruptibly is not waited for as long. */
#define STOP_PATIENCE_NS (5 * NS_PER_S) /* for all threads to stop */
#define ONE_PATIENCE_NS (2 * NS_PER_S)  /* for the one that is to make calls */
#define AHEAD_AFTER_NS 150000 /* so long takes it to wake up */
#define ALL_ASLEEP_NS (500 * NS_PER_MS)
#define ONE_ASLEEP_NS (50 * NS_PER_MS)

/* SIGCHLD is blocked here: a stop that comes ends the wait early. */
static void nap(void)
{
	const struct timespec moment = { 0, 200000 };
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigtimedwait(&child, NULL, &moment);
}

static bool is_late(int pid, int tid, uint64_t began_ns, uint64_t asleep_ns, uint64_t at_most_ns)
{
	uint64_t waited = clock_mono_ns() - began_ns;

	return waited > at_most_ns || (waited > asleep_ns && thread_state(pid, tid) == 'D');
}

/* ---- all threads ---- */

static void close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

static struct core_thread *thread_add(struct core_trace *t, int tid)
{
	struct core_shared *s = t->shared;

	if (s->nthreads >= s->capacity || map_set(&t->seen, (uint64_t)tid, s->nthreads) < 0)
		return NULL;
	struct core_thread *thread = &s->thread[s->nthreads++];

	*thread = (struct core_thread){ .tid = tid };
	return thread;
}

/* Attaches to threads that are not yet: no stop comes of it. How many were new, or -errno. */
static int seize_new(struct core_trace *t, struct core_trace_failure *ret)
{
	cleanup(close_dir) DIR *dir = NULL;
	char path[48];
	struct dirent *e;
	int new = 0;

	snprintf(path, sizeof path, "/proc/%d/task", t->pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((e = readdir(dir))) {
		int tid = atoi(e->d_name);

		if (tid <= 0 || map_get(&t->seen, (uint64_t)tid) != MAP_NONE)
			continue;
		if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0) {
			if (errno == ESRCH || (errno == EPERM && thread_is_dead(t->pid, tid)))
				continue;
			*ret = (struct core_trace_failure){ tid, "attach to" };
			return -errno;
		}
		if (!thread_add(t, tid))
			return -ENOBUFS;
		new ++;
	}
	return new;
}

static void thread_stopped(struct core_thread *thread, int status)
{
	if (!WIFSTOPPED(status)) {
		thread->tid = 0;
		return;
	}
	thread->stopped = true;
	thread->signal = status >> 16 ? 0 : WSTOPSIG(status);
	if (thread->signal)
		thread->has_info = ptrace(PTRACE_GETSIGINFO, thread->tid, NULL, &thread->info) == 0;
	thread_read_registers(thread);
}

static bool thread_poll(struct core_thread *thread)
{
	int status;
	pid_t got = waitpid(thread->tid, &status, __WALL | WNOHANG);

	if (got == 0)
		return false;
	if (got < 0)
		thread->tid = 0;
	else
		thread_stopped(thread, status);
	return true;
}

static int wait_all(struct core_trace *t, uint32_t from, struct core_trace_failure *ret)
{
	uint64_t began = clock_mono_ns();

	for (;;) {
		bool late = clock_mono_ns() - began > AHEAD_AFTER_NS;
		uint32_t left = 0;

		for (uint32_t i = from; i < t->shared->nthreads; i++) {
			struct core_thread *thread = &t->shared->thread[i];

			if (thread->tid && !thread->stopped && !thread_poll(thread)) {
				if (late && !thread->ahead)
					thread_get_ahead(thread);
				*ret = (struct core_trace_failure){ thread->tid, "stop" };
				left++;
			}
		}
		if (!left)
			return 0;
		if (is_late(t->pid, ret->tid, began, ALL_ASLEEP_NS, STOP_PATIENCE_NS))
			return -EBUSY;
		nap();
	}
}

int core_trace_stop(struct core_trace *t, struct core_trace_failure *ret)
{
	struct core_shared *s = t->shared;
	bool any = false;

	s->nthreads = s->restarted = 0;
	map_clear(&t->seen);
	for (;;) {
		uint32_t from = s->nthreads;
		int new = seize_new(t, ret);

		if (new < 0)
			return new;
		if (new == 0)
			break;
		if (!t->stopped_ns)
			t->stopped_ns = clock_mono_ns();
		for (uint32_t i = from; i < s->nthreads; i++)
			ptrace(PTRACE_INTERRUPT, s->thread[i].tid, NULL, NULL);
		int r = wait_all(t, from, ret);

		if (r < 0)
			return r;
	}
	for (uint32_t i = 0; i < s->nthreads; i++)
		any |= s->thread[i].stopped && s->thread[i].tid;
	return any ? 0 : -ESRCH;
}

uint64_t core_trace_resume(struct core_trace *t)
{
	struct core_shared *s = t->shared;
	uint64_t began = t->stopped_ns;

	for (uint32_t i = 0; i < s->nthreads; i++) {
		struct core_thread *thread = &s->thread[i];

		thread_step_back(thread);
		if (!thread->stopped || !thread->tid)
			continue;
		s->restarted += thread_release(t->pid, thread->tid, thread->signal);
		thread->stopped = false;
	}
	t->stopped_ns = 0;
	return began ? clock_mono_ns() - began : 0;
}

/* ---- one thread ---- */

/* Sleeping ones first: they are in a system call, so in no restartable sequence, and their pause costs nobody time.
 * 0 at the end. */
static int candidate(int pid, unsigned wanted)
{
	cleanup(close_dir) DIR *dir = NULL;
	char path[48];
	struct dirent *e;
	unsigned n = 0;

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	for (unsigned awake = 0; awake < 2; awake++) {
		dir = opendir(path);
		while (dir && (e = readdir(dir))) {
			int tid = atoi(e->d_name);
			char state = tid > 0 ? thread_state(pid, tid) : 'X';

			if (awake ? state != 'R' && state != 'T' : state != 'S')
				continue;
			if (n++ == wanted)
				return tid;
		}
		close_dir(&dir);
		dir = NULL;
	}
	return 0;
}

/* It has ended, or all of its threads sleep uninterruptibly. */
static int no_candidate(int pid, struct core_trace_failure *ret)
{
	if (thread_state(pid, pid) != 'D')
		return -ESRCH;
	*ret = (struct core_trace_failure){ pid, "stop" };
	return -EBUSY;
}

/* Until it stands in the trap that INTERRUPT asked for: signals that come before go on to their handlers. */
static int interrupt_one(int pid, int tid)
{
	uint64_t began = clock_mono_ns();
	int status;

	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0)
		return -errno;
	for (;;) {
		pid_t got = waitpid(tid, &status, __WALL | WNOHANG);

		if (got < 0 || (got > 0 && !WIFSTOPPED(status)))
			return -ESRCH;
		if (got > 0 && status >> 16)
			return 0;
		if (got > 0)
			ptrace(PTRACE_CONT, tid, NULL, (void *)(intptr_t)WSTOPSIG(status));
		else if (is_late(pid, tid, began, ONE_ASLEEP_NS, ONE_PATIENCE_NS))
			return -EBUSY;
		else
			nap();
	}
}

static int inject_into(int pid, int tid, struct core_injection *i, core_injection_body *make, void *arg)
{
	int signal = 0;
	int r = interrupt_one(pid, tid);

	if (r < 0)
		return r;
	r = injection_begin(i, pid, tid);
	if (r == 0) {
		r = make(i, arg);
		signal = injection_end(i);
	}
	thread_release(pid, tid, signal);
	return r;
}

int core_trace_inject(int pid, uint64_t syscall_address, bool suspend_seccomp, core_injection_body *make, void *arg,
		      uint64_t *ret_pause_ns, struct core_trace_failure *ret)
{
	long options = PTRACE_O_TRACESYSGOOD | (suspend_seccomp ? PTRACE_O_SUSPEND_SECCOMP : 0);
	int r = -ESRCH;

	for (unsigned n = 0; n < 8; n++) {
		struct core_injection i = { .address = syscall_address };
		int tid = candidate(pid, n);

		if (tid == 0)
			return n == 0 ? no_candidate(pid, ret) : r;
		if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)options) < 0) {
			r = -errno;
			*ret = (struct core_trace_failure){ tid, "attach to" };
			/* Gone; or left attached by an attempt before, which did not stop in time. */
			if (r == -ESRCH || (r == -EPERM && n > 0))
				continue;
			return r;
		}
		uint64_t from = clock_mono_ns();

		r = inject_into(pid, tid, &i, make, arg);
		*ret_pause_ns += clock_mono_ns() - from;
		if (r != -EAGAIN && r != -ESRCH && r != -EBUSY)
			return r;
	}
	return r;
}

int core_trace_inject_stopped(struct core_trace *t, uint64_t syscall_address, bool suspend_seccomp,
			      core_injection_body *make, void *arg)
{
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
		       (suspend_seccomp ? PTRACE_O_SUSPEND_SECCOMP : 0);
	int r = -EAGAIN;

	for (uint32_t n = 0; r == -EAGAIN && n < t->shared->nthreads; n++) {
		struct core_thread *thread = &t->shared->thread[n];
		struct core_injection i = { .address = syscall_address };

		if (!thread->stopped || !thread->tid || thread->signal)
			continue;
		if (ptrace(PTRACE_SETOPTIONS, thread->tid, NULL, (void *)options) < 0)
			return -errno;
		r = injection_begin(&i, t->pid, thread->tid);
		if (r < 0)
			continue;
		r = make(&i, arg);
		thread->signal = injection_end(&i);
	}
	return r;
}
