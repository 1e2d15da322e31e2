/* unwind_rule_apply: from the registers of a frame to those of its caller. */
#include <errno.h>

#include "dig/unwind/dwarf_expression.h"
#include "dig/unwind/unwind.h"
#include "dig/unwind/unwind_rules.h"

struct frame {
	const struct unwind_table *table;
	const struct unwind_rule *rule;
	const struct unwind_registers *r;
	const struct unwind_memory *memory;
	uint64_t bias;
};

static bool knows(const struct frame *f, unsigned reg)
{
	return f->r->known >> reg & 1;
}

static bool read_word(const struct frame *f, uint64_t address, uint64_t *ret)
{
	return f->memory->read(f->memory->arg, address, ret, sizeof *ret) == 0;
}

static int expression(const struct frame *f, int32_t offset, const uint64_t *cfa, uint64_t *ret)
{
	struct dwarf_expression_context context = { f->r, f->memory, f->bias, cfa };

	return dwarf_expression(unwind_expression_at(f->table->expressions, offset), &context, cfa, ret);
}

static int cfa_of(const struct frame *f, uint64_t *ret)
{
	const struct unwind_rule *rule = f->rule;
	const uint64_t *value = f->r->value;

	switch (rule->cfa) {
	case UNWIND_CFA_PLT:
		*ret = value[UNWIND_RSP] + 8 + ((value[UNWIND_RIP] & 15) >= (uint32_t)rule->cfa_offset) * 8;
		return 0;
	case UNWIND_CFA_REGISTER:
	case UNWIND_CFA_DEREF:
		if (rule->cfa_register >= UNWIND_REGISTERS || !knows(f, rule->cfa_register))
			return -ENODATA;
		*ret = value[rule->cfa_register] + (uint64_t)(int64_t)rule->cfa_offset;
		return rule->cfa == UNWIND_CFA_DEREF && !read_word(f, *ret, ret) ? -EFAULT : 0;
	case UNWIND_CFA_EXPRESSION: return expression(f, rule->cfa_offset, NULL, ret);
	}
	return -EBADMSG;
}

static int register_of(const struct frame *f, unsigned reg, uint64_t cfa, uint64_t *ret)
{
	int32_t offset = f->rule->offset[reg];
	int rc;

	switch (f->rule->how[reg]) {
	case UNWIND_AT_CFA: return read_word(f, cfa + (uint64_t)(int64_t)offset, ret) ? 0 : -EFAULT;
	case UNWIND_CFA_PLUS: *ret = cfa + (uint64_t)(int64_t)offset; return 0;
	case UNWIND_SAME: offset = (int32_t)reg; /* fallthrough */
	case UNWIND_REGISTER:
		if ((uint32_t)offset >= UNWIND_REGISTERS || !knows(f, (unsigned)offset))
			return -ENODATA;
		*ret = f->r->value[offset];
		return 0;
	case UNWIND_AT_EXPRESSION:
	case UNWIND_IS_EXPRESSION:
		rc = expression(f, offset, &cfa, ret);
		if (rc == 0 && f->rule->how[reg] == UNWIND_AT_EXPRESSION && !read_word(f, *ret, ret))
			return -EFAULT;
		return rc;
	}
	return -ENODATA;
}

int unwind_rule_apply(const struct unwind_table *t, const struct unwind_rule *rule, uint64_t bias,
		      const struct unwind_registers *r, const struct unwind_memory *memory,
		      struct unwind_registers *ret)
{
	struct frame f = { t, rule, r, memory, bias };
	struct unwind_registers to = { .known = 0 };
	uint64_t cfa;
	int rc;

	if (rule->how[UNWIND_RIP] == UNWIND_UNDEFINED)
		return 0;
	if ((rc = cfa_of(&f, &cfa)) < 0)
		return rc;
	for (unsigned i = 0; i < UNWIND_REGISTERS; i++) {
		if (rule->how[i] == UNWIND_UNDEFINED)
			continue;
		rc = register_of(&f, i, cfa, &to.value[i]);
		if (rc == 0)
			to.known |= 1u << i;
		else if (i == UNWIND_RIP || i == UNWIND_RSP)
			return rc;
	}
	if (!(to.known >> UNWIND_RSP & 1))
		return -ENODATA;
	*ret = to;
	return 1;
}
