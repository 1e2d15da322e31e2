#include "dig/stack/stack_group.h"

#include <string.h>

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

static bool thread_runs(const void *of, size_t i)
{
	return runs(&((const struct process_stacks *)of)->threads.v[i]);
}

static bool threads_equal(const void *of, size_t i, size_t j)
{
	const struct process_stacks *s = of;

	return equal(&s->threads.v[i], &s->threads.v[j]);
}

static uint64_t thread_hash(const void *of, size_t i)
{
	const struct thread_stack *t = &((const struct process_stacks *)of)->threads.v[i];
	uint64_t h = map_hash(&t->nframes, sizeof t->nframes);

	for (size_t k = 0; k < t->nframes; k++)
		h = h * 0x9e3779b97f4a7c15ull + t->frames[k].pc;
	return h;
}

int stack_groups_make(const struct process_stacks *s, bool apart, struct equal_groups *ret)
{
	struct equal_items threads = { .n = s->threads.n, .of = s, .hash = thread_hash, .equal = threads_equal,
				       .ahead = s->core ? NULL : thread_runs };

	return equal_groups_make(&threads, apart, ret);
}
