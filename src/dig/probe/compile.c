#include "dig/probe/compile.h"

#include <assert.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>

#include "dig/probe/meaning.h"

/* The stack of a program, below r10: temporaries, then a buffer for texts that are compared, then a small key. */
#define SLOTS 32
#define TEXT_AT (-SLOTS * 8 - 128)
#define KEY_ROOM 112
#define KEY_AT (TEXT_AT - KEY_ROOM)
_Static_assert(KEY_AT >= -512, "the stack of a BPF program");
_Static_assert(PROBE_DEPTH_MAX + 4 <= SLOTS, "each level keeps one value");

#define R0 BPF_REG_0
#define R1 BPF_REG_1
#define R2 BPF_REG_2
#define R3 BPF_REG_3
#define R4 BPF_REG_4
#define CONTEXT BPF_REG_6
#define PLACE BPF_REG_7 /* of the record or the key */
#define KEPT BPF_REG_8
#define FRAME BPF_REG_10

struct code {
	struct compiler *c;
	struct emit *e;
	const struct probe_maps *maps;
	int fault_bit;		/* of the record at PLACE; -1: jump */
	emit_label fault_label;
	bool fault_used;	/* code that nothing leads to is refused by the verifier */
};

/* ---- layouts ---- */

static uint32_t value_bytes(const struct probe_value *v, bool key)
{
	switch (v->kind) {
	case VALUE_TEXT: {
		uint32_t n = key && v->text_bytes > PROBE_KEY_TEXT_BYTES ? PROBE_KEY_TEXT_BYTES : v->text_bytes;
		return (n + 7) & ~7u;
	}
	case VALUE_STACK:
		return v->copied_stack ? sizeof(struct event_stack) : sizeof(struct probe_stack);
	default:
		return 8;
	}
}

static int add_field(struct compiler *c, struct probe_layout *l, const struct probe_value *v, struct span name, bool key)
{
	if (l->nfields == PROBE_RECORD_VALUES)
		return probe_error_set(c->error, 0, "more than %d values are not taken", PROBE_RECORD_VALUES);
	struct probe_field *f = &l->field[l->nfields++];

	f->value = *v;
	f->value.copied_stack = v->kind == VALUE_STACK && !v->kernel_stack && !key && c->options.copy_user_stack;
	span_copy(name, f->name, sizeof f->name);
	f->offset = l->bytes;
	f->size = value_bytes(&f->value, key);
	l->bytes += f->size;
	/* Offsets of instructions have 16 bits. */
	return l->bytes < 32000 ? 0 : probe_error_set(c->error, 0, "fewer stacks, please: one of them is 9 KiB");
}

static int add_stack(struct compiler *c, struct probe_layout *l, bool kernel, bool key)
{
	struct probe_value v = { .kind = VALUE_STACK, .kernel_stack = kernel };

	return add_field(c, l, &v, span_from(kernel ? "kstack" : "ustack"), key);
}

static bool means_stack(const struct compiler *c, const struct expression *e)
{
	const struct probe_argument *a;
	enum builtin b;

	return (e->kind == EXPRESSION_NAME && name_means(c, e->text, &a, &b) && b == BUILTIN_STACK) ||
	       current_means(e) == BUILTIN_STACK;
}

static int add_expression(struct compiler *c, struct probe_layout *l, const struct expression *e, bool key)
{
	struct probe_value v;

	if (means_stack(c, e)) {
		int r = add_stack(c, l, true, key);
		return r < 0 ? r : add_stack(c, l, false, key);
	}
	int r = value_type(c, e, &v);
	if (r < 0)
		return r;
	if (e->kind == EXPRESSION_TEXT)
		return probe_error_set(c->error, e->column, "a text in quotes says nothing new here");
	if (v.kind == VALUE_STRUCT || v.kind == VALUE_ARRAY)
		return probe_error_set(c->error, e->column, "this is %s, not a value",
				       v.kind == VALUE_STRUCT ? "a struct: name a member of it" : "an array: name an element, as [0]");
	return add_field(c, l, &v, e->source, key);
}

/* What a print without values shows: arguments as they are, paths and names as text. */
static bool points_to_text(const struct probe_argument *a)
{
	bool constant = strcmp(a->type, "const char *") == 0 || strcmp(a->type, "const char*") == 0;

	return a->is_text || (a->is_pointer && constant && strcmp(a->name, "buf") != 0);
}

static struct probe_value shown_type(const struct probe_argument *a)
{
	struct probe_value v = argument_type(a);

	if (points_to_text(a))
		v = (struct probe_value){ .kind = VALUE_TEXT, .text_bytes = PROBE_TEXT_BYTES };
	if (v.kind == VALUE_ARRAY)
		v.kind = VALUE_INTEGER;
	return v;
}

static int add_arguments(struct compiler *c, struct probe_layout *l)
{
	vec_each(a, &c->variant->argument) {
		struct probe_value v = shown_type(a);
		unsigned n = a->elements > 1 ? a->elements : 1;
		char name[64];

		for (unsigned i = 0; a->place != PLACE_NOWHERE && i < n && i < 8; i++) {
			if (l->nfields == PROBE_RECORD_VALUES - 2)
				return 0;
			snprintf(name, sizeof name, a->elements > 1 ? "%s[%u]" : "%s", a->name, i);
			int r = add_field(c, l, &v, span_from(name), false);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int check_print(struct compiler *c, const struct probe_action *a, struct probe_layout *l)
{
	int r = a->nvalues ? 0 : add_arguments(c, l);

	for (size_t i = 0; r == 0 && i < a->nvalues; i++)
		r = add_expression(c, l, a->value[i], false);
	if (r == 0 && c->options.stacks) {
		r = add_stack(c, l, true, false);
		r = r < 0 ? r : add_stack(c, l, false, false);
	}
	return r;
}

static int check_aggregate(struct compiler *c, const struct probe_action *a, struct probe_layout *l)
{
	struct probe_value v;
	int r = 0;

	if (a->nvalues) {
		r = value_type(c, a->value[0], &v);
		if (r == 0 && v.kind != VALUE_INTEGER)
			r = probe_error_set(c->error, a->value[0]->column, "%s takes a number, and this is %s",
					    probe_action_names[a->kind],
					    v.kind == VALUE_TEXT ? "a text: it may be a key, behind 'by'" : "none");
		l->value_unsigned = r == 0 && !v.is_signed && v.bytes == 8;
	}
	for (size_t i = 0; r == 0 && i < a->nkeys; i++)
		r = add_expression(c, l, a->key[i], true);
	if (r == 0 && c->options.stacks) {
		r = add_stack(c, l, true, true);
		r = r < 0 ? r : add_stack(c, l, false, true);
	}
	if (a->kind == ACTION_HISTOGRAM)
		l->bytes += 8; /* the bucket */
	else if (l->bytes == 0)
		l->bytes = 8; /* one key, 0 */
	return r;
}

int probe_check(struct compiler *c)
{
	const struct probe_clause *clause = c->clause;
	struct probe_value v;

	if (clause->filter) {
		int r = value_type(c, clause->filter, &v);
		if (r == 0 && v.kind != VALUE_INTEGER)
			r = probe_error_set(c->error, clause->filter->column, "a filter is a comparison or a number, and this is %s",
					    v.kind == VALUE_TEXT ? "a text: compare it (== \"…\")" : "neither");
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < clause->nactions; i++) {
		struct probe_layout *l = &c->layout[i];
		const struct probe_action *a = &clause->action[i];

		*l = (struct probe_layout){ .bytes = a->kind == ACTION_PRINT ? sizeof(struct probe_record) : 0 };
		int r = a->kind == ACTION_PRINT ? check_print(c, a, l) : check_aggregate(c, a, l);
		if (r < 0)
			return r;
	}
	return 0;
}

uint32_t probe_scratch_bytes(const struct compiler *c)
{
	uint32_t most = 0;

	for (size_t i = 0; i < c->clause->nactions; i++)
		if (c->clause->action[i].kind != ACTION_PRINT && c->layout[i].bytes > KEY_ROOM && c->layout[i].bytes > most)
			most = c->layout[i].bytes;
	return most;
}

/* ---- memory ---- */

static int slot_at(unsigned slot)
{
	assert(slot < SLOTS);
	return -8 * ((int)slot + 1);
}

static void to_stack_address(struct code *k, int reg, int offset)
{
	emit_move(k->e, reg, FRAME);
	emit_alu_constant(k->e, BPF_ADD, reg, offset);
}

/* Where a read failed. Loses r0, r1. */
static void fault(struct code *k)
{
	if (k->fault_bit < 0) {
		emit_jump(k->e, k->fault_label);
		k->fault_used = true;
		return;
	}
	emit_load(k->e, R0, PLACE, offsetof(struct probe_record, faults), 8, false);
	emit_constant(k->e, R1, (int64_t)(UINT64_C(1) << k->fault_bit));
	emit_alu(k->e, BPF_OR, R0, R1);
	emit_store(k->e, PLACE, offsetof(struct probe_record, faults), R0, 8);
}

enum side { EITHER, USER, KERNEL };

/* Calls a helper of the pair by the address in r3. */
static void call_reader(struct code *k, enum side side, int user_helper, int kernel_helper)
{
	if (side != EITHER) {
		emit_call(k->e, side == USER ? user_helper : kernel_helper);
		return;
	}
	emit_label kernel = emit_label_new(k->e), done = emit_label_new(k->e);

	emit_jump_if_constant(k->e, BPF_JSLT, R3, 0, kernel);
	emit_call(k->e, user_helper);
	emit_jump(k->e, done);
	emit_place(k->e, kernel);
	emit_call(k->e, kernel_helper);
	emit_place(k->e, done);
}

/* r0 = what is at the address in r0. */
static void read_integer(struct code *k, enum side side, unsigned bytes, bool is_signed, unsigned slot)
{
	emit_label good = emit_label_new(k->e);

	emit_move(k->e, R3, R0);
	to_stack_address(k, R1, slot_at(slot));
	emit_constant(k->e, R2, bytes);
	call_reader(k, side, BPF_FUNC_probe_read_user, BPF_FUNC_probe_read_kernel);
	emit_jump_if_constant(k->e, BPF_JEQ, R0, 0, good);
	fault(k);
	emit_place(k->e, good);
	emit_load(k->e, R0, FRAME, slot_at(slot), bytes, is_signed);
}

/* Text at the address in r0 to base + offset; r0 = its bytes with NUL, below 0 when it could not be read. */
static void read_text(struct code *k, enum side side, int base, int offset, unsigned size)
{
	emit_label good = emit_label_new(k->e);

	emit_move(k->e, R3, R0);
	emit_move(k->e, R1, base);
	emit_alu_constant(k->e, BPF_ADD, R1, offset);
	emit_constant(k->e, R2, size);
	call_reader(k, side, BPF_FUNC_probe_read_user_str, BPF_FUNC_probe_read_kernel_str);
	emit_jump_if_constant(k->e, BPF_JSGE, R0, 0, good);
	fault(k);
	if (k->fault_bit >= 0)
		emit_constant(k->e, R0, 0);
	emit_place(k->e, good);
}

/* ---- values ---- */

static void put_value(struct code *k, const struct expression *e, unsigned slot);
static enum side put_address(struct code *k, const struct expression *e, unsigned slot);

static struct probe_value type_of(struct code *k, const struct expression *e)
{
	struct probe_value v = { 0 };
	int r = value_type(k->c, e, &v);

	assert(r == 0); /* probe_check has passed it */
	(void)r;
	return v;
}

/* r0 = pid and tid as the chosen namespace counts: tgid above, tid below. */
static void put_pids(struct code *k, unsigned slot)
{
	if (k->c->options.namespace_inode == 0) {
		emit_call(k->e, BPF_FUNC_get_current_pid_tgid);
		return;
	}
	emit_constant(k->e, R1, (int64_t)k->c->options.namespace_device);
	emit_constant(k->e, R2, (int64_t)k->c->options.namespace_inode);
	to_stack_address(k, R3, slot_at(slot));
	emit_constant(k->e, R4, 8);
	emit_call(k->e, BPF_FUNC_get_ns_current_pid_tgid);
	emit_load(k->e, R0, FRAME, slot_at(slot), 8, false);
}

static void put_site(struct code *k)
{
	if (!k->c->options.cookie) {
		emit_constant(k->e, R0, k->c->options.site);
		return;
	}
	emit_move(k->e, R1, CONTEXT);
	emit_call(k->e, BPF_FUNC_get_attach_cookie);
}

static void put_builtin(struct code *k, enum builtin b, unsigned slot)
{
	switch (b) {
	case BUILTIN_PID:
		put_pids(k, slot);
		emit_alu_constant(k->e, BPF_RSH, R0, 32);
		return;
	case BUILTIN_TID:
		put_pids(k, slot);
		emit_extend(k->e, R0, 4, false);
		return;
	case BUILTIN_UID:
		emit_call(k->e, BPF_FUNC_get_current_uid_gid);
		emit_extend(k->e, R0, 4, false);
		return;
	case BUILTIN_CPU:
		emit_call(k->e, BPF_FUNC_get_smp_processor_id);
		return;
	case BUILTIN_NS:
		emit_call(k->e, BPF_FUNC_ktime_get_ns);
		return;
	case BUILTIN_CGROUP:
		emit_call(k->e, BPF_FUNC_get_current_cgroup_id);
		return;
	case BUILTIN_TASK:
		emit_call(k->e, BPF_FUNC_get_current_task);
		return;
	case BUILTIN_PROBE:
		put_site(k);
		return;
	default:
		assert(!"texts and stacks have no number");
	}
}

static void put_context_load(struct code *k, const struct probe_argument *a, unsigned element, unsigned slot)
{
	int offset = a->offset + (int)(element * a->bytes);

	if (k->c->variant->kind == PROBE_RAW_TRACEPOINT) {
		emit_load(k->e, R0, CONTEXT, offset, 8, false);
		emit_extend(k->e, R0, a->bytes, a->is_signed);
	} else if (offset % a->bytes == 0) {
		emit_load(k->e, R0, CONTEXT, offset, a->bytes, a->is_signed);
	} else {
		emit_move(k->e, R0, CONTEXT);
		emit_alu_constant(k->e, BPF_ADD, R0, offset);
		read_integer(k, KERNEL, a->bytes, a->is_signed, slot);
	}
}

static void put_operand(struct code *k, const struct probe_argument *a, unsigned slot)
{
	emit_constant(k->e, R0, a->constant);
	if (a->offset >= 0) {
		emit_load(k->e, R1, CONTEXT, a->offset, 8, false);
		emit_alu(k->e, BPF_ADD, R0, R1);
	}
	if (a->index_register >= 0) {
		emit_load(k->e, R1, CONTEXT, a->index_register, 8, false);
		emit_alu_constant(k->e, BPF_MUL, R1, a->scale ? a->scale : 1);
		emit_alu(k->e, BPF_ADD, R0, R1);
	}
	read_integer(k, USER, a->bytes, a->is_signed, slot);
}

static void put_argument(struct code *k, const struct probe_argument *a, unsigned element, unsigned slot)
{
	switch (a->place) {
	case PLACE_CONTEXT:
		put_context_load(k, a, element, slot);
		return;
	case PLACE_REGISTER:
		emit_load(k->e, R0, CONTEXT, a->offset, 8, false);
		emit_extend(k->e, R0, a->bytes, a->is_signed);
		return;
	case PLACE_MEMORY:
		put_operand(k, a, slot);
		return;
	case PLACE_CONSTANT:
		emit_constant(k->e, R0, a->constant);
		return;
	default:
		assert(!"texts have no number");
	}
}

/* r0 = address of a text in the record. */
static void put_text_argument(struct code *k, const struct probe_argument *a)
{
	if (a->place == PLACE_CONTEXT_TEXT) {
		emit_constant(k->e, R0, a->offset);
	} else {
		emit_load(k->e, R0, CONTEXT, a->offset, 4, false);
		emit_alu_constant(k->e, BPF_AND, R0, 0xffff);
		if (a->constant)
			emit_alu_constant(k->e, BPF_ADD, R0, a->constant);
	}
	emit_alu(k->e, BPF_ADD, R0, CONTEXT);
}

/* r0 = address of the member, which may be a bit field's. */
static void put_member_address(struct code *k, const struct expression *e, struct member_place *ret, unsigned slot)
{
	struct probe_value left = type_of(k, e->left);
	int r = member_find(k->c, e, &left, ret);

	assert(r == 0);
	(void)r;
	if (left.kind == VALUE_INTEGER)
		put_value(k, e->left, slot);
	else
		put_address(k, e->left, slot);
	if (ret->offset)
		emit_alu_constant(k->e, BPF_ADD, R0, ret->offset);
}

static uint32_t element_bytes(struct code *k, const struct probe_value *left)
{
	uint32_t type, bytes = 8;

	if (left->is_user)
		return left->target_bytes ? left->target_bytes : 8;
	return pointee(k->c, left, &type, &bytes) ? bytes : 8;
}

/* r0 = address of what has one: a struct, an array, a text, an element, a dereferenced pointer. */
static enum side put_address(struct code *k, const struct expression *e, unsigned slot)
{
	const struct probe_argument *a;
	struct member_place place;
	struct probe_value left;
	enum builtin b;

	switch (e->kind) {
	case EXPRESSION_NAME:
		if (name_means(k->c, e->text, &a, &b) && a) {
			put_text_argument(k, a);
			return KERNEL;
		}
		break;
	case EXPRESSION_MEMBER:
		put_member_address(k, e, &place, slot);
		return EITHER;
	case EXPRESSION_INDEX:
		left = type_of(k, e->left);
		put_value(k, e->right, slot);
		emit_alu_constant(k->e, BPF_MUL, R0, element_bytes(k, &left));
		emit_store(k->e, FRAME, slot_at(slot), R0, 8);
		if (left.kind == VALUE_INTEGER)
			put_value(k, e->left, slot + 1);
		else
			put_address(k, e->left, slot + 1);
		emit_load(k->e, R1, FRAME, slot_at(slot), 8, false);
		emit_alu(k->e, BPF_ADD, R0, R1);
		return EITHER;
	case EXPRESSION_UNARY:
		left = type_of(k, e->left);
		if (left.kind == VALUE_INTEGER)
			put_value(k, e->left, slot);
		else
			put_address(k, e->left, slot);
		return EITHER;
	case EXPRESSION_CALL:
		left = type_of(k, e->left);
		if (left.kind == VALUE_TEXT)
			return put_address(k, e->left, slot);
		put_value(k, e->left, slot);
		return EITHER;
	default:
		break;
	}
	assert(!"has no address");
	return EITHER;
}

static bool means_comm(struct code *k, const struct expression *e)
{
	const struct probe_argument *a;
	enum builtin b;

	if (e->kind == EXPRESSION_CALL)
		return means_comm(k, e->left);
	return current_means(e) == BUILTIN_COMM ||
	       (e->kind == EXPRESSION_NAME && name_means(k->c, e->text, &a, &b) && b == BUILTIN_COMM);
}

/* A text to base + offset. `size` bounds it, NUL included; r0 = its bytes with NUL, where it is not comm. */
static void put_text(struct code *k, const struct expression *e, int base, int offset, unsigned size, unsigned slot)
{
	if (means_comm(k, e)) {
		emit_move(k->e, R1, base);
		emit_alu_constant(k->e, BPF_ADD, R1, offset);
		emit_constant(k->e, R2, 16);
		emit_call(k->e, BPF_FUNC_get_current_comm);
		return;
	}
	enum side side = put_address(k, e, slot);
	read_text(k, side, base, offset, size);
}

static bool is_unsigned_pair(const struct probe_value *a, const struct probe_value *b)
{
	return (!a->is_signed && a->bytes == 8) || (!b->is_signed && b->bytes == 8);
}

/* r0 = left, r1 = right. */
static void put_both(struct code *k, const struct expression *e, unsigned slot)
{
	if (e->right->kind == EXPRESSION_NUMBER) {
		put_value(k, e->left, slot);
		emit_constant(k->e, R1, (int64_t)e->right->number);
		return;
	}
	put_value(k, e->left, slot);
	emit_store(k->e, FRAME, slot_at(slot), R0, 8);
	put_value(k, e->right, slot + 1);
	emit_move(k->e, R1, R0);
	emit_load(k->e, R0, FRAME, slot_at(slot), 8, false);
}

/* BPF divides without signs; nothing divides by zero: that value is missing. */
static void put_division(struct code *k, const struct expression *e, bool is_signed)
{
	emit_label nonzero = emit_label_new(k->e), left_positive = emit_label_new(k->e),
		   right_positive = emit_label_new(k->e), done = emit_label_new(k->e);
	int op = e->op == OP_DIVIDE ? BPF_DIV : BPF_MOD;

	emit_jump_if_constant(k->e, BPF_JNE, R1, 0, nonzero);
	fault(k);
	if (k->fault_bit >= 0) {
		emit_constant(k->e, R0, 0);
		emit_constant(k->e, R1, 1);
	}
	emit_place(k->e, nonzero);
	if (!is_signed) {
		emit_alu(k->e, op, R0, R1);
		return;
	}
	emit_constant(k->e, R2, 0);
	emit_jump_if_constant(k->e, BPF_JSGE, R0, 0, left_positive);
	emit_negate(k->e, R0);
	emit_alu_constant(k->e, BPF_XOR, R2, 1);
	emit_place(k->e, left_positive);
	emit_jump_if_constant(k->e, BPF_JSGE, R1, 0, right_positive);
	emit_negate(k->e, R1);
	if (op == BPF_DIV)
		emit_alu_constant(k->e, BPF_XOR, R2, 1);
	emit_place(k->e, right_positive);
	emit_alu(k->e, op, R0, R1);
	emit_jump_if_constant(k->e, BPF_JEQ, R2, 0, done);
	emit_negate(k->e, R0);
	emit_place(k->e, done);
}

static void put_branch(struct code *k, const struct expression *e, bool when, emit_label to, unsigned slot);

/* r0 = 1 or 0. */
static void put_truth(struct code *k, const struct expression *e, unsigned slot)
{
	emit_label no = emit_label_new(k->e), done = emit_label_new(k->e);

	put_branch(k, e, false, no, slot);
	emit_constant(k->e, R0, 1);
	emit_jump(k->e, done);
	emit_place(k->e, no);
	emit_constant(k->e, R0, 0);
	emit_place(k->e, done);
}

static void put_binary(struct code *k, const struct expression *e, unsigned slot)
{
	static const int alu[] = { [OP_BIT_OR] = BPF_OR, [OP_BIT_XOR] = BPF_XOR, [OP_BIT_AND] = BPF_AND,
				   [OP_SHIFT_LEFT] = BPF_LSH, [OP_ADD] = BPF_ADD, [OP_SUBTRACT] = BPF_SUB,
				   [OP_MULTIPLY] = BPF_MUL };
	struct probe_value left, right;

	if (e->op <= OP_STARTS) {
		put_truth(k, e, slot);
		return;
	}
	left = type_of(k, e->left);
	right = type_of(k, e->right);
	put_both(k, e, slot);
	switch (e->op) {
	case OP_DIVIDE:
	case OP_MODULO:
		put_division(k, e, !is_unsigned_pair(&left, &right));
		return;
	case OP_SHIFT_RIGHT:
	case OP_SHIFT_LEFT:
		emit_alu_constant(k->e, BPF_AND, R1, 63);
		emit_alu(k->e, e->op == OP_SHIFT_LEFT ? BPF_LSH : left.is_signed ? BPF_ARSH : BPF_RSH, R0, R1);
		return;
	default:
		emit_alu(k->e, alu[e->op], R0, R1);
	}
}

static void put_bits(struct code *k, const struct member_place *place, bool is_signed)
{
	emit_alu_constant(k->e, BPF_LSH, R0, 64 - place->bit_offset - place->bits);
	emit_alu_constant(k->e, is_signed ? BPF_ARSH : BPF_RSH, R0, 64 - place->bits);
}

static void put_unary(struct code *k, const struct expression *e, unsigned slot)
{
	if (e->op == OP_NOT) {
		put_truth(k, e, slot);
	} else if (e->op == OP_DEREFERENCE) {
		struct probe_value v = type_of(k, e);

		put_address(k, e, slot);
		read_integer(k, EITHER, v.bytes, v.is_signed, slot);
	} else {
		put_value(k, e->left, slot);
		if (e->op == OP_NEGATE)
			emit_negate(k->e, R0);
		else
			emit_alu_constant(k->e, BPF_XOR, R0, -1);
	}
}

static void put_call(struct code *k, const struct expression *e, unsigned slot)
{
	struct call_meaning call;
	bool known = call_means(e->text, &call);

	assert(known);
	(void)known;
	put_value(k, e->left, slot);
	if (call.function == FUNCTION_CAST)
		emit_extend(k->e, R0, call.bytes, call.is_signed);
	else if (call.function == FUNCTION_READ)
		read_integer(k, EITHER, call.bytes, false, slot);
}

/* r0 = the number. Slots from `slot` on are free. */
static void put_value(struct code *k, const struct expression *e, unsigned slot)
{
	const struct probe_argument *a;
	struct member_place place;
	struct probe_value v = type_of(k, e);
	enum builtin b = current_means(e);

	switch (e->kind) {
	case EXPRESSION_NUMBER:
		emit_constant(k->e, R0, (int64_t)e->number);
		return;
	case EXPRESSION_NAME:
		name_means(k->c, e->text, &a, &b);
		if (a)
			put_argument(k, a, 0, slot);
		else
			put_builtin(k, b, slot);
		return;
	case EXPRESSION_MEMBER:
		if (b != BUILTIN_NONE) {
			put_builtin(k, b, slot);
			return;
		}
		put_member_address(k, e, &place, slot);
		read_integer(k, EITHER, place.bits ? 8 : v.bytes, v.is_signed, slot);
		if (place.bits)
			put_bits(k, &place, v.is_signed);
		return;
	case EXPRESSION_INDEX:
		if (e->left->kind == EXPRESSION_NAME && name_means(k->c, e->left->text, &a, &b) && a && a->elements > 1) {
			put_argument(k, a, (unsigned)e->right->number, slot);
			return;
		}
		put_address(k, e, slot);
		read_integer(k, EITHER, v.bytes, v.is_signed, slot);
		return;
	case EXPRESSION_CALL:
		put_call(k, e, slot);
		return;
	case EXPRESSION_UNARY:
		put_unary(k, e, slot);
		return;
	case EXPRESSION_BINARY:
		put_binary(k, e, slot);
		return;
	case EXPRESSION_TEXT:
		assert(!"a text has no number");
	}
}

/* ---- conditions ---- */

static void compare_bytes(struct code *k, const char *bytes, unsigned n, emit_label differ)
{
	for (unsigned at = 0; at < n;) {
		unsigned step = n - at >= 8 ? 8 : n - at >= 4 ? 4 : n - at >= 2 ? 2 : 1;
		uint64_t wanted = 0;

		memcpy(&wanted, bytes + at, step);
		emit_load(k->e, R0, FRAME, TEXT_AT + (int)at, step, false);
		emit_jump_if_constant(k->e, BPF_JNE, R0, (int64_t)wanted, differ);
		at += step;
	}
}

static void put_text_branch(struct code *k, const struct expression *e, bool when, emit_label to, unsigned slot)
{
	char bytes[128] = { 0 };
	struct probe_value v = type_of(k, e->left);
	unsigned n = (unsigned)probe_text_bytes(e->right->text, bytes, 126);
	bool starts = e->op == OP_STARTS;
	unsigned size = n + (starts ? 1 : 2);
	emit_label differ = emit_label_new(k->e), after = emit_label_new(k->e);

	when = e->op == OP_UNEQUAL ? !when : when;
	put_text(k, e->left, FRAME, TEXT_AT, size < v.text_bytes ? size : v.text_bytes, slot);
	/* What is shorter than its buffer leaves the rest of it as it was: the length goes first. */
	if (!means_comm(k, e->left))
		emit_jump_if_constant(k->e, starts ? BPF_JSLT : BPF_JNE, R0, (int64_t)n + 1, differ);
	compare_bytes(k, bytes, starts ? n : n + 1, differ);
	if (when)
		emit_jump(k->e, to);
	else
		emit_jump(k->e, after);
	emit_place(k->e, differ);
	if (!when)
		emit_jump(k->e, to);
	emit_place(k->e, after);
}

static void put_comparison(struct code *k, const struct expression *e, bool when, emit_label to, unsigned slot)
{
	static const int plain[2][2][OP_GREATER_EQUAL + 1] = {
		/* [unsigned][when] */
		{ { [OP_EQUAL] = BPF_JNE, [OP_UNEQUAL] = BPF_JEQ, [OP_LESS] = BPF_JSGE, [OP_LESS_EQUAL] = BPF_JSGT,
		    [OP_GREATER] = BPF_JSLE, [OP_GREATER_EQUAL] = BPF_JSLT },
		  { [OP_EQUAL] = BPF_JEQ, [OP_UNEQUAL] = BPF_JNE, [OP_LESS] = BPF_JSLT, [OP_LESS_EQUAL] = BPF_JSLE,
		    [OP_GREATER] = BPF_JSGT, [OP_GREATER_EQUAL] = BPF_JSGE } },
		{ { [OP_EQUAL] = BPF_JNE, [OP_UNEQUAL] = BPF_JEQ, [OP_LESS] = BPF_JGE, [OP_LESS_EQUAL] = BPF_JGT,
		    [OP_GREATER] = BPF_JLE, [OP_GREATER_EQUAL] = BPF_JLT },
		  { [OP_EQUAL] = BPF_JEQ, [OP_UNEQUAL] = BPF_JNE, [OP_LESS] = BPF_JLT, [OP_LESS_EQUAL] = BPF_JLE,
		    [OP_GREATER] = BPF_JGT, [OP_GREATER_EQUAL] = BPF_JGE } },
	};
	struct probe_value left = type_of(k, e->left);

	if (left.kind == VALUE_TEXT) {
		put_text_branch(k, e, when, to, slot);
		return;
	}
	struct probe_value right = type_of(k, e->right);
	put_both(k, e, slot);
	emit_jump_if(k->e, plain[is_unsigned_pair(&left, &right)][when][e->op], R0, R1, to);
}

/* Jumps when the truth of `e` is `when`. */
static void put_branch(struct code *k, const struct expression *e, bool when, emit_label to, unsigned slot)
{
	if (e->kind == EXPRESSION_UNARY && e->op == OP_NOT) {
		put_branch(k, e->left, !when, to, slot);
	} else if (e->kind == EXPRESSION_BINARY && (e->op == OP_AND || e->op == OP_OR)) {
		/* One side decides alone when it is false (and), true (or). */
		bool deciding = e->op == OP_OR;
		if (when == deciding) {
			put_branch(k, e->left, when, to, slot);
			put_branch(k, e->right, when, to, slot);
			return;
		}
		emit_label decided = emit_label_new(k->e);
		put_branch(k, e->left, deciding, decided, slot);
		put_branch(k, e->right, when, to, slot);
		emit_place(k->e, decided);
	} else if (e->kind == EXPRESSION_BINARY && e->op <= OP_GREATER_EQUAL) {
		put_comparison(k, e, when, to, slot);
	} else if (e->kind == EXPRESSION_BINARY && e->op == OP_STARTS) {
		put_text_branch(k, e, when, to, slot);
	} else {
		put_value(k, e, slot);
		emit_jump_if_constant(k->e, when ? BPF_JNE : BPF_JEQ, R0, 0, to);
	}
}

/* ---- actions ---- */

static void put_loss(struct code *k, enum probe_loss kind)
{
	emit_label none = emit_label_new(k->e);

	emit_store_constant(k->e, FRAME, slot_at(0), 0, 4);
	emit_map(k->e, R1, k->maps->losses);
	to_stack_address(k, R2, slot_at(0));
	emit_call(k->e, BPF_FUNC_map_lookup_elem);
	emit_jump_if_constant(k->e, BPF_JEQ, R0, 0, none);
	emit_constant(k->e, R1, 1);
	emit_atomic_add(k->e, R0, (int)kind * 8, R1);
	emit_place(k->e, none);
}

static void put_zeros(struct code *k, int offset, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i += 8)
		emit_store_constant(k->e, PLACE, offset + (int)i, 0, 8);
}

/* r3 = the registers of user space, in the kernel's memory. */
static void put_user_registers(struct code *k)
{
	if (k->c->variant->kind >= PROBE_UPROBE) {
		emit_move(k->e, R3, CONTEXT);
		return;
	}
	emit_call(k->e, BPF_FUNC_get_current_task_btf);
	emit_move(k->e, R1, R0);
	emit_call(k->e, BPF_FUNC_task_pt_regs);
	emit_move(k->e, R3, R0);
}

static void to_place_address(struct code *k, int reg, int offset)
{
	emit_move(k->e, reg, PLACE);
	emit_alu_constant(k->e, BPF_ADD, reg, offset);
}

/* A struct event_stack, as event_stack_copy() of programs in C does it. */
static void put_stack_copy(struct code *k, int at)
{
	int size = at + (int)offsetof(struct event_stack, size), from = at + (int)offsetof(struct event_stack, from);
	int registers = at + (int)offsetof(struct event_stack, registers), bytes = at + (int)offsetof(struct event_stack, bytes);
	emit_label done = emit_label_new(k->e);

	emit_store_constant(k->e, PLACE, at + (int)offsetof(struct event_stack, kind), EVENT_STACK_NONE, 4);
	emit_store_constant(k->e, PLACE, size, 0, 4);
	put_user_registers(k);
	to_place_address(k, R1, registers);
	emit_constant(k->e, R2, EVENT_STACK_REGISTERS * 8);
	emit_call(k->e, BPF_FUNC_probe_read_kernel);
	emit_jump_if_constant(k->e, BPF_JNE, R0, 0, done);
	emit_store_constant(k->e, PLACE, at + (int)offsetof(struct event_stack, kind), EVENT_STACK_COPY, 4);
	emit_load(k->e, R3, PLACE, registers + register_of_stack(), 8, false);
	emit_alu_constant(k->e, BPF_AND, R3, -EVENT_STACK_STEP);
	emit_store(k->e, PLACE, from, R3, 8);
	for (int i = 0; i < EVENT_STACK_STEPS; i++) {
		emit_load(k->e, R3, PLACE, from, 8, false);
		emit_alu_constant(k->e, BPF_ADD, R3, i * EVENT_STACK_STEP);
		to_place_address(k, R1, bytes + i * EVENT_STACK_STEP);
		emit_constant(k->e, R2, EVENT_STACK_STEP);
		emit_call(k->e, BPF_FUNC_probe_read_user);
		emit_jump_if_constant(k->e, BPF_JNE, R0, 0, done);
		emit_store_constant(k->e, PLACE, size, (i + 1) * EVENT_STACK_STEP, 4);
	}
	emit_place(k->e, done);
}

static void put_stack(struct code *k, const struct probe_field *f, int offset, bool key)
{
	if (f->value.copied_stack) {
		put_stack_copy(k, offset);
		return;
	}
	emit_label good = emit_label_new(k->e);
	bool user = !f->value.kernel_stack;

	if (key)
		put_zeros(k, offset, sizeof(struct probe_stack));
	if (key && user) {
		put_pids(k, 0);
		emit_alu_constant(k->e, BPF_RSH, R0, 32);
		emit_store(k->e, PLACE, offset, R0, 8);
	}
	emit_move(k->e, R1, CONTEXT);
	emit_move(k->e, R2, PLACE);
	emit_alu_constant(k->e, BPF_ADD, R2, offset + (int)offsetof(struct probe_stack, address));
	emit_constant(k->e, R3, PROBE_FRAMES * 8);
	emit_constant(k->e, R4, user ? BPF_F_USER_STACK : 0);
	emit_call(k->e, BPF_FUNC_get_stack);
	if (key)
		return; /* a task without such a stack (kernel thread, user code) has an empty one */
	emit_jump_if_constant(k->e, BPF_JSGE, R0, 0, good);
	emit_constant(k->e, R0, 0);
	emit_place(k->e, good);
	emit_store(k->e, PLACE, offset, R0, 8);
}

static void put_field(struct code *k, const struct expression *e, const struct probe_field *f, int base, bool key)
{
	int offset = base + (int)f->offset;

	switch (f->value.kind) {
	case VALUE_STACK:
		put_stack(k, f, offset, key);
		return;
	case VALUE_TEXT:
		if (key)
			put_zeros(k, offset, f->size);
		put_text(k, e, PLACE, offset, f->value.text_bytes < f->size ? f->value.text_bytes : f->size, 0);
		return;
	default:
		put_value(k, e, 0);
		emit_store(k->e, PLACE, offset, R0, 8);
	}
}

static void put_shown_argument(struct code *k, const struct probe_argument *a, unsigned element,
			       const struct probe_field *f)
{
	int offset = (int)f->offset;

	if (f->value.kind != VALUE_TEXT) {
		put_argument(k, a, element, 0);
		emit_store(k->e, PLACE, offset, R0, 8);
		return;
	}
	if (points_to_text(a))
		put_argument(k, a, 0, 0);
	else
		put_text_argument(k, a);
	read_text(k, points_to_text(a) ? EITHER : KERNEL, PLACE, offset, f->value.text_bytes);
}

static void put_all_arguments(struct code *k, const struct probe_layout *l, size_t *i)
{
	vec_each(a, &k->c->variant->argument) {
		unsigned n = a->elements > 1 ? a->elements : 1;

		for (unsigned j = 0; a->place != PLACE_NOWHERE && j < n && j < 8; j++) {
			if (*i == PROBE_RECORD_VALUES - 2 || *i == l->nfields)
				return;
			k->fault_bit = (int)*i;
			put_shown_argument(k, a, j, &l->field[(*i)++]);
		}
	}
}

static void put_fields(struct code *k, const struct probe_layout *l, struct expression *const *list, size_t n,
		       int base, bool key, size_t *i)
{
	for (size_t j = 0; j < n; j++) {
		unsigned fields = means_stack(k->c, list[j]) ? 2 : 1;

		for (unsigned m = 0; m < fields; m++, (*i)++) {
			if (!key)
				k->fault_bit = (int)*i;
			put_field(k, list[j], &l->field[*i], base, key);
		}
	}
}

static void put_header(struct code *k, size_t action)
{
	put_site(k);
	emit_store(k->e, PLACE, offsetof(struct probe_record, site), R0, 4);
	emit_store_constant(k->e, PLACE, offsetof(struct probe_record, clause), (int32_t)k->c->variant->clause, 2);
	emit_store_constant(k->e, PLACE, offsetof(struct probe_record, action), (int32_t)action, 2);
	emit_call(k->e, BPF_FUNC_ktime_get_ns);
	emit_store(k->e, PLACE, offsetof(struct probe_record, mono_ns), R0, 8);
	put_pids(k, 0);
	emit_store(k->e, PLACE, offsetof(struct probe_record, tid), R0, 8);
	emit_store_constant(k->e, PLACE, offsetof(struct probe_record, faults), 0, 8);
	emit_move(k->e, R1, PLACE);
	emit_alu_constant(k->e, BPF_ADD, R1, offsetof(struct probe_record, comm));
	emit_constant(k->e, R2, 16);
	emit_call(k->e, BPF_FUNC_get_current_comm);
}

static void put_print(struct code *k, size_t action)
{
	const struct probe_action *a = &k->c->clause->action[action];
	const struct probe_layout *l = &k->c->layout[action];
	emit_label full = emit_label_new(k->e), done = emit_label_new(k->e);
	size_t i = 0;

	if (k->c->options.own_tgid) {
		put_pids(k, 0);
		emit_alu_constant(k->e, BPF_RSH, R0, 32);
		emit_jump_if_constant(k->e, BPF_JEQ, R0, k->c->options.own_tgid, done);
	}
	emit_map(k->e, R1, k->maps->ring);
	emit_constant(k->e, R2, l->bytes);
	emit_constant(k->e, R3, 0);
	emit_call(k->e, BPF_FUNC_ringbuf_reserve);
	emit_jump_if_constant(k->e, BPF_JEQ, R0, 0, full);
	emit_move(k->e, PLACE, R0);
	put_header(k, action);
	if (a->nvalues == 0)
		put_all_arguments(k, l, &i);
	put_fields(k, l, a->value, a->nvalues, 0, false, &i);
	for (; i < l->nfields; i++)
		put_stack(k, &l->field[i], (int)l->field[i].offset, false);
	emit_move(k->e, R1, PLACE);
	emit_constant(k->e, R2, BPF_RB_NO_WAKEUP);
	emit_call(k->e, BPF_FUNC_ringbuf_submit);
	emit_jump(k->e, done);
	emit_place(k->e, full);
	put_loss(k, LOSS_RECORDS);
	emit_place(k->e, done);
}

/* r0 = bucket of r0. */
static void put_bucket(struct code *k, bool is_unsigned)
{
	emit_label negative = emit_label_new(k->e), zero = emit_label_new(k->e), done = emit_label_new(k->e);

	if (!is_unsigned)
		emit_jump_if_constant(k->e, BPF_JSLT, R0, 0, negative);
	emit_jump_if_constant(k->e, BPF_JEQ, R0, 0, zero);
	emit_move(k->e, R1, R0);
	emit_constant(k->e, R0, 2);
	for (int bits = 32; bits; bits /= 2) {
		emit_label low = emit_label_new(k->e);

		emit_move(k->e, R2, R1);
		emit_alu_constant(k->e, BPF_RSH, R2, bits);
		emit_jump_if_constant(k->e, BPF_JEQ, R2, 0, low);
		emit_alu_constant(k->e, BPF_ADD, R0, bits);
		emit_move(k->e, R1, R2);
		emit_place(k->e, low);
	}
	emit_jump(k->e, done);
	emit_place(k->e, zero);
	emit_constant(k->e, R0, 1);
	emit_jump(k->e, done);
	emit_place(k->e, negative);
	emit_constant(k->e, R0, 0);
	emit_place(k->e, done);
}

static void put_lookup(struct code *k, int map, int key_at)
{
	emit_map(k->e, R1, map);
	emit_move(k->e, R2, PLACE);
	emit_alu_constant(k->e, BPF_ADD, R2, key_at);
	emit_call(k->e, BPF_FUNC_map_lookup_elem);
}

/* r0 = the entry of the key, made when it is new; else `full`. */
static void put_entry(struct code *k, int map, int key_at, unsigned value_size, emit_label full)
{
	emit_label found = emit_label_new(k->e);

	put_lookup(k, map, key_at);
	emit_jump_if_constant(k->e, BPF_JNE, R0, 0, found);
	for (unsigned i = 0; i < value_size; i += 8)
		emit_store_constant(k->e, FRAME, TEXT_AT + (int)i, 0, 8);
	emit_map(k->e, R1, map);
	emit_move(k->e, R2, PLACE);
	emit_alu_constant(k->e, BPF_ADD, R2, key_at);
	to_stack_address(k, R3, TEXT_AT);
	emit_constant(k->e, R4, BPF_NOEXIST);
	emit_call(k->e, BPF_FUNC_map_update_elem);
	put_lookup(k, map, key_at);
	emit_jump_if_constant(k->e, BPF_JEQ, R0, 0, full);
	emit_place(k->e, found);
}

/* Extremes are kept as the largest of numbers without signs, of which 0 is the smallest: an entry that is new needs
 * no mark. */
int64_t probe_aggregate_extreme(enum action_kind kind, bool value_unsigned, uint64_t value)
{
	value = kind == ACTION_MIN ? ~value : value;
	return (int64_t)(value_unsigned ? value : value ^ (UINT64_C(1) << 63));
}

static void put_extreme(struct code *k, enum action_kind kind, bool value_unsigned)
{
	emit_label done = emit_label_new(k->e);
	unsigned tries = k->c->options.compare_exchange ? 3 : 0;

	emit_move(k->e, KEPT, R0);
	emit_load(k->e, R3, FRAME, slot_at(0), 8, false);
	if (!value_unsigned) {
		emit_constant(k->e, R1, INT64_MIN);
		emit_alu(k->e, BPF_XOR, R3, R1);
	}
	if (kind == ACTION_MIN)
		emit_alu_constant(k->e, BPF_XOR, R3, -1);
	for (unsigned i = 0; i < tries; i++) {
		emit_load(k->e, R0, KEPT, offsetof(struct probe_aggregate, value), 8, false);
		emit_jump_if(k->e, BPF_JGE, R0, R3, done);
		emit_move(k->e, R2, R0);
		emit_compare_exchange(k->e, KEPT, offsetof(struct probe_aggregate, value), R3);
		emit_jump_if(k->e, BPF_JEQ, R0, R2, done);
	}
	emit_load(k->e, R0, KEPT, offsetof(struct probe_aggregate, value), 8, false);
	emit_jump_if(k->e, BPF_JGE, R0, R3, done);
	emit_store(k->e, KEPT, offsetof(struct probe_aggregate, value), R3, 8);
	emit_place(k->e, done);
}

/* PLACE = room for the key: the stack, else a piece of scratch memory of this CPU. A task that is preempted within
 * a program (user probes, 6.10 and newer) leaves it to one of 32 others. */
static void put_key_place(struct code *k, uint32_t bytes, emit_label full)
{
	if (bytes <= KEY_ROOM) {
		to_stack_address(k, PLACE, KEY_AT);
		return;
	}
	emit_call(k->e, BPF_FUNC_get_current_pid_tgid);
	emit_alu_constant(k->e, BPF_AND, R0, PROBE_SCRATCH_SLOTS - 1);
	emit_store(k->e, FRAME, slot_at(1), R0, 4);
	emit_map(k->e, R1, k->maps->scratch);
	to_stack_address(k, R2, slot_at(1));
	emit_call(k->e, BPF_FUNC_map_lookup_elem);
	emit_jump_if_constant(k->e, BPF_JEQ, R0, 0, full);
	emit_move(k->e, PLACE, R0);
}

/* The value is worked out first and kept in KEPT, since keys use all slots. */
static void put_aggregate_value(struct code *k, const struct probe_action *a)
{
	if (a->nvalues == 0)
		return;
	put_value(k, a->value[0], 0);
	emit_move(k->e, KEPT, R0);
}

static void put_aggregate(struct code *k, size_t action)
{
	const struct probe_action *a = &k->c->clause->action[action];
	const struct probe_layout *l = &k->c->layout[action];
	emit_label full = emit_label_new(k->e), unreadable = emit_label_new(k->e), done = emit_label_new(k->e);
	bool small = a->kind == ACTION_COUNT || a->kind == ACTION_HISTOGRAM;
	size_t i = 0;

	k->fault_bit = -1;
	k->fault_label = unreadable;
	k->fault_used = false;
	put_aggregate_value(k, a);
	put_key_place(k, l->bytes, full);
	if (l->nfields == 0 && a->kind != ACTION_HISTOGRAM)
		put_zeros(k, 0, 8);
	put_fields(k, l, a->key, a->nkeys, 0, true, &i);
	for (; i < l->nfields; i++)
		put_stack(k, &l->field[i], (int)l->field[i].offset, true);
	if (a->kind == ACTION_HISTOGRAM) {
		emit_move(k->e, R0, KEPT);
		put_bucket(k, l->value_unsigned);
		emit_store(k->e, PLACE, (int)l->bytes - 8, R0, 8);
	} else if (a->nvalues) {
		emit_store(k->e, FRAME, slot_at(0), KEPT, 8);
	}
	put_entry(k, k->maps->aggregate[action], 0, small ? 8 : sizeof(struct probe_aggregate), full);
	emit_constant(k->e, R1, 1);
	emit_atomic_add(k->e, R0, offsetof(struct probe_aggregate, count), R1);
	if (a->kind == ACTION_SUM || a->kind == ACTION_AVG) {
		emit_load(k->e, R1, FRAME, slot_at(0), 8, false);
		emit_atomic_add(k->e, R0, offsetof(struct probe_aggregate, value), R1);
	} else if (!small) {
		put_extreme(k, a->kind, l->value_unsigned);
	}
	emit_jump(k->e, done);
	emit_place(k->e, unreadable);
	if (k->fault_used) {
		put_loss(k, LOSS_UNREADABLE);
		emit_jump(k->e, done);
	}
	emit_place(k->e, full);
	put_loss(k, LOSS_KEYS);
	emit_place(k->e, done);
}

int probe_compile(struct compiler *c, const struct probe_maps *maps, struct emit *ret)
{
	struct code k = { .c = c, .e = ret, .maps = maps, .fault_bit = -1 };
	emit_label no = emit_label_new(ret), unreadable = emit_label_new(ret);

	emit_move(ret, CONTEXT, R1);
	k.fault_label = unreadable;
	if (c->options.only_tgid) {
		put_pids(&k, 0);
		emit_alu_constant(ret, BPF_RSH, R0, 32);
		emit_jump_if_constant(ret, BPF_JNE, R0, c->options.only_tgid, no);
	}
	if (c->clause->filter)
		put_branch(&k, c->clause->filter, false, no, 0);
	bool filter_reads = k.fault_used;
	for (size_t i = 0; i < c->clause->nactions; i++) {
		if (c->clause->action[i].kind == ACTION_PRINT)
			put_print(&k, i);
		else
			put_aggregate(&k, i);
	}
	if (filter_reads)
		emit_jump(ret, no);
	emit_place(ret, unreadable);
	if (filter_reads)
		put_loss(&k, LOSS_FILTER);
	emit_place(ret, no);
	emit_constant(ret, R0, c->options.multi ? 0 : 1);
	emit_exit(ret);
	return emit_finish(ret);
}
