#include <errno.h>

#include "dig/unwind/frame_program.h"

enum {
	CFA_NOP = 0x00,
	CFA_SET_LOC = 0x01,
	CFA_ADVANCE_LOC1 = 0x02,
	CFA_ADVANCE_LOC2 = 0x03,
	CFA_ADVANCE_LOC4 = 0x04,
	CFA_OFFSET_EXTENDED = 0x05,
	CFA_RESTORE_EXTENDED = 0x06,
	CFA_UNDEFINED = 0x07,
	CFA_SAME_VALUE = 0x08,
	CFA_REGISTER = 0x09,
	CFA_REMEMBER_STATE = 0x0a,
	CFA_RESTORE_STATE = 0x0b,
	CFA_DEF_CFA = 0x0c,
	CFA_DEF_CFA_REGISTER = 0x0d,
	CFA_DEF_CFA_OFFSET = 0x0e,
	CFA_DEF_CFA_EXPRESSION = 0x0f,
	CFA_EXPRESSION = 0x10,
	CFA_OFFSET_EXTENDED_SF = 0x11,
	CFA_DEF_CFA_SF = 0x12,
	CFA_DEF_CFA_OFFSET_SF = 0x13,
	CFA_VAL_OFFSET = 0x14,
	CFA_VAL_OFFSET_SF = 0x15,
	CFA_VAL_EXPRESSION = 0x16,
	CFA_GNU_ARGS_SIZE = 0x2e,
	CFA_GNU_NEGATIVE_OFFSET_EXTENDED = 0x2f,
	CFA_ADVANCE_LOC = 0x40, /* the next three: their operand is in the low six bits */
	CFA_OFFSET = 0x80,
	CFA_RESTORE = 0xc0,

	OP_DEREF = 0x06,
	OP_BREG0 = 0x70,
	OP_BREG31 = 0x8f,

	REMEMBERED_MAX = 256, /* compilers nest one or two */
	DAMAGED = -EBADMSG,
};

struct run {
	struct frame_runner *r;
	const struct frame_cie *cie;
	struct dwarf_bytes program;
	const struct unwind_rule *initial; /* NULL: the CIE's own program runs */
	struct unwind_rule rule;
	uint64_t location;
	uint64_t from, to;
	size_t remembered; /* of this run */
	uint64_t function;
};

void frame_runner_deinit(struct frame_runner *r)
{
	vec_free(&r->initial);
	vec_free(&r->remembered);
}

static int put_row(struct frame_runner *r, uint64_t address, uint32_t rule)
{
	uint32_t pc = (uint32_t)(address - r->base);
	struct unwind_row *last = r->rows->n ? &r->rows->v[r->rows->n - 1] : NULL;

	if ((last && last->rule == rule) || (!last && rule == UNWIND_NO_RULE_INDEX))
		return 0;
	if (last && last->pc == pc) {
		last->rule = rule;
		if (r->rows->n > 1 && last[-1].rule == rule)
			r->rows->n--;
		return 0;
	}
	if (!(last = vec_push(r->rows)))
		return -ENOMEM;
	*last = (struct unwind_row){ pc, rule };
	return 0;
}

/* Where a CIE calls another register the column of the return address, that one's rule is ours. */
static int add_rule(struct run *u, uint32_t *ret)
{
	uint64_t column = u->cie->return_column;
	struct unwind_rule rule;

	if (column == UNWIND_RIP)
		return unwind_rules_add(u->r->rules, &u->rule, ret);
	rule = u->rule;
	rule.how[UNWIND_RIP] = rule.how[column];
	rule.offset[UNWIND_RIP] = rule.offset[column];
	if (rule.how[UNWIND_RIP] == UNWIND_SAME) {
		rule.how[UNWIND_RIP] = UNWIND_REGISTER;
		rule.offset[UNWIND_RIP] = (int32_t)column;
	}
	return unwind_rules_add(u->r->rules, &rule, ret);
}

/* The rule so far is that of [location, to). */
static int advance(struct run *u, uint64_t to)
{
	uint32_t rule;
	int rc;

	if (!u->initial)
		return 0; /* a CIE has no addresses */
	if (to < u->location)
		return DAMAGED;
	uint64_t start = u->location > u->from ? u->location : u->from;
	if (to > start && start < u->to) {
		if ((rc = add_rule(u, &rule)) < 0 ||
		    (rc = put_row(u->r, start, rule)) < 0)
			return rc;
	}
	u->location = to;
	return 0;
}

static int advance_by(struct run *u, uint64_t units)
{
	uint64_t bytes, to;

	if (__builtin_mul_overflow(units, u->cie->code_factor, &bytes) ||
	    __builtin_add_overflow(u->location, bytes, &to))
		return DAMAGED;
	return advance(u, to);
}

/* Registers beyond the return address (vectors, flags) are read over. */
static void set(struct run *u, uint64_t reg, enum unwind_how how, int64_t offset)
{
	if (reg >= UNWIND_REGISTERS)
		return;
	if (offset != (int32_t)offset) {
		how = UNWIND_UNDEFINED;
		offset = 0;
	}
	u->rule.how[reg] = (uint8_t)how;
	u->rule.offset[reg] = (int32_t)offset;
}

static void set_scaled(struct run *u, uint64_t reg, enum unwind_how how, int64_t units)
{
	int64_t offset;

	if (__builtin_mul_overflow(units, u->cie->data_factor, &offset))
		offset = INT64_MAX;
	set(u, reg, how, offset);
}

static int set_expression(struct run *u, uint64_t reg, enum unwind_how how)
{
	struct dwarf_bytes e = dwarf_take(&u->program, dwarf_uleb(&u->program));
	int32_t offset;

	if (u->program.failed)
		return DAMAGED;
	int rc = unwind_rules_expression(u->r->rules, (struct span){ (const char *)e.p, (size_t)(e.end - e.p) },
					 &offset);
	if (rc == 0)
		set(u, reg, how, offset);
	return rc;
}

static int restore(struct run *u, uint64_t reg)
{
	if (!u->initial)
		return DAMAGED;
	if (reg < UNWIND_REGISTERS) {
		u->rule.how[reg] = u->initial->how[reg];
		u->rule.offset[reg] = u->initial->offset[reg];
	}
	return 0;
}

static int remember(struct run *u)
{
	struct unwind_rule *kept;

	if (u->remembered >= REMEMBERED_MAX)
		return DAMAGED;
	if (u->r->remembered.n == u->remembered) {
		if (!(kept = vec_push(&u->r->remembered)))
			return -ENOMEM;
	}
	u->r->remembered.v[u->remembered++] = u->rule;
	return 0;
}

static int recall(struct run *u)
{
	if (u->remembered == 0)
		return DAMAGED;
	uint8_t signal_frame = u->rule.signal_frame;
	u->rule = u->r->remembered.v[--u->remembered];
	u->rule.signal_frame = signal_frame;
	return 0;
}

static int def_cfa(struct run *u, uint64_t reg, int64_t offset)
{
	if (reg >= UNWIND_REGISTERS || offset != (int32_t)offset)
		return DAMAGED;
	u->rule.cfa = UNWIND_CFA_REGISTER;
	u->rule.cfa_register = (uint8_t)reg;
	u->rule.cfa_offset = (int32_t)offset;
	return 0;
}

static int def_cfa_scaled(struct run *u, uint64_t reg, int64_t units)
{
	int64_t offset;

	return __builtin_mul_overflow(units, u->cie->data_factor, &offset) ? DAMAGED : def_cfa(u, reg, offset);
}

/* What GNU ld and lld write for lazy stubs: rsp + 8 + ((rip & 15) >= N) * 8. */
static bool is_plt(struct dwarf_bytes e, int32_t *ret_threshold)
{
	static const uint8_t head[] = { 0x77, 8, 0x80, 0, 0x3f, 0x1a }, tail[] = { 0x2a, 0x33, 0x24, 0x22 };

	if (e.end - e.p != sizeof head + 1 + sizeof tail || memcmp(e.p, head, sizeof head) != 0 ||
	    memcmp(e.p + sizeof head + 1, tail, sizeof tail) != 0)
		return false;
	uint8_t literal = e.p[sizeof head];
	if (literal < 0x30 || literal > 0x3f)
		return false;
	*ret_threshold = literal - 0x30;
	return true;
}

/* register + offset, or what stands there. */
static bool is_simple(struct dwarf_bytes e, struct unwind_rule *rule)
{
	unsigned op = dwarf_u8(&e);
	int64_t offset = dwarf_sleb(&e);

	if (e.failed || op < OP_BREG0 || op - OP_BREG0 >= UNWIND_REGISTERS || offset != (int32_t)offset)
		return false;
	bool more = e.p < e.end;
	if (more && (dwarf_u8(&e) != OP_DEREF || e.p < e.end))
		return false;
	rule->cfa = more ? UNWIND_CFA_DEREF : UNWIND_CFA_REGISTER;
	rule->cfa_register = (uint8_t)(op - OP_BREG0);
	rule->cfa_offset = (int32_t)offset;
	return true;
}

static int def_cfa_expression(struct run *u)
{
	struct dwarf_bytes e = dwarf_take(&u->program, dwarf_uleb(&u->program));
	int32_t offset;

	if (u->program.failed)
		return DAMAGED;
	if (is_plt(e, &offset)) {
		u->rule.cfa = UNWIND_CFA_PLT;
	} else if (is_simple(e, &u->rule)) {
		return 0;
	} else {
		int rc = unwind_rules_expression(u->r->rules,
						 (struct span){ (const char *)e.p, (size_t)(e.end - e.p) },
						 &offset);
		if (rc < 0)
			return rc;
		u->rule.cfa = UNWIND_CFA_EXPRESSION;
	}
	u->rule.cfa_register = 0;
	u->rule.cfa_offset = offset;
	return 0;
}

static int set_location(struct run *u)
{
	struct dwarf_pointer_base base = u->r->section->base;

	base.function = u->function;
	uint64_t to = dwarf_pointer(&u->program, u->cie->pointer_encoding, &base);
	return u->program.failed ? DAMAGED : advance(u, to);
}

static int def_cfa_instruction(struct run *u, unsigned op)
{
	struct dwarf_bytes *b = &u->program;
	uint64_t reg;

	switch (op) {
	case CFA_DEF_CFA: reg = dwarf_uleb(b); return def_cfa(u, reg, (int64_t)dwarf_uleb(b));
	case CFA_DEF_CFA_SF: reg = dwarf_uleb(b); return def_cfa_scaled(u, reg, dwarf_sleb(b));
	case CFA_DEF_CFA_EXPRESSION: return def_cfa_expression(u);
	}
	/* The others change half of a rule, which has to be there. */
	if (u->rule.cfa != UNWIND_CFA_REGISTER)
		return DAMAGED;
	switch (op) {
	case CFA_DEF_CFA_REGISTER: return def_cfa(u, dwarf_uleb(b), u->rule.cfa_offset);
	case CFA_DEF_CFA_OFFSET: return def_cfa(u, u->rule.cfa_register, (int64_t)dwarf_uleb(b));
	default: return def_cfa_scaled(u, u->rule.cfa_register, dwarf_sleb(b));
	}
}

static int register_instruction(struct run *u, unsigned op)
{
	struct dwarf_bytes *b = &u->program;
	uint64_t reg = dwarf_uleb(b);

	switch (op) {
	case CFA_OFFSET_EXTENDED: set_scaled(u, reg, UNWIND_AT_CFA, (int64_t)dwarf_uleb(b)); break;
	case CFA_OFFSET_EXTENDED_SF: set_scaled(u, reg, UNWIND_AT_CFA, dwarf_sleb(b)); break;
	case CFA_GNU_NEGATIVE_OFFSET_EXTENDED: set_scaled(u, reg, UNWIND_AT_CFA, (int64_t)-dwarf_uleb(b)); break;
	case CFA_VAL_OFFSET: set_scaled(u, reg, UNWIND_CFA_PLUS, (int64_t)dwarf_uleb(b)); break;
	case CFA_VAL_OFFSET_SF: set_scaled(u, reg, UNWIND_CFA_PLUS, dwarf_sleb(b)); break;
	case CFA_UNDEFINED: set(u, reg, UNWIND_UNDEFINED, 0); break;
	case CFA_SAME_VALUE: set(u, reg, UNWIND_SAME, 0); break;
	case CFA_EXPRESSION: return set_expression(u, reg, UNWIND_AT_EXPRESSION);
	case CFA_VAL_EXPRESSION: return set_expression(u, reg, UNWIND_IS_EXPRESSION);
	case CFA_RESTORE_EXTENDED: return restore(u, reg);
	case CFA_REGISTER: {
		uint64_t other = dwarf_uleb(b);
		/* A register that is not followed is as good as lost. */
		set(u, reg, other < UNWIND_REGISTERS ? UNWIND_REGISTER : UNWIND_UNDEFINED,
		    other < UNWIND_REGISTERS ? (int64_t)other : 0);
		break;
	}
	default: return DAMAGED;
	}
	return 0;
}

static int instruction(struct run *u)
{
	struct dwarf_bytes *b = &u->program;
	unsigned op = dwarf_u8(b);

	switch (op & 0xc0) {
	case CFA_ADVANCE_LOC: return advance_by(u, op & 0x3f);
	case CFA_OFFSET: set_scaled(u, op & 0x3f, UNWIND_AT_CFA, (int64_t)dwarf_uleb(b)); return 0;
	case CFA_RESTORE: return restore(u, op & 0x3f);
	}
	switch (op) {
	case CFA_NOP: return 0;
	case CFA_SET_LOC: return set_location(u);
	case CFA_ADVANCE_LOC1: return advance_by(u, dwarf_u8(b));
	case CFA_ADVANCE_LOC2: return advance_by(u, dwarf_u16(b));
	case CFA_ADVANCE_LOC4: return advance_by(u, dwarf_u32(b));
	case CFA_REMEMBER_STATE: return remember(u);
	case CFA_RESTORE_STATE: return recall(u);
	case CFA_GNU_ARGS_SIZE: dwarf_uleb(b); return 0;
	case CFA_DEF_CFA:
	case CFA_DEF_CFA_SF:
	case CFA_DEF_CFA_REGISTER:
	case CFA_DEF_CFA_OFFSET:
	case CFA_DEF_CFA_OFFSET_SF:
	case CFA_DEF_CFA_EXPRESSION: return def_cfa_instruction(u, op);
	}
	return register_instruction(u, op);
}

/* 0: to its end, or past `to`; DAMAGED; -ENOMEM, -EFBIG. */
static int run(struct run *u)
{
	while (u->program.p < u->program.end && (!u->initial || u->location < u->to)) {
		int rc = instruction(u);
		if (rc < 0)
			return rc;
		if (u->program.failed)
			return DAMAGED;
	}
	return 0;
}

static void default_rule(const struct frame_cie *c, struct unwind_rule *ret)
{
	static const uint8_t kept[] = { UNWIND_RBX, UNWIND_RBP, 12, 13, 14, 15 };

	*ret = (struct unwind_rule){ .cfa = UNWIND_CFA_NONE, .signal_frame = c->signal_frame };
	memset(ret->how, UNWIND_UNDEFINED, sizeof ret->how);
	for (size_t i = 0; i < sizeof kept; i++)
		ret->how[kept[i]] = UNWIND_SAME;
	ret->how[UNWIND_RSP] = UNWIND_CFA_PLUS;
	ret->how[UNWIND_RIP] = UNWIND_SAME;
}

static int initial_rule(struct frame_runner *r, uint32_t cie, const struct unwind_rule **ret)
{
	while (r->initial.n < r->entries->cie.n)
		if (!vec_push(&r->initial))
			return -ENOMEM;
	struct frame_initial *i = &r->initial.v[cie];
	if (!i->done) {
		struct run u = { .r = r, .cie = &r->entries->cie.v[cie] };
		u.program = u.cie->program;
		default_rule(u.cie, &u.rule);
		int rc = run(&u);
		if (rc < 0 && rc != DAMAGED)
			return rc;
		i->failed = rc < 0;
		i->rule = u.rule;
		i->done = true;
	}
	*ret = i->failed ? NULL : &i->rule;
	return 0;
}

int frame_runner_add(struct frame_runner *r, const struct frame_fde *f, uint64_t from, uint64_t to)
{
	const struct frame_cie *c = &r->entries->cie.v[f->cie];
	struct run u = { .r = r, .cie = c, .location = f->start, .from = from, .to = to, .function = f->start };
	int rc;

	if (from >= to)
		return 0;
	if (from > r->described_to && (rc = put_row(r, r->described_to, UNWIND_NO_RULE_INDEX)) < 0)
		return rc;
	r->described_to = to;
	if ((rc = initial_rule(r, f->cie, &u.initial)) < 0)
		return rc;
	if (!u.initial)
		return put_row(r, from, UNWIND_NO_RULE_INDEX);
	u.rule = *u.initial;
	u.program = (struct dwarf_bytes){ f->program, f->program + f->program_size, false };
	if ((rc = run(&u)) == DAMAGED)
		return u.location < to ? put_row(r, u.location > from ? u.location : from, UNWIND_NO_RULE_INDEX) : 0;
	if (rc == 0 && u.location < to)
		rc = advance(&u, to);
	return rc;
}

int frame_runner_finish(struct frame_runner *r)
{
	return r->rows->n ? put_row(r, r->described_to, UNWIND_NO_RULE_INDEX) : 0;
}
