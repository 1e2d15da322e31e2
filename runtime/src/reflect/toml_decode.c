/* TOML, by way of the JSON that means the same, with a table of what came from where. */
#include <errno.h>
#include <string.h>

#include "osprey/rt/toml.h"
#include "reflect/json_decode.h"
#include "reflect/memory.h"
#include "reflect/problem.h"
#include "reflect/toml_tree.h"

#define TEXT_BYTES ((size_t)16 << 20)

struct origin {
	size_t json, toml;
};

struct turned {
	const struct rt_memory *memory;
	const char *toml;
	char *text;
	size_t n, room;
	struct origin *origins;
	size_t norigins, origins_room;
	bool no_memory;
};

/* Grows an array by doubling; false without memory. */
static bool room(const struct rt_memory *m, void *array, size_t used, size_t wanted, size_t *bytes)
{
	if (wanted <= *bytes)
		return true;
	size_t size = *bytes ? *bytes : 1024;
	while (size < wanted)
		size *= 2;
	void *old, *new = memory_get(m, size);
	if (!new)
		return false;
	memcpy(&old, array, sizeof old);
	if (used)
		memcpy(new, old, used);
	memory_put(m, old, *bytes);
	memcpy(array, &new, sizeof new);
	*bytes = size;
	return true;
}

static void put(struct turned *t, const char *p, size_t n)
{
	t->no_memory |= t->no_memory || !room(t->memory, &t->text, t->n, t->n + n, &t->room);
	if (t->no_memory)
		return;
	memcpy(t->text + t->n, p, n);
	t->n += n;
}

static void mark(struct turned *t, const char *from)
{
	size_t used = t->norigins * sizeof *t->origins;

	t->no_memory |= t->no_memory || !room(t->memory, &t->origins, used, used + sizeof *t->origins, &t->origins_room);
	if (!t->no_memory)
		t->origins[t->norigins++] = (struct origin){ t->n, (size_t)(from - t->toml) };
}

static void put_string(struct turned *t, const char *p, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	const char *end = p + n;

	put(t, "\"", 1);
	while (p < end) {
		const char *plain = p;
		while (p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\')
			p++;
		put(t, plain, (size_t)(p - plain));
		if (p == end)
			break;
		char escape[6] = { '\\', 'u', '0', '0', hex[*p >> 4 & 15], hex[*p & 15] };
		put(t, escape, 6);
		p++;
	}
	put(t, "\"", 1);
}

static void node_put(struct turned *t, const struct toml_node *node)
{
	bool table = node->kind == TOML_TABLE;

	mark(t, node->from);
	if (node->kind == TOML_STRING || node->kind == TOML_DATE) {
		put_string(t, node->text, node->text_bytes);
		return;
	}
	if (node->kind == TOML_WORD) {
		put(t, node->text, node->text_bytes);
		return;
	}
	put(t, table ? "{" : "[", 1);
	for (const struct toml_node *i = node->first; i && !t->no_memory; i = i->next) {
		if (i != node->first)
			put(t, ",", 1);
		if (table) {
			mark(t, i->key_from);
			put_string(t, i->key, i->key_bytes);
			put(t, ":", 1);
		}
		node_put(t, i);
	}
	put(t, table ? "}" : "]", 1);
}

static size_t origin_of(const struct turned *t, size_t json)
{
	size_t low = 0, high = t->norigins;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;
		if (t->origins[middle].json <= json)
			low = middle;
		else
			high = middle;
	}
	return t->norigins ? t->origins[low].toml : 0;
}

static int parsed(const struct toml_tree *tree, const struct rt_type *type, const char *text, size_t n, struct rt_decode_options *o, void *ret,
		  void **ret_new, struct rt_problem *ret_problem)
{
	struct turned t = { .memory = tree->memory, .toml = text };
	struct rt_problem problem;
	int r = -ENOMEM;

	node_put(&t, tree->root);
	if (t.no_memory) {
		problem_set(ret_problem, NULL, "no memory");
	} else {
		o->text_bytes = t.n;
		r = json_decode(type, t.text, t.n, o, true, ret, ret_new, &problem);
		if (r < 0 && ret_problem) {
			*ret_problem = problem;
			problem_locate(ret_problem, text, n, origin_of(&t, problem.offset));
		}
	}
	memory_put(t.memory, t.text, t.room);
	memory_put(t.memory, t.origins, t.origins_room);
	return r;
}

static int decode(const struct rt_type *type, const char *text, size_t n, const struct rt_decode_options *options, void *ret, void **ret_new,
		  struct rt_problem *ret_problem)
{
	struct rt_decode_options o = { 0 };
	struct toml_tree tree;

	if (options)
		o = *options;
	size_t most = o.text_bytes && o.text_bytes < TEXT_BYTES ? o.text_bytes : TEXT_BYTES;
	if (n > most) {
		problem_set(ret_problem, NULL, "a text of %zu bytes is too long", n);
		problem_locate(ret_problem, text, n, 0);
		return -EMSGSIZE;
	}
	unsigned depth = o.depth ? o.depth : RT_DEPTH;
	int r = toml_tree_init(&tree, text, n, depth < RT_DEPTH_MOST ? depth : RT_DEPTH_MOST, memory_passing(o.memory));
	if (r < 0) {
		problem_set(ret_problem, NULL, "%s", tree.problem);
		problem_locate(ret_problem, text, n, (size_t)(tree.problem_at - text));
	} else {
		r = parsed(&tree, type, text, n, &o, ret, ret_new, ret_problem);
	}
	toml_tree_deinit(&tree);
	return r;
}

int rt_toml_decode(const struct rt_type *type, const char *text, size_t n, const struct rt_decode_options *options, void *ret,
		   struct rt_problem *ret_problem)
{
	return decode(type, text, n, options, ret, NULL, ret_problem);
}

int rt_toml_decode_new(const struct rt_type *type, const char *text, size_t n, const struct rt_decode_options *options, void **ret,
		       struct rt_problem *ret_problem)
{
	return decode(type, text, n, options, NULL, ret, ret_problem);
}
