/* The hand on the target: stopping all threads, system calls made in one of them. Runs in the guardian
 * (dig/core/core_guard.h) alone, since a tracer is one thread and everything here belongs to it.
 *
 * ptrace by SEIZE (3.4) and INTERRUPT: no signal is sent, a group stop stays what it was. Needs what ptrace asks for:
 * the same user and a dumpable target, or CAP_SYS_PTRACE.
 *
 * What a stopped thread notices: nothing in user mode, and nothing in system calls that the kernel restarts (ERESTART…:
 * futex, nanosleep, poll, select, read of a pipe…). Some return EINTR at once in place of that, epoll_wait above all.
 * Where such a call has done nothing yet, no signal is pending and it has no signal mask of its own, its thread is
 * set back in front of the call, which starts again: the program sees no EINTR (a timeout begins anew).
 *
 * Threads have to reach their stop themselves. One that still waits for its turn after a moment is made a real-time one
 * (where CAP_SYS_NICE allows, and it is an ordinary one) until it goes on: on a host with a long run queue the others would
 * stand for as long. It is so in the kernel alone, not for one instruction of the program.
 *
 * A call is injected where the thread would return to user mode, by syscall stops: no SIGTRAP is made, so that the
 * target's own handling of it stays. Signals are held back meanwhile, and registers, mask and the pending restart are
 * as before at the end: the kernel itself then decides over the restart. Threads within a restartable sequence are not
 * used. */
#ifndef OSPREY_DIG_CORE_CORE_TRACE_H
#define OSPREY_DIG_CORE_CORE_TRACE_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"

#define CORE_GENERAL_MAX 512	/* bytes of NT_PRSTATUS */
#define CORE_FLOATING_MAX 1024	/* of NT_PRFPREG */
#define CORE_EXTENDED_MAX 16384 /* of NT_X86_XSTATE; AMX takes 11 KiB */

struct core_thread {
	int tid; /* 0: it ended */
	bool stopped;
	bool ahead; /* a real-time thread until it goes on; `policy` is its own */
	int policy;
	int signal; /* it was about to be delivered; passed on when the thread goes on */
	bool has_info;
	siginfo_t info; /* of that signal */
	uint64_t signal_mask;
	uint32_t general_size, floating_size, extended_size; /* 0: not readable */
	unsigned char general[CORE_GENERAL_MAX];
	unsigned char floating[CORE_FLOATING_MAX];
	unsigned char extended[CORE_EXTENDED_MAX];
};

/* Shared by osprey and the guardian; threads beyond the first few are touched only when they exist. */
struct core_shared {
	_Atomic uint64_t heartbeat; /* osprey counts it up while it reads a stopped target */
	uint32_t capacity;
	uint32_t nthreads;
	uint32_t restarted; /* threads set back in front of a call that had returned EINTR */
	struct core_thread thread[];
};

struct core_trace {
	int pid;
	struct core_shared *shared;
	struct map seen; /* tid -> its place */
	uint64_t stopped_ns; /* clock of the first interruption; 0: nothing is stopped */
};

/* Why one of these failed: error, and the thread it is about. */
struct core_trace_failure {
	int tid;
	const char *what; /* static */
};

/* Stops all threads until no new one turns up, and writes their registers into `shared`. -ESRCH: it has ended; -EPERM:
 * not permitted, or traced by somebody else; -EBUSY: a thread did not stop in time (uninterruptible sleep)
 * and the tracer must exit to let go of it; -ENOBUFS: more threads than `capacity`. On failure what was
 * stopped stays so: call core_trace_resume. */
int core_trace_stop(struct core_trace *t, struct core_trace_failure *ret) __attribute__((warn_unused_result));
/* Lets all go on; harmless when nothing is stopped. The pause in ns, from the first interruption to the last
 * release. */
uint64_t core_trace_resume(struct core_trace *t);

/* System calls to be made in the target: `make` gets the injection and calls core_injection_call. */
struct core_injection;
typedef int core_injection_body(struct core_injection *i, void *arg);
/* Stops one thread alone, preferably a sleeping one, for as long as `make` takes. `suspend_seccomp`: the
 * target's filters do not see the calls (needs CAP_SYS_ADMIN; 4.3). What `make` returned, or: -ESRCH, -EPERM,
 * -EBUSY as above (then nothing was injected), -EOPNOTSUPP (not on this architecture). */
int core_trace_inject(int pid, uint64_t syscall_address, bool suspend_seccomp, core_injection_body *make, void *arg,
		      uint64_t *ret_pause_ns, struct core_trace_failure *ret) __attribute__((warn_unused_result));
/* The same in a process that core_trace_stop has stopped, which stays so. -EAGAIN: no thread is fit for it. */
int core_trace_inject_stopped(struct core_trace *t, uint64_t syscall_address, bool suspend_seccomp,
			      core_injection_body *make, void *arg) __attribute__((warn_unused_result));
/* What the call returned, negative errno included; *ret_child is what clone made, as this process calls it, stopped and
 * traced with EXITKILL (nullable). -EIO: it was not made. */
int core_injection_call(struct core_injection *i, long number, const uint64_t argument[4], int64_t *ret, int *ret_child)
	__attribute__((warn_unused_result));

/* Whether core_trace_inject is there for this architecture. */
bool core_trace_can_inject(void);

#endif
