/* The door of the runtime: how a thread's own scheduling state is plain memory, and still can be taken from
 * it.
 *
 * A thread that calls the runtime stores `inside` = 1 and then looks at `door`; it stores `inside` = 0 when
 * it leaves. A stranger who wants something of that thread stores a claim into `door`, makes every CPU pass a
 * barrier (membarrier(2), Linux 4.14) and then looks at `inside`. One of both sees the other: either the
 * stranger finds the thread inside, and gives up its claim, or the thread finds the claim when it comes, and
 * waits. So the owner, who comes millions of times a second, pays two plain stores and a load; the stranger,
 * who comes when it has nothing better to do, pays some microseconds.
 *
 * The flags are the thread's, not the processor's: a thread that lost its processor while it ran code of the
 * user stores its `inside` before it looks, and must not store it into what is another's by then. */
#ifndef RT_DOOR_H
#define RT_DOOR_H

#include "misuse.h"
#include "perturb.h"
#include "thread.h"

enum {
	DOOR_VISITED = 1,	/* somebody is in there: wait */
	DOOR_TAKEN = 2,		/* the processor is gone: get another */
	DOOR_YIELD = 4,		/* the fiber has run for long: let others run */
	DOOR_FENCED = 8,	/* for ever: the kernel makes no barriers, so who comes in makes one */
	DOOR_FORKED = 16,	/* for ever: this is the child of a process whose thread it was */
};

/* Slow: what to do when the door is not open. Returns with the thread inside, holding a processor. */
void door_opened(struct thread *t);

/* Into the runtime. Returns the thread, which holds a processor that nobody takes until door_leave. The
 * caller is a fiber. */
static inline struct thread *door_enter(void)
{
	struct thread *t = thread_self();

	if (__builtin_expect(!t, 0))
		misuse(MISUSE_OUTSIDE);
	atomic_store_explicit(&t->inside, 1, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	perturb();
	if (__builtin_expect(atomic_load_explicit(&t->door, memory_order_acquire) != 0, 0)) {
		door_opened(t);
		t = thread_self();
	}
	return t;
}

/* Who needs no door: of the thread it looks at nothing but which fiber runs. The caller is a fiber. */
static inline struct fiber *door_outside(void)
{
	struct thread *t = thread_self();

	if (!t || !t->running)
		misuse(MISUSE_OUTSIDE);
	return t->running;
}

static inline void door_leave(void)
{
	struct thread *t = thread_self();

	perturb();
	atomic_store_explicit(&t->inside, 0, memory_order_release);
}

/* Asks the kernel for barriers, once for a process. Where it has none, or a sandbox forbids them, each entry
 * costs a fence. */
void door_init(void);

/* A new thread's: it is inside. */
void door_init_thread(struct thread *t);

extern bool door_has_fences;

/* The cheap side of door_barrier. What was stored before is seen by who has made the barrier, or else what
 * that one had stored before it is seen by what this thread loads from here on. */
static inline void door_settle(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	if (__builtin_expect(door_has_fences, 0))
		atomic_thread_fence(memory_order_seq_cst);
}

/* Every thread of the process that runs passes a full barrier before this returns. */
void door_barrier(void);

/* For strangers. True: `t` is outside and stays so until door_close (it was claimed with DOOR_VISITED), and
 * what it owns is the caller's to read and change. False: it is inside, or another visits. */
bool door_visit(struct thread *t);

/* The same for who can wait: also a thread that is inside is visited, and is to be waited for until
 * door_is_outside; it comes out in its next call at the latest, and stays there. False: another visits. */
bool door_claim(struct thread *t);

static inline bool door_is_outside(struct thread *t)
{
	return !atomic_load_explicit(&t->inside, memory_order_acquire);
}

/* Ends the visit. `taken`: it has lost its processor. */
void door_close(struct thread *t, bool taken);

#endif
