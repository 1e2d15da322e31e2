#include "c_type.h"

#include <string.h>

struct c_type *c_source_find(struct c_source *source, const char *name)
{
	return source->find(source, name);
}

static bool same_target(const struct c_type *a, const struct c_type *b)
{
	while (a && b && a->kind == b->kind && (a->kind == C_POINTER || a->kind == C_ARRAY)) {
		if (a->count != b->count)
			return false;
		a = a->target;
		b = b->target;
	}
	if (!a || !b)
		return a == b;
	/* What is only declared here may be whole there. */
	if (a->kind == C_DECLARED || b->kind == C_DECLARED)
		return true;
	return a->kind == b->kind && a->size == b->size && a->is_signed == b->is_signed && strcmp(a->name, b->name) == 0;
}

bool c_type_same(const struct c_type *a, const struct c_type *b)
{
	if (a->kind != b->kind || a->size != b->size || a->nmembers != b->nmembers || a->nenumerators != b->nenumerators)
		return false;
	for (size_t i = 0; i < a->nmembers; i++) {
		const struct c_member *m = &a->members[i], *n = &b->members[i];
		if (strcmp(m->name, n->name) != 0 || m->offset_bits != n->offset_bits || m->bits != n->bits ||
		    !same_target(m->type, n->type))
			return false;
	}
	for (size_t i = 0; i < a->nenumerators; i++)
		if (strcmp(a->enumerators[i].name, b->enumerators[i].name) != 0 ||
		    a->enumerators[i].value != b->enumerators[i].value)
			return false;
	return true;
}
