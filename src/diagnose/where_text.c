#include "diagnose/where_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "dig/lock/lock_snapshot.h"
#include "dig/stack/stack_group.h"
#include "dig/stack/thread_wait.h"

#define SAMPLES_LEAST 10
#define FUNCTIONS_TOLD 3
#define CALLERS_TOLD 5
#define LOCKS_TOLD 3
#define GROUPS_TOLD 3
#define FRAMES_TOLD 7

const char *where_kind_name(enum where_kind kind)
{
	static const char *const names[] = { "nothing", "cpu", "lock", "disk" };

	return names[kind];
}

/* ---- CPU ---- */

static const struct call_frame *frame_of(const struct call_tree *t, uint32_t node)
{
	return node == CALL_ROOT || node == CALL_NONE ? NULL : &t->frame.v[t->node.v[node].frame];
}

/* The place of a function where most of its own samples are. */
static uint32_t hottest_node(const struct call_tree *t, const struct call_frame *f)
{
	uint32_t best = CALL_NONE;

	for (uint32_t i = 1; i < t->node.n; i++) {
		const struct call_frame *g = frame_of(t, i);
		if (g->function == f->function && g->module == f->module &&
		    (best == CALL_NONE || t->node.v[i].self > t->node.v[best].self))
			best = i;
	}
	return best;
}

static int put_callers(const struct call_tree *t, uint32_t node, struct buf *ret)
{
	uint32_t at = t->node.v[node].parent;
	int r = 0;

	for (unsigned i = 0; r >= 0 && i < CALLERS_TOLD && frame_of(t, at); at = t->node.v[at].parent) {
		const struct call_frame *f = frame_of(t, at);
		if (f->kind == CALL_GROUP)
			break;
		i++;
		r = buf_append(ret, " < ", 3);
		if (r >= 0)
			r = call_frame_label(f, ret);
	}
	return r;
}

int where_cpu_text(struct call_tree *tree, uint64_t samples, struct buf *ret)
{
	call_functions functions = { 0 };
	uint64_t all = call_tree_total(tree);
	int r = samples < SAMPLES_LEAST || all == 0 ? -ENODATA : call_tree_functions(tree, &functions);

	if (r >= 0)
		r = buf_printf(ret, "its CPU time, by %llu samples of its stacks:\n", (unsigned long long)samples);
	for (size_t i = 0; r >= 0 && i < functions.n && i < FUNCTIONS_TOLD; i++) {
		const struct call_frame *f = &tree->frame.v[functions.v[i].frame];
		double share = 100 * (double)functions.v[i].self / (double)all;
		if (share < 5 && i > 0)
			break;
		uint32_t node = hottest_node(tree, f);
		r = buf_printf(ret, "%.0f %% in ", share);
		if (r >= 0)
			r = call_frame_label(f, ret);
		if (r >= 0 && f->module[0] && f->function[0])
			r = buf_printf(ret, " (%s)", f->module);
		if (r >= 0 && node != CALL_NONE)
			r = put_callers(tree, node, ret);
		if (r >= 0)
			r = buf_append(ret, "\n", 1);
	}
	vec_free(&functions);
	return r;
}

/* ---- who waits ---- */

struct taken {
	struct image_store *store;
	struct symbolizer *symbolizer;
	struct process_stacks *stacks;
};

static void taken_deinit(struct taken *t)
{
	process_stacks_free(t->stacks);
	symbolizer_free(t->symbolizer);
	image_store_free(t->store);
}

/* "pthread_mutex_lock < take < serve < main" */
static int put_path(struct taken *t, const struct thread_stack *s, struct buf *ret)
{
	unsigned told = 0;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < s->nframes && told < FRAMES_TOLD; i++) {
		const struct symbol *symbols;
		size_t n;
		r = symbolize(t->symbolizer, t->stacks->space, s->frames[i].pc, s->frames[i].exact, &symbols, &n);
		for (size_t k = 0; r >= 0 && k < n && told < FRAMES_TOLD; k++, told++)
			r = symbols[k].function[0] ? buf_printf(ret, "%s%s", told ? " < " : "", symbols[k].function) :
						     buf_printf(ret, "%s[%s]", told ? " < " : "", symbols[k].module);
	}
	return r;
}

static const struct thread_stack *thread_of(const struct process_stacks *s, int tid)
{
	vec_each(t, &s->threads)
		if (tid && t->tid == tid)
			return t;
	return NULL;
}

/* Owners are read after the stacks: of a busy lock it may be one that was seen waiting for it. */
static const struct thread_stack *owner_of(const struct taken *t, const struct lock *l)
{
	for (size_t i = 0; i < l->nwaiters; i++)
		if (t->stacks->threads.v[l->waiter[i]].tid == l->owner_tid)
			return NULL;
	return thread_of(t->stacks, l->owner_tid);
}

static int put_lock(struct taken *t, const struct lock *l, struct buf *ret)
{
	const struct thread_stack *owner = owner_of(t, l), *first = &t->stacks->threads.v[l->waiter[0]];
	int r = buf_printf(ret, "%s 0x%llx: %zu thread%s in ", lock_kind_word(l->kind), (unsigned long long)l->address, l->nwaiters,
			   l->nwaiters == 1 ? " waits" : "s wait");

	if (r >= 0)
		r = put_path(t, first, ret);
	if (r >= 0)
		r = buf_append(ret, "\n", 1);
	if (r < 0 || !owner)
		return r;
	r = buf_printf(ret, "held by %d (%s), which stands in ", owner->tid, owner->comm);
	if (r >= 0)
		r = put_path(t, owner, ret);
	return r < 0 ? r : buf_append(ret, "\n", 1);
}

static int put_locks(struct taken *t, struct buf *ret)
{
	struct lock_snapshot now = { 0 };
	int r = lock_snapshot_make(t->symbolizer, t->stacks, &now), told = 0;

	for (size_t i = 0; r >= 0 && i < now.locks.n && told < LOCKS_TOLD; i++)
		if (lock_kind_contends(now.locks.v[i].kind)) {
			r = put_lock(t, &now.locks.v[i], ret);
			told++;
		}
	lock_snapshot_deinit(&now);
	return r < 0 ? r : told ? 0 : -ENODATA;
}

/* Uninterruptible, or in a call that waits for data to be read or written. */
static bool waits_for_disk(const struct thread_stack *t, const struct thread_wait *w)
{
	return t->state == 'D' || (w->what[0] && (strstr(w->what, "data of a file") || strstr(w->what, "to reach the disk")));
}

static int put_disk(struct taken *t, struct host *h, struct buf *ret)
{
	struct equal_groups groups = { 0 };
	struct thread_wait *waits = NULL;
	int r = stack_groups_make(t->stacks, false, &groups), told = 0;

	if (r >= 0)
		r = thread_waits_read(h, t->stacks, &waits);
	for (size_t i = 0; r >= 0 && i < groups.groups.n && told < GROUPS_TOLD; i++) {
		const struct equal_group *g = &groups.groups.v[i];
		const struct thread_stack *s = &t->stacks->threads.v[g->member[0]];
		const struct thread_wait *w = &waits[g->member[0]];
		if (!waits_for_disk(s, w))
			continue;
		told++;
		r = buf_printf(ret, "%zu thread%s %s in ", g->n, g->n == 1 ? "" : "s", w->what[0] ? w->what : "waits in the kernel");
		if (r >= 0)
			r = put_path(t, s, ret);
		if (r >= 0)
			r = buf_append(ret, "\n", 1);
	}
	free(waits);
	equal_groups_deinit(&groups);
	return r < 0 ? r : told ? 0 : -ENODATA;
}

int where_waiting_text(struct host *h, enum where_kind kind, int pid, bool no_bpf, struct buf *ret)
{
	struct symbolizer_options names = { .no_lines = true };
	struct stack_wish wish = { .no_stop = true, .no_bpf = no_bpf };
	struct taken t = { 0 };
	int r = image_store_new(&t.store);

	if (r >= 0)
		r = symbolizer_new(&names, &t.symbolizer);
	if (r >= 0)
		r = process_stacks_take(h, t.store, pid, &wish, &t.stacks, NULL);
	if (r >= 0)
		r = kind == WHERE_LOCK ? put_locks(&t, ret) : put_disk(&t, h, ret);
	taken_deinit(&t);
	return r;
}
