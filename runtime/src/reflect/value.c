#include "reflect/value.h"

#include <errno.h>

#define INTEGERS (1u << RT_KIND_BOOL | 1u << RT_KIND_SIGNED | 1u << RT_KIND_UNSIGNED | 1u << RT_KIND_ENUM)

int64_t value_plain(const struct rt_type *t, const void *p)
{
	uint64_t v = 0;

	memcpy(&v, p, t->size);
	if (t->is_signed && t->size < 8) {
		unsigned up = 64 - 8 * t->size;
		return (int64_t)(v << up) >> up;
	}
	return (int64_t)v;
}

/* A bit-field of 64 bits that begins within a byte reaches into a ninth. */
int64_t value_field(const struct rt_field *f, const void *object)
{
	unsigned __int128 v = 0;

	if (!f->bits)
		return value_plain(f->type, value_at(object, f->offset));
	memcpy(&v, value_at(object, f->offset), (f->bit + f->bits + 7u) / 8);
	uint64_t high = (uint64_t)(v >> f->bit) << (64 - f->bits);
	return f->type->is_signed ? (int64_t)high >> (64 - f->bits) : (int64_t)(high >> (64 - f->bits));
}

void value_field_set(const struct rt_field *f, void *object, int64_t value)
{
	char *p = (char *)object + f->offset;
	unsigned __int128 v = 0, mask;

	if (!f->bits) {
		memcpy(p, &value, f->type->size);
		return;
	}
	size_t bytes = (f->bit + f->bits + 7u) / 8;
	memcpy(&v, p, bytes);
	mask = (((unsigned __int128)1 << f->bits) - 1) << f->bit;
	v = (v & ~mask) | (((unsigned __int128)(uint64_t)value << f->bit) & mask);
	memcpy(p, &v, bytes);
}

bool value_fits(const struct rt_type *t, unsigned bits, bool negative, uint64_t value)
{
	if (t->kind == RT_KIND_BOOL)
		return !negative && value < 2;
	if (!bits)
		bits = t->size * 8;
	if (!t->is_signed)
		return !negative && (bits == 64 || value >> bits == 0);
	if (negative)
		return bits == 64 || (int64_t)value >= -(INT64_C(1) << (bits - 1));
	return value >> (bits - 1) == 0;
}

uint64_t value_count(const struct rt_type *outer, const struct rt_field *f, const void *object)
{
	if (f->count < 0)
		return f->type->count;
	const struct rt_field *c = &outer->fields[f->count];
	int64_t n = value_field(c, object);
	return n < 0 && c->type->is_signed ? UINT64_MAX : (uint64_t)n;
}

bool value_is_there(const struct rt_type *outer, const struct rt_field *f, const void *object)
{
	if (f->has >= 0 && !value_field(&outer->fields[f->has], object))
		return false;
	return !(f->flags & RT_FIELD_PICKED) || f->by < 0 || value_field(&outer->fields[f->by], object) == f->pick;
}

const struct rt_field *value_picked(const struct rt_type *outer, const struct rt_field *f, const void *object)
{
	int64_t pick = value_field(&outer->fields[f->by], object);

	for (uint32_t i = 0; i < f->type->count; i++)
		if (f->type->fields[i].pick == pick)
			return &f->type->fields[i];
	return NULL;
}

const struct rt_field *value_told(const struct rt_type *outer, const struct rt_field *f, const void *object)
{
	const struct rt_field *there = value_picked(outer, f, object);

	return there && !(there->flags & (RT_FIELD_HIDDEN | RT_FIELD_OPAQUE)) ? there : NULL;
}

static bool is_zero(const char *p, size_t n)
{
	return n == 0 || (*p == 0 && memcmp(p, p + 1, n - 1) == 0);
}

bool value_is_empty(const struct rt_type *outer, const struct rt_field *f, const void *object)
{
	const char *p = value_at(object, f->offset);
	double d;
	float s;

	switch (f->type->kind) {
	case RT_KIND_BOOL:
	case RT_KIND_SIGNED:
	case RT_KIND_UNSIGNED:
	case RT_KIND_ENUM:
		return value_field(f, object) == 0;
	case RT_KIND_FLOAT:
		if (f->type->size == 8)
			return memcpy(&d, p, 8), d == 0;
		return memcpy(&s, p, 4), s == 0;
	case RT_KIND_STRING:
		return !value_pointer(p) || !*(const char *)value_pointer(p);
	case RT_KIND_TEXT:
		return !*p;
	case RT_KIND_LIST:
		return !value_pointer(p) || value_count(outer, f, object) == 0;
	case RT_KIND_TAIL:
		return value_count(outer, f, object) == 0;
	case RT_KIND_ARRAY:
		return f->count >= 0 ? value_count(outer, f, object) == 0 : is_zero(p, f->type->size);
	case RT_KIND_UNION:
		return !value_picked(outer, f, object);
	case RT_KIND_STRUCT:
		return is_zero(p, f->type->size);
	default:
		return !value_pointer(p);
	}
}

const struct rt_field *value_next(const struct rt_type *t)
{
	for (uint32_t i = t->count; i-- > 0;) {
		const struct rt_field *f = &t->fields[i];
		if (f->type->kind == RT_KIND_POINTER && f->type->element == t && f->has < 0 &&
		    !(f->flags & (RT_FIELD_BORROWED | RT_FIELD_PICKED)))
			return f;
	}
	return NULL;
}

const struct rt_field *rt_type_field(const struct rt_type *type, const char *name)
{
	for (uint32_t i = 0; type->fields && i < type->count; i++)
		if (strcmp(type->fields[i].name, name) == 0)
			return &type->fields[i];
	return NULL;
}

int rt_field_integer(const struct rt_field *field, const void *object, int64_t *ret)
{
	if (!(INTEGERS & 1u << field->type->kind))
		return -EINVAL;
	*ret = value_field(field, object);
	return 0;
}
