/* BPF instructions, put one behind the other: the back end of the probe language.
 *
 * Pure. Format: the kernel's Documentation/bpf/standardization/instruction-set.rst; only what a 5.8 kernel knows.
 * Jumps go forward to labels and are resolved by emit_finish; errors (too large, a label that was never placed)
 * stay and are told there, so that no call needs a check. */
#ifndef OSPREY_DIG_PROBE_EMIT_H
#define OSPREY_DIG_PROBE_EMIT_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

/* A verifier of 5.2 and newer takes a million; jumps reach 32 767. */
#define EMIT_MAX 8192

/* A place to jump to; zeroed: not placed yet. The value of a `struct emit` is the owner of all its labels. */
typedef unsigned emit_label;

struct emit {
	VEC(struct bpf_insn) code;
	VEC(int32_t) label; /* position; -1: not placed */
	VEC(struct emit_jump {
		uint32_t at;
		emit_label to;
	}) jump;
	int error; /* the first: -E2BIG, -ENOMEM */
};

void emit_deinit(struct emit *e);

void emit_move(struct emit *e, int to, int from);
void emit_constant(struct emit *e, int to, int64_t value);
/* BPF_ADD, BPF_RSH…, on 64 bits. */
void emit_alu(struct emit *e, int op, int to, int from);
/* An immediate that does not fit 32 bits goes through r5. */
void emit_alu_constant(struct emit *e, int op, int to, int64_t value);
void emit_negate(struct emit *e, int reg);
/* Loads 1, 2, 4 or 8 bytes, extended to 64 by sign or zero. */
void emit_load(struct emit *e, int to, int base, int offset, unsigned bytes, bool is_signed);
void emit_extend(struct emit *e, int reg, unsigned bytes, bool is_signed);
void emit_store(struct emit *e, int base, int offset, int from, unsigned bytes);
void emit_store_constant(struct emit *e, int base, int offset, int32_t value, unsigned bytes);
/* *(u64 *)(base + offset) += from, atomic. */
void emit_atomic_add(struct emit *e, int base, int offset, int from);
/* r0 is expected; when memory holds it, `from` goes there; r0 becomes what memory held. Since 5.12. */
void emit_compare_exchange(struct emit *e, int base, int offset, int from);
void emit_map(struct emit *e, int to, int map_fd);
/* A helper by its number; r0 = its answer, r1 to r5 are lost. */
void emit_call(struct emit *e, int helper);
void emit_exit(struct emit *e);

emit_label emit_label_new(struct emit *e);
void emit_place(struct emit *e, emit_label label);
void emit_jump(struct emit *e, emit_label to);
/* BPF_JEQ, BPF_JSGT…, on 64 bits. */
void emit_jump_if(struct emit *e, int op, int a, int b, emit_label to);
void emit_jump_if_constant(struct emit *e, int op, int a, int64_t value, emit_label to);

/* Resolves the jumps. 0 or the first error. */
int emit_finish(struct emit *e) __attribute__((warn_unused_result));

#endif
