/* Scopes: fibers that end before the block that started them does, and can be told to end early.
 *
 * A scope is opened, fibers are started in it, and it is closed, which waits for all of them. It is cancelled
 * by who calls rt_scope_cancel, by its deadline, by the first fiber in it that returns a negative number, or
 * since the fiber that opened it is cancelled itself. From then on every wait of its fibers, and of the
 * fibers in scopes that these have opened, ends with -ECANCELED, the waits under way too. What does not wait
 * goes on; a long computation asks rt_cancelled now and then. Fibers started by rt_go or rt_spawn belong to
 * no scope, whoever starts them.
 *
 * Memory order: what a fiber of the scope did is seen by who has closed it; what was done before
 * rt_scope_cancel, by whose wait it ended. */
#ifndef OSPREY_RT_SCOPE_H
#define OSPREY_RT_SCOPE_H

#include <stdbool.h>

#include <osprey/rt/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Lies with its owner, commonly on the stack, and stays there until it was closed. The fields are the
 * runtime's. */
struct rt_scope {
	uint64_t reserved[20];
};

/* Opens a scope of the calling fiber within the ones that it has open. At `deadline` it is cancelled, and its
 * result -ETIMEDOUT, if it has none yet. Fiber; does not block. */
RT_API void rt_scope_open(struct rt_scope *s, int64_t deadline);

/* Starts a fiber in it. By the opening fiber, or one of the scope's. -ECANCELED: it is cancelled; -ENOMEM.
 * Fiber; does not block. */
RT_API int rt_scope_go(struct rt_scope *s, rt_function *function, void *arg);

/* Fiber, anyone while the scope is open; does not block. */
RT_API void rt_scope_cancel(struct rt_scope *s);

/* Waits until all its fibers have ended, also when the caller is cancelled (they are then as well). Returns
 * the first negative result of a fiber, -ETIMEDOUT, or 0. By the opening fiber; scopes are closed in the
 * reverse order of their opening, the last one before the fiber returns: else the process ends with a line.
 * Fiber; blocks. */
RT_API int rt_scope_close(struct rt_scope *s);

/* What is to be done once all fibers of the scope have ended: `function` and `arg` are the caller's to fill
 * in, and it stays where it is until it was called. */
struct rt_at_close {
	struct rt_at_close *next;	/* the runtime's */
	void (*function)(void *arg);
	void *arg;
};

/* rt_scope_close calls it, in the fiber that closes; the last one first. It may block. By the opening fiber,
 * or one of the scope's. Does not block. */
RT_API void rt_scope_at_close(struct rt_scope *s, struct rt_at_close *what);

/* Whether the calling fiber is to end. Costs a load. Fiber. */
RT_API bool rt_cancelled(void);

/* Between them waits of the calling fiber are not cancelled: for what has to be put in order before it ends.
 * They nest. Fiber. */
RT_API void rt_shield_begin(void);
RT_API void rt_shield_end(void);

#ifdef __cplusplus
}
#endif
#endif
