/* A thread of the runtime. They are made as needed, wait for work when there is none, and are never freed
 * while a run lasts. */
#ifndef RT_THREAD_H
#define RT_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "context.h"
#include "fiber.h"

struct exceptions;
struct processor;

/* What is to be done about the fiber that was left, once its context is saved and another one stands on its
 * own stack. */
enum leave {
	LEAVE_NOTHING,
	LEAVE_READY,	/* it goes to the end of the ring */
	LEAVE_OTHERS,	/* it goes to the queue of all, behind what waits there */
	LEAVE_LOCKED,	/* the short lock `lock` is given back: from then on it may be made ready */
	LEAVE_PARKED,	/* unlock(lock): from then on it may be made ready */
	LEAVE_ENDED,
	LEAVE_SHOW,	/* nobody was left: the fiber that is switched to shows its stack (tell.h) */
};

struct thread {
	_Atomic uint32_t inside;	/* see door.h */
	_Atomic uint32_t door;
	void *returns_to;		/* where the CPU guesses that it returns to (returns.h) */
	struct processor *processor;	/* NULL without */
	struct fiber *running;		/* NULL in its own loop */
	struct fiber *left;
	enum leave leave;
	void (*unlock)(void *);
	void *lock;
	struct exceptions *exceptions;	/* see exceptions.h */
	struct context loop;		/* its own stack, where it looks for work */
	bool spinning;

	/* Fibers that are pinned to it (pin.h): how many, and which of them are ready. */
	uint32_t pins;
	struct short_lock pinned_lock;
	struct fiber *pinned, **pinned_end;
	_Atomic uint32_t npinned;

	/* Watched by others. */
	struct rt_mutex *_Atomic giving;	/* it gives it back without an atomic instruction (mutex.c) */
	_Atomic int tid;
	_Atomic uint32_t signalled;	/* such a signal is on its way: they would queue */
	_Atomic uint32_t preemptible;	/* within rt_preempt_begin and _end */
	_Atomic uint32_t blocked;	/* within rt_block_begin and _end */
	_Atomic bool parked;		/* in the list of idle threads, */
	bool wanted;			/* and has pinned fibers that are ready, but no processor */

	_Atomic uint32_t wake;		/* futex: 1 when it has been called */
	unsigned watches;		/* so many pollers, while it sleeps */
	_Atomic int call;		/* eventfd: who wakes it writes; -1: it has none */
	struct thread *next_idle;
	struct thread *next;		/* all of them */
	pthread_t handle;
	int cancel_state;		/* as it was before (strays.h) */
	void *signal_stack;		/* NULL: it had one (overflow.h) */
} __attribute__((aligned(128)));

extern __thread struct thread *thread_current
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The caller's thread. It is asked anew each time: a compiler that keeps the address of a thread-local
 * variable over a switch of fibers, as gcc and clang do, would have another thread's. NULL on threads that
 * are not the runtime's. */
static inline struct thread *thread_self(void)
{
	struct thread *t;

#if defined __x86_64__
	__asm__ volatile("movq thread_current@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0" : "=&r"(t));
#elif defined __aarch64__
	uint64_t offset;
	__asm__ volatile("adrp %1, :gottprel:thread_current\n\t"
			 "ldr %1, [%1, :gottprel_lo12:thread_current]\n\t"
			 "mrs %0, tpidr_el0\n\t"
			 "ldr %0, [%0, %1]" : "=&r"(t), "=&r"(offset));
#endif
	return t;
}

/* A thread without a processor. NULL: no memory. */
struct thread *thread_new(void);

/* Gives a processor to a thread that was taken from the idle ones. */
void thread_give(struct thread *t, struct processor *p, bool spinning);

/* Gives a processor to a thread that sleeps, or to a new one. -EAGAIN: there can be none. Not under the
 * scheduler's lock. */
int thread_call(struct processor *p, bool spinning);

/* What is ready on a processor goes to the queue of all; it has no owner. */
void processor_lay_down(struct processor *p);

/* Runs fibers on the calling thread until the run is over. */
void thread_loop(struct thread *t);

#endif
