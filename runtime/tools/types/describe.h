/* From C types and annotations to descriptors, as osprey/rt/reflect.h has them. */
#ifndef TYPES_DESCRIBE_H
#define TYPES_DESCRIBE_H

#include <osprey/rt/reflect.h>

#include "c_type.h"
#include "tags.h"

struct described {
	struct rt_type type;
	const struct c_type *from;	/* NULL: made for a field */
	const struct c_type *picker;	/* of a union: the type whose values its cases are */
	const char **symbols;		/* names by which a program asks for it; none: only part of others */
	size_t nsymbols;
	const char *name;		/* as annotated */
};

struct descriptions {
	struct described **all;
	size_t n;
	struct annotations annotations;
};

/* Finds the types of all annotations in the sources and describes them, with what they are made of. What
 * cannot be described is complained about. */
void describe_all(struct descriptions *d, struct c_source **sources, size_t nsources);

#endif
