/* Which memory can be reached, seen conservatively: any aligned word may be a pointer.
 *
 * Roots are all private writable mappings of the process (data of all loaded objects, thread-local storage,
 * the C library's heap, stacks of threads) from where their threads stand on, but for what is excluded. Pages
 * that were never touched are not looked at (/proc/self/pagemap). All is done while the other threads stand
 * still (halt.h). */
#ifndef RT_TRACE_H
#define RT_TRACE_H

#include <stdbool.h>

#include "fiber.h"
#include "trace/halt.h"

struct span {
	uintptr_t from, to;
};

struct tracer {
	/* Set by the caller. */
	uintptr_t low, high;	/* words outside are nothing that `found` would know */
	/* A word that lies in something that has not been found before: true, and what of it is to be looked
	 * at (empty: nothing). */
	bool (*found)(struct tracer *t, uintptr_t word, struct span *ret);
	/* Pages that are no roots, asked for each; NULL: none. */
	bool (*excluded)(uintptr_t page);
	bool all_fibers;	/* those that are parked too; else a word must point to their stack */
	uintptr_t own_sp;	/* what this thread's stack has from there on is looked at (trace_standing) */

	/* The tracer's. */
	struct span *pending;	/* found, and not looked at */
	size_t n, room;
	uint8_t *reached[FIBER_STACK_SIZES];	/* a byte for each fiber */
	struct span stacks[FIBER_STACK_SIZES], structs[FIBER_STACK_SIZES];
	const struct halted *halted;
	size_t nhalted;
	int error;
};

/* Memory for a trace, before the halt. -ENOMEM; -ENOSYS: the program is built with AddressSanitizer or
 * ThreadSanitizer. */
int tracer_init(struct tracer *t);
void tracer_deinit(struct tracer *t);

/* All of it but which fibers were reached: its memory must not be there when another one looks, for it is
 * full of addresses. */
void tracer_finish(struct tracer *t);

/* Calls `function`, and says where its caller stands: what that holds, in registers too, lies from `sp` on.
 * Below lie the frames of whoever traces, full of addresses that keep nothing: borders, pages, and what was
 * left there. */
int trace_standing(int (*function)(void *arg, uintptr_t sp), void *arg);

/* From the roots on, until nothing is pending. */
int trace_from_roots(struct tracer *t, const struct halted *halted, size_t n);

/* One more, and what is found from there. */
int trace_from(struct tracer *t, struct span span);

/* Within `found`: what is to be looked at beside what it returns. */
void trace_later(struct tracer *t, struct span span);

bool trace_reached(const struct tracer *t, const struct fiber *f);

#endif
