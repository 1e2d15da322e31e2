#include "dig/fiber/fiber_deadlock.h"

#include <errno.h>
#include <stdlib.h>

#define NONE UINT32_MAX

struct search {
	const struct fiber_list *l;
	uint32_t *next; /* beside the fibers: for which one it waits */
};

static bool can_be_held(const struct inspect_wait *w)
{
	for (size_t i = 0; i < INSPECT_FACTS; i++)
		if (w->fact[i].name[0] && w->fact[i].role == INSPECT_FIBER)
			return true;
	return false;
}

/* As an index. */
static uint32_t holder_of(const struct fiber_list *l, size_t i, const struct fiber_object *o)
{
	uint64_t id = l->fiber.v[i].torn ? 0 : fiber_waits_for(o);
	const struct fiber_row *next = id ? fiber_by_id(l, id) : NULL;

	return next ? (uint32_t)(next - l->fiber.v) : NONE;
}

static int keep_next(void *arg, size_t i, const struct fiber_object *o)
{
	struct search *s = arg;

	s->next[i] = holder_of(s->l, i, o);
	return 0;
}

static uint32_t next_of(const struct address_space *a, const struct fiber_list *l, size_t i)
{
	struct fiber_object o;

	return fiber_object_read(a, l, &l->fiber.v[i], &o) ? holder_of(l, i, &o) : NONE;
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
	if (!l->fiber.n || l->timers || !l->processors || l->torn || l->unread || l->by_standing[INSPECT_READY] ||
	    l->by_standing[INSPECT_RUNNING])
		return false;
	vec_each(t, &l->threads)
		if (t->running || t->blocked)
			return false;
	for (unsigned i = 0; i < l->root->nwaits; i++)
		if (l->by_wait[i] && l->root->wait[i].waker != INSPECT_BY_FIBER)
			return false;
	return true;
}

static bool any_can_be_held(const struct fiber_list *l)
{
	for (unsigned i = 0; i < l->root->nwaits; i++)
		if (l->by_wait[i] && can_be_held(&l->root->wait[i]))
			return true;
	return false;
}

static int look_for_rings(const struct address_space *a, const struct fiber_list *l, struct fiber_deadlocks *d)
{
	uint32_t *next = malloc(l->fiber.n * sizeof *next), *mark = malloc(l->fiber.n * sizeof *mark);
	struct search s = { l, next };
	int rc = next && mark ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < l->fiber.n; i++)
		next[i] = mark[i] = NONE;
	if (rc == 0)
		rc = fiber_objects_read(a, l, can_be_held, keep_next, &s);
	if (rc == 0)
		rc = find_rings(a, l, next, mark, d);
	free(next);
	free(mark);
	return rc;
}

int fiber_deadlocks_find(const struct address_space *a, const struct fiber_list *l, struct fiber_deadlocks *ret)
{
	struct fiber_deadlocks d = { .all = nothing_comes(l) };
	int rc = any_can_be_held(l) ? look_for_rings(a, l, &d) : 0;

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
