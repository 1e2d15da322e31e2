/* The members of one struct or union, and the types of others, which need each other. */
#ifndef TYPES_DESCRIBE_FIELD_H
#define TYPES_DESCRIBE_FIELD_H

#include "describe.h"

/* Where the tags of a type's members are. */
struct scope {
	struct annotation *annotation;	/* or NULL */
	const char *prefix;		/* "payload." within a member whose type has no name */
	const char *type;		/* for messages */
};

bool has_tail(const struct rt_type *t);
bool is_annotated(struct descriptions *d, const struct c_type *t);
struct scope scope_of(struct descriptions *d, const struct c_type *t, const struct scope *outer);
const struct rt_type *made_type(struct descriptions *d, enum rt_kind kind, const struct rt_type *element, uint32_t count);

/* NULL: it was complained about, at `origin`, which is where the type is used. */
const struct rt_type *type_describe(struct descriptions *d, const struct c_type *t, const struct scope *outer, const char *origin);
const struct rt_type *element_describe(struct descriptions *d, const struct c_type *t, const struct scope *outer, const char *origin);
const struct rt_type *union_describe(struct descriptions *d, const struct c_type *t, const struct scope *outer,
				     const struct c_type *picker, const char *origin);

/* `picker`: of a union, the type of the member that says which of its members is there. */
void fields_describe(struct descriptions *d, const struct c_type *t, const struct scope *scope, const struct c_type *picker,
		     struct rt_type *to);

#endif
