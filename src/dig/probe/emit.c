#include "dig/probe/emit.h"

#include <assert.h>
#include <errno.h>

void emit_deinit(struct emit *e)
{
	vec_free(&e->code);
	vec_free(&e->label);
	vec_free(&e->jump);
}

static void put(struct emit *e, int code, int dst, int src, int offset, int32_t imm)
{
	if (e->error)
		return;
	assert(offset >= INT16_MIN && offset <= INT16_MAX);
	struct bpf_insn *i = e->code.n < EMIT_MAX ? vec_push(&e->code) : NULL;
	if (!i) {
		e->error = e->code.n < EMIT_MAX ? -ENOMEM : -E2BIG;
		return;
	}
	i->code = (uint8_t)code;
	i->dst_reg = (uint8_t)(dst & 15);
	i->src_reg = (uint8_t)(src & 15);
	i->off = (int16_t)offset;
	i->imm = imm;
}

static bool fits(int64_t value)
{
	return value >= INT32_MIN && value <= INT32_MAX;
}

static int size_code(unsigned bytes)
{
	return bytes == 1 ? BPF_B : bytes == 2 ? BPF_H : bytes == 4 ? BPF_W : BPF_DW;
}

void emit_move(struct emit *e, int to, int from)
{
	if (to != from)
		put(e, BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}

void emit_constant(struct emit *e, int to, int64_t value)
{
	if (fits(value)) {
		put(e, BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, (int32_t)value);
		return;
	}
	put(e, BPF_LD | BPF_DW | BPF_IMM, to, 0, 0, (int32_t)(uint64_t)value);
	put(e, 0, 0, 0, 0, (int32_t)((uint64_t)value >> 32));
}

void emit_alu(struct emit *e, int op, int to, int from)
{
	put(e, BPF_ALU64 | op | BPF_X, to, from, 0, 0);
}

void emit_alu_constant(struct emit *e, int op, int to, int64_t value)
{
	if (fits(value)) {
		put(e, BPF_ALU64 | op | BPF_K, to, 0, 0, (int32_t)value);
		return;
	}
	emit_constant(e, BPF_REG_5, value);
	emit_alu(e, op, to, BPF_REG_5);
}

void emit_negate(struct emit *e, int reg)
{
	put(e, BPF_ALU64 | BPF_NEG, reg, 0, 0, 0);
}

void emit_extend(struct emit *e, int reg, unsigned bytes, bool is_signed)
{
	if (bytes >= 8)
		return;
	emit_alu_constant(e, BPF_LSH, reg, 64 - 8 * (int)bytes);
	emit_alu_constant(e, is_signed ? BPF_ARSH : BPF_RSH, reg, 64 - 8 * (int)bytes);
}

void emit_load(struct emit *e, int to, int base, int offset, unsigned bytes, bool is_signed)
{
	put(e, BPF_LDX | BPF_MEM | size_code(bytes), to, base, offset, 0);
	if (is_signed)
		emit_extend(e, to, bytes, true);
}

void emit_store(struct emit *e, int base, int offset, int from, unsigned bytes)
{
	put(e, BPF_STX | BPF_MEM | size_code(bytes), base, from, offset, 0);
}

void emit_store_constant(struct emit *e, int base, int offset, int32_t value, unsigned bytes)
{
	put(e, BPF_ST | BPF_MEM | size_code(bytes), base, 0, offset, value);
}

void emit_atomic_add(struct emit *e, int base, int offset, int from)
{
	put(e, BPF_STX | BPF_ATOMIC | BPF_DW, base, from, offset, BPF_ADD);
}

void emit_compare_exchange(struct emit *e, int base, int offset, int from)
{
	put(e, BPF_STX | BPF_ATOMIC | BPF_DW, base, from, offset, BPF_CMPXCHG);
}

void emit_map(struct emit *e, int to, int map_fd)
{
	put(e, BPF_LD | BPF_DW | BPF_IMM, to, BPF_PSEUDO_MAP_FD, 0, map_fd);
	put(e, 0, 0, 0, 0, 0);
}

void emit_call(struct emit *e, int helper)
{
	put(e, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

void emit_exit(struct emit *e)
{
	put(e, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

emit_label emit_label_new(struct emit *e)
{
	int32_t *l = vec_push(&e->label);

	if (!l) {
		e->error = e->error ? e->error : -ENOMEM;
		return 0;
	}
	*l = -1;
	return (emit_label)(e->label.n - 1);
}

void emit_place(struct emit *e, emit_label label)
{
	if (label < e->label.n)
		e->label.v[label] = (int32_t)e->code.n;
}

static void note_jump(struct emit *e, emit_label to)
{
	struct emit_jump *j = e->error ? NULL : vec_push(&e->jump);

	if (!j)
		e->error = e->error ? e->error : -ENOMEM;
	else
		*j = (struct emit_jump){ (uint32_t)e->code.n, to };
}

void emit_jump(struct emit *e, emit_label to)
{
	note_jump(e, to);
	put(e, BPF_JMP | BPF_JA, 0, 0, 0, 0);
}

void emit_jump_if(struct emit *e, int op, int a, int b, emit_label to)
{
	note_jump(e, to);
	put(e, BPF_JMP | op | BPF_X, a, b, 0, 0);
}

void emit_jump_if_constant(struct emit *e, int op, int a, int64_t value, emit_label to)
{
	if (!fits(value)) {
		emit_constant(e, BPF_REG_5, value);
		emit_jump_if(e, op, a, BPF_REG_5, to);
		return;
	}
	note_jump(e, to);
	put(e, BPF_JMP | op | BPF_K, a, 0, 0, (int32_t)value);
}

int emit_finish(struct emit *e)
{
	vec_each(j, &e->jump) {
		if (e->error)
			break;
		assert(j->to < e->label.n && e->label.v[j->to] >= 0);
		int32_t distance = e->label.v[j->to] - (int32_t)j->at - 1;
		/* The verifier of old kernels takes no loops, and none is meant. */
		assert(distance >= 0 && distance <= INT16_MAX);
		e->code.v[j->at].off = (int16_t)distance;
	}
	return e->error;
}
