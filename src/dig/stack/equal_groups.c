#include "dig/stack/equal_groups.h"

#include <errno.h>
#include <stdlib.h>

#include "base/huge_pages.h"
#include "base/map.h"

#define LEFT_OUT UINT32_MAX

/* What is equal. */
struct kind {
	size_t first, n;
	size_t *at; /* where its next member goes */
	uint32_t next; /* of the same hash, + 1 */
};

struct sorting {
	const struct equal_items *items;
	uint32_t *kind_of; /* beside the items */
	VEC(struct kind) kind;
	struct map by_hash; /* the last kind of a hash */
	size_t n; /* items that are not left out */
};

static int by_weight(const void *a, const void *b, void *arg)
{
	const struct equal_group *x = a, *y = b;
	const struct equal_items *items = arg;
	bool ax = items->ahead(items->of, x->member[0]), ay = items->ahead(items->of, y->member[0]);

	if (ax != ay)
		return ax ? -1 : 1;
	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return (x->member[0] > y->member[0]) - (x->member[0] < y->member[0]);
}

/* The one it equals, or a new one. */
static int find_kind(struct sorting *s, size_t i, bool apart, uint32_t *ret)
{
	uint64_t hash = apart ? 0 : s->items->hash(s->items->of, i);
	uint32_t last = MAP_NONE;

	hash = hash ? hash : 1;
	if (!apart)
		last = map_get(&s->by_hash, hash);
	for (uint32_t k = last; k != MAP_NONE; k = s->kind.v[k].next ? s->kind.v[k].next - 1 : MAP_NONE)
		if (s->items->equal(s->items->of, s->kind.v[k].first, i)) {
			*ret = k;
			return 0;
		}
	struct kind *new = vec_push(&s->kind);
	if (!new)
		return -ENOMEM;
	*new = (struct kind){ .first = i, .next = last == MAP_NONE ? 0 : last + 1 };
	*ret = (uint32_t)(s->kind.n - 1);
	return apart ? 0 : map_set(&s->by_hash, hash, *ret);
}

static int sort_items(struct sorting *s, bool apart)
{
	for (size_t i = 0; i < s->items->n; i++) {
		s->kind_of[i] = LEFT_OUT;
		if (s->items->left_out && s->items->left_out(s->items->of, i))
			continue;
		if (find_kind(s, i, apart, &s->kind_of[i]) < 0)
			return -ENOMEM;
		s->kind.v[s->kind_of[i]].n++;
		s->n++;
	}
	return 0;
}

/* Groups stand in the order of their first members, and these in that of the items. */
static int fill_groups(struct sorting *s, struct equal_groups *g)
{
	size_t *at;

	at = g->storage = malloc((s->n + 1) * sizeof *g->storage);
	if (!at || vec_reserve(&g->groups, s->kind.n) < 0)
		return -ENOMEM;
	memory_will_fill(at, s->n * sizeof *at);
	vec_each(k, &s->kind) {
		g->groups.v[g->groups.n++] = (struct equal_group){ at, k->n };
		k->at = at;
		at += k->n;
	}
	for (size_t i = 0; i < s->items->n; i++)
		if (s->kind_of[i] != LEFT_OUT)
			*s->kind.v[s->kind_of[i]].at++ = i;
	return 0;
}

int equal_groups_make(const struct equal_items *items, bool apart, struct equal_groups *ret)
{
	struct equal_groups g = { 0 };
	struct sorting s = { .items = items, .kind_of = malloc((items->n + 1) * sizeof *s.kind_of) };
	int rc = s.kind_of ? sort_items(&s, apart) : -ENOMEM;

	if (rc == 0)
		rc = fill_groups(&s, &g);
	if (rc == 0 && !apart && items->ahead && g.groups.n)
		qsort_r(g.groups.v, g.groups.n, sizeof g.groups.v[0], by_weight, (void *)(uintptr_t)items);
	free(s.kind_of);
	vec_free(&s.kind);
	map_deinit(&s.by_hash);
	if (rc < 0) {
		equal_groups_deinit(&g);
		return rc;
	}
	*ret = g;
	return 0;
}

void equal_groups_deinit(struct equal_groups *g)
{
	vec_free(&g->groups);
	free(g->storage);
	g->storage = NULL;
}
