/* A TOML 1.0 text as a tree. Format: https://toml.io/en/v1.0.0 */
#ifndef RT_REFLECT_TOML_TREE_H
#define RT_REFLECT_TOML_TREE_H

#include <stdbool.h>

#include "osprey/rt/reflect.h"

enum toml_kind {
	TOML_TABLE,
	TOML_ARRAY,
	TOML_STRING,
	TOML_DATE,	/* text: as written */
	TOML_WORD,	/* true, false, a number: text is JSON's, but for nan and inf */
};

struct toml_node {
	enum toml_kind kind;
	bool defined;			/* of a table: by a header or by dotted keys: not again by a header */
	bool header;			/* its header came: dotted keys add nothing from outside */
	bool closed;			/* written inline: nothing is added */
	bool tables;			/* an array of tables, by [[headers]] */
	unsigned depth;
	const char *from;		/* where it stands in the text */
	const char *key_from;
	const char *key, *text;
	size_t key_bytes, text_bytes;
	struct toml_node *parent, *next, *first, *last;
	struct toml_node *same_hash;
};

struct toml_chunk;

struct toml_tree {
	const struct rt_memory *memory;
	unsigned depth_most;
	struct toml_chunk *chunks;
	struct toml_node **buckets;	/* by table and key */
	size_t nbuckets, nkeys;
	struct toml_node *root;
	const char *p, *end;
	const char *problem_at;
	const char *problem;
};

/* 0; -EBADMSG, -EMSGSIZE: `problem` tells, at `problem_at`; -ENOMEM. To be given to toml_tree_deinit in any
 * case. */
int toml_tree_init(struct toml_tree *t, const char *text, size_t n, unsigned depth, const struct rt_memory *memory);
void toml_tree_deinit(struct toml_tree *t);

/* For the parts of the parser. */
int toml_problem(struct toml_tree *t, int code, const char *at, const char *problem);
void *toml_get(struct toml_tree *t, size_t bytes);

/* From a quote; one line only where it is a key. The text is UTF-8 already. */
int toml_string(struct toml_tree *t, bool is_key, const char **ret, size_t *ret_bytes);

/* true, a number, a date: fills kind and text. */
int toml_word(struct toml_tree *t, struct toml_node *ret);

#endif
