#include "dig/profile/call_tree.h"

#include <errno.h>
#include <stdlib.h>

#define POOL_BYTES (64u << 10)

const char *call_unit_name(enum call_unit u)
{
	static const char *const names[] = { "samples", "nanoseconds", "bytes", "count" };

	return names[u];
}

int call_tree_init(struct call_tree *t, enum call_unit unit)
{
	*t = (struct call_tree){ .unit = unit };
	struct call_node *root = vec_push(&t->node);
	if (!root)
		return -ENOMEM;
	*root = (struct call_node){
		.frame = CALL_NONE, .parent = CALL_NONE, .first_child = CALL_NONE, .next_sibling = CALL_NONE,
	};
	return 0;
}

void call_tree_deinit(struct call_tree *t)
{
	vec_each(p, &t->pool)
		free(*p);
	vec_free(&t->pool);
	vec_free(&t->name);
	vec_free(&t->frame);
	vec_free(&t->next_alike);
	vec_free(&t->node);
	map_deinit(&t->frames);
	map_deinit(&t->children);
	map_deinit(&t->names);
	*t = (struct call_tree){ 0 };
}

/* ---- names ---- */

static int pool_take(struct call_tree *t, size_t n, char **ret)
{
	bool large = n > POOL_BYTES / 8;

	if (large || n > t->pool_left) {
		char **chunk = vec_push(&t->pool);
		if (!chunk)
			return -ENOMEM;
		*chunk = malloc(large ? n : POOL_BYTES);
		if (!*chunk)
			return -ENOMEM;
		if (large) {
			*ret = *chunk;
			/* The chunk in use stays the last. */
			if (t->pool.n > 1) {
				char *mine = *chunk;
				*chunk = t->pool.v[t->pool.n - 2];
				t->pool.v[t->pool.n - 2] = mine;
			}
			return 0;
		}
		t->pool_left = POOL_BYTES;
	}
	*ret = t->pool.v[t->pool.n - 1] + (POOL_BYTES - t->pool_left);
	t->pool_left -= n;
	return 0;
}

int call_tree_name(struct call_tree *t, struct span name, const char **ret)
{
	uint64_t key = map_hash(name.p, name.n);
	uint32_t first = map_get(&t->names, key);
	char *copy;

	for (uint32_t i = first; i != MAP_NONE; i = t->name.v[i].next_alike) {
		if (strlen(t->name.v[i].text) == name.n && memcmp(t->name.v[i].text, name.p, name.n) == 0) {
			*ret = t->name.v[i].text;
			return 0;
		}
	}
	struct call_name *n = vec_push(&t->name);
	int r = n ? pool_take(t, name.n + 1, &copy) : -ENOMEM;
	if (r == 0)
		r = map_set(&t->names, key, (uint32_t)(t->name.n - 1));
	if (r < 0) {
		t->name.n -= n != NULL;
		return r;
	}
	memcpy(copy, name.p, name.n);
	copy[name.n] = '\0';
	*n = (struct call_name){ copy, first };
	*ret = copy;
	return 0;
}

static int intern(struct call_tree *t, const char **name)
{
	struct span s = span_from(*name ? *name : "");

	return call_tree_name(t, s, name);
}

/* ---- frames and nodes ---- */

static bool frame_equal(const struct call_frame *a, const struct call_frame *b)
{
	return a->function == b->function && a->module == b->module && a->file == b->file && a->line == b->line &&
	       a->kind == b->kind && a->inlined == b->inlined;
}

int call_tree_frame(struct call_tree *t, const struct call_frame *f, uint32_t *ret)
{
	struct call_frame own = *f;
	int r;

	if (!t->by_line)
		own.line = 0;
	if ((r = intern(t, &own.function)) < 0 || (r = intern(t, &own.module)) < 0 || (r = intern(t, &own.file)) < 0)
		return r;
	const uint64_t identity[] = { (uintptr_t)own.function, (uintptr_t)own.module, (uintptr_t)own.file, own.line,
				      (uint64_t)own.kind << 1 | own.inlined };
	uint64_t key = map_hash(identity, sizeof identity);
	uint32_t first = map_get(&t->frames, key);
	for (uint32_t i = first; i != MAP_NONE; i = t->next_alike.v[i]) {
		if (frame_equal(&t->frame.v[i], &own)) {
			*ret = i;
			return 0;
		}
	}
	if (vec_reserve(&t->frame, 1) < 0 || vec_reserve(&t->next_alike, 1) < 0 ||
	    map_set(&t->frames, key, (uint32_t)t->frame.n) < 0)
		return -ENOMEM;
	*ret = (uint32_t)t->frame.n;
	t->frame.v[t->frame.n++] = own;
	t->next_alike.v[t->next_alike.n++] = first;
	return 0;
}

int call_tree_child(struct call_tree *t, uint32_t node, uint32_t frame, uint32_t *ret)
{
	/* Both are below 2^32 - 1, so it is unique, and never 0. */
	uint64_t key = (uint64_t)node << 32 | (frame + 1u);
	uint32_t known = map_get(&t->children, key);

	if (known != MAP_NONE) {
		*ret = known;
		return 0;
	}
	if (vec_reserve(&t->node, 1) < 0 || map_set(&t->children, key, (uint32_t)t->node.n) < 0)
		return -ENOMEM;
	struct call_node *parent = &t->node.v[node];
	*ret = (uint32_t)t->node.n++;
	t->node.v[*ret] = (struct call_node){
		.frame = frame, .parent = node, .first_child = CALL_NONE, .next_sibling = parent->first_child,
	};
	parent->first_child = *ret;
	return 0;
}

int call_tree_add(struct call_tree *t, const uint32_t *frames, size_t n, uint64_t weight, uint32_t *ret_node)
{
	uint32_t at = CALL_ROOT;

	for (size_t i = 0; i < n; i++) {
		int r = call_tree_child(t, at, frames[i], &at);
		if (r < 0)
			return r;
	}
	t->node.v[at].self += weight;
	*ret_node = at;
	return 0;
}

int call_tree_merge(struct call_tree *t, const struct call_tree *from)
{
	VEC(uint32_t) to = { 0 }; /* of each node of `from`, the node here */
	int r = vec_reserve(&to, from->node.n);

	for (size_t i = 0; r == 0 && i < from->node.n; i++) {
		const struct call_node *n = &from->node.v[i];
		uint32_t frame;

		to.v[i] = CALL_ROOT;
		if (i != CALL_ROOT && (r = call_tree_frame(t, &from->frame.v[n->frame], &frame)) == 0)
			r = call_tree_child(t, to.v[n->parent], frame, &to.v[i]);
		if (r == 0)
			t->node.v[to.v[i]].self += n->self;
	}
	vec_free(&to);
	return r;
}

/* ---- sums ---- */


static int frames_by_name(const struct call_frame *a, const struct call_frame *b)
{
	int by = strcmp(a->function, b->function);

	if (by == 0)
		by = strcmp(a->module, b->module);
	if (by == 0)
		by = strcmp(a->file, b->file);
	if (by == 0)
		by = (a->line > b->line) - (a->line < b->line);
	if (by == 0)
		by = ((int)a->kind * 2 + a->inlined) - ((int)b->kind * 2 + b->inlined);
	return by;
}

static int heaviest_first(const void *a, const void *b, void *arg)
{
	const struct call_tree *t = arg;
	const struct call_node *na = &t->node.v[*(const uint32_t *)a], *nb = &t->node.v[*(const uint32_t *)b];

	if (na->total != nb->total)
		return na->total < nb->total ? 1 : -1;
	if (na->before_total != nb->before_total)
		return na->before_total < nb->before_total ? 1 : -1;
	return frames_by_name(&t->frame.v[na->frame], &t->frame.v[nb->frame]);
}

static int sort_children(struct call_tree *t, uint32_t node, call_stack *scratch)
{
	scratch->n = 0;
	for (uint32_t c = t->node.v[node].first_child; c != CALL_NONE; c = t->node.v[c].next_sibling) {
		uint32_t *slot = vec_push(scratch);
		if (!slot)
			return -ENOMEM;
		*slot = c;
	}
	if (scratch->n < 2)
		return 0;
	qsort_r(scratch->v, scratch->n, sizeof scratch->v[0], heaviest_first, t);
	uint32_t *link = &t->node.v[node].first_child;
	vec_each(c, scratch) {
		*link = *c;
		link = &t->node.v[*c].next_sibling;
	}
	*link = CALL_NONE;
	return 0;
}

int call_tree_sum(struct call_tree *t)
{
	call_stack scratch = { 0 };
	int r = 0;

	vec_each(n, &t->node) {
		n->total = n->self;
		n->before_total = n->before_self;
	}
	for (size_t i = t->node.n; i-- > 1;) {
		struct call_node *n = &t->node.v[i], *parent = &t->node.v[n->parent];

		parent->total += n->total;
		parent->before_total += n->before_total;
	}
	for (size_t i = 0; r == 0 && i < t->node.n; i++)
		r = sort_children(t, (uint32_t)i, &scratch);
	vec_free(&scratch);
	return r;
}

/* ---- walks ---- */

uint32_t call_tree_next(const struct call_tree *t, uint32_t top, uint32_t node, unsigned *ret_depth)
{
	unsigned depth = ret_depth ? *ret_depth : 0;

	if (t->node.v[node].first_child != CALL_NONE) {
		node = t->node.v[node].first_child;
		depth++;
	} else {
		while (node != top && t->node.v[node].next_sibling == CALL_NONE) {
			node = t->node.v[node].parent;
			depth--;
		}
		if (node == top)
			return CALL_NONE;
		node = t->node.v[node].next_sibling;
	}
	if (ret_depth)
		*ret_depth = depth;
	return node;
}

int call_tree_stack(const struct call_tree *t, uint32_t node, call_stack *ret)
{
	ret->n = 0;
	for (; node != CALL_ROOT; node = t->node.v[node].parent) {
		uint32_t *slot = vec_push(ret);
		if (!slot)
			return -ENOMEM;
		*slot = t->node.v[node].frame;
	}
	for (size_t i = 0; i < ret->n / 2; i++) {
		uint32_t swap = ret->v[i];
		ret->v[i] = ret->v[ret->n - 1 - i];
		ret->v[ret->n - 1 - i] = swap;
	}
	return 0;
}

/* Frames of one function: lines and inlining do not tell functions apart. Of each frame its function's number. */
static int number_functions(const struct call_tree *t, call_functions *ret, call_stack *ret_of_frame)
{
	struct map seen = { 0 };
	VEC(uint32_t) alike = { 0 };
	int r = vec_reserve(ret_of_frame, t->frame.n);

	for (uint32_t i = 0; r == 0 && i < t->frame.n; i++) {
		const struct call_frame *f = &t->frame.v[i];
		const uintptr_t identity[] = { (uintptr_t)f->function, (uintptr_t)f->module, f->kind };
		uint64_t key = map_hash(identity, sizeof identity);
		uint32_t first = map_get(&seen, key), at = first;

		for (; at != MAP_NONE; at = alike.v[at]) {
			const struct call_frame *g = &t->frame.v[ret->v[at].frame];
			if (g->function == f->function && g->module == f->module && g->kind == f->kind)
				break;
		}
		if (at == MAP_NONE) {
			struct call_function *new = vec_push(ret);
			uint32_t *link = new ? vec_push(&alike) : NULL;
			if (!link || map_set(&seen, key, at = (uint32_t)(ret->n - 1)) < 0) {
				r = -ENOMEM;
				break;
			}
			new->frame = i;
			*link = first;
		}
		ret_of_frame->v[ret_of_frame->n++] = at;
	}
	map_deinit(&seen);
	vec_free(&alike);
	return r;
}


static int hottest_first(const void *a, const void *b, void *arg)
{
	const struct call_function *fa = a, *fb = b;
	const struct call_tree *t = arg;

	if (fa->self != fb->self)
		return fa->self < fb->self ? 1 : -1;
	if (fa->total != fb->total)
		return fa->total < fb->total ? 1 : -1;
	return frames_by_name(&t->frame.v[fa->frame], &t->frame.v[fb->frame]);
}

/* A node counts for its function's total where no node above is of the same one. `open` counts those on the path. */
static void add_up(const struct call_tree *t, const call_stack *of_frame, uint32_t *open, call_functions *ret)
{
	uint32_t node = CALL_ROOT;

	for (;;) {
		const struct call_node *n = &t->node.v[node];

		if (node != CALL_ROOT) {
			uint32_t at = of_frame->v[n->frame];
			struct call_function *f = &ret->v[at];

			f->self += n->self;
			f->before_self += n->before_self;
			if (open[at]++ == 0) {
				f->total += n->total;
				f->before_total += n->before_total;
			}
		}
		if (n->first_child != CALL_NONE) {
			node = n->first_child;
			continue;
		}
		while (node != CALL_ROOT) {
			open[of_frame->v[t->node.v[node].frame]]--;
			if (t->node.v[node].next_sibling != CALL_NONE)
				break;
			node = t->node.v[node].parent;
		}
		if (node == CALL_ROOT)
			return;
		node = t->node.v[node].next_sibling;
	}
}

int call_tree_functions(const struct call_tree *t, call_functions *ret)
{
	call_stack of_frame = { 0 };
	uint32_t *open = NULL;
	size_t kept = 0;

	ret->n = 0;
	int r = number_functions(t, ret, &of_frame);
	if (r == 0 && !(open = calloc(ret->n + 1, sizeof *open)))
		r = -ENOMEM;
	if (r == 0) {
		add_up(t, &of_frame, open, ret);
		for (size_t i = 0; i < ret->n; i++)
			if (t->frame.v[ret->v[i].frame].kind != CALL_GROUP)
				ret->v[kept++] = ret->v[i];
		ret->n = kept;
		if (kept)
			qsort_r(ret->v, ret->n, sizeof ret->v[0], hottest_first, (void *)t);
	}
	free(open);
	vec_free(&of_frame);
	return r;
}

int call_frame_label(const struct call_frame *f, struct buf *ret)
{
	if (f->function[0])
		return buf_append(ret, f->function, strlen(f->function));
	if (!f->module[0])
		return buf_append(ret, "[unknown]", 9);
	return f->module[0] == '[' ? buf_append(ret, f->module, strlen(f->module)) : buf_printf(ret, "[%s]", f->module);
}
