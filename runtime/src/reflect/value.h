/* Values in memory, as descriptors say where and what they are. */
#ifndef RT_REFLECT_VALUE_H
#define RT_REFLECT_VALUE_H

#include <string.h>

#include "osprey/rt/reflect.h"

/* An integer, enumeration or bool: of a field, with its bit-field; of an element. Unsigned ones are the same
 * 64 bits. */
int64_t value_field(const struct rt_field *f, const void *object);
int64_t value_plain(const struct rt_type *t, const void *p);
void value_field_set(const struct rt_field *f, void *object, int64_t value);

/* Whether the integer, enumeration or bool has this value in its range; `negative` tells how to take the 64
 * bits. */
bool value_fits(const struct rt_type *t, unsigned bits, bool negative, uint64_t value);

/* How many elements an array, list or tail of the struct at `object` has. A signed count below zero is
 * UINT64_MAX. */
uint64_t value_count(const struct rt_type *outer, const struct rt_field *f, const void *object);

/* Whether a field that is there only at times is there: by `has`, and by what picks it. */
bool value_is_there(const struct rt_type *outer, const struct rt_field *f, const void *object);

/* The field of a union that is there, NULL without; `f` is the field of `outer` that has the union. */
const struct rt_field *value_picked(const struct rt_type *outer, const struct rt_field *f, const void *object);

/* The same; NULL too if a text says nothing of it: a borrowed one, a function. */
const struct rt_field *value_told(const struct rt_type *outer, const struct rt_field *f, const void *object);

/* Zero, NULL, no elements. */
bool value_is_empty(const struct rt_type *outer, const struct rt_field *f, const void *object);

/* The `next` of a struct that is chained to lists: its last pointer to its own type, or NULL. Such chains are
 * followed, not descended. */
const struct rt_field *value_next(const struct rt_type *t);

/* For a walk along a chain: whether it goes round in a circle. `mark` begins as the first, `steps` counts
 * from 1: who goes round meets the mark, which is set anew at powers of two. */
static inline bool value_circle(const void *here, const void **mark, uint64_t steps)
{
	if (here == *mark)
		return true;
	if ((steps & (steps - 1)) == 0)
		*mark = here;
	return false;
}

static inline const void *value_at(const void *object, size_t offset)
{
	return (const char *)object + offset;
}

static inline void *value_pointer(const void *p)
{
	void *target;

	memcpy(&target, p, sizeof target);
	return target;
}

static inline void value_pointer_set(void *p, void *target)
{
	memcpy(p, &target, sizeof target);
}

/* The field of a flexible array, or NULL. */
static inline const struct rt_field *value_tail(const struct rt_type *t)
{
	const struct rt_field *last = t->kind == RT_KIND_STRUCT && t->count ? &t->fields[t->count - 1] : NULL;

	return last && last->type->kind == RT_KIND_TAIL ? last : NULL;
}

#endif
