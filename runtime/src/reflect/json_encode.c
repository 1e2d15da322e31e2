#include <errno.h>
#include <math.h>

#include "osprey/rt/json.h"
#include "reflect/memory.h"
#include "reflect/number_text.h"
#include "reflect/out.h"
#include "reflect/problem.h"
#include "reflect/utf8.h"
#include "reflect/value.h"

struct encoder {
	struct out out;
	unsigned indent, depth, most;
	bool mask;
	struct rt_problem *problem;
};

static int value(struct encoder *e, const struct rt_type *t, const struct rt_field *f, const void *p, const struct place *at);

__attribute__((cold, noinline)) static int wrong(struct encoder *e, int code, const struct place *at, const char *reason)
{
	problem_set(e->problem, at, "%s", reason);
	return code;
}

static void line(struct encoder *e)
{
	if (!e->indent)
		return;
	out_byte(&e->out, '\n');
	for (unsigned n = e->indent * e->depth; n > 0; n--)
		out_byte(&e->out, ' ');
}

/* 0: as it is; 'u': \u00XX; 'x': not ASCII; else the letter behind the backslash. */
static const unsigned char escapes[256] = {
	[0 ... 7] = 'u', ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', [0xb] = 'u', ['\f'] = 'f', ['\r'] = 'r', [0xe ... 0x1f] = 'u',
	['"'] = '"', ['\\'] = '\\', [0x80 ... 0xff] = 'x',
};

static size_t plain_bytes(const unsigned char *p, size_t n)
{
	size_t i = 0;

	while (i < n && !escapes[p[i]])
		i++;
	return i;
}

static int string(struct encoder *e, const char *s, size_t n, const struct place *at)
{
	const unsigned char *p = (const unsigned char *)s;
	static const char hex[] = "0123456789abcdef";

	out_byte(&e->out, '"');
	while (n) {
		size_t part = plain_bytes(p, n);
		unsigned char kind = part < n ? escapes[p[part]] : 0;
		out_bytes(&e->out, (const char *)p, part);
		p += part;
		n -= part;
		if (!kind)
			break;
		if (kind == 'x') {
			part = utf8_length(p, n);
			if (!part)
				return wrong(e, -EILSEQ, at, "the string is not UTF-8");
			out_bytes(&e->out, (const char *)p, part);
		} else {
			char *o = out_room(&e->out, 6);
			part = 1;
			o[0] = '\\';
			o[1] = (char)kind;
			if (kind == 'u')
				memcpy(o + 2, "00", 2), o[4] = hex[*p >> 4], o[5] = hex[*p & 15];
			e->out.p += kind == 'u' ? 6 : 2;
		}
		p += part;
		n -= part;
	}
	out_byte(&e->out, '"');
	return 0;
}

static int integer(struct encoder *e, const struct rt_type *t, int64_t v)
{
	char *o = out_room(&e->out, NUMBER_TEXT);

	e->out.p += t->is_signed ? number_signed(v, o) : number_unsigned((uint64_t)v, o);
	return 0;
}

static int floating(struct encoder *e, const struct rt_type *t, const void *p, const struct place *at)
{
	char *o = out_room(&e->out, NUMBER_TEXT);
	double d;
	float s;

	if (t->size == 8) {
		memcpy(&d, p, 8);
		if (!isfinite(d))
			return wrong(e, -EDOM, at, "a number that is not finite has no text");
		e->out.p += number_double(d, o);
		return 0;
	}
	memcpy(&s, p, 4);
	if (!isfinite(s))
		return wrong(e, -EDOM, at, "a number that is not finite has no text");
	e->out.p += number_float(s, o);
	return 0;
}

static int enumeration(struct encoder *e, const struct rt_type *t, int64_t v, const struct place *at)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (t->enumerators[i].value == v)
			return string(e, t->enumerators[i].word, strlen(t->enumerators[i].word), at);
	return integer(e, t, v);
}

static int enter(struct encoder *e, char open, const struct place *at)
{
	if (e->depth == e->most)
		return wrong(e, -ELOOP, at, "nested too deep: a cycle?");
	e->depth++;
	out_byte(&e->out, open);
	return 0;
}

static void leave(struct encoder *e, char close, bool empty)
{
	e->depth--;
	if (!empty)
		line(e);
	out_byte(&e->out, close);
}

static int elements(struct encoder *e, const struct rt_type *element, const void *first, uint64_t n, const struct place *at)
{
	struct place here = { at, NULL, 0 };
	int r = enter(e, '[', at);

	if (r < 0)
		return r;
	for (uint64_t i = 0; i < n; i++) {
		here.n = i;
		if (i)
			out_byte(&e->out, ',');
		line(e);
		r = value(e, element, NULL, value_at(first, i * element->size), &here);
		if (r < 0)
			return r;
		if (e->out.result)
			return e->out.result;
	}
	leave(e, ']', n == 0);
	return 0;
}

static int key(struct encoder *e, const struct rt_field *f, const struct place *at)
{
	int r = 0;

	line(e);
	if (f->flags & RT_FIELD_PLAIN_KEY && f->key_bytes < 48) {
		char *o = out_room(&e->out, 64);
		o[0] = '"';
		memcpy(o + 1, f->key, f->key_bytes);
		memcpy(o + 1 + f->key_bytes, "\":", 2);
		e->out.p += f->key_bytes + 3u;
	} else {
		r = string(e, f->key, f->key_bytes, at);
		out_byte(&e->out, ':');
	}
	if (e->indent)
		out_byte(&e->out, ' ');
	return r;
}

static int mask(struct encoder *e, const struct rt_type *t)
{
	out_text(&e->out, t->kind == RT_KIND_STRING || t->kind == RT_KIND_TEXT ? "\"***\"" : "null");
	return 0;
}

static int counted(struct encoder *e, const struct rt_type *outer, const struct rt_field *f, const void *object, const struct place *at)
{
	const void *p = value_at(object, f->offset);
	uint64_t n = value_count(outer, f, object);

	if (f->type->kind == RT_KIND_ARRAY && n > f->type->count)
		return wrong(e, -EINVAL, at, "the count is larger than the array");
	if (n == UINT64_MAX)
		return wrong(e, -EINVAL, at, "the count is below zero");
	if (f->type->kind == RT_KIND_LIST) {
		p = value_pointer(p);
		if (!p && n)
			return wrong(e, -EINVAL, at, "there is a count, and no elements");
		if (!p) {
			out_bytes(&e->out, "[]", 2);
			return 0;
		}
	}
	return elements(e, f->type->element, p, n, at);
}

static int field(struct encoder *e, const struct rt_type *outer, const struct rt_field *f, const void *object, const struct place *at);

static int union_value(struct encoder *e, const struct rt_type *outer, const struct rt_field *f, const void *object, const struct place *at)
{
	const struct rt_field *there = value_told(outer, f, object);

	if (!there) {
		out_bytes(&e->out, "null", 4);
		return 0;
	}
	struct place here = { at, there->key, there->key_bytes };
	int r = enter(e, '{', at);
	if (r == 0)
		r = key(e, there, &here);
	if (r == 0)
		r = field(e, f->type, there, value_at(object, f->offset), &here);
	if (r == 0)
		leave(e, '}', false);
	return r;
}

static int field(struct encoder *e, const struct rt_type *outer, const struct rt_field *f, const void *object, const struct place *at)
{
	if (f->flags & RT_FIELD_SECRET && e->mask)
		return mask(e, f->type);
	switch (f->type->kind) {
	case RT_KIND_LIST:
	case RT_KIND_TAIL:
	case RT_KIND_ARRAY:
		return counted(e, outer, f, object, at);
	case RT_KIND_UNION:
		return union_value(e, outer, f, object, at);
	case RT_KIND_BOOL:
	case RT_KIND_SIGNED:
	case RT_KIND_UNSIGNED:
	case RT_KIND_ENUM:
		if (f->bits && f->type->kind == RT_KIND_ENUM)
			return enumeration(e, f->type, value_field(f, object), at);
		if (f->bits && f->type->kind != RT_KIND_BOOL)
			return integer(e, f->type, value_field(f, object));
		if (f->bits) {
			out_text(&e->out, value_field(f, object) ? "true" : "false");
			return 0;
		}
		/* fall through */
	default:
		return value(e, f->type, f, value_at(object, f->offset), at);
	}
}

static int object_value(struct encoder *e, const struct rt_type *t, const void *p, const struct place *at)
{
	bool empty = true;
	int r = enter(e, '{', at);

	for (uint32_t i = 0; r == 0 && i < t->count; i++) {
		const struct rt_field *f = &t->fields[i];
		struct place here = { at, f->key, f->key_bytes };
		if (f->flags & (RT_FIELD_HIDDEN | RT_FIELD_OPAQUE) || !value_is_there(t, f, p) ||
		    (f->flags & RT_FIELD_OMIT_EMPTY && value_is_empty(t, f, p)))
			continue;
		if (!empty)
			out_byte(&e->out, ',');
		empty = false;
		r = key(e, f, &here);
		if (r == 0)
			r = field(e, t, f, p, &here);
		if (r == 0)
			r = e->out.result;
	}
	if (r == 0)
		leave(e, '}', empty);
	return r;
}

static int pointed(struct encoder *e, const struct rt_type *t, const void *p, const struct place *at)
{
	const void *to = value_pointer(p);

	if (!to) {
		out_bytes(&e->out, "null", 4);
		return 0;
	}
	if (t->kind == RT_KIND_STRING)
		return string(e, to, strlen(to), at);
	if (!t->element)
		return wrong(e, -EINVAL, at, "a pointer to what is not described has no text");
	/* A chain of pointers alone has no brackets to count. */
	if (e->depth == e->most)
		return wrong(e, -ELOOP, at, "nested too deep: a cycle?");
	e->depth += t->element->kind == RT_KIND_POINTER;
	int r = value(e, t->element, NULL, to, at);
	e->depth -= t->element->kind == RT_KIND_POINTER;
	return r;
}

static int value(struct encoder *e, const struct rt_type *t, const struct rt_field *f, const void *p, const struct place *at)
{
	const char *end;

	(void)f;
	switch (t->kind) {
	case RT_KIND_BOOL:
		out_text(&e->out, value_plain(t, p) ? "true" : "false");
		return 0;
	case RT_KIND_SIGNED:
	case RT_KIND_UNSIGNED:
		return integer(e, t, value_plain(t, p));
	case RT_KIND_FLOAT:
		return floating(e, t, p, at);
	case RT_KIND_ENUM:
		return enumeration(e, t, value_plain(t, p), at);
	case RT_KIND_STRING:
	case RT_KIND_POINTER:
		return pointed(e, t, p, at);
	case RT_KIND_TEXT:
		end = memchr(p, '\0', t->count);
		return string(e, p, end ? (size_t)(end - (const char *)p) : t->count, at);
	case RT_KIND_ARRAY:
		return elements(e, t->element, p, t->count, at);
	case RT_KIND_STRUCT:
		return object_value(e, t, p, at);
	default:
		return wrong(e, -EINVAL, at, "a value of its kind has no text");
	}
}

static int encode(struct encoder *e, const struct rt_type *type, const void *object, const struct rt_encode_options *options,
		  struct rt_problem *ret_problem)
{
	static const struct place root;
	unsigned depth = options && options->depth ? options->depth : RT_DEPTH;

	e->depth = 0;
	e->most = depth < RT_DEPTH_MOST ? depth : RT_DEPTH_MOST;
	e->indent = options ? options->indent : 0;
	e->mask = options && options->mask_secrets;
	e->problem = ret_problem;
	int r = value(e, type, NULL, object, &root);
	if (r == 0)
		r = out_end(&e->out);
	if (r != 0 && r == e->out.result)
		problem_set(ret_problem, &root, r == -ENOMEM ? "no memory" : "the writer returned %d", r);
	return r;
}

int rt_json_encode(const struct rt_type *type, const void *object, const struct rt_encode_options *options, rt_writer *write, void *arg,
		   struct rt_problem *ret_problem)
{
	struct encoder e;

	out_init(&e.out, write, arg);
	return encode(&e, type, object, options, ret_problem);
}

int rt_json_encode_text(const struct rt_type *type, const void *object, const struct rt_encode_options *options,
			const struct rt_memory *memory, char **ret, size_t *ret_n, struct rt_problem *ret_problem)
{
	struct encoder e;

	out_init(&e.out, NULL, NULL);
	int r = encode(&e, type, object, options, ret_problem);
	size_t n = (size_t)(e.out.p - e.out.start);
	out_byte(&e.out, '\0');
	char *text = r == 0 && e.out.result == 0 ? e.out.start : NULL;
	if (text && memory) {
		text = memory_get(memory, n + 1);
		if (text)
			memcpy(text, e.out.start, n + 1);
	}
	if (e.out.start != e.out.part && text != e.out.start)
		free(e.out.start);
	if (!text)
		return r < 0 ? r : (problem_set(ret_problem, NULL, "no memory"), -ENOMEM);
	*ret = text;
	*ret_n = n;
	return 0;
}
