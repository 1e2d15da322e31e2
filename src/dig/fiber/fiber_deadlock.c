#include "dig/fiber/fiber_deadlock.h"

#include <errno.h>
#include <stdlib.h>

#define NONE UINT32_MAX

static bool can_hold(const struct inspect_wait *w)
{
	for (size_t i = 0; w && i < INSPECT_FACTS; i++)
		if (w->fact[i].name[0] && w->fact[i].role == INSPECT_FIBER)
			return true;
	return false;
}

/* The fiber that this one waits for, as an index. */
static uint32_t next_of(const struct address_space *a, const struct fiber_list *l, size_t i)
{
	const struct fiber_row *f = &l->fiber.v[i];
	struct fiber_object o;

	if (f->torn || !can_hold(fiber_wait_of(l, f)) || !fiber_object_read(a, l, f, &o))
		return NONE;
	uint64_t id = fiber_waits_for(&o);
	const struct fiber_row *next = id ? fiber_by_id(l, id) : NULL;
	return next ? (uint32_t)(next - l->fiber.v) : NONE;
}

/* It goes round once more: an owner that has changed was no deadlock. */
static bool still_a_ring(const struct address_space *a, const struct fiber_list *l, const uint32_t *next, uint32_t at)
{
	uint32_t i = at;

	do {
		if (next_of(a, l, i) != next[i])
			return false;
		i = next[i];
	} while (i != at);
	return true;
}

static int keep_ring(struct fiber_deadlocks *d, const uint32_t *next, uint32_t at)
{
	struct fiber_ring *ring = vec_push(&d->ring);
	uint32_t i = at;

	if (!ring)
		return -ENOMEM;
	ring->first = d->member.n;
	do {
		size_t *m = vec_push(&d->member);
		if (!m)
			return -ENOMEM;
		*m = i;
		ring->n++;
		i = next[i];
	} while (i != at);
	return 0;
}

/* Paths are marked by where they began: who meets his own mark has closed a ring. */
static int find_rings(const struct address_space *a, const struct fiber_list *l, const uint32_t *next, uint32_t *mark,
		      struct fiber_deadlocks *d)
{
	int rc = 0;

	for (uint32_t start = 0; rc == 0 && start < l->fiber.n; start++) {
		uint32_t i = start;
		if (next[start] == NONE || mark[start] != NONE)
			continue;
		while (i != NONE && mark[i] == NONE) {
			mark[i] = start;
			i = next[i];
		}
		if (i != NONE && mark[i] == start && still_a_ring(a, l, next, i))
			rc = keep_ring(d, next, i);
	}
	return rc;
}

static bool nothing_comes(const struct fiber_list *l)
{
	if (!l->fiber.n || l->timers || !l->processors || l->torn || l->unread)
		return false;
	vec_each(t, &l->threads)
		if (t->running || t->blocked)
			return false;
	vec_each(f, &l->fiber) {
		const struct inspect_wait *w = fiber_wait_of(l, f);
		if (f->standing != INSPECT_PARKED && f->standing != INSPECT_ENDED)
			return false;
		if (w && w->waker != INSPECT_BY_FIBER)
			return false;
	}
	return true;
}

int fiber_deadlocks_find(const struct address_space *a, const struct fiber_list *l, struct fiber_deadlocks *ret)
{
	size_t n = l->fiber.n ? l->fiber.n : 1;
	uint32_t *next = malloc(n * sizeof *next), *mark = malloc(n * sizeof *mark);
	struct fiber_deadlocks d = { .all = nothing_comes(l) };
	int rc = next && mark ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < l->fiber.n; i++) {
		next[i] = next_of(a, l, i);
		mark[i] = NONE;
	}
	if (rc == 0)
		rc = find_rings(a, l, next, mark, &d);
	free(next);
	free(mark);
	if (rc < 0) {
		fiber_deadlocks_deinit(&d);
		return rc;
	}
	*ret = d;
	return 0;
}

void fiber_deadlocks_deinit(struct fiber_deadlocks *d)
{
	vec_free(&d->ring);
	vec_free(&d->member);
}
