/* An unwind table for the kernel: the rules of unwind_table.h squeezed into rows of 8 bytes
 * (unwind_compact.bpf.h), which a BPF program walks by pc, rsp and rbp alone. Pure.
 *
 * Rules that do not fit become UNWIND_COMPACT_UNSUPPORTED: less than one in a thousand rows, most of them a few
 * instructions long (between the two halves of a realignment). Neighbours that became equal are one row, so there are
 * never more rows than in the table. */
#ifndef OSPREY_DIG_UNWIND_UNWIND_COMPACT_H
#define OSPREY_DIG_UNWIND_UNWIND_COMPACT_H

#include "dig/unwind/unwind.h"
#include "dig/unwind/unwind_compact.bpf.h"

/* For free(). Addresses count from t->base. -ENOMEM. */
int unwind_compact(const struct unwind_table *t, struct unwind_compact_row **ret, size_t *ret_n)
	__attribute__((warn_unused_result));
/* Of one rule (NULL: none), with pc 0. */
struct unwind_compact_row unwind_compact_rule(const struct unwind_table *t, const struct unwind_rule *rule);
/* The row that covers pc (from the table's base on); NULL: before the first. */
const struct unwind_compact_row *unwind_compact_find(const struct unwind_compact_row *row, size_t n, uint32_t pc);

struct unwind_compact_frame {
	uint64_t pc, rsp, rbp;
	bool has_rbp;
	bool exact; /* pc is the instruction itself */
};

/* One step, as the kernel's walk does it; tests hold both to the full rules. 1: *ret is the caller; 0: outermost;
 * -EFAULT: memory; -ENODATA: needs an rbp that was lost; -ENOENT: not described; -EOPNOTSUPP. */
int unwind_compact_step(const struct unwind_compact_row *row, const struct unwind_compact_frame *f,
			const struct unwind_memory *memory, struct unwind_compact_frame *ret)
	__attribute__((warn_unused_result));

#endif
