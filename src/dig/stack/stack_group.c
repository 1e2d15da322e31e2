#include "dig/stack/stack_group.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"

static bool runs(const struct thread_stack *t)
{
	return t->on_cpu || t->state == 'R' || t->way == STACK_PERF;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool equal(const struct thread_stack *a, const struct thread_stack *b)
{
	if (runs(a) != runs(b) || a->kernel_thread != b->kernel_thread || a->nframes != b->nframes ||
	    a->nkernel != b->nkernel || a->end != b->end || a->error != b->error || a->signal != b->signal)
		return false;
	for (size_t i = 0; i < a->nframes; i++)
		if (a->frames[i].pc != b->frames[i].pc)
			return false;
	return same_text(a->kernel_text, b->kernel_text) &&
	       (a->nkernel == 0 || memcmp(a->kernel, b->kernel, a->nkernel * sizeof *a->kernel) == 0);
}

static uint64_t hash(const struct thread_stack *t)
{
	uint64_t h = map_hash(&t->nframes, sizeof t->nframes);

	for (size_t i = 0; i < t->nframes; i++)
		h = h * 0x9e3779b97f4a7c15ull + t->frames[i].pc;
	return h ? h : 1;
}

struct member {
	uint64_t hash;
	size_t thread, first; /* of its equals */
};

/* Threads of one hash lie together; each is given the first that it equals: nearly always that of the whole run. */
static void find_equals(const struct process_stacks *s, struct member *m, size_t n)
{
	size_t start = 0;

	for (size_t i = 0; i < n; i++) {
		if (m[i].hash != m[start].hash)
			start = i;
		m[i].first = m[i].thread;
		for (size_t j = start; j < i && m[i].first == m[i].thread; j++)
			if (m[j].first == m[j].thread && equal(&s->threads.v[m[j].thread], &s->threads.v[m[i].thread]))
				m[i].first = m[j].thread;
	}
}

static int by_hash(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (x->thread > y->thread) - (x->thread < y->thread);
}

static int by_first(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (x->thread > y->thread) - (x->thread < y->thread);
}

static int by_weight(const void *a, const void *b, void *arg)
{
	const struct stack_group *x = a, *y = b;
	const struct process_stacks *s = arg;
	bool rx = runs(&s->threads.v[x->thread[0]]), ry = runs(&s->threads.v[y->thread[0]]);

	if (rx != ry)
		return rx ? -1 : 1;
	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return (x->thread[0] > y->thread[0]) - (x->thread[0] < y->thread[0]);
}

int stack_groups_make(const struct process_stacks *s, bool apart, struct stack_groups *ret)
{
	size_t n = s->threads.n;
	struct stack_groups g = { 0 };
	struct member *m = calloc(n ? n : 1, sizeof *m);

	g.storage = calloc(n ? n : 1, sizeof *g.storage);
	if (!m || !g.storage || (n && vec_reserve(&g.groups, n) < 0)) {
		free(m);
		stack_groups_deinit(&g);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		m[i] = (struct member){ hash(&s->threads.v[i]), i, i };
	if (!apart) {
		qsort(m, n, sizeof *m, by_hash);
		find_equals(s, m, n);
		qsort(m, n, sizeof *m, by_first);
	}
	for (size_t i = 0; i < n; i++) {
		g.storage[i] = m[i].thread;
		if (i == 0 || m[i].first != m[i - 1].first)
			g.groups.v[g.groups.n++] = (struct stack_group){ &g.storage[i], 0 };
		g.groups.v[g.groups.n - 1].n++;
	}
	/* The thread that ended the process comes first in a core; nothing there runs. */
	if (!apart && !s->core && g.groups.n)
		qsort_r(g.groups.v, g.groups.n, sizeof g.groups.v[0], by_weight, (void *)(uintptr_t)s);
	free(m);
	*ret = g;
	return 0;
}

void stack_groups_deinit(struct stack_groups *g)
{
	vec_free(&g->groups);
	free(g->storage);
	g->storage = NULL;
}
