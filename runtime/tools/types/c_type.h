/* Types of C as debug information tells them, whichever kind of it. Nothing is freed: the program is
 * short. */
#ifndef TYPES_C_TYPE_H
#define TYPES_C_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum c_kind {
	C_VOID,
	C_BOOL,
	C_INTEGER,
	C_FLOAT,
	C_ENUM,
	C_STRUCT,
	C_UNION,
	C_POINTER,
	C_ARRAY,
	C_FUNCTION,
	C_DECLARED,	/* a struct, union or enumeration whose members are not told */
	C_STRANGE,	/* exists, and cannot be described: complex numbers, vectors */
};

struct c_member {
	const char *name;		/* "" if it has none */
	struct c_type *type;
	uint64_t offset_bits;
	unsigned bits;			/* of a bit-field, otherwise 0 */
	const char *origin;
};

struct c_enumerator {
	const char *name;
	int64_t value;
};

struct c_type {
	enum c_kind kind;
	const char *name;		/* with its keyword: "struct order"; without a tag its typedef, or "" */
	uint64_t size;
	bool is_signed, is_char;
	struct c_type *target;
	int64_t count;			/* of an array; -1: flexible */
	struct c_member *members;
	size_t nmembers;
	struct c_enumerator *enumerators;
	size_t nenumerators;
	const char *origin;		/* "file:line", or "" */
};

/* The complete types called `name` (as in RT_REFLECT) in an object file; NULL if none is. Two of that name
 * that differ end the program. */
struct c_source;
struct c_source *c_source_dwarf(const char *path);	/* NULL: it has none */
struct c_source *c_source_btf(const char *path);
struct c_type *c_source_find(struct c_source *source, const char *name);

struct c_source {
	struct c_type *(*find)(struct c_source *source, const char *name);
};

/* Whether two types have the same members at the same places. */
bool c_type_same(const struct c_type *a, const struct c_type *b);

#endif
