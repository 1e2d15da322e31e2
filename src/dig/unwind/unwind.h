/* Walks a stack: from registers and memory to the frames that called each other.
 *
 * Pure but for the memory it is given to read: bytes of a stack that was copied, of a core file, or of a live
 * process. Each step takes the rule of the file (unwind_table.h). The way back from a signal handler is known by its
 * rule or, where a C library has none for it, by its code. Other code without a rule (JIT, hand-written) is passed by
 * its frame pointer, or in the innermost frame by the instruction at hand, when that leads upwards into a mapping with
 * code; the frame is marked as guessed. So is the caller of a bad pointer that was jumped to.
 * Never loops: the stack pointer must rise from frame to frame but at signal frames and coroutine switches, which
 * are bounded by `max`. Registers that are not known are missed only where a rule needs them. Code is read
 * from `memory` first, then from the file or the target. Cost: ~100 ns a frame once the tables are there. */
#ifndef OSPREY_DIG_UNWIND_UNWIND_H
#define OSPREY_DIG_UNWIND_UNWIND_H

#include "dig/unwind/unwind_table.h"

struct unwind_registers {
	uint64_t value[UNWIND_REGISTERS]; /* by DWARF number */
	uint32_t known;			  /* bit i: value[i] is the register's; rip and rsp must be */
};

struct unwind_memory {
	/* All n bytes or -EFAULT. */
	int (*read)(void *arg, uint64_t address, void *to, size_t n);
	void *arg;
};

/* One rule, applied. Pure. 1: *ret is what is known of the caller's registers, rsp and rip among it; 0: there is no
 * caller; -EFAULT: memory that is not there; -ENODATA: needs a register that is not known; -EBADMSG. `bias`: of the
 * file, for expressions with addresses. */
int unwind_rule_apply(const struct unwind_table *t, const struct unwind_rule *rule, uint64_t bias,
		      const struct unwind_registers *r, const struct unwind_memory *memory,
		      struct unwind_registers *ret) __attribute__((warn_unused_result));

struct unwind_frame {
	uint64_t pc;
	uint64_t sp;  /* of this frame, at pc */
	bool exact;   /* pc is the instruction itself (innermost, or interrupted by a signal); else it is a return
		       * address, and the call lies before it: look up pc - 1 */
	bool guessed; /* found by frame pointer, without a rule */
};

enum unwind_end {
	UNWIND_OUTERMOST,  /* the rule said so (start of thread, _start): the stack is whole */
	UNWIND_NO_RULE,	   /* code that nobody describes */
	UNWIND_NO_MEMORY,  /* the stack goes on beyond what was copied */
	UNWIND_NO_REGISTER,/* a register that was not known is needed */
	UNWIND_STUCK,	   /* it did not rise: damaged, or torn while it was copied */
	UNWIND_FULL,	   /* `max` frames */
	UNWIND_OUTSIDE,	   /* a pc in no mapping with code */
};
/* "the stack ends beyond the copied bytes"; NULL for UNWIND_OUTERMOST. */
const char *unwind_end_words(enum unwind_end end);

/* What a walk has depended on, so that it need not be done again for a stack that is alike: where the first pc is the same, all of the
 * mappings are, as many bytes of stack are there, and all of the words, another walk gives the same pcs. */
#define UNWIND_TRACE_WORDS 512
struct unwind_trace {
	/* In: where each of the first registers was read; 0: nowhere. */
	uint64_t read_at[UNWIND_REGISTERS];
	bool whole; /* false: it depended on more than `word` tells (signals, frame pointers, expressions) */
	size_t n;
	struct unwind_word {
		uint64_t address;
		bool points; /* it is a place on the stack: what must be the same is its distance from the first stack pointer */
	} word[UNWIND_TRACE_WORDS];
};

/* The number of frames, at least 1 (where the registers are). */
size_t unwind_walk(struct address_space *a, const struct unwind_registers *from, const struct unwind_memory *memory,
		   struct unwind_frame *ret, size_t max, enum unwind_end *ret_end);
size_t unwind_walk_traced(struct address_space *a, const struct unwind_registers *from, const struct unwind_memory *memory,
			  struct unwind_frame *ret, size_t max, enum unwind_end *ret_end, struct unwind_trace *trace);

#endif
