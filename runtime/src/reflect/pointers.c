#include <errno.h>
#include <stdlib.h>

#include "reflect/value.h"

struct found {
	uint32_t *offsets;
	size_t room, n;
};

/* Members of unions share their places, and come in no order: offsets are kept sorted and single. */
static void add(struct found *p, uint32_t offset)
{
	size_t i = p->n;

	while (i > 0 && p->offsets[i - 1] > offset)
		i--;
	if ((i > 0 && p->offsets[i - 1] == offset) || p->n == p->room)
		return;
	memmove(p->offsets + i + 1, p->offsets + i, (p->n - i) * sizeof *p->offsets);
	p->offsets[i] = offset;
	p->n++;
}

static void walk(const struct rt_type *t, uint32_t at, struct found *p)
{
	switch (t->kind) {
	case RT_KIND_STRING:
	case RT_KIND_LIST:
	case RT_KIND_POINTER:
		add(p, at);
		break;
	case RT_KIND_ARRAY:
		for (uint32_t i = 0; i < t->count; i++)
			walk(t->element, at + i * t->element->size, p);
		break;
	case RT_KIND_STRUCT:
	case RT_KIND_UNION:
		for (uint32_t i = 0; i < t->count; i++)
			walk(t->fields[i].type, at + t->fields[i].offset, p);
		break;
	default:
		break;
	}
}

/* Pointers are aligned, so that there is at most one for each word. */
long rt_type_pointers(const struct rt_type *type, uint32_t *ret_offsets, size_t n)
{
	struct found p = { .room = type->size / sizeof(void *) + 1 };

	if (type->kind == 0 || type->kind > RT_KIND_FUNCTION)
		return -EINVAL;
	p.offsets = malloc(p.room * sizeof *p.offsets);
	if (!p.offsets)
		return -ENOMEM;
	walk(type, 0, &p);
	memcpy(ret_offsets, p.offsets, (p.n < n ? p.n : n) * sizeof *p.offsets);
	free(p.offsets);
	return (long)p.n;
}
