/* Fibers: start, join, yield, sleep; and the run of a program on them.
 *
 * Contexts. "Fiber" functions are called within rt_run, from a fiber; from elsewhere they end the process
 * with a line that says so. Memory order: what a fiber did before rt_spawn is seen by the fiber that it
 * starts, what a fiber did is seen by who joined it. */
#ifndef OSPREY_RT_FIBER_H
#define OSPREY_RT_FIBER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RT_API __attribute__((visibility("default")))
#define RT_FOREVER INT64_MAX

/* What a fiber runs; what it returns is given to who joins it. By custom 0, or a negative errno value. */
typedef int rt_function(void *arg);

/* A fiber that is to be joined. Both fields are the runtime's. Copies name the same fiber; one of them is
 * joined. */
struct rt_fiber {
	void *fiber;
	uint64_t id;
};

enum rt_stack {
	RT_STACK_DEFAULT,	/* 64 KiB of address space; memory is used as it is touched */
	RT_STACK_LARGE,		/* 256 KiB */
};

struct rt_options {
	unsigned processors;	/* how many fibers run at a time at most; 0: see rt_processors */
	unsigned threads;	/* most threads, those in blocking calls included; 0: 10 000 */
};

struct rt_spawn_options {
	enum rt_stack stack;
	const char *name;	/* static text for those who inspect, or NULL */
};

/* Runs first(arg) as a fiber, and the caller's thread as one of the runtime's, until that fiber and all that
 * were started within have ended. Returns what `first` returned. `options` may be NULL. -EBUSY: a run is
 * under way in this process (within it, a call ends the process with a line); -ENOMEM, -EAGAIN: no memory, no
 * threads; -ENOTSUP: the thread has a shadow stack (SHSTK of x86-64, GCS of AArch64), which fibers cannot use. */
RT_API int rt_run(const struct rt_options *options, rt_function *first, void *arg);

/* Starts a fiber that nobody joins. -ENOMEM. Fiber; does not block. */
RT_API int rt_go(rt_function *function, void *arg);

/* Starts a fiber that has to be joined once. `options` may be NULL. -ENOMEM, -EINVAL, and `ret` untouched.
 * Fiber; does not block. */
RT_API int rt_spawn(rt_function *function, void *arg, const struct rt_spawn_options *options,
		    struct rt_fiber *ret);

/* Waits for the fiber's end; `ret_result` may be NULL. 0; -ETIMEDOUT or -ECANCELED, and it is still to be
 * joined. A second join of the same fiber ends the process with a line. Fiber; blocks. */
RT_API int rt_join(struct rt_fiber fiber, int *ret_result, int64_t deadline);

/* Lets the others that are ready run first. Fiber. */
RT_API void rt_yield(void);

/* Around code that may block its thread (files, DNS, a library's locks): others may use its processor
 * meanwhile. They do not nest, and between them no other function of the runtime may be called: where that is
 * seen, as an end without a beginning, it ends the process with a line. Costs some nanoseconds. Fiber. */
RT_API void rt_block_begin(void);
RT_API void rt_block_end(void);

/* Between them the fiber stays on its thread, for libraries that keep something for each thread (errno,
 * OpenGL, locales). They nest. Only fibers that were pinned there run on that thread, so each costs one, and
 * switching to and from a pinned fiber costs what threads cost. A fiber that ends is no longer pinned.
 * Fiber. */
RT_API void rt_pin(void);
RT_API void rt_unpin(void);

/* Around code that computes for long without a call: within, a fiber that has run for 2 ms is left by a
 * signal, so that others run on its thread too (elsewhere the processor goes to another thread, and the
 * kernel divides the CPU between both). Between them no function of the runtime or of libc may be called,
 * malloc above all: the fiber may be left while it holds a lock of theirs. Nor may the code use thread-local
 * variables, as it may go on on another thread. They do not nest: where that is seen, as an end without a
 * beginning, it ends the process with a line. It takes 4 to 12 KiB more of the stack, for the CPU's registers. The signal is the last real-time signal that the program does not handle when the
 * first region begins: -EAGAIN when there is none, and then there is no region to end. Under Valgrind fibers are
 * left so only where the run has one thread, and under ThreadSanitizer only at their own atomic accesses. Fiber. */
RT_API int rt_preempt_begin(void);
RT_API void rt_preempt_end(void);

/* How many fibers run at a time at most. Unless rt_options says it, or RT_PROCESSORS in the environment: the
 * CPUs of the affinity mask, or fewer if a cgroup (v1 or v2, the process's own or any above it) has a CPU
 * quota, which is rounded up and counts as 2 at least. That is looked at again each second while fibers run,
 * so the number may change. Anywhere, in a run. */
RT_API unsigned rt_processors(void);

/* CLOCK_MONOTONIC in nanoseconds. Anywhere. */
RT_API int64_t rt_now(void);

/* Sleeps until `deadline`, or `ns` from now. 0, -ECANCELED. Fiber; blocks. */
RT_API int rt_sleep_until(int64_t deadline);
RT_API int rt_sleep(int64_t ns);

#ifdef __cplusplus
}
#endif
#endif
