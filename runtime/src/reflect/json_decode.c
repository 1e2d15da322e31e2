#include "reflect/json_decode.h"

#include <errno.h>

#include "reflect/json_decoder.h"
#include "reflect/memory.h"
#include "reflect/value.h"

#define TEXT_BYTES ((size_t)1 << 30)

int decoder_get(struct decoder *d, size_t bytes, const struct place *at, void *ret)
{
	if (bytes > d->budget)
		return json_problem(&d->t, -EMSGSIZE, d->t.p, at, "the result takes more memory than allowed");
	void *p = memory_get(d->memory, bytes);
	if (!p)
		return json_problem(&d->t, -ENOMEM, d->t.p, at, "no memory for %zu bytes", bytes);
	d->budget -= bytes;
	memcpy(ret, &p, sizeof p);
	return 0;
}

int decoder_mismatch(struct decoder *d, const struct place *at, const char *wanted)
{
	int c = json_next(&d->t);
	const char *from = d->t.p;
	int r = json_skip(&d->t, at);	/* what is no JSON at all is told as that */

	return r < 0 ? r : json_problem(&d->t, -EINVAL, from, at, "expected %s, got %s", wanted, json_kind(c));
}

int decoder_length_check(struct decoder *d, const struct rt_field *f, uint64_t n, const char *from, const struct place *at)
{
	if (f && f->flags & RT_FIELD_MIN && n < f->min.u)
		return json_problem(&d->t, -ERANGE, from, at, "a length of %ju is below %ju", (uintmax_t)n, (uintmax_t)f->min.u);
	if (f && f->flags & RT_FIELD_MAX && n > f->max.u)
		return json_problem(&d->t, -ERANGE, from, at, "a length of %ju is above %ju", (uintmax_t)n, (uintmax_t)f->max.u);
	return 0;
}

static int pointer(struct decoder *d, const struct rt_type *t, void *to, const struct place *at, struct scratch *lists)
{
	void *p = NULL;
	int r = t->element ? decode_object_new(d, t->element, at, lists, &p) : decoder_mismatch(d, at, "nothing");

	if (r == 0)
		value_pointer_set(to, p);
	return r;
}

int decode_value(struct decoder *d, const struct rt_type *t, const struct rt_field *f, void *to, const struct place *at,
		 struct scratch *lists)
{
	uint64_t n;
	int c;

	switch (t->kind) {
	case RT_KIND_BOOL:
		return decode_boolean(d, t, f, to, at);
	case RT_KIND_SIGNED:
	case RT_KIND_UNSIGNED:
		return decode_integer(d, t, f, to, at);
	case RT_KIND_FLOAT:
		return decode_floating(d, t, f, to, at);
	case RT_KIND_ENUM:
		return decode_enumeration(d, t, f, to, at);
	case RT_KIND_STRING:
	case RT_KIND_POINTER:
		c = json_next(&d->t);
		if (c == 'n' && !decoder_at_number(d, c))
			return json_word(&d->t, at, "null");
		return t->kind == RT_KIND_STRING ? decode_string(d, t, f, to, at) : pointer(d, t, to, at, lists);
	case RT_KIND_TEXT:
		return decode_string(d, t, f, to, at);
	case RT_KIND_ARRAY:
		return decode_array(d, t, NULL, to, at, lists, &n);
	case RT_KIND_STRUCT:
		return decode_object(d, t, to, at, lists);
	default:
		return json_problem(&d->t, -ENOTSUP, d->t.p, at, "a value of its kind has no text");
	}
}

static void scratch_free(struct decoder *d)
{
	const struct rt_memory *m = memory_passing(d->memory);

	memory_put(m, d->lists.p, d->lists.bytes);
	for (struct scratch *s = d->lists.deeper, *deeper; s; s = deeper) {
		deeper = s->deeper;
		memory_put(m, s->p, s->bytes);
		memory_put(m, s, sizeof *s);
	}
}

static int whole(struct decoder *d, const struct rt_type *type, void **ret)
{
	static const struct place root;
	int r = decode_object_new(d, type, &root, &d->lists, ret);

	if (r < 0)
		return r;
	int c = json_next(&d->t);
	if (d->t.p == d->t.end)
		return 0;
	rt_object_free(type, *ret, d->memory);
	return json_problem(&d->t, -EBADMSG, d->t.p, &root, c >= 0x20 && c < 0x7f ? "expected the end, got '%c'" : "expected the end, got byte %d", c);
}

int json_decode(const struct rt_type *type, const char *text, size_t n, const struct rt_decode_options *options, bool not_finite,
		void *ret, void **ret_new, struct rt_problem *ret_problem)
{
	static const struct rt_decode_options none;
	const struct rt_decode_options *o = options ? options : &none;
	unsigned depth = o->depth ? o->depth : RT_DEPTH;
	struct decoder d = {
		.t = { .start = text, .p = text, .end = text + n, .depth = depth < RT_DEPTH_MOST ? depth : RT_DEPTH_MOST,
		       .not_finite = not_finite, .problem = ret_problem, .problem_at = text },
		.flags = o->flags,
		.budget = o->memory_bytes ? o->memory_bytes : SIZE_MAX,
		.memory = o->memory,
	};
	static const struct place root;
	void *made = NULL;
	int r;

	if (n > (o->text_bytes ? o->text_bytes : TEXT_BYTES))
		r = json_problem(&d.t, -EMSGSIZE, text, &root, "a text of %zu bytes is too long", n);
	else if (!ret_new && value_tail(type))
		r = json_problem(&d.t, -ENOTSUP, text, &root, "%s has a flexible array", type->name);
	else
		r = whole(&d, type, &made);
	scratch_free(&d);
	if (r < 0) {
		problem_locate(ret_problem, text, n, (size_t)(d.t.problem_at - text));
		return r;
	}
	if (ret_new) {
		*ret_new = made;
	} else {
		memcpy(ret, made, type->size);
		memory_put(d.memory, made, type->size);
	}
	return 0;
}

int rt_json_decode(const struct rt_type *type, const char *text, size_t n, const struct rt_decode_options *options, void *ret,
		   struct rt_problem *ret_problem)
{
	return json_decode(type, text, n, options, false, ret, NULL, ret_problem);
}

int rt_json_decode_new(const struct rt_type *type, const char *text, size_t n, const struct rt_decode_options *options, void **ret,
		       struct rt_problem *ret_problem)
{
	return json_decode(type, text, n, options, false, NULL, ret, ret_problem);
}
