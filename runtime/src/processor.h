/* A processor: the right to run fibers, with all that one needs to do so without asking anybody. A thread
 * that runs fibers holds one; there are as many as CPUs may be used.
 *
 * Whose is what. The ring is shared: its owner appends, anybody takes. All else is the owner's alone, plain
 * memory; a stranger may touch it only past the owner's door (door.h), or while the processor is idle and the
 * scheduler's lock held. */
#ifndef RT_PROCESSOR_H
#define RT_PROCESSOR_H

#include <stdatomic.h>
#include <stdint.h>

#include "fiber.h"
#include "net/poller.h"
#include "timer_wheel.h"

#define RING 256u	/* a power of two */
#define BATCH 16u

struct processor {
	/* Owner's. */
	struct fiber *_Atomic first;	/* runs next, before the rest: who was made ready last */
	uint32_t first_in_a_row;
	uint32_t called_at;		/* its turn when it last called a thread for one fiber alone (idle.h); */
	_Atomic uint32_t kept_at;	/* and when it last did not */
	/* Before the ring, and not shared: batch[batch_head % BATCH …]. What is appended goes here while
	 * nobody could use it, and the ring is emptied into it several at a time. */
	_Atomic uint32_t batch_head, batch_tail;
	struct fiber *batch[BATCH];
	_Atomic uint32_t turns;		/* fibers that it switched to; others look whether it moves */
	struct fiber *free[2];		/* ended fibers by stack size */
	uint32_t nfree[2];
	uint64_t ids;
	int64_t alive;			/* spawned here less ended here: only the sum of all says something */
	uint64_t luck;			/* of the draw whom to steal from first */
	uint32_t number;
	struct processor *next_idle;	/* in the list of idle ones, or of those set aside */
	_Atomic bool is_aside;
	_Atomic uint32_t guests;	/* threads that poll for it while it is set aside */
	_Atomic uint32_t seen_turns;	/* the watcher's, or none of its who holds it anew; */
	int64_t seen_since;		/* and when it first saw that number; */
	int64_t seen_cpu_ns;		/* what its thread had used when it saw it again, or -1 */
	struct thread *_Atomic thread;	/* who holds it, NULL when it is idle */

	struct poller poller;
	struct timer_wheel timers __attribute__((aligned(64)));

	/* The shared ring. */
	_Atomic uint32_t head __attribute__((aligned(64)));
	_Atomic uint32_t tail __attribute__((aligned(64)));
	struct fiber *_Atomic ring[RING];
} __attribute__((aligned(128)));

#endif
