#include <errno.h>

#include "dig/unwind/dwarf_bytes.h"
#include "dig/unwind/dwarf_expression.h"

enum {
	OP_ADDR = 0x03,
	OP_DEREF = 0x06,
	OP_CONST1U = 0x08,
	OP_CONST1S,
	OP_CONST2U,
	OP_CONST2S,
	OP_CONST4U,
	OP_CONST4S,
	OP_CONST8U,
	OP_CONST8S,
	OP_CONSTU,
	OP_CONSTS,
	OP_DUP,
	OP_DROP,
	OP_OVER,
	OP_PICK,
	OP_SWAP,
	OP_ROT,
	OP_ABS = 0x19,
	OP_AND,
	OP_DIV,
	OP_MINUS,
	OP_MOD,
	OP_MUL,
	OP_NEG,
	OP_NOT,
	OP_OR,
	OP_PLUS,
	OP_PLUS_UCONST,
	OP_SHL,
	OP_SHR,
	OP_SHRA,
	OP_XOR,
	OP_BRA,
	OP_EQ,
	OP_GE,
	OP_GT,
	OP_LE,
	OP_LT,
	OP_NE,
	OP_SKIP,
	OP_LIT0,
	OP_LIT31 = 0x4f,
	OP_BREG0 = 0x70,
	OP_BREG31 = 0x8f,
	OP_BREGX = 0x92,
	OP_DEREF_SIZE = 0x94,
	OP_NOP = 0x96,
	OP_CALL_FRAME_CFA = 0x9c,
	OP_STACK_VALUE = 0x9f,
};

struct machine {
	const struct dwarf_expression_context *context;
	struct dwarf_bytes code;
	const uint8_t *start;
	uint64_t stack[DWARF_EXPRESSION_STACK];
	size_t n;
	int rc; /* the first error stays */
};

static void fail(struct machine *m, int rc)
{
	if (m->rc == 0)
		m->rc = rc;
}

static void push(struct machine *m, uint64_t value)
{
	if (m->n == DWARF_EXPRESSION_STACK)
		fail(m, -EBADMSG);
	else
		m->stack[m->n++] = value;
}

static uint64_t pop(struct machine *m)
{
	if (m->n == 0) {
		fail(m, -EBADMSG);
		return 0;
	}
	return m->stack[--m->n];
}

/* The i-th from the top. */
static uint64_t peek(struct machine *m, size_t i)
{
	if (i >= m->n) {
		fail(m, -EBADMSG);
		return 0;
	}
	return m->stack[m->n - 1 - i];
}

static void push_memory(struct machine *m, unsigned size)
{
	const struct unwind_memory *memory = m->context->memory;
	uint64_t value = 0, address = pop(m);

	if (size == 0 || size > sizeof value)
		fail(m, -EBADMSG);
	else if (m->rc == 0 && memory->read(memory->arg, address, &value, size) < 0)
		fail(m, -EFAULT);
	push(m, value);
}

static void push_register(struct machine *m, uint64_t reg, int64_t offset)
{
	const struct unwind_registers *r = m->context->registers;

	if (reg >= UNWIND_REGISTERS)
		fail(m, -EBADMSG);
	else if (!(r->known >> reg & 1))
		fail(m, -ENODATA);
	else
		push(m, r->value[reg] + (uint64_t)offset);
}

static void branch(struct machine *m, bool taken)
{
	int16_t by = (int16_t)dwarf_u16(&m->code);

	if (!taken || m->code.failed)
		return;
	if (by < m->start - m->code.p || by > m->code.end - m->code.p)
		fail(m, -EBADMSG);
	else
		m->code.p += by;
}

static uint64_t divide(struct machine *m, int64_t a, int64_t b)
{
	if (b == 0) {
		fail(m, -EBADMSG);
		return 0;
	}
	return b == -1 ? -(uint64_t)a : (uint64_t)(a / b);
}

static uint64_t modulo(struct machine *m, uint64_t a, uint64_t b)
{
	if (b == 0) {
		fail(m, -EBADMSG);
		return 0;
	}
	return a % b;
}

/* DWARF shifts by more than the width give 0, or the sign. */
static uint64_t shift_signed(uint64_t a, uint64_t by)
{
	return (uint64_t)((int64_t)a >> (by > 63 ? 63 : by));
}

static bool of_two(struct machine *m, unsigned op)
{
	uint64_t b = peek(m, 0), a = peek(m, 1), value;
	int64_t sb = (int64_t)b, sa = (int64_t)a;

	switch (op) {
	case OP_AND: value = a & b; break;
	case OP_DIV: value = divide(m, sa, sb); break;
	case OP_MINUS: value = a - b; break;
	case OP_MOD: value = modulo(m, a, b); break;
	case OP_MUL: value = a * b; break;
	case OP_OR: value = a | b; break;
	case OP_PLUS: value = a + b; break;
	case OP_SHL: value = b > 63 ? 0 : a << b; break;
	case OP_SHR: value = b > 63 ? 0 : a >> b; break;
	case OP_SHRA: value = shift_signed(a, b); break;
	case OP_XOR: value = a ^ b; break;
	case OP_EQ: value = a == b; break;
	case OP_GE: value = sa >= sb; break;
	case OP_GT: value = sa > sb; break;
	case OP_LE: value = sa <= sb; break;
	case OP_LT: value = sa < sb; break;
	case OP_NE: value = a != b; break;
	default: return false;
	}
	pop(m);
	pop(m);
	push(m, value);
	return true;
}

static bool constant(struct machine *m, unsigned op)
{
	struct dwarf_bytes *c = &m->code;

	switch (op) {
	case OP_ADDR: push(m, dwarf_u64(c) + m->context->bias); break;
	case OP_CONST1U: push(m, dwarf_u8(c)); break;
	case OP_CONST1S: push(m, (uint64_t)(int8_t)dwarf_u8(c)); break;
	case OP_CONST2U: push(m, dwarf_u16(c)); break;
	case OP_CONST2S: push(m, (uint64_t)(int16_t)dwarf_u16(c)); break;
	case OP_CONST4U: push(m, dwarf_u32(c)); break;
	case OP_CONST4S: push(m, (uint64_t)(int32_t)dwarf_u32(c)); break;
	case OP_CONST8U:
	case OP_CONST8S: push(m, dwarf_u64(c)); break;
	case OP_CONSTU: push(m, dwarf_uleb(c)); break;
	case OP_CONSTS: push(m, (uint64_t)dwarf_sleb(c)); break;
	default: return false;
	}
	return true;
}

static void rotate(struct machine *m)
{
	uint64_t a = pop(m), b = pop(m), c = pop(m);

	push(m, a);
	push(m, c);
	push(m, b);
}

static void swap(struct machine *m)
{
	uint64_t a = pop(m), b = pop(m);

	push(m, a);
	push(m, b);
}

static void other(struct machine *m, unsigned op)
{
	struct dwarf_bytes *c = &m->code;
	uint64_t value;

	switch (op) {
	case OP_DEREF: push_memory(m, 8); return;
	case OP_DEREF_SIZE: push_memory(m, dwarf_u8(c)); return;
	case OP_DUP: push(m, peek(m, 0)); return;
	case OP_DROP: pop(m); return;
	case OP_OVER: push(m, peek(m, 1)); return;
	case OP_PICK: push(m, peek(m, dwarf_u8(c))); return;
	case OP_SWAP: swap(m); return;
	case OP_ROT: rotate(m); return;
	case OP_ABS: value = pop(m); push(m, (int64_t)value < 0 ? -value : value); return;
	case OP_NEG: push(m, -pop(m)); return;
	case OP_NOT: push(m, ~pop(m)); return;
	case OP_PLUS_UCONST: push(m, pop(m) + dwarf_uleb(c)); return;
	case OP_BRA: branch(m, pop(m) != 0); return;
	case OP_SKIP: branch(m, true); return;
	case OP_BREGX: value = dwarf_uleb(c); push_register(m, value, dwarf_sleb(c)); return;
	case OP_CALL_FRAME_CFA:
		if (m->context->cfa)
			push(m, *m->context->cfa);
		else
			fail(m, -EBADMSG);
		return;
	case OP_NOP:
	case OP_STACK_VALUE: return;
	}
	fail(m, -EBADMSG);
}

int dwarf_expression(struct span bytes, const struct dwarf_expression_context *context, const uint64_t *initial,
		     uint64_t *ret)
{
	const uint8_t *start = (const uint8_t *)bytes.p;
	struct machine m;

	m.context = context;
	m.code = (struct dwarf_bytes){ start, start + bytes.n, false };
	m.start = start;
	m.n = 0;
	m.rc = 0;
	if (initial)
		push(&m, *initial);
	for (unsigned steps = 0; m.code.p < m.code.end && m.rc == 0; steps++) {
		unsigned op = dwarf_u8(&m.code);
		if (steps == DWARF_EXPRESSION_STEPS)
			return -EBADMSG;
		if (op >= OP_LIT0 && op <= OP_LIT31)
			push(&m, op - OP_LIT0);
		else if (op >= OP_BREG0 && op <= OP_BREG31)
			push_register(&m, op - OP_BREG0, dwarf_sleb(&m.code));
		else if (!constant(&m, op) && !(op >= OP_AND && op <= OP_NE && m.n >= 2 && of_two(&m, op)))
			other(&m, op);
		if (m.code.failed)
			fail(&m, -EBADMSG);
	}
	if (m.rc == 0 && m.n == 0)
		m.rc = -EBADMSG;
	if (m.rc < 0)
		return m.rc;
	*ret = m.stack[m.n - 1];
	return 0;
}
