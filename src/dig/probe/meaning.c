#include "dig/probe/meaning.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>

#include "base/closest.h"

static const struct {
	const char *name;
	enum builtin builtin;
} builtins[] = {
	{ "pid", BUILTIN_PID },	      { "tid", BUILTIN_TID },	  { "uid", BUILTIN_UID },
	{ "comm", BUILTIN_COMM },     { "cpu", BUILTIN_CPU },	  { "ns", BUILTIN_NS },
	{ "cgroup", BUILTIN_CGROUP }, { "probe", BUILTIN_PROBE }, { "current", BUILTIN_TASK },
	{ "stack", BUILTIN_STACK },   { "ustack", BUILTIN_USTACK }, { "kstack", BUILTIN_KSTACK },
};

static const struct {
	const char *name;
	struct call_meaning call;
} calls[] = {
	{ "str", { FUNCTION_STR, 0, false } },	   { "hex", { FUNCTION_HEX, 0, false } },
	{ "u8", { FUNCTION_CAST, 1, false } },	   { "i8", { FUNCTION_CAST, 1, true } },
	{ "u16", { FUNCTION_CAST, 2, false } },	   { "i16", { FUNCTION_CAST, 2, true } },
	{ "u32", { FUNCTION_CAST, 4, false } },	   { "i32", { FUNCTION_CAST, 4, true } },
	{ "u64", { FUNCTION_CAST, 8, false } },	   { "i64", { FUNCTION_CAST, 8, true } },
	{ "int", { FUNCTION_CAST, 4, true } },	   { "read8", { FUNCTION_READ, 1, false } },
	{ "read16", { FUNCTION_READ, 2, false } }, { "read32", { FUNCTION_READ, 4, false } },
	{ "read64", { FUNCTION_READ, 8, false } },
};

static enum builtin builtin_named(struct span name)
{
	for (size_t i = 0; i < sizeof builtins / sizeof builtins[0]; i++)
		if (span_is(name, builtins[i].name))
			return builtins[i].builtin;
	return BUILTIN_NONE;
}

static bool by_position(enum probe_kind kind)
{
	return kind != PROBE_TRACEPOINT && kind != PROBE_KRETPROBE && kind != PROBE_URETPROBE;
}

bool name_means(const struct compiler *c, struct span name, const struct probe_argument **ret_argument,
		enum builtin *ret_builtin)
{
	const struct probe_variant *v = c->variant;
	struct span digits = name;
	uint64_t i;

	*ret_argument = NULL;
	*ret_builtin = BUILTIN_NONE;
	vec_each(a, &v->argument) {
		if (a->name[0] && span_is(name, a->name)) {
			*ret_argument = a;
			return true;
		}
	}
	if (by_position(v->kind) && span_take(&digits, "arg") && span_u64(digits, &i) && i < v->argument.n) {
		*ret_argument = &v->argument.v[i];
		return true;
	}
	*ret_builtin = builtin_named(name);
	return *ret_builtin != BUILTIN_NONE;
}

enum builtin current_means(const struct expression *e)
{
	if (e->kind != EXPRESSION_MEMBER || e->left->kind != EXPRESSION_NAME || !span_is(e->left->text, "current") ||
	    (e->text.p > e->source.p && e->text.p[-1] == '>'))
		return BUILTIN_NONE;
	enum builtin b = builtin_named(e->text);
	return b == BUILTIN_TASK ? BUILTIN_NONE : b;
}

bool call_means(struct span name, struct call_meaning *ret)
{
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		if (span_is(name, calls[i].name)) {
			*ret = calls[i].call;
			return true;
		}
	}
	return false;
}

static int wrong(struct compiler *c, const struct expression *e, const char *format, const char *detail)
{
	char word[80];

	span_copy(e->text, word, sizeof word);
	/* The formats are all below, and take a word and a detail. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	return probe_error_set(c->error, e->column, format, word, detail);
#pragma GCC diagnostic pop
}

static int name_unknown(struct compiler *c, const struct expression *e)
{
	struct closest near = { 0 };
	char word[64], positional[6][8];

	span_copy(e->text, word, sizeof word);
	vec_each(a, &c->variant->argument)
		if (a->name[0])
			closest_offer(&near, word, a->name);
	for (unsigned i = 0; by_position(c->variant->kind) && i < 6 && i < c->variant->argument.n; i++) {
		snprintf(positional[i], sizeof positional[i], "arg%u", i);
		closest_offer(&near, word, positional[i]);
	}
	for (size_t i = 0; i < sizeof builtins / sizeof builtins[0]; i++)
		closest_offer(&near, word, builtins[i].name);
	if (span_is(e->text, "retval"))
		return probe_error_set(c->error, e->column, "retval is what a function returns: it goes with uretprobe: and kretprobe:");
	if (c->variant->site.n == 0)
		return wrong(c, e, "there is no '%s' here; closest is '%s'", near.word);
	return probe_error_set(c->error, e->column, "there is no '%s' here; closest is '%s' (osprey probe list '%.80s' shows all)",
			       word, near.word, c->variant->site.v[0].name);
}

/* ---- types of the kernel ---- */

static uint32_t stripped(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	for (unsigned i = 0; t && i < 32 && (btf_is_mod(t) || btf_is_typedef(t) || btf_is_type_tag(t)); i++) {
		id = t->type;
		t = btf__type_by_id(btf, id);
	}
	return id;
}

static struct probe_value integer(unsigned bytes, bool is_signed)
{
	return (struct probe_value){ .kind = VALUE_INTEGER, .bytes = (uint8_t)bytes, .is_signed = is_signed };
}

struct probe_value btf_value(struct compiler *c, uint32_t type)
{
	const struct btf *btf = kernel_types(c->types);
	uint32_t id = stripped(btf, type);
	const struct btf_type *t = btf__type_by_id(btf, id);
	struct probe_value v = { .kind = VALUE_STRUCT, .btf_type = id };

	if (btf_is_composite(t))
		return v;
	if (btf_is_array(t)) {
		const struct btf_array *a = btf_array(t);
		uint32_t element = stripped(btf, a->type);
		const struct btf_type *et = btf__type_by_id(btf, element);

		v = (struct probe_value){ .kind = VALUE_ARRAY, .btf_type = element, .elements = a->nelems };
		if (btf_is_int(et) && et->size == 1 && (strcmp(btf__name_by_offset(btf, et->name_off), "char") == 0)) {
			v.kind = VALUE_TEXT;
			v.text_bytes = a->nelems && a->nelems < PROBE_TEXT_BYTES ? (uint16_t)a->nelems : PROBE_TEXT_BYTES;
		}
		return v;
	}
	int64_t bytes = btf__resolve_size(btf, id);
	v = integer(bytes == 1 || bytes == 2 || bytes == 4 ? (unsigned)bytes : 8,
		    btf_is_int(t) ? btf_int_encoding(t) & BTF_INT_SIGNED : btf_is_enum(t) && bytes == 4);
	v.is_pointer = v.hexadecimal = btf_is_ptr(t);
	v.btf_type = id;
	return v;
}

/* "struct foo *" -> struct foo; "struct foo **" and "void *" are not followed. */
static uint32_t named_pointee(struct compiler *c, const char *type)
{
	const char *star = strchr(type, '*');

	if (!star || strchr(star + 1, '*'))
		return 0;
	return kernel_type_named(c->types, span_from(type));
}

bool pointee(struct compiler *c, const struct probe_value *v, uint32_t *ret_type, uint32_t *ret_bytes)
{
	uint32_t id = 0;

	if (v->kind == VALUE_ARRAY || v->kind == VALUE_TEXT) {
		id = v->btf_type;
	} else if (v->btf_type) {
		const struct btf_type *t = btf__type_by_id(kernel_types(c->types), v->btf_type);
		id = btf_is_ptr(t) ? t->type : 0;
	} else if (v->type[0] && !v->is_user) {
		id = named_pointee(c, v->type);
	}
	if (id == 0)
		return false;
	id = stripped(kernel_types(c->types), id);
	int64_t bytes = id ? btf__resolve_size(kernel_types(c->types), id) : -1;
	if (bytes <= 0 || bytes > UINT16_MAX * 16)
		return false;
	*ret_type = id;
	*ret_bytes = (uint32_t)bytes;
	return true;
}

static bool member_search(const struct btf *btf, uint32_t id, struct span name, uint32_t base_bits, unsigned depth,
			  struct member_place *ret, uint32_t *ret_bits, struct closest *near, const char *word)
{
	const struct btf_type *t = btf__type_by_id(btf, id);
	const struct btf_member *m = btf_members(t);

	for (unsigned i = 0; i < btf_vlen(t); i++) {
		const char *own = btf__name_by_offset(btf, m[i].name_off);
		uint32_t bit = base_bits + btf_member_bit_offset(t, i), inner = stripped(btf, m[i].type);

		if (*own) {
			closest_offer(near, word, own);
			if (!span_is(name, own))
				continue;
			ret->btf_type = m[i].type;
			ret->bits = (uint8_t)btf_member_bitfield_size(t, i);
			*ret_bits = bit;
			return true;
		}
		if (btf_is_composite(btf__type_by_id(btf, inner)) && depth < 12 &&
		    member_search(btf, inner, name, bit, depth + 1, ret, ret_bits, near, word))
			return true;
	}
	return false;
}

int member_find(struct compiler *c, const struct expression *e, const struct probe_value *left, struct member_place *ret)
{
	const struct btf *btf = kernel_types(c->types);
	struct closest near = { 0 };
	struct member_place place = { 0 };
	uint32_t type = left->btf_type, size, bits;
	char word[64];

	if (!btf)
		return wrong(c, e, "the member '%s' cannot be found: %s", c->types->why);
	if (left->is_user)
		return wrong(c, e, "members of a program's own types are not known, as '%s' of %s: "
			     "read32(ADDRESS + OFFSET) and the like read them", left->type);
	if (left->kind == VALUE_INTEGER && !pointee(c, left, &type, &size))
		return wrong(c, e, "it is not known what has the member '%s' here: %s",
			     left->type[0] ? left->type : "a number without a type");
	if (left->kind != VALUE_INTEGER && left->kind != VALUE_STRUCT)
		return wrong(c, e, "'%s' cannot be a member of a text or an array%s", "");
	if (!btf_is_composite(btf__type_by_id(btf, type)))
		return wrong(c, e, "what '%s' is asked of points to no struct%s", "");
	span_copy(e->text, word, sizeof word);
	if (!member_search(btf, type, e->text, 0, 0, &place, &bits, &near, word))
		return wrong(c, e, "there is no member '%s'; closest is '%s'", near.word ? near.word : "(it has none)");
	place.offset = bits / 8;
	if (place.bits) {
		/* As many whole bytes as hold the field: 8 always do from the aligned 4 bytes before it. */
		place.offset = bits / 32 * 4;
		place.bit_offset = (uint8_t)(bits - place.offset * 8);
	}
	*ret = place;
	return 0;
}

/* ---- values ---- */

struct probe_value argument_type(const struct probe_argument *a)
{
	struct probe_value v = integer(a->bytes, a->is_signed);

	if (a->place == PLACE_CONTEXT_TEXT || a->place == PLACE_DATA_LOC) {
		v.kind = VALUE_TEXT;
		v.text_bytes = a->place == PLACE_CONTEXT_TEXT && a->bytes < PROBE_TEXT_BYTES ? a->bytes : PROBE_TEXT_BYTES;
		return v;
	}
	if (a->elements > 1) {
		v.kind = VALUE_ARRAY;
		v.elements = a->elements;
	}
	v.is_pointer = v.hexadecimal = a->is_pointer;
	v.btf_type = a->btf_type;
	v.is_user = a->is_user;
	v.target_bytes = a->target_bytes;
	v.target_signed = a->target_signed;
	v.untyped = a->place == PLACE_REGISTER && a->bytes == 8 && !a->type[0];
	if (v.kind == VALUE_INTEGER && !a->btf_type)
		snprintf(v.type, sizeof v.type, "%s", a->type);
	return v;
}

static struct probe_value builtin_type(enum builtin b)
{
	struct probe_value v = integer(8, false);

	switch (b) {
	case BUILTIN_PID:
	case BUILTIN_TID:
	case BUILTIN_CPU:
	case BUILTIN_UID:
		v.bytes = 4;
		break;
	case BUILTIN_COMM:
		v.kind = VALUE_TEXT;
		v.text_bytes = 16;
		break;
	case BUILTIN_PROBE:
		v.kind = VALUE_SITE;
		break;
	case BUILTIN_KSTACK:
	case BUILTIN_USTACK:
	case BUILTIN_STACK:
		v.kind = VALUE_STACK;
		v.kernel_stack = b == BUILTIN_KSTACK;
		break;
	case BUILTIN_TASK:
		v.is_pointer = v.hexadecimal = true;
		snprintf(v.type, sizeof v.type, "struct task_struct *");
		break;
	default:
		break;
	}
	return v;
}

static int wanted_integer(struct compiler *c, const struct expression *e, struct probe_value *v)
{
	int r = value_type(c, e, v);

	if (r < 0 || v->kind == VALUE_INTEGER)
		return r;
	char what[80];
	span_copy(e->source, what, sizeof what);
	return probe_error_set(c->error, e->column, "a number is needed here, and '%s' is %s", what,
			       v->kind == VALUE_TEXT   ? "a text" :
			       v->kind == VALUE_STRUCT ? "a struct: name a member of it" :
			       v->kind == VALUE_ARRAY  ? "an array: [0] takes the first of it" :
			       v->kind == VALUE_STACK  ? "a stack: it is a key (by stack), or --stack" :
							 "the name of a probe");
}

static bool compares(enum operator op)
{
	return op >= OP_EQUAL && op <= OP_STARTS;
}

static bool wide_unsigned(const struct probe_value *v)
{
	return !v->is_signed && v->bytes == 8;
}

static int text_comparison(struct compiler *c, const struct expression *e, const struct probe_value *text)
{
	char bytes[128];
	int n = probe_text_bytes(e->right->text, bytes, 126);

	if (e->right->kind != EXPRESSION_TEXT)
		return wrong(c, e, "a text is compared by '%s' with a text in quotes, on its right%s", "");
	if (e->op != OP_EQUAL && e->op != OP_UNEQUAL && e->op != OP_STARTS)
		return wrong(c, e, "'%s' does not compare texts: == != starts do%s", "");
	if (n < 0)
		return wrong(c, e->right, "at most 126 bytes are compared%.0s%s", "");
	if (n && memchr(bytes, '\0', (size_t)n))
		return wrong(c, e->right, "a text has no NUL byte in it%.0s%s", "");
	if (n == 0 && e->op == OP_STARTS)
		return wrong(c, e->right, "every text starts with no text%.0s%s", "");
	if (n >= text->text_bytes)
		return probe_error_set(c->error, e->right->column, "it never is: that text has at most %d bytes",
				       text->text_bytes - 1);
	return 0;
}

static int binary_type(struct compiler *c, const struct expression *e, struct probe_value *ret)
{
	struct probe_value left, right;
	int r = value_type(c, e->left, &left);

	if (r < 0)
		return r;
	if (left.kind == VALUE_TEXT && compares(e->op)) {
		*ret = integer(4, true);
		return e->left->kind == EXPRESSION_TEXT ? wrong(c, e->left, "the text in quotes goes to the right%.0s%s", "") :
							  text_comparison(c, e, &left);
	}
	if (e->right->kind == EXPRESSION_TEXT && left.kind == VALUE_INTEGER && compares(e->op)) {
		char what[60];
		span_copy(e->left->source, what, sizeof what);
		return probe_error_set(c->error, e->left->column, "'%s' is a number; the text it points to is str(%s)", what, what);
	}
	if (e->op == OP_STARTS)
		return wrong(c, e, "'%s' compares texts: str(…) makes one of an address%s", "");
	r = wanted_integer(c, e->left, &left);
	r = r < 0 ? r : wanted_integer(c, e->right, &right);
	if (r < 0)
		return r;
	if (compares(e->op) || e->op == OP_AND || e->op == OP_OR) {
		*ret = integer(4, true);
		return 0;
	}
	bool shift = e->op == OP_SHIFT_LEFT || e->op == OP_SHIFT_RIGHT;
	if (shift && e->right->kind == EXPRESSION_NUMBER && e->right->number > 63)
		return wrong(c, e->right, "a shift goes by 0 to 63 bits, not by %s%s", "");
	if ((e->op == OP_DIVIDE || e->op == OP_MODULO) && e->right->kind == EXPRESSION_NUMBER && e->right->number == 0)
		return wrong(c, e->right, "nothing is divided by %s%s", "");
	*ret = integer(8, !(wide_unsigned(&left) || (!shift && wide_unsigned(&right))));
	/* An address that was moved stays one: what it points to is kept. */
	if ((e->op == OP_ADD || e->op == OP_SUBTRACT) && left.is_pointer) {
		ret->is_pointer = ret->hexadecimal = true;
		ret->btf_type = left.btf_type;
		ret->is_user = left.is_user;
		ret->target_bytes = left.target_bytes;
		ret->target_signed = left.target_signed;
		memcpy(ret->type, left.type, sizeof ret->type);
	}
	return 0;
}

static int dereference_type(struct compiler *c, const struct probe_value *left, struct probe_value *ret)
{
	uint32_t type, bytes;

	if (left->kind == VALUE_ARRAY && !left->btf_type) { /* of a record */
		*ret = integer(left->bytes, left->is_signed);
		return 0;
	}
	*ret = integer(8, false);
	if (left->is_user && left->target_bytes)
		*ret = integer(left->target_bytes, left->target_signed);
	else if (pointee(c, left, &type, &bytes))
		*ret = btf_value(c, type);
	return 0;
}

static int index_type(struct compiler *c, const struct expression *e, struct probe_value *ret)
{
	struct probe_value left, right;
	int r = value_type(c, e->left, &left);

	r = r < 0 ? r : wanted_integer(c, e->right, &right);
	if (r < 0)
		return r;
	if (left.kind != VALUE_ARRAY &&
	    !(left.kind == VALUE_INTEGER && left.is_pointer && (!left.is_user || left.target_bytes)))
		return probe_error_set(c->error, e->left->column, "this is neither an array nor a typed pointer: no [] goes with it");
	if (left.kind == VALUE_ARRAY && !left.btf_type && e->right->kind != EXPRESSION_NUMBER)
		return probe_error_set(c->error, e->right->column, "a number should stand here: this array lies in the record");
	if (left.kind == VALUE_ARRAY && e->right->kind == EXPRESSION_NUMBER && left.elements && e->right->number >= left.elements)
		return probe_error_set(c->error, e->right->column, "the array has %u elements: 0 to %u", left.elements,
				       left.elements - 1);
	return dereference_type(c, &left, ret);
}

static int call_type(struct compiler *c, const struct expression *e, struct probe_value *ret)
{
	struct call_meaning call;
	struct probe_value v;
	struct closest near = { 0 };
	char word[40];

	if (!call_means(e->text, &call)) {
		span_copy(e->text, word, sizeof word);
		for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
			closest_offer(&near, word, calls[i].name);
		return wrong(c, e, "there is no function '%s'; closest is '%s'", near.word);
	}
	int r = call.function == FUNCTION_STR ? value_type(c, e->left, &v) : wanted_integer(c, e->left, &v);
	if (r < 0)
		return r;
	if (call.function == FUNCTION_STR) {
		if (v.kind == VALUE_TEXT && e->left->kind != EXPRESSION_TEXT) {
			*ret = v;
			return 0;
		}
		if (v.kind != VALUE_INTEGER)
			return wanted_integer(c, e->left, &v);
		if (v.bytes < 8)
			return probe_error_set(c->error, e->left->column, "an address has 8 bytes, and this has %u", v.bytes);
		*ret = (struct probe_value){ .kind = VALUE_TEXT, .text_bytes = PROBE_TEXT_BYTES };
		return 0;
	}
	if (call.function == FUNCTION_HEX) {
		*ret = v;
		ret->hexadecimal = true;
		return 0;
	}
	*ret = integer(call.bytes, call.is_signed);
	return 0;
}

static int unary_type(struct compiler *c, const struct expression *e, struct probe_value *ret)
{
	struct probe_value v;
	int r;

	if (e->op == OP_DEREFERENCE) {
		r = value_type(c, e->left, &v);
		if (r == 0 && v.kind == VALUE_ARRAY && !v.btf_type)
			return probe_error_set(c->error, e->column, "this array lies in the record: [0] takes the first of it");
		if (r == 0 && v.kind != VALUE_ARRAY)
			r = wanted_integer(c, e->left, &v);
		return r < 0 ? r : dereference_type(c, &v, ret);
	}
	r = wanted_integer(c, e->left, &v);
	if (r == 0)
		*ret = e->op == OP_NOT ? integer(4, true) : integer(8, e->op == OP_NEGATE || !wide_unsigned(&v));
	return r;
}

static int member_type(struct compiler *c, const struct expression *e, struct probe_value *ret)
{
	struct probe_value left;
	struct member_place place;
	enum builtin b = current_means(e);

	if (b != BUILTIN_NONE) {
		*ret = builtin_type(b);
		return 0;
	}
	int r = value_type(c, e->left, &left);
	r = r < 0 ? r : member_find(c, e, &left, &place);
	if (r == 0)
		*ret = btf_value(c, place.btf_type);
	return r;
}

int value_type(struct compiler *c, const struct expression *e, struct probe_value *ret)
{
	const struct probe_argument *a;
	enum builtin b;

	switch (e->kind) {
	case EXPRESSION_NUMBER:
		*ret = integer(8, e->number <= INT64_MAX);
		return 0;
	case EXPRESSION_TEXT:
		*ret = (struct probe_value){ .kind = VALUE_TEXT, .text_bytes = PROBE_TEXT_BYTES };
		return 0;
	case EXPRESSION_NAME:
		if (!name_means(c, e->text, &a, &b))
			return name_unknown(c, e);
		if (a && a->place == PLACE_NOWHERE)
			return wrong(c, e, "'%s' cannot be read: it is %s", a->type[0] ? a->type : "in a place that is not understood");
		*ret = a ? argument_type(a) : builtin_type(b);
		return 0;
	case EXPRESSION_MEMBER:
		return member_type(c, e, ret);
	case EXPRESSION_INDEX:
		return index_type(c, e, ret);
	case EXPRESSION_CALL:
		return call_type(c, e, ret);
	case EXPRESSION_UNARY:
		return unary_type(c, e, ret);
	case EXPRESSION_BINARY:
		return binary_type(c, e, ret);
	}
	return -EINVAL;
}
