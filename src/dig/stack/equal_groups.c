#include "dig/stack/equal_groups.h"

#include <errno.h>
#include <stdlib.h>

struct member {
	uint64_t hash;
	size_t at, first; /* of its equals */
};

static int by_hash(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static int by_first(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

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

/* Items of one hash lie together; each is given the first that it equals: nearly always that of the whole run. */
static void find_equals(const struct equal_items *items, struct member *m, size_t n)
{
	size_t start = 0;

	for (size_t i = 0; i < n; i++) {
		if (m[i].hash != m[start].hash)
			start = i;
		for (size_t j = start; j < i && m[i].first == m[i].at; j++)
			if (m[j].first == m[j].at && items->equal(items->of, m[j].at, m[i].at))
				m[i].first = m[j].at;
	}
}

static size_t collect(const struct equal_items *items, struct member *m)
{
	size_t n = 0;

	for (size_t i = 0; i < items->n; i++)
		if (!items->left_out || !items->left_out(items->of, i))
			m[n++] = (struct member){ items->hash(items->of, i), i, i };
	return n;
}

int equal_groups_make(const struct equal_items *items, bool apart, struct equal_groups *ret)
{
	size_t room = items->n ? items->n : 1;
	struct equal_groups g = { .storage = calloc(room, sizeof *g.storage) };
	struct member *m = calloc(room, sizeof *m);

	if (!m || !g.storage || vec_reserve(&g.groups, room) < 0) {
		free(m);
		equal_groups_deinit(&g);
		return -ENOMEM;
	}
	size_t n = collect(items, m);
	if (!apart) {
		qsort(m, n, sizeof *m, by_hash);
		find_equals(items, m, n);
		qsort(m, n, sizeof *m, by_first);
	}
	for (size_t i = 0; i < n; i++) {
		g.storage[i] = m[i].at;
		if (i == 0 || m[i].first != m[i - 1].first)
			g.groups.v[g.groups.n++] = (struct equal_group){ &g.storage[i], 0 };
		g.groups.v[g.groups.n - 1].n++;
	}
	if (!apart && items->ahead && g.groups.n)
		qsort_r(g.groups.v, g.groups.n, sizeof g.groups.v[0], by_weight, (void *)(uintptr_t)items);
	free(m);
	*ret = g;
	return 0;
}

void equal_groups_deinit(struct equal_groups *g)
{
	vec_free(&g->groups);
	free(g->storage);
	g->storage = NULL;
}
