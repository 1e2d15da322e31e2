/* A small reader of TOML 1.0: what a configuration needs of it. Tables, dotted and quoted keys, basic and
 * literal strings, integers, floats, booleans, arrays of these. Left out, and refused by name: multi-line
 * strings, dates, inline tables, arrays of tables. Pure.
 * Format: https://toml.io/en/v1.0.0 */
#ifndef OSPREY_BASE_TOML_H
#define OSPREY_BASE_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/note.h"
#include "base/span.h"

enum toml_kind { TOML_STRING, TOML_INTEGER, TOML_FLOAT, TOML_BOOLEAN, TOML_ARRAY };

struct toml_value {
	enum toml_kind kind;
	unsigned line;
	const char *string; /* escapes undone; NUL within it is refused */
	int64_t integer;
	double real;
	bool boolean;
	const struct toml_value *items; /* of an array */
	size_t nitems;
};

struct toml_entry {
	const char *table; /* "colors", "a.b"; "": before the first table */
	const char *key;
	struct toml_value value;
};

struct toml {
	const struct toml_entry *entries; /* in the order of the file */
	size_t nentries;
};

/* 0; -EINVAL: `note` says the line and what is wrong; -ENOMEM. To be given to toml_free. */
int toml_parse(struct span text, struct toml **ret, struct note *note) __attribute__((warn_unused_result));
void toml_free(struct toml *t);
/* NULL: it is not there. */
const struct toml_value *toml_find(const struct toml *t, const char *table, const char *key);

#endif
