/* Mutexes and what is made like them, between fibers. All are zeroed memory at first, and need no end; none
 * may be moved or copied while it is used. Their memory may go as soon as nobody waits or will come: who
 * holds a mutex for the last time, or whose wait for an event or a group has ended, may free it at once,
 * whatever the one that ended the wait still does. They do not work between processes, and threads that are
 * not the runtime's cannot take them.
 *
 * Memory order: what was done before an unlock (post, set, done, signal) is seen after the lock (wait) that
 * it lets go on. Deadlines as everywhere: absolute, RT_FOREVER, -ETIMEDOUT. What blocks returns -ECANCELED in
 * a cancelled scope (scope.h), but where it says otherwise. All functions: fiber. */
#ifndef OSPREY_RT_SYNC_H
#define OSPREY_RT_SYNC_H

#include <stdbool.h>

#include <osprey/rt/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rt_queue {
	uint32_t lock;
	void *first;
};

/* One fiber at a time. Who comes while it is free takes it, also before those that wait; who has waited for 1
 * ms is given it. Locking twice, and unlocking by another than who locked, end the process with a line. */
struct rt_mutex {
	uint64_t owner;
	struct rt_queue waiters;
};
RT_API int rt_lock(struct rt_mutex *m, int64_t deadline);	/* 0, -ETIMEDOUT. Blocks */
RT_API bool rt_try_lock(struct rt_mutex *m);
RT_API void rt_unlock(struct rt_mutex *m);

/* Many readers, or one writer. Served in the order in which they come: a writer that waits keeps
 * later readers out, so who reads must not ask to read once more. */
struct rt_rwlock {
	struct rt_queue waiters;
	uint32_t readers;
	uint64_t writer;
};
RT_API int rt_read_lock(struct rt_rwlock *l, int64_t deadline);
RT_API void rt_read_unlock(struct rt_rwlock *l);
RT_API int rt_write_lock(struct rt_rwlock *l, int64_t deadline);
RT_API void rt_write_unlock(struct rt_rwlock *l);

/* A count that is never below zero. Fibers that wait are served in order. */
struct rt_semaphore {
	struct rt_queue waiters;
	uint64_t count;
};
RT_API void rt_semaphore_init(struct rt_semaphore *s, uint64_t count);
RT_API int rt_semaphore_wait(struct rt_semaphore *s, uint64_t n, int64_t deadline);
RT_API bool rt_semaphore_try(struct rt_semaphore *s, uint64_t n);
RT_API void rt_semaphore_post(struct rt_semaphore *s, uint64_t n);

/* Set, or not; all that wait go on when it is set, and later ones do not wait. */
struct rt_event {
	struct rt_queue waiters;
	uint32_t set;
};
RT_API int rt_event_wait(struct rt_event *e, int64_t deadline);
RT_API void rt_event_set(struct rt_event *e);
RT_API void rt_event_reset(struct rt_event *e);
RT_API bool rt_event_is_set(struct rt_event *e);

/* Waits for a signal with the mutex given back meanwhile, and taken again when it returns, also at the
 * deadline and cancelled. There are no signals without a cause, but others may have come first: look at the
 * condition again. */
struct rt_condition {
	struct rt_queue waiters;
};
RT_API int rt_condition_wait(struct rt_condition *c, struct rt_mutex *m, int64_t deadline);
RT_API void rt_condition_signal(struct rt_condition *c);
RT_API void rt_condition_broadcast(struct rt_condition *c);

/* Waits until a count of things under way is zero. Below zero ends the process with a line. */
struct rt_wait_group {
	struct rt_queue waiters;
	int64_t count;
};
RT_API void rt_wait_group_add(struct rt_wait_group *g, int64_t n);
RT_API void rt_wait_group_done(struct rt_wait_group *g);
RT_API int rt_wait_group_wait(struct rt_wait_group *g, int64_t deadline);

/* Runs a function once; all others wait until it has returned, also in a cancelled scope. */
struct rt_once {
	struct rt_queue waiters;
	uint32_t state;
};
RT_API void rt_once_run(struct rt_once *o, void (*function)(void *), void *arg);

#ifdef __cplusplus
}
#endif
#endif
