#include "dig/lock/lock_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "dig/stack/stack_unwind.h"
#include "dig/stack/thread_grab.h"

#define LOOK_EVERY_NS (20 * NS_PER_MS)
#define COST_SHARE 50 /* a look's cost is at most a 50th of the time until the next */
#define PLACES_MAX 64 /* of one lock */

struct lock_watch {
	struct host *host;
	struct symbolizer *symbolizer;
	struct address_space *space;
	int pid;
	struct latency *latency;
	struct thread_grab *grab;
	struct process_stacks look; /* waiting threads of one look */
	VEC(struct seen_futex {
		uint64_t futex;
		size_t lock; /* of `locks` */
	}) futexes;
	VEC(struct watched_lock) locks;
	uint64_t start_ns, looks, cost_ns;
};

int lock_watch_new(struct host *h, struct symbolizer *y, struct address_space *space, int pid, struct lock_watch **ret,
		   struct note *note)
{
	struct lock_watch *w = calloc(1, sizeof *w);
	struct latency_request request = { .kind = LATENCY_FUTEX, .by = LATENCY_BY_PLACE, .pid = pid };

	if (!w)
		return note_set(note, -ENOMEM, "out of memory");
	*w = (struct lock_watch){ .host = h, .symbolizer = y, .space = space, .pid = pid, .start_ns = clock_mono_ns() };
	int r = thread_grab_new(h, &w->grab, note);
	if (r >= 0)
		r = latency_new(h, &request, &w->latency, note);
	if (r < 0) {
		lock_watch_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

static void forget_stack(struct thread_stack *t)
{
	free(t->kernel);
	free(t->kernel_text);
	free(t->frames);
	free(t->bytes);
	*t = (struct thread_stack){ 0 };
}

static void lock_deinit(struct watched_lock *l)
{
	vec_each(p, &l->places)
		forget_stack(&p->stack);
	vec_free(&l->places);
	vec_free(&l->owners);
}

void lock_watch_free(struct lock_watch *w)
{
	if (!w)
		return;
	vec_each(l, &w->locks)
		lock_deinit(l);
	vec_free(&w->locks);
	vec_free(&w->futexes);
	vec_each(t, &w->look.threads)
		forget_stack(t);
	vec_free(&w->look.threads);
	latency_free(w->latency);
	thread_grab_free(w->grab);
	free(w);
}

/* ---- a look ---- */

/* Every thread is kept, since owners are named among them; the stack of those that wait alone. */
static int take(void *arg, const struct grab_record *r, struct span stack)
{
	struct lock_watch *w = arg;
	struct thread_stack *t = vec_push(&w->look.threads);
	bool waits = r->origin == SYS_futex && !(r->flags & (GRAB_ON_CPU | GRAB_TORN));

	if (!t)
		return -ENOMEM;
	return thread_keep_record(t, r, waits ? stack : (struct span){ 0 });
}

static void forget_look(struct lock_watch *w)
{
	vec_each(t, &w->look.threads)
		forget_stack(t);
	w->look.threads.n = 0;
}

static int unwind_look(struct lock_watch *w)
{
	w->look.pid = w->pid;
	w->look.space = w->space;
	w->look.grab = w->grab;
	vec_each(t, &w->look.threads)
		if (!t->nbytes)
			t->way = STACK_NONE; /* not to be unwound */
	return stacks_unwind(&w->look);
}

/* ---- what it adds to ---- */

static struct watched_lock *lock_at(struct lock_watch *w, const struct lock *from, uint64_t futex)
{
	size_t at = 0;

	while (at < w->locks.n && w->locks.v[at].address != from->address)
		at++;
	if (at == w->locks.n) {
		struct watched_lock *l = vec_push(&w->locks);
		if (!l)
			return NULL;
		l->address = from->address;
	}
	w->locks.v[at].kind = from->kind;
	for (size_t i = 0; i < w->futexes.n; i++)
		if (w->futexes.v[i].futex == futex)
			return &w->locks.v[at];
	struct seen_futex *f = vec_push(&w->futexes);
	if (f)
		*f = (struct seen_futex){ futex, at };
	return f ? &w->locks.v[at] : NULL;
}

static bool same_frames(const struct thread_stack *a, const struct thread_stack *b)
{
	if (a->nframes != b->nframes)
		return false;
	for (size_t i = 0; i < a->nframes; i++)
		if (a->frames[i].pc != b->frames[i].pc)
			return false;
	return true;
}

/* Takes the frames over where the place is new. */
static int add_place(struct watched_lock *l, struct thread_stack *t)
{
	l->looks++;
	vec_each(p, &l->places)
		if (same_frames(&p->stack, t)) {
			p->looks++;
			return 0;
		}
	if (l->places.n == PLACES_MAX)
		return 0; /* it counts for the lock alone */
	struct lock_place *p = vec_push(&l->places);
	if (!p)
		return -ENOMEM;
	p->stack = *t;
	p->looks = 1;
	p->stack.kernel = NULL;
	p->stack.nkernel = 0;
	p->stack.kernel_text = p->stack.bytes = NULL;
	p->stack.nbytes = 0;
	t->frames = NULL;
	t->nframes = 0;
	return 0;
}

static int add_owner(struct watched_lock *l, int tid)
{
	vec_each(o, &l->owners)
		if (o->tid == tid) {
			o->looks++;
			return 0;
		}
	struct lock_owner_seen *o = vec_push(&l->owners);
	if (!o)
		return -ENOMEM;
	*o = (struct lock_owner_seen){ tid, 1 };
	return 0;
}

static int add_lock(struct lock_watch *w, const struct lock *from)
{
	struct watched_lock *l = NULL;
	int r = 0;

	for (size_t i = 0; i < from->nwaiters && r >= 0; i++) {
		struct thread_stack *t = &w->look.threads.v[from->waiter[i]];
		l = lock_at(w, from, t->argument[0]);
		r = l ? add_place(l, t) : -ENOMEM;
	}
	return r < 0 || !from->owner_tid || !l ? r : add_owner(l, from->owner_tid);
}

int lock_watch_look(struct lock_watch *w, uint64_t *ret_next_ns)
{
	struct thread_grab_wish wish = { w->pid, 0, GRAB_PAGES };
	struct lock_snapshot now = { 0 };
	uint64_t start = clock_mono_ns(), cpu = clock_thread_cpu_ns();
	int r = thread_grab_each(w->grab, &wish, take, w);

	if (r >= 0)
		r = unwind_look(w);
	if (r >= 0)
		r = lock_snapshot_make(w->symbolizer, &w->look, &now);
	for (size_t i = 0; r >= 0 && i < now.locks.n; i++)
		r = add_lock(w, &now.locks.v[i]);
	lock_snapshot_deinit(&now);
	forget_look(w);
	uint64_t cost = clock_thread_cpu_ns() - cpu;
	w->looks++;
	w->cost_ns += cost;
	*ret_next_ns = start + (cost * COST_SHARE > LOOK_EVERY_NS ? cost * COST_SHARE : LOOK_EVERY_NS);
	return r;
}

/* ---- the result ---- */

static size_t lock_of_futex(const struct lock_watch *w, uint64_t futex)
{
	vec_each(f, &w->futexes)
		if (f->futex == futex)
			return f->lock;
	return SIZE_MAX;
}

static int add_counts(struct lock_watch *w, const struct latency_row *row)
{
	size_t at = lock_of_futex(w, row->key.b);
	struct watched_lock *l = at == SIZE_MAX ? vec_push(&w->locks) : &w->locks.v[at];

	if (!l)
		return -ENOMEM;
	if (at == SIZE_MAX)
		*l = (struct watched_lock){ .kind = LOCK_FUTEX, .address = row->key.b };
	l->waits += row->counts.count;
	l->wait_ns += row->counts.total_ns;
	if (row->counts.max_ns > l->longest_ns)
		l->longest_ns = row->counts.max_ns;
	return 0;
}

static int by_looks(const void *a, const void *b)
{
	const struct lock_place *x = a, *y = b;

	return (x->looks < y->looks) - (x->looks > y->looks);
}

static int by_owner_looks(const void *a, const void *b)
{
	const struct lock_owner_seen *x = a, *y = b;

	return (x->looks < y->looks) - (x->looks > y->looks);
}

/* Those that threads take turns in first. */
static int by_time(const void *a, const void *b)
{
	const struct watched_lock *x = a, *y = b;
	bool cx = lock_kind_contends(x->kind), cy = lock_kind_contends(y->kind);

	if (cx != cy)
		return cx ? -1 : 1;
	if (x->wait_ns != y->wait_ns)
		return x->wait_ns > y->wait_ns ? -1 : 1;
	return (x->looks < y->looks) - (x->looks > y->looks);
}

int lock_watch_result(struct lock_watch *w, struct lock_watch_result *ret)
{
	struct latency_result counts = { 0 };
	int r = latency_read(w->latency, &counts);

	for (size_t i = 0; r >= 0 && i < counts.rows.n; i++)
		r = add_counts(w, &counts.rows.v[i]);
	if (r >= 0) {
		vec_each(l, &w->locks) {
			if (l->places.n)
				qsort(l->places.v, l->places.n, sizeof l->places.v[0], by_looks);
			if (l->owners.n)
				qsort(l->owners.v, l->owners.n, sizeof l->owners.v[0], by_owner_looks);
		}
		if (w->locks.n)
			qsort(w->locks.v, w->locks.n, sizeof w->locks.v[0], by_time);
		*ret = (struct lock_watch_result){ .looks = w->looks, .window_ns = clock_mono_ns() - w->start_ns,
						   .look_cost_ns = w->cost_ns, .lost = counts.keys_lost };
		ret->locks.v = w->locks.v;
		ret->locks.n = w->locks.n;
		ret->locks.capacity = w->locks.capacity;
		w->locks.v = NULL;
		w->locks.n = w->locks.capacity = 0;
		w->futexes.n = 0;
	}
	latency_result_deinit(&counts);
	return r;
}

void lock_watch_result_deinit(struct lock_watch_result *r)
{
	vec_each(l, &r->locks)
		lock_deinit(l);
	vec_free(&r->locks);
}
