/* The functions of osprey/rt/gc.h. */
#include "osprey/rt/gc.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "gc/gc_pages.h"
#include "short_lock.h"
#include "trace/trace.h"

#define LEAST_BYTES ((size_t)4 << 20)
#define GROW_PCT 100

const struct rt_gc_map rt_gc_no_pointers = { .bytes = 1 };

struct finalizer {
	struct gc_block *block;
	void (*function)(void *block, void *arg);
	void *arg;
	bool due;
};

/* A mapping, so that it is known whose words these are. */
struct finalizers {
	struct finalizer *all;
	size_t n, room;
};

static struct short_lock lock;		/* all below, and the pages */
static struct finalizers finalizers;
static unsigned grow_pct = GROW_PCT;
static size_t least_bytes = LEAST_BYTES;
static uint64_t collect_at = LEAST_BYTES;
static uint64_t collections;
static int64_t halted_ns;

static void *user_part(struct gc_block *b)
{
	return b + 1;
}

/* -- finalizers */

static bool finalizers_append(struct finalizers *f, struct finalizer one)
{
	if (f->n == f->room) {
		size_t room = f->room ? 2 * f->room : 256;
		void *more = f->room ? mremap(f->all, f->room * sizeof *f->all, room * sizeof *f->all, MREMAP_MAYMOVE)
				     : mmap(NULL, room * sizeof *f->all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (more == MAP_FAILED)
			return false;
		f->all = more;
		f->room = room;
	}
	f->all[f->n++] = one;
	return true;
}

int rt_gc_finalizer(void *block, void (*function)(void *block, void *arg), void *arg)
{
	int kept = errno, r = 0;

	short_lock_take(&lock);
	struct gc_block *b = gc_block_at((uintptr_t)block);
	if (!b || user_part(b) != block)
		r = -EINVAL;
	else if (!finalizers_append(&finalizers, (struct finalizer){ b, function, arg, false }))
		r = -ENOMEM;
	short_lock_give(&lock);
	errno = kept;
	return r;
}

/* Without the lock. The list is seen by other collections as any memory: its blocks stay. */
static void call_due(struct finalizers *due)
{
	for (size_t i = 0; i < due->n; i++)
		due->all[i].function(user_part(due->all[i].block), due->all[i].arg);
	if (due->room)
		munmap(due->all, due->room * sizeof *due->all);
}

/* What finds no room waits for the next collection. */
static void take_due(struct finalizers *ret)
{
	size_t left = 0;

	for (size_t i = 0; i < finalizers.n; i++) {
		struct finalizer f = finalizers.all[i];
		bool due = f.due;
		f.due = false;
		if (!due || !finalizers_append(ret, f))
			finalizers.all[left++] = f;
	}
	finalizers.n = left;
}

/* -- marking, while the others stand still */

static void push_mapped(struct tracer *t, struct gc_block *b)
{
	char *user = user_part(b);

	for (size_t at = 0; b->map->n && at + b->map->bytes <= b->bytes; at += b->map->bytes)
		for (size_t i = 0; i < b->map->n; i++) {
			uintptr_t word = (uintptr_t)(user + at + b->map->offsets[i]);
			trace_later(t, (struct span){ word, word + sizeof(void *) });
		}
}

static bool found(struct tracer *t, uintptr_t word, struct span *ret)
{
	struct gc_block *b = gc_block_at(word);

	if (!b || !gc_mark(b))
		return false;
	if (b->map) {
		push_mapped(t, b);
		return false;
	}
	*ret = (struct span){ (uintptr_t)user_part(b), (uintptr_t)user_part(b) + b->bytes };
	return true;
}

static bool excluded(uintptr_t page)
{
	return gc_holds(page) || page - (uintptr_t)finalizers.all < finalizers.room * sizeof *finalizers.all;
}

static int mark_word(struct tracer *t, void *word)
{
	struct span span;

	return found(t, (uintptr_t)word, &span) ? trace_from(t, span) : trace_from(t, (struct span){ 0, 0 });
}

/* All that are due are known before the first of their blocks is kept: one block may be all that points to
 * another. */
static int mark_finalizers(struct tracer *t)
{
	int r = 0;

	for (size_t i = 0; i < finalizers.n && r == 0; i++)
		r = mark_word(t, finalizers.all[i].arg);
	for (size_t i = 0; i < finalizers.n; i++)
		finalizers.all[i].due = !gc_is_marked(finalizers.all[i].block);
	for (size_t i = 0; i < finalizers.n && r == 0; i++)
		r = mark_word(t, finalizers.all[i].block);
	return r;
}

static int mark(uintptr_t sp)
{
	struct tracer t = { .found = found, .excluded = excluded, .all_fibers = true, .own_sp = sp };
	const struct halted *halted;
	size_t n;
	int r = tracer_init(&t);

	if (r < 0)
		return r;
	gc_range(&t.low, &t.high);
	gc_marks_clear();
	int64_t since = rt_now();
	r = halt_begin(&halted, &n);
	if (r == 0) {
		r = trace_from_roots(&t, halted, n);
		if (r == 0)
			r = mark_finalizers(&t);
		halt_end();
		halted_ns = rt_now() - since;
	}
	tracer_deinit(&t);
	return r;
}

static void next_collection(void)
{
	uint64_t bytes, blocks, mapped;

	gc_sums(&bytes, &blocks, &mapped);
	uint64_t more = bytes / 100 * grow_pct;
	collect_at = grow_pct ? bytes + (more > least_bytes ? more : least_bytes) : UINT64_MAX;
}

static int collect_standing(void *ret_due, uintptr_t sp)
{
	int r = mark(sp);

	if (r == 0) {
		gc_sweep();
		take_due(ret_due);
		collections++;
	}
	next_collection();
	return r;
}

/* Under the lock; *ret_due is to be called without it. */
static int collect(struct finalizers *ret_due)
{
	return trace_standing(collect_standing, ret_due);
}

int rt_gc_collect(void)
{
	struct finalizers due = { 0 };
	int kept = errno;

	short_lock_take(&lock);
	int r = collect(&due);
	short_lock_give(&lock);
	call_due(&due);
	errno = kept;
	return r;
}

/* -- allocation */

static struct gc_block *take(size_t bytes, struct finalizers *due)
{
	uint64_t live, blocks, mapped;

	gc_sums(&live, &blocks, &mapped);
	bool collected = live >= collect_at;
	if (collected)
		(void)collect(due);
	struct gc_block *b = gc_take(bytes);
	if (b || collected || collect(due) < 0)
		return b;
	return gc_take(bytes);
}

void *rt_gc_alloc(size_t bytes, const struct rt_gc_map *map)
{
	struct finalizers due = { 0 };
	int kept = errno;

	short_lock_take(&lock);
	struct gc_block *b = take(bytes, &due);
	if (b)
		/* Nobody marks while the lock is held; what it is left with is zeroed before it is a block to
		 * be looked into. */
		*b = (struct gc_block){ &rt_gc_no_pointers, bytes };
	short_lock_give(&lock);
	if (b) {
		memset(user_part(b), 0, bytes);
		__atomic_store_n(&b->map, map, __ATOMIC_RELEASE);
	}
	call_due(&due);
	errno = kept;
	return b ? user_part(b) : NULL;
}

void rt_gc_tune(unsigned pct, size_t least)
{
	short_lock_take(&lock);
	grow_pct = pct;
	least_bytes = least;
	next_collection();
	short_lock_give(&lock);
}

void rt_gc_look(struct rt_gc_state *ret)
{
	struct rt_gc_state s = { 0 };

	short_lock_take(&lock);
	gc_sums(&s.live_bytes, &s.live_blocks, &s.mapped_bytes);
	s.collections = collections;
	s.halted_ns = halted_ns;
	short_lock_give(&lock);
	*ret = s;
}

/* -- fork: the child has the heap as it is between two calls. Before the lock of halts (halt.c), which collecting takes
 * under this one; so no collection is under way, and none waits for the thread that forks. */

static void fork_before(void)
{
	short_lock_take(&lock);
}

static void fork_after(void)
{
	short_lock_give(&lock);
}

__attribute__((constructor(103))) static void fork_prepared(void)
{
	pthread_atfork(fork_before, fork_after, fork_after);
}
