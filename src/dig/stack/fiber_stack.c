#include "dig/stack/fiber_stack.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "source/process/time_namespace.h"

/* ---- those that run ---- */

static const struct thread_stack *stack_of(const struct process_stacks *s, const struct fiber_stacks *f, const struct fiber_running *r)
{
	int tid = f->all.threads.v[r->thread].tid;

	/* A thread has gone on meanwhile when its stack pointer is another fiber's. */
	vec_each(t, &s->threads)
		if (tid && (t->tid_inside ? t->tid_inside : t->tid) == tid && t->registers.known &&
		    t->registers.value[UNWIND_RSP] >= r->stack_low && t->registers.value[UNWIND_RSP] < r->stack_high)
			return t;
	return NULL;
}

const struct thread_stack *fiber_thread_stack(const struct process_stacks *s, const struct fiber_stacks *f,
					      const struct fiber_row *row)
{
	const struct fiber_running *r = fiber_running_of(&f->all, row);

	return r ? stack_of(s, f, r) : NULL;
}

static int take_running(const struct process_stacks *s, struct fiber_stacks *f)
{
	vec_each(r, &f->all.running) {
		const struct thread_stack *t = stack_of(s, f, r);
		struct fiber_row *row = (struct fiber_row *)(uintptr_t)fiber_by_id(&f->all, r->id);
		if (!row || !t || !t->nframes)
			continue;
		row->torn |= t->torn;
		if (fiber_stack_keep(&f->all, t->frames, t->nframes, t->end, &row->stack) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* ---- which are shown ---- */

struct choice {
	struct fiber_stacks *f;
	const struct process_stacks *s;
	struct symbolizer *symbolizer;
	const struct fiber_wish *wish;
	uint8_t *stack_has; /* beside all.stack: 0: not looked at, 1: no, 2: has the function */
	uint8_t *origin_has; /* beside all.origin, as well */
	int error;
};

static bool function_at(struct choice *c, uint64_t pc, bool exact)
{
	const struct symbol *symbols;
	size_t n;

	if (!pc)
		return false;
	if (symbolize(c->symbolizer, c->s->space, pc, exact, &symbols, &n) < 0) {
		c->error = -ENOMEM;
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (strstr(symbols[i].function, c->wish->function))
			return true;
	return false;
}

static bool stack_has(struct choice *c, uint32_t at)
{
	const struct fiber_list *l = &c->f->all;

	if (at == FIBER_NO_STACK)
		return false;
	if (!c->stack_has[at]) {
		const struct fiber_stack *s = &l->stack.v[at];
		c->stack_has[at] = 1;
		for (uint32_t i = 0; i < s->nframes && c->stack_has[at] == 1; i++)
			if (function_at(c, l->frame.v[s->first + i].pc, l->frame.v[s->first + i].exact))
				c->stack_has[at] = 2;
	}
	return c->stack_has[at] == 2;
}

static bool origin_has(struct choice *c, uint32_t at)
{
	const struct fiber_origin *o = &c->f->all.origin.v[at];

	if (!c->origin_has[at])
		c->origin_has[at] = function_at(c, o->function, true) || function_at(c, o->created_at, false) ? 2 : 1;
	return c->origin_has[at] == 2;
}

static bool left_out(const void *of, size_t i)
{
	struct choice *c = (struct choice *)(uintptr_t)of;
	const struct fiber_list *l = &c->f->all;
	const struct fiber_row *f = &l->fiber.v[i];
	const struct fiber_wish *w = c->wish;
	const struct inspect_wait *wait = fiber_wait_of(l, f);

	if (w->state && strcmp(fiber_state_words(l, f), w->state) != 0)
		return true;
	if (w->wait && (!wait || strcmp(wait->name, w->wait) != 0))
		return true;
	if (w->state_least_ns && (!reading_ok(f->state_ns) || f->state_ns < w->state_least_ns))
		return true;
	return w->function && !stack_has(c, f->stack) && !origin_has(c, f->origin);
}

/* ---- groups ---- */

static const struct fiber_row *row_at(const void *of, size_t i)
{
	return &((const struct choice *)of)->f->all.fiber.v[i];
}

static bool fiber_runs(const void *of, size_t i)
{
	return row_at(of, i)->standing == INSPECT_RUNNING;
}

static const struct fiber_origin *origin_at(const void *of, const struct fiber_row *f)
{
	return fiber_origin_of(&((const struct choice *)of)->f->all, f);
}

static bool fibers_equal(const void *of, size_t i, size_t j)
{
	const struct fiber_row *a = row_at(of, i), *b = row_at(of, j);

	if (a->state != b->state || a->stack != b->stack || a->torn != b->torn ||
	    (a->standing == INSPECT_PARKED && a->wait != b->wait))
		return false;
	if (a->origin == b->origin)
		return true;
	const struct fiber_origin *x = origin_at(of, a), *y = origin_at(of, b);
	/* Of those without a stack the function tells where they will begin. */
	return x->created_at == y->created_at && (a->stack != FIBER_NO_STACK || x->function == y->function);
}

static uint64_t fiber_hash(const void *of, size_t i)
{
	const struct fiber_row *f = row_at(of, i);
	uint64_t hash = (uint64_t)f->stack << 32 | (uint64_t)f->state << 24 | (uint64_t)f->torn << 16;

	if (f->standing == INSPECT_PARKED)
		hash ^= f->wait;
	hash = (hash ^ origin_at(of, f)->created_at) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 32;
}

static int make_groups(struct choice *c)
{
	struct equal_items items = { .n = c->f->all.fiber.n, .of = c, .left_out = left_out, .hash = fiber_hash,
				     .equal = fibers_equal, .ahead = fiber_runs };
	int rc;

	c->stack_has = calloc(c->f->all.stack.n + 1, 1);
	c->origin_has = calloc(c->f->all.origin.n + 1, 1);
	rc = c->stack_has && c->origin_has ? equal_groups_make(&items, c->wish->apart, &c->f->equal) : -ENOMEM;
	free(c->stack_has);
	free(c->origin_has);
	if (rc < 0 || c->error < 0)
		return -ENOMEM;
	vec_each(g, &c->f->equal.groups)
		c->f->shown += g->n;
	return 0;
}

static void find_longest(struct fiber_stacks *f)
{
	f->longest = SIZE_MAX;
	for (size_t i = 0; i < f->all.fiber.n; i++) {
		const struct fiber_row *row = &f->all.fiber.v[i];
		if (reading_ok(row->state_ns) && fiber_wait_of(&f->all, row) &&
		    (f->longest == SIZE_MAX || row->state_ns > f->all.fiber.v[f->longest].state_ns))
			f->longest = i;
	}
}

/* ---- names that are asked for ---- */

static void list_name(char *text, size_t size, const char *name)
{
	size_t n = strlen(text);

	if (n + strlen(name) + 3 < size) {
		if (n)
			strcat(text, ", ");
		strcat(text, name);
	}
}

static int check_names(const struct fiber_root *r, const struct fiber_wish *w, struct note *note)
{
	char states[160] = "", waits[230] = "";
	bool state = !w->state, wait = !w->wait;

	for (unsigned i = 0; i < r->nstates; i++) {
		state |= !state && strcmp(r->state[i].name, w->state) == 0 && r->state[i].standing != INSPECT_FREE;
		if (r->state[i].standing != INSPECT_FREE)
			list_name(states, sizeof states, r->state[i].name);
	}
	for (unsigned i = 0; i < r->nwaits; i++) {
		wait |= !wait && strcmp(r->wait[i].name, w->wait) == 0;
		if (r->wait[i].name[0] && i > 0)
			list_name(waits, sizeof waits, r->wait[i].name);
	}
	if (!state)
		return note_set(note, -EINVAL, "'%.20s' is no state; there are %s", w->state, states);
	return wait ? 0 : note_set(note, -EINVAL, "'%.20s' is nothing that fibers wait in; there are %s", w->wait, waits);
}

/* ---- descriptors ---- */

static int descriptor_of(const struct fiber_object *o)
{
	for (unsigned i = 0; i < o->nfacts; i++)
		if (o->fact[i].role == INSPECT_FD)
			return (int)o->fact[i].value;
	return -1;
}

static bool is_waited_for(void *arg, int fd)
{
	return map_get(arg, (uint64_t)fd + 1) != MAP_NONE;
}

static bool waits_outside(const struct inspect_wait *w)
{
	return w->waker == INSPECT_BY_OUTSIDE;
}

static int keep_descriptor(void *arg, size_t i, const struct fiber_object *o)
{
	int fd = descriptor_of(o);

	(void)i;
	return fd >= 0 ? map_set(arg, (uint64_t)fd + 1, 1) : 0;
}

static int read_words(struct host *h, const struct process_stacks *s, struct fiber_stacks *f)
{
	struct map fds = { 0 };
	int rc = fiber_objects_read(s->space, &f->all, waits_outside, keep_descriptor, &fds);

	if (rc == 0 && fds.n)
		rc = fd_words_read(h, s->pid, is_waited_for, &fds, &f->words);
	map_deinit(&fds);
	return rc;
}

/* ---- all of it ---- */

static int read_list(struct host *h, const struct process_stacks *s, const struct fiber_wish *wish, struct fiber_stacks *f)
{
	struct fiber_list_wish list = { .progress = wish->progress, .arg = wish->arg };

	if (h && !s->core)
		list.no_clock = time_namespace_ahead(h, s->pid, &list.clock_ahead_ns) < 0;
	return fiber_list_read(s->space, f->root, &list, &f->all);
}

int fiber_stacks_take(struct host *h, const struct process_stacks *s, struct symbolizer *symbolizer, const struct fiber_wish *wish,
		      struct fiber_stacks **ret, struct note *note)
{
	struct fiber_stacks *f;
	int rc;

	if (!s->space)
		return note_set(note, -ENOENT, "it has no memory: a kernel thread, or it has ended");
	f = calloc(1, sizeof *f);
	if (!f)
		return -ENOMEM;
	struct choice c = { .f = f, .s = s, .symbolizer = symbolizer, .wish = wish };
	rc = fiber_root_find(s->space, &f->root, note);
	if (rc == 0)
		rc = check_names(f->root, wish, note);
	if (rc == 0)
		rc = read_list(h, s, wish, f);
	if (rc == 0)
		rc = fiber_deadlocks_find(s->space, &f->all, &f->deadlocks);
	if (rc == 0 && h && !s->core)
		rc = read_words(h, s, f);
	if (rc == 0)
		rc = take_running(s, f);
	if (rc == 0)
		rc = make_groups(&c);
	if (rc < 0) {
		fiber_stacks_free(f);
		return rc;
	}
	find_longest(f);
	*ret = f;
	return 0;
}

void fiber_stacks_free(struct fiber_stacks *f)
{
	if (!f)
		return;
	fiber_list_deinit(&f->all);
	fiber_deadlocks_deinit(&f->deadlocks);
	equal_groups_deinit(&f->equal);
	fd_words_deinit(&f->words);
	fiber_root_free(f->root);
	free(f);
}
