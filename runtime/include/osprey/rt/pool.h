/* A pool of threads for what blocks its thread: files, DNS, foreign libraries.
 *
 * rt_block_begin and rt_block_end (fiber.h) are for calls that are short as a rule: the call stays on the
 * fiber's stack and thread. A pool is for calls that block as a rule or need much stack: its threads are
 * bounded, are not the runtime's, and have ordinary stacks. A function that runs there calls nothing of the
 * runtime but what says "anywhere".
 *
 * All functions: from fibers (which are parked meanwhile, other fibers go on) and from plain threads (which
 * wait).
 *
 * Memory order: what was done before the call is seen by the function, what the function did by who gets its
 * result, or by `release`. Cost: two switches of threads, some microseconds; a thread's start when none is
 * idle. */
#ifndef OSPREY_RT_POOL_H
#define OSPREY_RT_POOL_H

#include <osprey/rt/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rt_pool;

struct rt_pool_options {
	unsigned threads;	/* most at a time; 0: 64 */
	unsigned queue;		/* most calls that wait for a thread, further ones are refused; 0: 4 096 */
	size_t stack_bytes;	/* of each thread, address space; 0: 8 MiB */
	int64_t idle_ns;	/* a thread ends when it had nothing to do for so long; 0: 10 s */
};

/* Starts no thread yet. `options` may be NULL. -ENOMEM. Anywhere. */
RT_API int rt_pool_new(const struct rt_pool_options *options, struct rt_pool **ret);

/* Waits for its threads, which end when their calls have: also for calls that were given up. Nobody may call
 * it any more. NULL is fine. Blocks; no cancellation point. */
RT_API void rt_pool_free(struct rt_pool *p);

/* What is to be run, and what happens to it when its caller does not wait to its end. */
struct rt_pool_call {
	rt_function *function;
	void *arg;
	/* At the deadline, or when the caller's scope is cancelled, while the function runs: may make it
	 * return early (shut a socket down, write to an eventfd). Called by the caller, `arg` is as it was;
	 * the function may end at any moment. Does not block. NULL: none. Not for calls with `release`. */
	void (*interrupt)(void *arg);
	/* With it, a caller that has waited long enough does not wait for the end of the function: `arg`
	 * belongs to the call then, and this is called with it once the function has returned, by the pool's
	 * thread. NULL: the caller waits. */
	void (*release)(void *arg);
};

/* Runs the function on a thread of the pool (NULL: the process's own one, with the default limits);
 * *ret_result (may be NULL) is what it returned.
 *
 * -ETIMEDOUT, -ECANCELED: it was not waited for to the end. A call that has not begun never will. One that
 * has begun cannot be stopped: without `release` the caller waits for it, and gets 0 and its result, however
 * late (so `arg` may lie on the caller's stack); with `release` the caller returns at once. In both cases of
 * these two errors `arg` is not the caller's any more if there is a `release`: it has been called, or will
 * be. After any other error `arg` is the caller's and nothing was run. -EAGAIN: the queue is full, or no
 * thread could be started; -ENOMEM, with `release` only. Blocks. */
RT_API int rt_pool_call(struct rt_pool *p, const struct rt_pool_call *call, int *ret_result, int64_t deadline);

/* The same for a call that is always waited for. */
RT_API int rt_pool_run(struct rt_pool *p, rt_function *function, void *arg, int *ret_result, int64_t deadline);

struct rt_pool_state {
	unsigned threads;	/* at the moment */
	unsigned idle;		/* of them */
	unsigned queue;		/* calls that wait */
};

/* Anywhere. NULL: the process's own. */
RT_API void rt_pool_look(struct rt_pool *p, struct rt_pool_state *ret);

#ifdef __cplusplus
}
#endif
#endif
