#include "dig/symbol/range_index.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

struct sweep {
	/* those that have begun, the highest rank first; ended ones are dropped when on top */
	const struct range **heap;
	size_t n;
};

void range_index_deinit(struct range_index *x)
{
	vec_free(&x->step);
}

static bool outranks(const struct range *a, const struct range *b)
{
	return a->rank != b->rank ? a->rank > b->rank : a->value < b->value;
}

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->value > y->value) - (x->value < y->value);
}

/* Ranges of symbols come sorted by address; to sort them again would cost as much as the first time. */
static bool in_order(const struct range *r, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (by_start(&r[i - 1], &r[i]) > 0)
			return false;
	return true;
}

static void heap_push(struct sweep *s, const struct range *r)
{
	size_t i = s->n++;

	for (; i > 0 && outranks(r, s->heap[(i - 1) / 2]); i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = r;
}

static void heap_pop(struct sweep *s)
{
	const struct range *last = s->heap[--s->n];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < s->n) {
		child += child + 1 < s->n && outranks(s->heap[child + 1], s->heap[child]);
		if (!outranks(s->heap[child], last))
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	if (s->n)
		s->heap[i] = last;
}

static int step_to(struct range_index *x, uint64_t start, uint32_t value)
{
	struct range_step *last = x->step.n ? x->step.v + x->step.n - 1 : NULL;

	if (last && last->start == start) {
		last->value = value;
		return 0;
	}
	if (last ? last->value == value : value == RANGE_NONE)
		return 0;
	last = vec_push(&x->step);
	if (!last)
		return -ENOMEM;
	*last = (struct range_step){ start, value };
	return 0;
}

/* What ends before `until` (the next start, or the end of all) gives way to what lies below it. */
static int run_out(struct range_index *x, struct sweep *s, uint64_t until)
{
	while (s->n && s->heap[0]->end <= until) {
		uint64_t at = s->heap[0]->end;

		while (s->n && s->heap[0]->end <= at)
			heap_pop(s);
		if (step_to(x, at, s->n ? s->heap[0]->value : RANGE_NONE) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int sweep(struct range_index *x, struct sweep *s, const struct range *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (r[i].end <= r[i].start)
			continue;
		if (run_out(x, s, r[i].start) < 0)
			return -ENOMEM;
		heap_push(s, &r[i]);
		if (step_to(x, r[i].start, s->heap[0]->value) < 0)
			return -ENOMEM;
	}
	return run_out(x, s, UINT64_MAX);
}

int range_index_build(struct range *r, size_t n, struct range_index *ret)
{
	struct range_index x = { 0 };
	struct sweep s = { .heap = calloc(n ? n : 1, sizeof *s.heap) };
	int rc;

	if (!s.heap)
		return -ENOMEM;
	if (!in_order(r, n))
		qsort(r, n, sizeof *r, by_start);
	rc = sweep(&x, &s, r, n);
	free(s.heap);
	if (rc < 0) {
		range_index_deinit(&x);
		return rc;
	}
	*ret = x;
	return 0;
}

uint32_t range_index_find(const struct range_index *x, uint64_t address)
{
	size_t low = 0, high = x->step.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (x->step.v[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? x->step.v[low - 1].value : RANGE_NONE;
}
