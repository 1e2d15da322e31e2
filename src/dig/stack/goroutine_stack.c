#include "dig/stack/goroutine_stack.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"

/* ---- those that run ---- */

struct thread_memory {
	const struct process_stacks *stacks;
	const struct thread_stack *thread;
};

static int read_thread(void *arg, uint64_t address, void *to, size_t n)
{
	const struct thread_memory *m = arg;
	const struct thread_stack *t = m->thread;
	uint64_t sp = t->registers.value[UNWIND_RSP];

	if (address >= sp && n <= t->nbytes && address - sp <= t->nbytes - n) {
		memcpy(to, t->bytes + (address - sp), n);
		return 0;
	}
	return process_stacks_read(m->stacks, address, to, n) < 0 ? -EFAULT : 0;
}

static const struct thread_stack *thread_inside(const struct process_stacks *s, int tid)
{
	vec_each(t, &s->threads)
		if (tid && (t->tid_inside ? t->tid_inside : t->tid) == tid)
			return t;
	return NULL;
}

static int take_running(const struct process_stacks *s, struct goroutine_stacks *g, struct goroutine *r)
{
	const struct thread_stack *t = thread_inside(s, r->tid);
	struct unwind_frame frames[GO_FRAMES_MAX];
	struct thread_memory of = { s, t };
	struct unwind_memory memory = { read_thread, &of };

	if (!t || !t->registers.known)
		return 0;
	size_t n = go_walk(g->runtime, &memory, t->registers.value[UNWIND_RIP], t->registers.value[UNWIND_RSP], true, frames,
			   GO_FRAMES_MAX, &r->end);
	if (vec_reserve(&g->all.frame, n) < 0)
		return -ENOMEM;
	r->first = g->all.frame.n;
	r->nframes = n;
	r->torn = t->torn;
	memcpy(g->all.frame.v + g->all.frame.n, frames, n * sizeof *frames);
	g->all.frame.n += n;
	return 0;
}

/* ---- groups ---- */

static bool runs(const struct goroutine *r)
{
	return r->status == GO_RUNNING;
}

static bool equal(const struct goroutine_stacks *g, const struct goroutine *a, const struct goroutine *b)
{
	if (a->status != b->status || a->nframes != b->nframes || a->system != b->system || a->created_pc != b->created_pc ||
	    strcmp(a->wait_reason, b->wait_reason) != 0)
		return false;
	for (size_t i = 0; i < a->nframes; i++)
		if (g->all.frame.v[a->first + i].pc != g->all.frame.v[b->first + i].pc)
			return false;
	return true;
}

static uint64_t hash(const struct goroutine_stacks *g, const struct goroutine *r)
{
	uint64_t h = map_hash(&r->status, sizeof r->status);

	for (size_t i = 0; i < r->nframes; i++)
		h = h * 0x9e3779b97f4a7c15ull + g->all.frame.v[r->first + i].pc;
	return h ? h : 1;
}

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

static void find_equals(const struct goroutine_stacks *g, struct member *m, size_t n)
{
	size_t start = 0;

	for (size_t i = 0; i < n; i++) {
		if (m[i].hash != m[start].hash)
			start = i;
		m[i].first = m[i].at;
		for (size_t j = start; j < i && m[i].first == m[i].at; j++)
			if (m[j].first == m[j].at && equal(g, &g->all.goroutine.v[m[j].at], &g->all.goroutine.v[m[i].at]))
				m[i].first = m[j].at;
	}
}

static int by_weight(const void *a, const void *b, void *arg)
{
	const struct goroutine_group *x = a, *y = b;
	const struct goroutine_stacks *g = arg;
	bool rx = runs(&g->all.goroutine.v[x->member[0]]), ry = runs(&g->all.goroutine.v[y->member[0]]);

	if (rx != ry)
		return rx ? -1 : 1;
	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return (x->member[0] > y->member[0]) - (x->member[0] < y->member[0]);
}

static int make_groups(struct goroutine_stacks *g, bool apart, bool system)
{
	size_t all = g->all.goroutine.n, n = 0;
	struct member *m = calloc(all ? all : 1, sizeof *m);

	g->storage = calloc(all ? all : 1, sizeof *g->storage);
	if (!m || !g->storage || (all && vec_reserve(&g->groups, all) < 0)) {
		free(m);
		return -ENOMEM;
	}
	for (size_t i = 0; i < all; i++)
		if (system || !g->all.goroutine.v[i].system)
			m[n++] = (struct member){ hash(g, &g->all.goroutine.v[i]), i, i };
	if (!apart) {
		qsort(m, n, sizeof *m, by_hash);
		find_equals(g, m, n);
		qsort(m, n, sizeof *m, by_first);
	}
	for (size_t i = 0; i < n; i++) {
		g->storage[i] = m[i].at;
		if (i == 0 || m[i].first != m[i - 1].first)
			g->groups.v[g->groups.n++] = (struct goroutine_group){ &g->storage[i], 0 };
		g->groups.v[g->groups.n - 1].n++;
	}
	if (!apart && g->groups.n)
		qsort_r(g->groups.v, g->groups.n, sizeof g->groups.v[0], by_weight, g);
	free(m);
	return 0;
}

int goroutine_stacks_take(const struct process_stacks *s, bool apart, bool system, struct goroutine_stacks **ret, struct note *note)
{
	struct goroutine_stacks *g;
	int r;

	if (!s->space)
		return -ENOENT;
	g = calloc(1, sizeof *g);
	if (!g)
		return -ENOMEM;
	r = go_runtime_find(s->space, &g->runtime, note);
	if (r >= 0)
		r = go_goroutines_read(g->runtime, &g->all, note);
	for (size_t i = 0; r >= 0 && i < g->all.goroutine.n; i++) {
		struct goroutine *one = &g->all.goroutine.v[i];
		g->running += runs(one);
		g->system += one->system;
		if (runs(one))
			r = take_running(s, g, one);
	}
	if (r >= 0)
		r = make_groups(g, apart, system);
	if (r < 0) {
		goroutine_stacks_free(g);
		return r;
	}
	*ret = g;
	return 0;
}

void goroutine_stacks_free(struct goroutine_stacks *g)
{
	if (!g)
		return;
	goroutines_deinit(&g->all);
	go_runtime_free(g->runtime);
	vec_free(&g->groups);
	free(g->storage);
	free(g);
}
