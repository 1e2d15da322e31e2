/* Descriptors: what the runtime knows of a file that is waited for, and the table of all of them.
 *
 * They lie in one array that only grows, and are used again with another turn: an event of the kernel, or a
 * handle of the user, that is late finds a descriptor of another turn and is dropped. At worst a late event
 * wakes somebody without a cause, who then tries once more.
 *
 * Readiness is told by edges, which the poller counts. A call that has shown that nothing is left notes up
 * to which edge that was so: `drained`. While both numbers are equal a call would block; an edge that the
 * call did not see comes after it, and makes them differ. */
#ifndef RT_NET_DESCRIPTOR_H
#define RT_NET_DESCRIPTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "osprey/rt/net.h"
#include "short_lock.h"
#include "wait.h"

enum direction { READING, WRITING };

struct descriptor {
	_Atomic uint64_t word;		/* turn << 32 | DESCRIPTOR_FREE | DESCRIPTOR_CLOSED | users */
	struct short_lock lock;		/* edges, waiters, on_readable, registered */
	int fd;
	_Atomic uint32_t edges;
	_Atomic uint32_t drained[2];	/* by direction */
	_Atomic uint8_t unsure;		/* hung up, or urgent data: a short count shows nothing */
	uint8_t kind;
	uint8_t poller;			/* number of the processor at which it is registered */
	bool registered;
	struct wait_list waiters[2];	/* by direction */
	rt_function *on_readable;	/* to be started at the next edge, once */
	void *on_readable_arg;
} __attribute__((aligned(64)));

/* Of `kind`. */
#define DESCRIPTOR_SOCKET 1
#define DESCRIPTOR_SHORT_IS_ALL 2	/* a call that moves less than asked shows that nothing is left */
#define DESCRIPTOR_KEEP 4		/* the kernel's number is not to be closed with it */

#define DESCRIPTOR_FREE (1ull << 31)
#define DESCRIPTOR_CLOSED (1ull << 30)

/* A new one, which is nobody's but the caller's until descriptor_open. -ENOMEM, -ENFILE. Any thread. */
int descriptor_new(int fd, unsigned kind, struct descriptor **ret);

/* It is not wanted after all. */
void descriptor_drop(struct descriptor *d);

/* From now on its handle, which is returned, works. */
struct rt_fd descriptor_open(struct descriptor *d);

/* The handle as one number, which comes with its events. By who has entered it. */
uint64_t descriptor_name(struct descriptor *d);

/* NULL: there was never such a one. */
struct descriptor *descriptor_at(uint32_t at);

/* The user's handle, for the length of a call: until descriptor_leave it is not closed. NULL: it is closed. */
struct descriptor *descriptor_enter(struct rt_fd fd);
void descriptor_finish(struct descriptor *d, uint64_t word);

static inline void descriptor_leave(struct descriptor *d)
{
	uint64_t word = atomic_fetch_sub_explicit(&d->word, 1, memory_order_acq_rel) - 1;

	/* The last one out closes it. */
	if (__builtin_expect((uint32_t)word == DESCRIPTOR_CLOSED, 0))
		descriptor_finish(d, word);
}

/* By who has entered: no more will. False: it was closed before. */
bool descriptor_close(struct descriptor *d);

/* The same, unless others have entered too. */
bool descriptor_close_unused(struct descriptor *d);

/* The pollers of this run are gone: none is registered any more. Nobody uses one. */
void descriptor_forget_pollers(void);

/* Whether others than the caller have entered it. Who waited before an edge is seen by whom that edge woke. */
static inline bool descriptor_is_shared(struct descriptor *d)
{
	return (atomic_load_explicit(&d->word, memory_order_relaxed) & (DESCRIPTOR_CLOSED - 1)) > 1;
}

static inline bool descriptor_drained(struct descriptor *d, enum direction way)
{
	return atomic_load_explicit(&d->drained[way], memory_order_relaxed) ==
	       atomic_load_explicit(&d->edges, memory_order_acquire);
}

static inline bool descriptor_is_closed(struct descriptor *d)
{
	return atomic_load_explicit(&d->word, memory_order_acquire) & DESCRIPTOR_CLOSED;
}

#endif
