/* What RT_REFLECT leaves in the section .rt_tags of an object: "file:line" and "struct order, (id, required),
 * …" by turns. */
#ifndef TYPES_TAGS_H
#define TYPES_TAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "c_type.h"

/* required, or name = "x". */
struct tag {
	const char *word;
	const char *value;	/* as written, NULL without */
	bool used;
};

struct tag_member {
	const char *path;	/* "id", "payload.card", "*" */
	struct tag *tags;
	size_t ntags;
	bool used;
};

struct annotation {
	const char *type;	/* "struct order" */
	const char *origin;
	const char *text;
	struct tag_member *members;
	size_t nmembers;
};

struct annotations {
	struct annotation *all;
	size_t n;
};

/* Adds those of an object file; what does not parse is complained about. The same one from several objects is
 * kept once. */
void annotations_read(const char *path, struct annotations *to);

/* NULL without. */
struct tag_member *annotation_member(struct annotation *a, const char *path);
struct tag *tag_of(struct tag_member *m, const char *word);

/* The value of a constant expression of C (literals, operators on integers, casts, enumerators of the types
 * given, which may be NULL). */
bool value_integer(const char *text, const struct c_type *enumeration, __int128 *ret);
bool value_float(const char *text, double *ret);

/* A string literal, several beside each other too. */
bool value_string(const char *text, char **ret);

#endif
