#include <errno.h>

#include "reflect/memory.h"
#include "reflect/value.h"

/* What has been copied is whole at each moment: what is not there yet is zero, so that a failed copy is
 * cleared like any value. */

static int copy_plain(const struct rt_type *t, const void *from, void *to, const struct rt_memory *m, unsigned depth);
static int copy_new(const struct rt_type *t, const void *from, const struct rt_memory *m, unsigned depth, void **ret);

static int copy_elements(const struct rt_type *element, const void *from, void *to, uint64_t n, const struct rt_memory *m, unsigned depth)
{
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < n; i++)
		r = copy_plain(element, value_at(from, i * element->size), (char *)to + i * element->size, m, depth);
	return r;
}

static int copy_string(const void *from, void *to, const struct rt_memory *m)
{
	const char *s = value_pointer(from);
	size_t n = s ? strlen(s) + 1 : 0;
	char *p = s ? memory_get(m, n) : NULL;

	if (s && !p)
		return -ENOMEM;
	if (s)
		memcpy(p, s, n);
	value_pointer_set(to, p);
	return 0;
}

static int copy_list(const struct rt_type *t, const void *from, uint64_t n, void *to, const struct rt_memory *m, unsigned depth)
{
	const void *first = value_pointer(from);
	size_t bytes;

	if (!first)
		return 0;
	if (__builtin_mul_overflow(n, (size_t)t->element->size, &bytes))
		return -EINVAL;
	char *p = memory_get(m, bytes);
	if (!p)
		return -ENOMEM;
	memset(p, 0, bytes);
	value_pointer_set(to, p);
	return copy_elements(t->element, first, p, n, m, depth + 1);
}

static int copy_field(const struct rt_type *outer, const struct rt_field *f, const void *object, void *copy, const struct rt_memory *m,
		      unsigned depth)
{
	const void *from = value_at(object, f->offset);
	char *to = (char *)copy + f->offset;
	const struct rt_type *t = f->type;

	if (f->bits) {
		value_field_set(f, copy, value_field(f, object));
		return 0;
	}
	if (f->flags & RT_FIELD_BORROWED) {
		memcpy(to, from, t->size);
		return 0;
	}
	uint64_t n = t->kind == RT_KIND_ARRAY || t->kind == RT_KIND_LIST || t->kind == RT_KIND_TAIL ? value_count(outer, f, object) : 0;
	if (n == UINT64_MAX || (t->kind == RT_KIND_ARRAY && n > t->count))
		return -EINVAL;
	switch (t->kind) {
	case RT_KIND_UNION: {
		const struct rt_field *there = value_picked(outer, f, object);
		return there ? copy_field(t, there, from, to, m, depth) : 0;
	}
	case RT_KIND_LIST:
		return copy_list(t, from, n, to, m, depth);
	case RT_KIND_TAIL:
	case RT_KIND_ARRAY:
		return copy_elements(t->element, from, to, n, m, depth);
	default:
		return copy_plain(t, from, to, m, depth);
	}
}

/* What picks and what counts come first, for clearing goes by them. */
static int copy_fields(const struct rt_type *t, const struct rt_field *but, const void *from, void *to, const struct rt_memory *m, unsigned depth)
{
	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < t->count; i++) {
			const struct rt_field *f = &t->fields[i];
			bool number = f->type->kind <= RT_KIND_ENUM;
			bool asks = pass == 1 || f->flags & RT_FIELD_PICKED;
			if (number != (pass == 0) || f == but || (asks && !value_is_there(t, f, from)))
				continue;
			int r = copy_field(t, f, from, to, m, depth);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static void *object_room(const struct rt_type *t, const void *from, const struct rt_memory *m)
{
	size_t bytes = rt_object_bytes(t, from);
	void *p = memory_get(m, bytes);

	return p ? memset(p, 0, bytes) : NULL;
}

static int copy_struct(const struct rt_type *t, const void *from, void *to, const struct rt_memory *m, unsigned depth)
{
	const struct rt_field *next = value_next(t);
	const void *mark = from;

	for (uint64_t steps = 1;; steps++) {
		int r = copy_fields(t, next, from, to, m, depth);
		if (r < 0 || !next)
			return r;
		from = value_pointer(value_at(from, next->offset));
		if (!from)
			return 0;
		if (value_circle(from, &mark, steps))
			return -ELOOP;
		void *link = (char *)to + next->offset;
		to = object_room(t, from, m);
		if (!to)
			return -ENOMEM;
		value_pointer_set(link, to);
	}
}

static int copy_plain(const struct rt_type *t, const void *from, void *to, const struct rt_memory *m, unsigned depth)
{
	void *p = NULL;

	if (depth > RT_DEPTH_MOST)
		return -ELOOP;
	switch (t->kind) {
	case RT_KIND_STRING:
		return copy_string(from, to, m);
	case RT_KIND_ARRAY:
		return copy_elements(t->element, from, to, t->count, m, depth + 1);
	case RT_KIND_STRUCT:
		return copy_struct(t, from, to, m, depth + 1);
	case RT_KIND_POINTER:
		if (!t->element) {
			memcpy(to, from, t->size);
			return 0;
		}
		int r = value_pointer(from) ? copy_new(t->element, value_pointer(from), m, depth + 1, &p) : 0;
		if (r == 0)
			value_pointer_set(to, p);
		return r;
	case RT_KIND_LIST:
	case RT_KIND_TAIL:
	case RT_KIND_UNION:
		return -EINVAL;
	default:
		memcpy(to, from, t->size);
		return 0;
	}
}

static int copy_new(const struct rt_type *t, const void *from, const struct rt_memory *m, unsigned depth, void **ret)
{
	void *p = object_room(t, from, m);

	if (!p)
		return -ENOMEM;
	int r = copy_plain(t, from, p, m, depth);
	if (r < 0)
		rt_object_free(t, p, m);
	else
		*ret = p;
	return r;
}

int rt_copy_new(const struct rt_type *type, const void *object, const struct rt_memory *memory, void **ret)
{
	return copy_new(type, object, memory, 0, ret);
}

int rt_copy(const struct rt_type *type, const void *object, const struct rt_memory *memory, void *ret)
{
	const struct rt_memory *passing = memory_passing(memory);
	void *p;

	if (value_tail(type))
		return -EINVAL;
	p = memory_get(passing, type->size);
	if (!p)
		return -ENOMEM;
	memset(p, 0, type->size);
	int r = copy_plain(type, object, p, memory, 0);
	if (r == 0)
		memcpy(ret, p, type->size);
	else
		rt_clear(type, p, memory);
	memory_put(passing, p, type->size);
	return r;
}
