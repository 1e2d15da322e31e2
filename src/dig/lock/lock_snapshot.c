#include "dig/lock/lock_snapshot.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define INNERMOST 8 /* frames that are looked through for the kind */

/* glibc's struct __pthread_rwlock_arch_t: readers, writers, two futexes at 8 and 12, two pads, the writer. */
#define RWLOCK_FUTEXES 8
#define RWLOCK_WRITER 24
#define RWLOCK_READER_SHIFT 3
/* struct __pthread_cond_s: the two words that are waited on stand last (glibc 2.25 to 2.40). */
#define CONDITION_SIGNALS 40

const char *lock_kind_word(enum lock_kind kind)
{
	static const char *const words[] = {
#define LOCK_WORD(name, word, contention) word,
		LOCK_KINDS(LOCK_WORD)
#undef LOCK_WORD
	};

	return words[kind];
}

bool lock_kind_contends(enum lock_kind kind)
{
	static const bool contends[] = {
#define LOCK_CONTENDS(name, word, contention) contention,
		LOCK_KINDS(LOCK_CONTENDS)
#undef LOCK_CONTENDS
	};

	return contends[kind];
}

static bool has(const char *function, const char *part)
{
	return strstr(function, part) != NULL;
}

/* The innermost that says something counts, but for a mutex that a condition takes again: it is waited for as a mutex, and
 * stands inside pthread_cond_wait, so the inner name wins there too. */
enum lock_kind lock_kind_of_function(const char *function, enum lock_kind so_far)
{
	static const struct {
		const char *part;
		enum lock_kind kind;
	} known[] = {
		{ "pthread_mutex", LOCK_MUTEX },	{ "lll_lock_wait", LOCK_MUTEX },
		{ "futex_mutex::Mutex", LOCK_MUTEX },	{ "futex::Mutex", LOCK_MUTEX },
		{ "pthread_rwlock", LOCK_RWLOCK },	{ "futex_rwlock::RwLock", LOCK_RWLOCK },
		{ "pthread_cond_", LOCK_CONDITION },	{ "futex_condvar::Condvar", LOCK_CONDITION },
		{ "sem_wait", LOCK_SEMAPHORE },		{ "sem_timedwait", LOCK_SEMAPHORE },
		{ "sem_clockwait", LOCK_SEMAPHORE },	{ "new_sem_wait", LOCK_SEMAPHORE },
		{ "pthread_barrier_wait", LOCK_BARRIER }, { "pthread_clockjoin", LOCK_JOIN },
		{ "pthread_timedjoin", LOCK_JOIN },	{ "pthread_join", LOCK_JOIN },
		{ "pthread_once", LOCK_ONCE },		{ "cxa_guard_acquire", LOCK_ONCE },
	};

	if (so_far != LOCK_FUTEX)
		return so_far;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (has(function, known[i].part))
			return known[i].kind;
	return LOCK_FUTEX;
}

static enum lock_kind kind_of(struct symbolizer *y, struct address_space *space, const struct thread_stack *t)
{
	enum lock_kind kind = LOCK_FUTEX;

	for (size_t i = 0; i < t->nframes && i < INNERMOST && kind == LOCK_FUTEX; i++) {
		const struct symbol *symbols;
		size_t n;
		if (symbolize(y, space, t->frames[i].pc, t->frames[i].exact, &symbols, &n) < 0)
			break;
		for (size_t k = 0; k < n; k++)
			kind = lock_kind_of_function(symbols[k].function, kind);
	}
	return kind;
}

static unsigned command_of(const struct thread_stack *t)
{
	return (unsigned)t->argument[1] & (unsigned)FUTEX_CMD_MASK;
}

static bool waits_for_pi(unsigned command)
{
	return command == FUTEX_LOCK_PI || command == 13 /* FUTEX_LOCK_PI2, since 5.14 */;
}

bool lock_wait_of(struct symbolizer *y, struct address_space *space, const struct thread_stack *t, struct lock_wait *ret)
{
	unsigned command = command_of(t);

	if (t->syscall != SYS_futex || t->on_cpu || t->state == 'R' ||
	    (command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET && !waits_for_pi(command)))
		return false;
	uint64_t futex = t->argument[0];
	enum lock_kind kind = waits_for_pi(command) ? LOCK_MUTEX : kind_of(y, space, t);
	*ret = (struct lock_wait){ kind, futex, futex };
	if (kind == LOCK_RWLOCK)
		ret->address = (futex & ~7ull) - RWLOCK_FUTEXES;
	else if (kind == LOCK_CONDITION)
		ret->address = (futex & ~7ull) - CONDITION_SIGNALS;
	return true;
}

/* ---- owners ---- */

/* Words of locks hold numbers of the process's own pid namespace. */
static int tid_outside(const struct process_stacks *s, uint32_t inside)
{
	vec_each(t, &s->threads)
		if (inside && (uint32_t)(t->tid_inside ? t->tid_inside : t->tid) == inside)
			return t->tid;
	return 0;
}

static int owner_of_mutex(const struct process_stacks *s, const struct thread_stack *waiter, uint64_t address)
{
	uint32_t words[5]; /* word, count, owner, users, kind */
	bool told_in_word = waits_for_pi(command_of(waiter)) || (waiter->argument[2] & FUTEX_WAITERS);

	if (process_stacks_read(s, address, words, sizeof words) < 0)
		return 0;
	return tid_outside(s, told_in_word ? words[0] & FUTEX_TID_MASK : words[2]);
}

static void look_at_rwlock(const struct process_stacks *s, struct lock *l)
{
	uint32_t words[RWLOCK_WRITER / 4 + 1];

	if (process_stacks_read(s, l->address, words, sizeof words) < 0)
		return;
	l->owner_tid = tid_outside(s, words[RWLOCK_WRITER / 4]);
	if (!l->owner_tid)
		l->readers = words[0] >> RWLOCK_READER_SHIFT;
}

static void find_owner(const struct process_stacks *s, struct lock *l)
{
	const struct thread_stack *waiter = &s->threads.v[l->waiter[0]];

	if (l->kind == LOCK_MUTEX)
		l->owner_tid = owner_of_mutex(s, waiter, l->address);
	else if (l->kind == LOCK_RWLOCK)
		look_at_rwlock(s, l);
	else if (l->kind == LOCK_JOIN)
		l->owner_tid = tid_outside(s, (uint32_t)waiter->argument[2]);
}

/* ---- the graph ---- */

size_t lock_cycles_find(const size_t *next, size_t n, size_t *ret_first)
{
	size_t found = 0;

	/* A walk of n steps from a thread of a circle comes back to it. Where it is the lowest of its circle it counts. */
	for (size_t i = 0; i < n; i++) {
		size_t at = next[i], steps = 1;
		while (at != SIZE_MAX && at > i && steps++ < n)
			at = next[at];
		if (at == i)
			ret_first[found++] = i;
	}
	return found;
}

struct waiting {
	size_t thread;
	struct lock_wait wait;
};
typedef VEC(struct waiting) waiting_vec;

static int by_lock(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;

	if (x->wait.address != y->wait.address)
		return x->wait.address < y->wait.address ? -1 : 1;
	return (x->thread > y->thread) - (x->thread < y->thread);
}

static int by_weight(const void *a, const void *b)
{
	const struct lock *x = a, *y = b;
	bool cx = lock_kind_contends(x->kind), cy = lock_kind_contends(y->kind);

	if (cx != cy)
		return cx ? -1 : 1;
	if (x->nwaiters != y->nwaiters)
		return x->nwaiters > y->nwaiters ? -1 : 1;
	return (x->address > y->address) - (x->address < y->address);
}

/* A program without names: who waits for a 2, and finds one of the process's threads where glibc has the owner of a mutex. */
static bool looks_like_mutex(const struct process_stacks *s, const struct waiting *w)
{
	const struct thread_stack *t = &s->threads.v[w->thread];

	return t->argument[2] == 2 && owner_of_mutex(s, t, w->wait.futex);
}

/* Its other waiters may have been looked at while nobody owned it. */
static void name_mutex(waiting_vec *waiting, uint64_t futex)
{
	vec_each(w, waiting)
		if (w->wait.futex == futex)
			w->wait.kind = LOCK_MUTEX;
}

static int find_waiting(struct symbolizer *y, const struct process_stacks *s, waiting_vec *ret)
{
	for (size_t i = 0; i < s->threads.n; i++) {
		struct lock_wait wait;
		if (!lock_wait_of(y, s->space, &s->threads.v[i], &wait))
			continue;
		struct waiting *w = vec_push(ret);
		if (!w)
			return -ENOMEM;
		*w = (struct waiting){ i, wait };
	}
	vec_each(w, ret)
		if (w->wait.kind == LOCK_FUTEX && looks_like_mutex(s, w))
			name_mutex(ret, w->wait.futex);
	if (ret->n)
		qsort(ret->v, ret->n, sizeof ret->v[0], by_lock);
	return 0;
}

static int add_locks(const struct process_stacks *s, const waiting_vec *waiting, struct lock_snapshot *ret)
{
	ret->storage = calloc(waiting->n ? waiting->n : 1, sizeof *ret->storage);
	if (!ret->storage)
		return -ENOMEM;
	for (size_t i = 0; i < waiting->n; i++) {
		const struct waiting *w = &waiting->v[i];
		struct lock *l = i && w[-1].wait.address == w->wait.address ? &ret->locks.v[ret->locks.n - 1] : vec_push(&ret->locks);
		if (!l)
			return -ENOMEM;
		ret->storage[i] = w->thread;
		if (l->nwaiters++ == 0)
			*l = (struct lock){ w->wait.kind, w->wait.address, 0, 0, &ret->storage[i], 1 };
		ret->waiting += lock_kind_contends(w->wait.kind);
	}
	vec_each(l, &ret->locks)
		find_owner(s, l);
	if (ret->locks.n)
		qsort(ret->locks.v, ret->locks.n, sizeof ret->locks.v[0], by_weight);
	return 0;
}

static size_t index_of(const struct process_stacks *s, int tid)
{
	for (size_t i = 0; tid && i < s->threads.n; i++)
		if (s->threads.v[i].tid == tid)
			return i;
	return SIZE_MAX;
}

static int add_cycle(struct lock_snapshot *ret, const size_t *next, const size_t *lock, size_t first)
{
	struct lock_cycle_of_threads *c = vec_push(&ret->cycles);
	size_t at = first;

	if (!c)
		return -ENOMEM;
	do {
		c->thread[c->n] = at;
		c->lock[c->n++] = lock[at];
		at = next[at];
	} while (at != first && c->n < LOCK_CYCLE_MAX_THREADS);
	return 0;
}

static int add_cycles(const struct process_stacks *s, struct lock_snapshot *ret)
{
	size_t n = s->threads.n, *room = malloc((3 * n + 1) * sizeof *room);
	size_t *next = room, *lock = room + n, *first = room + 2 * n;
	int r = 0;

	if (!room)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		next[i] = lock[i] = SIZE_MAX;
	for (size_t i = 0; i < ret->locks.n; i++)
		for (size_t k = 0; k < ret->locks.v[i].nwaiters; k++) {
			next[ret->locks.v[i].waiter[k]] = index_of(s, ret->locks.v[i].owner_tid);
			lock[ret->locks.v[i].waiter[k]] = i;
		}
	size_t found = lock_cycles_find(next, n, first);
	for (size_t i = 0; i < found && r >= 0; i++)
		r = add_cycle(ret, next, lock, first[i]);
	free(room);
	return r;
}

int lock_snapshot_make(struct symbolizer *y, const struct process_stacks *stacks, struct lock_snapshot *ret)
{
	struct lock_snapshot s = { 0 };
	waiting_vec waiting = { 0 };
	int r = find_waiting(y, stacks, &waiting);

	if (r >= 0)
		r = add_locks(stacks, &waiting, &s);
	if (r >= 0)
		r = add_cycles(stacks, &s);
	vec_free(&waiting);
	if (r < 0) {
		lock_snapshot_deinit(&s);
		return r;
	}
	*ret = s;
	return 0;
}

static bool cycle_stands(const struct lock_cycle_of_threads *c, const struct lock_snapshot *s,
			 const struct process_stacks *stacks, const struct lock_cycle_of_threads *d,
			 const struct lock_snapshot *later, const struct process_stacks *later_stacks)
{
	if (c->n != d->n)
		return false;
	for (size_t i = 0; i < c->n; i++) {
		const struct thread_stack *t = &stacks->threads.v[c->thread[i]], *u = &later_stacks->threads.v[d->thread[i]];
		if (t->tid != u->tid || t->switches != u->switches ||
		    s->locks.v[c->lock[i]].address != later->locks.v[d->lock[i]].address)
			return false;
	}
	return true;
}

/* Who waits for a lock and is named its owner, too, got it between the two looks, or gave it away: nobody is known to
 * hold it. */
static void forget_passing_owners(struct lock_snapshot *s, const struct process_stacks *stacks)
{
	vec_each(l, &s->locks)
		for (size_t i = 0; i < l->nwaiters; i++)
			if (stacks->threads.v[l->waiter[i]].tid == l->owner_tid && !lock_in_cycle(s, l->address))
				l->owner_tid = 0;
}

void lock_snapshot_confirm(struct lock_snapshot *s, const struct process_stacks *stacks, const struct lock_snapshot *later,
			   const struct process_stacks *later_stacks)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->cycles.n; i++) {
		bool stands = false;
		vec_each(d, &later->cycles)
			stands |= cycle_stands(&s->cycles.v[i], s, stacks, d, later, later_stacks);
		if (stands)
			s->cycles.v[kept++] = s->cycles.v[i];
	}
	s->cycles.n = kept;
	forget_passing_owners(s, stacks);
}

bool lock_in_cycle(const struct lock_snapshot *s, uint64_t address)
{
	vec_each(c, &s->cycles)
		for (size_t i = 0; i < c->n; i++)
			if (s->locks.v[c->lock[i]].address == address)
				return true;
	return false;
}

void lock_snapshot_deinit(struct lock_snapshot *s)
{
	vec_free(&s->locks);
	vec_free(&s->cycles);
	free(s->storage);
	s->storage = NULL;
}
