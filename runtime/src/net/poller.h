/* The poller: how the kernel tells of descriptors. Each processor has an epoll of its own, edge-triggered,
 * in which a descriptor is entered once, where it was first waited for. Whoever holds a processor looks at
 * its epoll when nothing is left to run there, and once in so many turns. Those of idle processors are
 * watched by threads that sleep: each by one, which wakes for an event as for a call. So there is no list
 * that all share, and a packet wakes nobody while its processor runs.
 *
 * Events are taken out of an epoll by who holds a processor, never by a thread without. */
#ifndef RT_NET_POLLER_H
#define RT_NET_POLLER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/ring.h"

struct descriptor;
struct fiber;
struct processor;
struct thread;

struct poller {
	_Atomic int epoll;		/* -1: none yet */
	struct thread *_Atomic watcher;	/* the sleeping thread that watches it. Changed under the
					 * scheduler's lock; that thread looks without */
	struct ring ring;
	int64_t outside;		/* waits, begun here less ended here, that something outside of
					 * the runtime can end: only the sum of all says something */
};

void poller_init(struct poller *p);
void poller_deinit(struct poller *p);

static inline bool poller_exists(const struct poller *p)
{
	return atomic_load_explicit(&((struct poller *)p)->epoll, memory_order_acquire) >= 0;
}

/* Enters the descriptor at the thread's processor. 0; -EPERM: a file of this kind is always ready; -ENOMEM,
 * -ENOSPC, -EMFILE. Under the descriptor's lock. Inside. */
int poller_register(struct thread *t, struct descriptor *d);

/* Takes it out again, wherever it is. Under its lock. Inside. */
void poller_unregister(struct descriptor *d);

/* Tells of the ring's answers too. Inside. */
int poller_enter_ring(struct thread *t, int ring);

/* Makes ready who waits for what has happened at `of`, which exists: the thread's processor's, or that of one that is
 * set aside, which has no ring in use. They run at the thread's processor. Inside. */
void poller_run(struct thread *t, struct poller *of);

/* Whether poller_run would find anything. By who may touch the processor. */
bool poller_has_events(struct poller *p);

/* Whether something outside of the runtime may wake a fiber. Under the scheduler's lock, when all
 * processors are idle. */
bool poller_expects(void);

/* Takes over to watch the pollers of all idle processors, and of those that are set aside, that nobody
 * watches. Under the scheduler's lock. */
void poller_watch(struct thread *t);

/* Sleeps like futex_wait(&t->wake, 0, deadline), but also until something happens at a poller that it
 * watches: then that one's processor is returned, which need not be idle any more; else NULL. */
struct processor *poller_sleep(struct thread *t, int64_t deadline);

/* It watches none any more. Under the scheduler's lock. */
void poller_unwatch(struct thread *t);

/* When it has ended. */
void poller_thread_end(struct thread *t);

/* Wakes a thread that sleeps, at its poller or at t->wake, which is 1 from then on. */
void poller_wake(struct thread *t);

#endif
