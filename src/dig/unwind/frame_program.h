/* Runs call frame programs (DWARF 5 section 6.4.2, and GNU's additions) and puts down a row for each range of
 * addresses with one rule. Pure.
 *
 * A program that is damaged ends there: from that address on its function is not described. What does not mention a
 * register means, by the psABI: rbx, rbp, r12 to r15 are the caller's, rsp is the CFA, the others are lost. */
#ifndef OSPREY_DIG_UNWIND_FRAME_PROGRAM_H
#define OSPREY_DIG_UNWIND_FRAME_PROGRAM_H

#include "dig/unwind/frame_section.h"
#include "dig/unwind/unwind_rules.h"

typedef VEC(struct unwind_row) unwind_row_vec;

struct frame_initial {
	struct unwind_rule rule;
	bool done, failed;
};

struct frame_runner {
	const struct frame_section *section;
	const struct frame_entries *entries;
	struct unwind_rules *rules;
	unwind_row_vec *rows; /* what is put down, by address */
	uint64_t base;	      /* of the rows */

	/* Below: its own. */
	VEC(struct frame_initial) initial; /* beside entries->cie */
	VEC(struct unwind_rule) remembered;
	uint64_t described_to; /* the last FDE's end */
};

void frame_runner_deinit(struct frame_runner *r);
/* Rows for the addresses of `f` in [from, to), which lie behind those of earlier calls. -ENOMEM, -EFBIG. */
int frame_runner_add(struct frame_runner *r, const struct frame_fde *f, uint64_t from, uint64_t to)
	__attribute__((warn_unused_result));
/* The row behind the last FDE. */
int frame_runner_finish(struct frame_runner *r) __attribute__((warn_unused_result));

#endif
