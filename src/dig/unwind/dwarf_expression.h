/* Evaluates DWARF expressions as call frames use them (DWARF 5 section 2.5; the operations allowed by 6.4.2):
 * a stack of 64-bit words, registers, memory. Pure but for the memory it is given. Bounded:
 * DWARF_EXPRESSION_STEPS operations, DWARF_EXPRESSION_STACK words; a division by zero is an error. */
#ifndef OSPREY_DIG_UNWIND_DWARF_EXPRESSION_H
#define OSPREY_DIG_UNWIND_DWARF_EXPRESSION_H

#include "base/span.h"
#include "dig/unwind/unwind.h"

#define DWARF_EXPRESSION_STACK 64
#define DWARF_EXPRESSION_STEPS 512

struct dwarf_expression_context {
	const struct unwind_registers *registers;
	const struct unwind_memory *memory;
	uint64_t bias;	     /* added to addresses that are written in the file */
	const uint64_t *cfa; /* NULL: not known yet */
};

/* The word on top at the end. `push` (nullable) is there at the start. -ENODATA: needs a register that is not known;
 * -EFAULT: memory that is not there; -EBADMSG: the expression is none. */
int dwarf_expression(struct span bytes, const struct dwarf_expression_context *context, const uint64_t *push,
		     uint64_t *ret) __attribute__((warn_unused_result));

#endif
