#include "reflect/toml_tree.h"

#include <errno.h>
#include <string.h>

#include "reflect/memory.h"
#include "reflect/utf8.h"

#define CHUNK 4000u

struct toml_chunk {
	struct toml_chunk *next;
	size_t bytes, used;
	_Alignas(16) char room[];
};

int toml_problem(struct toml_tree *t, int code, const char *at, const char *problem)
{
	t->problem_at = at;
	t->problem = problem;
	return code;
}

void *toml_get(struct toml_tree *t, size_t bytes)
{
	struct toml_chunk *c = t->chunks;

	bytes = (bytes + 15) & ~(size_t)15;
	if (!c || c->bytes - c->used < bytes) {
		size_t room = bytes > CHUNK ? bytes : CHUNK;
		c = memory_get(t->memory, sizeof *c + room);
		if (!c)
			return NULL;
		*c = (struct toml_chunk){ .next = t->chunks, .bytes = room };
		t->chunks = c;
	}
	void *p = c->room + c->used;
	c->used += bytes;
	return p;
}

static size_t hash(const struct toml_node *table, const char *key, size_t n)
{
	uint64_t h = 0xcbf29ce484222325 ^ (uintptr_t)table;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)key[i]) * 0x100000001b3;
	return (size_t)(h ^ h >> 29);
}

static struct toml_node *find(const struct toml_tree *t, const struct toml_node *table, const char *key, size_t n)
{
	if (!t->nbuckets)
		return NULL;
	for (struct toml_node *i = t->buckets[hash(table, key, n) & (t->nbuckets - 1)]; i; i = i->same_hash)
		if (i->parent == table && i->key_bytes == n && memcmp(i->key, key, n) == 0)
			return i;
	return NULL;
}

static int buckets_grow(struct toml_tree *t)
{
	size_t n = t->nbuckets ? 2 * t->nbuckets : 64;
	struct toml_node **new = memory_get(t->memory, n * sizeof *new);

	if (!new)
		return toml_problem(t, -ENOMEM, t->p, "no memory");
	memset(new, 0, n * sizeof *new);
	for (size_t i = 0; i < t->nbuckets; i++) {
		for (struct toml_node *node = t->buckets[i], *next; node; node = next) {
			struct toml_node **to = &new[hash(node->parent, node->key, node->key_bytes) & (n - 1)];
			next = node->same_hash;
			node->same_hash = *to;
			*to = node;
		}
	}
	memory_put(t->memory, t->buckets, t->nbuckets * sizeof *new);
	t->buckets = new;
	t->nbuckets = n;
	return 0;
}

/* `key` NULL: an element. */
static int add(struct toml_tree *t, struct toml_node *parent, enum toml_kind kind, const char *key, size_t n, const char *from,
	       struct toml_node **ret)
{
	if (parent->depth == t->depth_most)
		return toml_problem(t, -EMSGSIZE, from, "nested too deep");
	struct toml_node *new = toml_get(t, sizeof *new);
	if (!new || (key && t->nkeys == t->nbuckets && buckets_grow(t) < 0))
		return toml_problem(t, -ENOMEM, t->p, "no memory");
	*new = (struct toml_node){ .kind = kind, .depth = parent->depth + 1, .from = from, .key_from = from, .key = key, .key_bytes = n,
				   .parent = parent };
	*(parent->last ? &parent->last->next : &parent->first) = new;
	parent->last = new;
	if (key) {
		struct toml_node **to = &t->buckets[hash(parent, key, n) & (t->nbuckets - 1)];
		new->same_hash = *to;
		*to = new;
		t->nkeys++;
	}
	*ret = new;
	return 0;
}

static void blanks(struct toml_tree *t)
{
	while (t->p < t->end && (*t->p == ' ' || *t->p == '\t'))
		t->p++;
}

static bool newline(struct toml_tree *t)
{
	if (t->end - t->p > 1 && t->p[0] == '\r' && t->p[1] == '\n')
		t->p++;
	else if (t->p == t->end || *t->p != '\n')
		return false;
	t->p++;
	return true;
}

static void comment(struct toml_tree *t)
{
	if (t->p < t->end && *t->p == '#')
		while (t->p < t->end && *t->p != '\n' && !(*t->p == '\r' && t->end - t->p > 1 && t->p[1] == '\n'))
			t->p++;
}

/* The rest of a line behind a statement. */
static int line_end(struct toml_tree *t)
{
	blanks(t);
	comment(t);
	if (t->p == t->end || newline(t))
		return 0;
	return toml_problem(t, -EBADMSG, t->p, "expected the end of the line");
}

/* Within an array. */
static void blank_lines(struct toml_tree *t)
{
	do {
		blanks(t);
		comment(t);
	} while (newline(t));
}

static bool is_bare(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static int simple_key(struct toml_tree *t, const char **ret, size_t *ret_bytes)
{
	const char *from = t->p;

	if (t->p < t->end && (*t->p == '"' || *t->p == '\''))
		return toml_string(t, true, ret, ret_bytes);
	while (t->p < t->end && is_bare(*t->p))
		t->p++;
	if (t->p == from)
		return toml_problem(t, -EBADMSG, from, "expected a key");
	*ret = from;
	*ret_bytes = (size_t)(t->p - from);
	return 0;
}

/* One step of a key with points: 1: a point follows. */
static int key_part(struct toml_tree *t, const char **ret, size_t *ret_bytes, const char **ret_from)
{
	blanks(t);
	*ret_from = t->p;
	int r = simple_key(t, ret, ret_bytes);
	if (r < 0)
		return r;
	blanks(t);
	if (t->p == t->end || *t->p != '.')
		return 0;
	t->p++;
	return 1;
}

static int value(struct toml_tree *t, struct toml_node *to);

static int array(struct toml_tree *t, struct toml_node *to)
{
	struct toml_node *element;

	to->kind = TOML_ARRAY;
	to->closed = true;
	for (t->p++;;) {
		blank_lines(t);
		if (t->p < t->end && *t->p == ']')
			break;
		int r = add(t, to, TOML_WORD, NULL, 0, t->p, &element);
		if (r == 0)
			r = value(t, element);
		if (r < 0)
			return r;
		blank_lines(t);
		if (t->p < t->end && *t->p == ']')
			break;
		if (t->p == t->end || *t->p != ',')
			return toml_problem(t, -EBADMSG, t->p, "expected ',' or ']'");
		t->p++;
	}
	t->p++;
	return 0;
}

static int key_value(struct toml_tree *t, struct toml_node *table);

static void close_all(struct toml_node *n)
{
	n->closed = true;
	for (struct toml_node *i = n->first; i; i = i->next)
		if (i->kind == TOML_TABLE && !i->closed)
			close_all(i);
}

static int inline_table(struct toml_tree *t, struct toml_node *to)
{
	to->kind = TOML_TABLE;
	t->p++;
	blanks(t);
	if (t->p < t->end && *t->p == '}') {
		t->p++;
		to->closed = true;
		return 0;
	}
	for (;;) {
		int r = key_value(t, to);
		if (r < 0)
			return r;
		blanks(t);
		if (t->p < t->end && *t->p == '}')
			break;
		if (t->p == t->end || *t->p != ',')
			return toml_problem(t, -EBADMSG, t->p, "expected ',' or '}'");
		t->p++;
	}
	t->p++;
	close_all(to);
	return 0;
}

static int value(struct toml_tree *t, struct toml_node *to)
{
	to->from = t->p;
	if (t->p == t->end)
		return toml_problem(t, -EBADMSG, t->p, "expected a value");
	switch (*t->p) {
	case '"':
	case '\'':
		to->kind = TOML_STRING;
		return toml_string(t, false, &to->text, &to->text_bytes);
	case '[':
		return array(t, to);
	case '{':
		return inline_table(t, to);
	default:
		return toml_word(t, to);
	}
}

/* a.b = 1: tables in between are made, and belong to these keys. */
static int key_value(struct toml_tree *t, struct toml_node *table)
{
	const char *key, *from;
	size_t n;
	struct toml_node *node;
	int more;

	while ((more = key_part(t, &key, &n, &from)) == 1) {
		node = find(t, table, key, n);
		if (!node) {
			int r = add(t, table, TOML_TABLE, key, n, from, &node);
			if (r < 0)
				return r;
		} else if (node->kind != TOML_TABLE || node->closed || node->header) {
			return toml_problem(t, -EBADMSG, from, "the key has a value already");
		}
		node->defined = true;
		table = node;
	}
	if (more < 0)
		return more;
	if (find(t, table, key, n))
		return toml_problem(t, -EBADMSG, from, "the key comes twice");
	if (t->p == t->end || *t->p != '=')
		return toml_problem(t, -EBADMSG, t->p, "expected '='");
	t->p++;
	blanks(t);
	int r = add(t, table, TOML_WORD, key, n, from, &node);
	return r < 0 ? r : value(t, node);
}

/* Into the table of a header, from outside: of an array of tables into its last. */
static int descend(struct toml_tree *t, struct toml_node **table, const char *key, size_t n, const char *from)
{
	struct toml_node *node = find(t, *table, key, n);

	if (!node) {
		int r = add(t, *table, TOML_TABLE, key, n, from, &node);
		if (r < 0)
			return r;
	}
	if (node->tables)
		node = node->last;
	if (node->kind != TOML_TABLE || node->closed)
		return toml_problem(t, -EBADMSG, from, "the key has a value that is no table");
	*table = node;
	return 0;
}

static int header_table(struct toml_tree *t, struct toml_node **table, const char *key, size_t n, const char *from)
{
	struct toml_node *node = find(t, *table, key, n);

	if (node && (node->kind != TOML_TABLE || node->closed || node->defined))
		return toml_problem(t, -EBADMSG, from, "the table has been defined");
	int r = node ? 0 : add(t, *table, TOML_TABLE, key, n, from, &node);
	if (r < 0)
		return r;
	node->defined = node->header = true;
	node->from = from;
	*table = node;
	return 0;
}

static int header_element(struct toml_tree *t, struct toml_node **table, const char *key, size_t n, const char *from)
{
	struct toml_node *node = find(t, *table, key, n);

	if (node && !node->tables)
		return toml_problem(t, -EBADMSG, from, "the key has a value that is no array of tables");
	int r = node ? 0 : add(t, *table, TOML_ARRAY, key, n, from, &node);
	if (r < 0)
		return r;
	node->tables = true;
	r = add(t, node, TOML_TABLE, NULL, 0, from, table);
	if (r == 0)
		(*table)->defined = (*table)->header = true;
	return r;
}

static int header(struct toml_tree *t, struct toml_node **ret_table)
{
	bool element = t->end - t->p > 1 && t->p[1] == '[';
	struct toml_node *table = t->root;
	const char *key, *from;
	size_t n;
	int r, more;

	t->p += 1 + element;
	do {
		more = key_part(t, &key, &n, &from);
		if (more < 0)
			return more;
		r = more ? descend(t, &table, key, n, from) : element ? header_element(t, &table, key, n, from) :
		    header_table(t, &table, key, n, from);
		if (r < 0)
			return r;
	} while (more);
	for (int i = 0; i <= element; i++, t->p++)
		if (t->p == t->end || *t->p != ']')
			return toml_problem(t, -EBADMSG, t->p, "expected ']'");
	*ret_table = table;
	return 0;
}

/* UTF-8 with no control characters but tabs and ends of lines: in all of the text, wherever it is. */
static int bytes_check(struct toml_tree *t)
{
	for (const char *p = t->p; p < t->end;) {
		unsigned char c = (unsigned char)*p;
		size_t n = c < 0x80 ? 1 : utf8_length((const unsigned char *)p, (size_t)(t->end - p));
		if (n == 0)
			return toml_problem(t, -EBADMSG, p, "not UTF-8");
		if ((c < 0x20 && c != '\t' && c != '\n' && !(c == '\r' && t->end - p > 1 && p[1] == '\n')) || c == 0x7f)
			return toml_problem(t, -EBADMSG, p, "a control character");
		p += n;
	}
	return 0;
}

static int document(struct toml_tree *t)
{
	struct toml_node *table = t->root;
	int r = bytes_check(t);

	while (r == 0 && t->p < t->end) {
		blanks(t);
		if (t->p < t->end && *t->p == '[')
			r = header(t, &table);
		else if (t->p < t->end && *t->p != '#' && *t->p != '\n' && *t->p != '\r')
			r = key_value(t, table);
		if (r == 0)
			r = line_end(t);
	}
	return r;
}

int toml_tree_init(struct toml_tree *t, const char *text, size_t n, unsigned depth, const struct rt_memory *memory)
{
	*t = (struct toml_tree){ .memory = memory, .depth_most = depth, .p = text, .end = text + n, .problem_at = text };
	t->root = toml_get(t, sizeof *t->root);
	if (!t->root)
		return toml_problem(t, -ENOMEM, text, "no memory");
	*t->root = (struct toml_node){ .kind = TOML_TABLE, .defined = true, .header = true, .from = text, .key_from = text };
	return document(t);
}

void toml_tree_deinit(struct toml_tree *t)
{
	memory_put(t->memory, t->buckets, t->nbuckets * sizeof *t->buckets);
	for (struct toml_chunk *c = t->chunks, *next; c; c = next) {
		next = c->next;
		memory_put(t->memory, c, sizeof *c + c->bytes);
	}
}
