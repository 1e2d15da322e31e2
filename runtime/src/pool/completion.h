/* Something that happens once, on a thread that is not the runtime's, and is awaited by one fiber or one
 * plain thread. */
#ifndef RT_COMPLETION_H
#define RT_COMPLETION_H

#include "fiber.h"

/* Zeroed at first. */
struct completion {
	struct short_lock lock;
	bool done;
	struct wait_list waiter;
	_Atomic uint32_t word;	/* what a plain thread waits at */
};

/* 0: it has happened, and `c` may go; -ETIMEDOUT, -ECANCELED: not yet. `object` is what a fiber is said to
 * wait for. Outside (door.h). */
int completion_wait(struct completion *c, void *object, int64_t deadline);

/* The same, without cancellation or deadline. */
void completion_settle(struct completion *c, void *object);

/* It has happened. `c` may be gone when it returns. */
void completion_done(struct completion *c);

#endif
