/* All batches of all tables, in order. Of a live process with many fibers two threads read ahead while the caller works on what was read;
 * of a core file, and where there are few, none is made. No signal is delivered to them. */
#ifndef OSPREY_DIG_FIBER_FIBER_BATCHES_H
#define OSPREY_DIG_FIBER_FIBER_BATCHES_H

#include "dig/fiber/fiber_batch.h"

struct fiber_batches;

/* `a`, `root` and the `n` tables must outlive it. -ENOMEM. */
int fiber_batches_new(const struct address_space *a, const struct fiber_root *root, const struct fiber_table *tables, size_t n,
		      struct fiber_now now, struct fiber_batches **ret) __attribute__((warn_unused_result));
void fiber_batches_free(struct fiber_batches *s);
/* 1: the next one, the caller's until he asks again; 0: there is none; -ENOMEM. Behind one that could not be read its table is left: a
 * count that is not true leads to nowhere, and on and on. */
int fiber_batches_next(struct fiber_batches *s, struct fiber_batch **ret) __attribute__((warn_unused_result));

#endif
