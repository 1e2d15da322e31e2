#include "reflect/clear.h"

#include "reflect/memory.h"
#include "reflect/value.h"

#define PLAIN (1u << RT_KIND_BOOL | 1u << RT_KIND_SIGNED | 1u << RT_KIND_UNSIGNED | 1u << RT_KIND_FLOAT | 1u << RT_KIND_ENUM | \
	       1u << RT_KIND_TEXT | 1u << RT_KIND_FUNCTION)

static void string_free(void *p, const struct rt_memory *m)
{
	char *s = value_pointer(p);

	if (s)
		memory_put(m, s, m ? strlen(s) + 1 : 0);
	value_pointer_set(p, NULL);
}

/* Of a type alone: a field's count and what picks are the caller's. */
static void clear_plain(const struct rt_type *t, void *p, const struct rt_memory *m)
{
	switch (t->kind) {
	case RT_KIND_STRUCT:
		rt_clear(t, p, m);
		break;
	case RT_KIND_STRING:
		string_free(p, m);
		break;
	case RT_KIND_ARRAY:
		clear_elements(t->element, p, t->count, m);
		break;
	case RT_KIND_POINTER:
		if (!t->element)
			break;
		rt_object_free(t->element, value_pointer(p), m);
		value_pointer_set(p, NULL);
		break;
	default:
		break;
	}
}

void clear_elements(const struct rt_type *element, void *first, uint64_t n, const struct rt_memory *m)
{
	if (PLAIN & 1u << element->kind)
		return;
	for (uint64_t i = 0; i < n; i++)
		clear_plain(element, (char *)first + i * element->size, m);
}

void clear_field(const struct rt_type *outer, const struct rt_field *f, void *object, const struct rt_memory *m)
{
	char *p = (char *)object + f->offset;
	const struct rt_type *t = f->type;

	if (PLAIN & 1u << t->kind || f->flags & RT_FIELD_BORROWED || (f->flags & RT_FIELD_PICKED && !value_is_there(outer, f, object)))
		return;
	if (t->kind == RT_KIND_LIST) {
		void *first = value_pointer(p);
		uint64_t n = value_count(outer, f, object);
		if (first) {
			clear_elements(t->element, first, n, m);
			memory_put(m, first, n * t->element->size);
		}
		value_pointer_set(p, NULL);
	} else if (t->kind == RT_KIND_TAIL) {
		clear_elements(t->element, p, value_count(outer, f, object), m);
	} else if (t->kind == RT_KIND_UNION) {
		const struct rt_field *there = value_picked(outer, f, object);
		if (there)
			clear_field(t, &(struct rt_field){ .type = there->type, .offset = there->offset, .count = -1, .has = -1, .by = -1,
							   .flags = there->flags & RT_FIELD_BORROWED }, p, m);
	} else {
		clear_plain(t, p, m);
	}
}

static void clear_but(const struct rt_type *t, void *object, const struct rt_field *next, const struct rt_memory *m)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (&t->fields[i] != next)
			clear_field(t, &t->fields[i], object, m);
}

void rt_clear(const struct rt_type *type, void *object, const struct rt_memory *memory)
{
	if (type->kind != RT_KIND_STRUCT) {
		clear_plain(type, object, memory);
		return;
	}
	const struct rt_field *next = value_next(type);
	clear_but(type, object, next, memory);
	if (!next)
		return;
	void *p = value_pointer(value_at(object, next->offset));
	value_pointer_set((char *)object + next->offset, NULL);
	while (p) {
		void *after = value_pointer(value_at(p, next->offset));
		clear_but(type, p, next, memory);
		memory_put(memory, p, memory ? rt_object_bytes(type, p) : 0);
		p = after;
	}
}

void rt_object_free(const struct rt_type *type, void *object, const struct rt_memory *memory)
{
	if (!object)
		return;
	size_t bytes = rt_object_bytes(type, object);
	rt_clear(type, object, memory);
	memory_put(memory, object, bytes);
}

size_t rt_object_bytes(const struct rt_type *type, const void *object)
{
	const struct rt_field *tail = value_tail(type);

	if (!tail)
		return type->size;
	uint64_t end = tail->offset + value_count(type, tail, object) * tail->type->element->size;
	return end > type->size ? end : type->size;
}
