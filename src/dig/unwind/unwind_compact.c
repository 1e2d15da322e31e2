#include <errno.h>
#include <stdlib.h>

#include "dig/unwind/dwarf_bytes.h"
#include "dig/unwind/unwind_compact.h"
#include "dig/unwind/unwind_rules.h"

enum { OP_DEREF = 0x06, OP_PLUS_UCONST = 0x23, OP_BREG0 = 0x70 };

/* An expression that is a register and an offset, and what follows. */
static bool is_register_plus(struct span bytes, unsigned reg, int64_t *ret_offset, struct dwarf_bytes *ret_rest)
{
	struct dwarf_bytes b = { (const uint8_t *)bytes.p, (const uint8_t *)bytes.p + bytes.n, false };

	if (dwarf_u8(&b) != OP_BREG0 + reg)
		return false;
	*ret_offset = dwarf_sleb(&b);
	*ret_rest = b;
	return !b.failed;
}

static bool is_at(const struct unwind_table *t, const struct unwind_rule *rule, unsigned reg, unsigned from,
		  int64_t wanted)
{
	struct dwarf_bytes rest;
	int64_t offset;

	return rule->how[reg] == UNWIND_AT_EXPRESSION &&
	       is_register_plus(unwind_expression_at(t->expressions, rule->offset[reg]), from, &offset, &rest) &&
	       rest.p == rest.end && offset == wanted;
}

static bool words(int64_t bytes, int16_t *ret)
{
	if (bytes % 8 || bytes / 8 != (int16_t)(bytes / 8))
		return false;
	*ret = (int16_t)(bytes / 8);
	return true;
}

static int8_t rbp_of(const struct unwind_table *t, const struct unwind_rule *rule)
{
	int32_t offset = rule->offset[UNWIND_RBP];

	if (rule->how[UNWIND_RBP] == UNWIND_SAME)
		return UNWIND_COMPACT_RBP_SAME;
	if (rule->how[UNWIND_RBP] == UNWIND_AT_CFA && offset < 0 && offset % 8 == 0 && offset / 8 >= INT8_MIN)
		return (int8_t)(offset / 8);
	if (is_at(t, rule, UNWIND_RBP, UNWIND_RBP, 0))
		return UNWIND_COMPACT_RBP_AT_RBP;
	return UNWIND_COMPACT_RBP_LOST;
}

static bool is_kernel_signal_frame(const struct unwind_table *t, const struct unwind_rule *rule)
{
	return rule->signal_frame && rule->cfa == UNWIND_CFA_DEREF && rule->cfa_register == UNWIND_RSP &&
	       rule->cfa_offset == UNWIND_COMPACT_SIGNAL_RSP &&
	       is_at(t, rule, UNWIND_RIP, UNWIND_RSP, UNWIND_COMPACT_SIGNAL_PC) &&
	       is_at(t, rule, UNWIND_RBP, UNWIND_RSP, UNWIND_COMPACT_SIGNAL_RBP);
}

static unsigned kind_of_expression(const struct unwind_table *t, const struct unwind_rule *rule, int16_t *ret_offset)
{
	struct dwarf_bytes rest;
	int64_t offset;

	if (!is_register_plus(unwind_expression_at(t->expressions, rule->cfa_offset), UNWIND_RSP, &offset, &rest) ||
	    dwarf_u8(&rest) != OP_DEREF || dwarf_u8(&rest) != OP_PLUS_UCONST || dwarf_uleb(&rest) != 8 || rest.failed ||
	    rest.p < rest.end || !words(offset, ret_offset))
		return UNWIND_COMPACT_UNSUPPORTED;
	return UNWIND_COMPACT_DEREF_RSP_8;
}

static unsigned kind_of_cfa(const struct unwind_table *t, const struct unwind_rule *rule, int16_t *ret_offset)
{
	switch (rule->cfa) {
	case UNWIND_CFA_REGISTER:
		if (!words(rule->cfa_offset, ret_offset))
			break;
		return rule->cfa_register == UNWIND_RSP	  ? UNWIND_COMPACT_RSP
		       : rule->cfa_register == UNWIND_RBP ? UNWIND_COMPACT_RBP
							  : UNWIND_COMPACT_UNSUPPORTED;
	case UNWIND_CFA_PLT: *ret_offset = (int16_t)rule->cfa_offset; return UNWIND_COMPACT_PLT;
	case UNWIND_CFA_DEREF:
		if (rule->cfa_register == UNWIND_RBP && words(rule->cfa_offset, ret_offset))
			return UNWIND_COMPACT_DEREF_RBP;
		break;
	case UNWIND_CFA_EXPRESSION: return kind_of_expression(t, rule, ret_offset);
	}
	return UNWIND_COMPACT_UNSUPPORTED;
}

struct unwind_compact_row unwind_compact_rule(const struct unwind_table *t, const struct unwind_rule *rule)
{
	struct unwind_compact_row row = { .kind = UNWIND_COMPACT_NONE };

	if (!rule || rule->cfa == UNWIND_CFA_NONE)
		return row;
	row.kind = UNWIND_COMPACT_END;
	if (rule->how[UNWIND_RIP] == UNWIND_UNDEFINED)
		return row;
	row.kind = UNWIND_COMPACT_SIGNAL;
	if (is_kernel_signal_frame(t, rule))
		return row;
	row.kind = UNWIND_COMPACT_UNSUPPORTED;
	if (rule->signal_frame || rule->how[UNWIND_RIP] != UNWIND_AT_CFA || rule->offset[UNWIND_RIP] != -8 ||
	    rule->how[UNWIND_RSP] != UNWIND_CFA_PLUS || rule->offset[UNWIND_RSP] != 0)
		return row;
	row.kind = (uint8_t)kind_of_cfa(t, rule, &row.offset);
	if (row.kind == UNWIND_COMPACT_UNSUPPORTED)
		row.offset = 0;
	else
		row.rbp = rbp_of(t, rule);
	return row;
}

int unwind_compact(const struct unwind_table *t, struct unwind_compact_row **ret, size_t *ret_n)
{
	struct unwind_compact_row *row = malloc((t->nrows ? t->nrows : 1) * sizeof *row);
	struct unwind_compact_row *of_rule = malloc((t->nrules ? t->nrules : 1) * sizeof *of_rule);
	size_t n = 0;

	if (!row || !of_rule) {
		free(row);
		free(of_rule);
		return -ENOMEM;
	}
	for (size_t i = 0; i < t->nrules; i++)
		of_rule[i] = unwind_compact_rule(t, &t->rule[i]);
	for (size_t i = 0; i < t->nrows; i++) {
		struct unwind_compact_row r = { 0 };
		if (t->row[i].rule < t->nrules)
			r = of_rule[t->row[i].rule];
		if (n && row[n - 1].kind == r.kind && row[n - 1].offset == r.offset && row[n - 1].rbp == r.rbp)
			continue;
		r.pc = t->row[i].pc;
		row[n++] = r;
	}
	free(of_rule);
	*ret = row;
	*ret_n = n;
	return 0;
}

const struct unwind_compact_row *unwind_compact_find(const struct unwind_compact_row *row, size_t n, uint32_t pc)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (row[middle].pc <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &row[low - 1] : NULL;
}

static int read_word(const struct unwind_memory *memory, uint64_t address, uint64_t *ret)
{
	return memory->read(memory->arg, address, ret, sizeof *ret);
}

static int step_over_signal(const struct unwind_compact_frame *f, const struct unwind_memory *memory,
			    struct unwind_compact_frame *ret)
{
	struct unwind_compact_frame to = { .has_rbp = true, .exact = true };

	if (read_word(memory, f->rsp + UNWIND_COMPACT_SIGNAL_PC, &to.pc) < 0 ||
	    read_word(memory, f->rsp + UNWIND_COMPACT_SIGNAL_RSP, &to.rsp) < 0 ||
	    read_word(memory, f->rsp + UNWIND_COMPACT_SIGNAL_RBP, &to.rbp) < 0)
		return -EFAULT;
	*ret = to;
	return 1;
}

static int cfa_of(const struct unwind_compact_row *row, const struct unwind_compact_frame *f,
		  const struct unwind_memory *memory, uint64_t *ret)
{
	uint64_t offset = (uint64_t)(int64_t)row->offset * 8;
	int rc;

	switch (row->kind) {
	case UNWIND_COMPACT_RSP: *ret = f->rsp + offset; return 0;
	case UNWIND_COMPACT_PLT: *ret = f->rsp + ((f->pc & 15) >= (uint16_t)row->offset ? 16 : 8); return 0;
	case UNWIND_COMPACT_DEREF_RSP_8:
		if ((rc = read_word(memory, f->rsp + offset, ret)) == 0)
			*ret += 8;
		return rc;
	case UNWIND_COMPACT_RBP:
	case UNWIND_COMPACT_DEREF_RBP:
		if (!f->has_rbp)
			return -ENODATA;
		*ret = f->rbp + offset;
		return row->kind == UNWIND_COMPACT_RBP ? 0 : read_word(memory, *ret, ret);
	}
	return row->kind == UNWIND_COMPACT_NONE ? -ENOENT : -EOPNOTSUPP;
}

int unwind_compact_step(const struct unwind_compact_row *row, const struct unwind_compact_frame *f,
			const struct unwind_memory *memory, struct unwind_compact_frame *ret)
{
	struct unwind_compact_frame to = { .rbp = f->rbp, .has_rbp = f->has_rbp };
	int rc;

	if (!row)
		return -ENOENT;
	if (row->kind == UNWIND_COMPACT_END)
		return 0;
	if (row->kind == UNWIND_COMPACT_SIGNAL)
		return step_over_signal(f, memory, ret);
	if ((rc = cfa_of(row, f, memory, &to.rsp)) < 0)
		return rc;
	if (read_word(memory, to.rsp - 8, &to.pc) < 0)
		return -EFAULT;
	if (row->rbp == UNWIND_COMPACT_RBP_LOST)
		to.has_rbp = false;
	else if (row->rbp == UNWIND_COMPACT_RBP_AT_RBP)
		to.has_rbp = f->has_rbp && read_word(memory, f->rbp, &to.rbp) == 0;
	else if (row->rbp != UNWIND_COMPACT_RBP_SAME)
		to.has_rbp = read_word(memory, to.rsp + (uint64_t)((int64_t)row->rbp * 8), &to.rbp) == 0;
	*ret = to;
	return 1;
}
