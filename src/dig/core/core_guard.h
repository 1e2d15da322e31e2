/* The guardian: a small process that alone traces the target, so that osprey can be killed at any moment.
 *
 * What a tracer leaves behind when it dies: stopped threads run on (EXITKILL is not set on them), but a
 * thread in which a system call is being made keeps the registers of that call, and would crash. So all of
 * ptrace is done by a child of osprey in a session of its own with every signal blocked, which osprey's
 * death, Ctrl-C and a kill of its process group do not reach. It does each injection in one go, without
 * waiting for osprey in between: registers changed, call made, registers restored, thread released. When
 * osprey dies, it finishes that, lets all threads run on, kills a forked child, has the target reap it, and
 * exits, within milliseconds. It holds no write protection: that ends with osprey, which has the only
 * descriptor of it.
 *
 * When osprey lives but does not get on (it was stopped by SIGSTOP, its disk hangs) the target is let go after
 * CORE_GUARD_STALL_NS, and the core is given up.
 *
 * What stays: SIGKILL to the guardian itself (all of a cgroup killed, the machine out of memory; where CAP_SYS_RESOURCE
 * allows it takes itself out of the OOM killer's choice). At any other time that is harmless: threads run on, a forked
 * child dies (EXITKILL), though as a zombie of the target. In the 20 to 100 us of an injection the one thread used for
 * it would go on with foreign registers, and threads that were helped to their stop (dig/core/core_trace.h) stay
 * real-time ones. There are two injections for pre-copy, one at its start in one thread, and two for fork. */
#ifndef OSPREY_DIG_CORE_CORE_GUARD_H
#define OSPREY_DIG_CORE_CORE_GUARD_H

#include "base/clock.h"
#include "dig/core/core_trace.h"

#define CORE_GUARD_STALL_NS (20 * NS_PER_S)

struct core_guard;

/* Forks it. `threads`: how many the target has; room is made for twice as many. -errno of mmap, socketpair, fork. */
int core_guard_new(int pid, uint32_t threads, struct core_guard **ret) __attribute__((warn_unused_result));
/* Ends it: threads go on, a child dies; waits until that is done. */
void core_guard_free(struct core_guard *g);

struct core_answer {
	int error;	   /* 0 or -errno, as core_trace.h says; -ETIME: it let the target go (see above) */
	int64_t injected;  /* what the injected call returned, when error is 0 or -EIO */
	uint64_t pause_ns; /* of this step; for a stop, known when it is resumed */
	int tid;	   /* the thread that an error is about; 0: none */
	int child;
};

/* userfaultfd() in one thread; *ret_fd is its only copy, and the caller's. An error of the call itself is
 * answer->injected below 0 with error -EIO. The guardian is of no further use for other things: free it. */
int core_guard_track(struct core_guard *g, uint64_t syscall_address, bool seccomp, int *ret_fd, struct core_answer *ret)
	__attribute__((warn_unused_result));
/* Stops all threads. Their registers are in core_guard_threads. */
int core_guard_stop(struct core_guard *g, struct core_answer *ret) __attribute__((warn_unused_result));
/* Of a stopped target: a copy of it, which never runs. */
int core_guard_fork(struct core_guard *g, uint64_t syscall_address, bool seccomp, struct core_answer *ret)
	__attribute__((warn_unused_result));
/* Lets all go on; ret->pause_ns is how long they stood. */
int core_guard_resume(struct core_guard *g, struct core_answer *ret) __attribute__((warn_unused_result));
/* Kills the copy and has the target reap it; ret->pause_ns is that of one thread. */
int core_guard_end_child(struct core_guard *g, struct core_answer *ret) __attribute__((warn_unused_result));

/* The guardian counts as stuck when this is not called for CORE_GUARD_STALL_NS while the target stands. */
void core_guard_beat(struct core_guard *g);
const struct core_shared *core_guard_threads(const struct core_guard *g);

#endif
