#include <errno.h>

#include "reflect/value.h"


static int equal(const struct rt_type *t, const void *a, const void *b, unsigned depth);

static int elements(const struct rt_type *element, const void *a, const void *b, uint64_t n, unsigned depth)
{
	for (uint64_t i = 0; i < n; i++) {
		int r = equal(element, value_at(a, i * element->size), value_at(b, i * element->size), depth);
		if (r != 1)
			return r;
	}
	return 1;
}

static bool floats(const struct rt_type *t, const void *a, const void *b)
{
	double x, y;
	float s, z;

	if (t->size == 8) {
		memcpy(&x, a, 8);
		memcpy(&y, b, 8);
	} else {
		memcpy(&s, a, 4);
		memcpy(&z, b, 4);
		x = (double)s;
		y = (double)z;
	}
	return x == y || (x != x && y != y);
}

static int pointed(const struct rt_type *t, const void *a, const void *b, unsigned depth)
{
	const void *p = value_pointer(a), *q = value_pointer(b);

	if (p == q || !p || !q || !t->element)
		return t->kind == RT_KIND_STRING && p && q ? strcmp(p, q) == 0 : p == q;
	if (value_tail(t->element) && rt_object_bytes(t->element, p) != rt_object_bytes(t->element, q))
		return 0;
	return equal(t->element, p, q, depth + 1);
}

static int field(const struct rt_type *outer, const struct rt_field *f, const void *a, const void *b, unsigned depth)
{
	const void *p = value_at(a, f->offset), *q = value_at(b, f->offset);
	const struct rt_type *t = f->type;

	if (f->bits)
		return value_field(f, a) == value_field(f, b);
	if (f->flags & RT_FIELD_BORROWED)
		return value_pointer(p) == value_pointer(q);
	if (t->kind == RT_KIND_UNION) {
		const struct rt_field *there = value_picked(outer, f, a);
		if (there != value_picked(outer, f, b))
			return 0;
		return there ? field(t, there, p, q, depth) : 1;
	}
	if (t->kind != RT_KIND_LIST && t->kind != RT_KIND_TAIL && t->kind != RT_KIND_ARRAY)
		return equal(t, p, q, depth);
	uint64_t n = value_count(outer, f, a);
	if (n != value_count(outer, f, b))
		return 0;
	if (t->kind == RT_KIND_ARRAY)
		n = n < t->count ? n : t->count;
	if (t->kind == RT_KIND_LIST) {
		p = value_pointer(p);
		q = value_pointer(q);
		if (!p || !q)
			return n == 0 || p == q;
	}
	return elements(t->element, p, q, n, depth + 1);
}

static int structs(const struct rt_type *t, const void *a, const void *b, unsigned depth)
{
	const struct rt_field *next = value_next(t);
	const void *mark = a;

	for (uint64_t steps = 1;; steps++) {
		for (uint32_t i = 0; i < t->count; i++) {
			const struct rt_field *f = &t->fields[i];
			bool there = value_is_there(t, f, a);
			if (there != value_is_there(t, f, b))
				return 0;
			int r = there && f != next ? field(t, f, a, b, depth) : 1;
			if (r != 1)
				return r;
		}
		if (!next)
			return 1;
		a = value_pointer(value_at(a, next->offset));
		b = value_pointer(value_at(b, next->offset));
		if (!a || !b || a == b)
			return a == b;
		if (value_circle(a, &mark, steps))
			return -ELOOP;
	}
}

static int equal(const struct rt_type *t, const void *a, const void *b, unsigned depth)
{
	if (depth > RT_DEPTH_MOST)
		return -ELOOP;
	switch (t->kind) {
	case RT_KIND_BOOL:
	case RT_KIND_SIGNED:
	case RT_KIND_UNSIGNED:
	case RT_KIND_ENUM:
		return value_plain(t, a) == value_plain(t, b);
	case RT_KIND_FLOAT:
		return floats(t, a, b);
	case RT_KIND_TEXT:
		return strncmp(a, b, t->count) == 0;
	case RT_KIND_ARRAY:
		return elements(t->element, a, b, t->count, depth + 1);
	case RT_KIND_STRUCT:
		return structs(t, a, b, depth + 1);
	case RT_KIND_STRING:
	case RT_KIND_POINTER:
	case RT_KIND_FUNCTION:
		return pointed(t, a, b, depth);
	default:
		return -EINVAL;
	}
}

int rt_equal(const struct rt_type *type, const void *a, const void *b)
{
	return equal(type, a, b, 0);
}
