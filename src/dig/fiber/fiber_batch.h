/* A piece of a table of fibers, with the stacks of those that do not run.
 *
 * Read thrice: the fibers, the stacks, then the fibers again: a fiber that has run meanwhile is `torn`, and one that has another id by
 * then is left out. Depends on nothing but the memory of the process, so that several threads may read batches at once: of a live process
 * (space->pid is not 0), not of a core file. Any bytes are taken.
 *
 * Privilege: the same user or CAP_SYS_PTRACE. Kernel: 3.2. Cost: three calls of process_vm_readv for FIBER_BATCH fibers, which copy ~256 bytes a
 * fiber twice, and once what is in use of its stack, STACK_COPIED at most; ~0.7 us a fiber. */
#ifndef OSPREY_DIG_FIBER_FIBER_BATCH_H
#define OSPREY_DIG_FIBER_FIBER_BATCH_H

#include "base/reading.h"
#include "dig/fiber/fiber_root.h"
#include "dig/image/memory_pieces.h"

#define FIBER_BATCH 256u /* what they copy stays in the cache of a core */
#define FIBER_NO_STACK UINT32_MAX
#define STACK_COPIED 16384u /* bytes of each stack that a batch holds; what lies deeper is read when it is asked for */

/* Small: there may be millions. */
struct fiber_row {
	uint64_t id, object; /* object 0: none */
	reading age_ns, state_ns; /* ABSENT: its clock is not known */
	uint32_t origin; /* in `origin` of the list */
	uint32_t turns; /* it was switched to so often; 0: it has not run yet */
	uint32_t stack; /* in `stack` of the list, or FIBER_NO_STACK */
	uint8_t wait; /* FIBER_NO_WAIT: none that has a name */
	uint8_t state;
	uint8_t standing; /* enum inspect_standing */
	bool torn : 1, cancelled : 1;
	bool cold : 1; /* its stack has no memory meanwhile: what was in use of it lies in a copy */
};
#define FIBER_NO_WAIT 255

/* What a row does not hold itself, since many have the same; addresses of the target. */
struct fiber_beside {
	uint64_t address;
	uint64_t creator, function, created_at, name;
	uint32_t stack; /* in `stacks` of the batch, or FIBER_NO_STACK */
};

/* All fibers of one stack size; the i-th stack is that of the i-th fiber. */
struct fiber_table {
	uint64_t fibers, stacks, stack_bytes, used;
};

/* What makes ages out of moments. */
struct fiber_now {
	int64_t ns; /* by the clock of the process */
	bool known;
};

struct fiber_batch {
	const struct fiber_table *table;
	uint64_t from;
	size_t n; /* of the table, from `from` on */
	size_t nrows;
	struct fiber_row row[FIBER_BATCH];
	struct fiber_beside beside[FIBER_BATCH];
	struct copied_stacks stacks;
	char *before, *after;
	size_t gone, unread;
};

/* NULL: out of memory. */
struct fiber_batch *fiber_batch_new(const struct fiber_root *root);
void fiber_batch_free(struct fiber_batch *b);
/* Of table, from, n, which the caller sets: n is FIBER_BATCH at most. -ENOMEM. */
int fiber_batch_read(struct fiber_batch *b, const struct address_space *a, const struct fiber_root *root, struct fiber_now now)
	__attribute__((warn_unused_result));
/* Whether it has neither run nor ended since: for what was read of its stack later. */
bool fiber_batch_still(const struct fiber_batch *b, const struct address_space *a, const struct fiber_root *root, size_t row);

#endif
