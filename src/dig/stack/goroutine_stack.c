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
	size_t n = go_walk(g->runtime, &memory, t->registers.value[UNWIND_RIP],
			   t->registers.value[UNWIND_RSP], true, frames,
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

static const struct goroutine *goroutine_at(const void *of, size_t i)
{
	return &((const struct goroutine_stacks *)of)->all.goroutine.v[i];
}

static bool of_runtime(const void *of, size_t i)
{
	return goroutine_at(of, i)->system;
}

static bool goroutine_runs(const void *of, size_t i)
{
	return runs(goroutine_at(of, i));
}

static bool goroutines_equal(const void *of, size_t i, size_t j)
{
	const struct goroutine_stacks *g = of;
	const struct goroutine *a = goroutine_at(of, i), *b = goroutine_at(of, j);

	if (a->status != b->status || a->nframes != b->nframes || a->system != b->system ||
	    a->created_pc != b->created_pc ||
	    strcmp(a->wait_reason, b->wait_reason) != 0)
		return false;
	for (size_t k = 0; k < a->nframes; k++)
		if (g->all.frame.v[a->first + k].pc != g->all.frame.v[b->first + k].pc)
			return false;
	return true;
}

static uint64_t goroutine_hash(const void *of, size_t i)
{
	const struct goroutine_stacks *g = of;
	const struct goroutine *r = goroutine_at(of, i);
	uint64_t h = map_hash(&r->status, sizeof r->status);

	for (size_t k = 0; k < r->nframes; k++)
		h = h * 0x9e3779b97f4a7c15ull + g->all.frame.v[r->first + k].pc;
	return h;
}

static int make_groups(struct goroutine_stacks *g, bool apart, bool system)
{
	struct equal_items items = { .n = g->all.goroutine.n, .of = g, .left_out = system ? NULL : of_runtime,
				     .hash = goroutine_hash, .equal = goroutines_equal, .ahead = goroutine_runs };

	return equal_groups_make(&items, apart, &g->equal);
}

int goroutine_stacks_take(const struct process_stacks *s, bool apart, bool system,
			  struct goroutine_stacks **ret, struct note *note)
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
	equal_groups_deinit(&g->equal);
	free(g);
}
