/* Pages that vouch for the page table of their piece of 2 MiB.
 *
 * The scan for written pages takes a third of the time when nothing else is asked for (core_pages_touched). It counts pages
 * that are absent in a page table, and passes over ranges that have none: not any more, where a huge page was given back,
 * or a whole table of pages (6.14). A page that is there now proves the table.
 *
 * move_pages(2) of the target, moving nothing: ~0.7 us a page; needs what ptrace needs, and CONFIG_MIGRATION. Without it
 * nothing is vouched for. */
#ifndef OSPREY_DIG_CORE_CORE_WITNESS_H
#define OSPREY_DIG_CORE_CORE_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

struct core_witness {
	VEC(void *) page; /* of the target, one of each piece, ascending */
	VEC(int) status;
	bool asked;
};

/* Pages that are there: one of each piece is kept. To be called with ascending addresses. 0 or -ENOMEM. */
int core_witness_add(struct core_witness *w, uint64_t start, uint64_t end) __attribute__((warn_unused_result));
/* Which of them are there now. */
void core_witness_ask(struct core_witness *w, int pid);
/* How far from `at`, `end` at most, pieces are alike: *ret_sound: each has a witness. It must be called of memory that
 * has not been given back since it was asked. */
uint64_t core_witness_stretch(const struct core_witness *w, uint64_t at, uint64_t end, bool *ret_sound);
void core_witness_deinit(struct core_witness *w);

#endif
