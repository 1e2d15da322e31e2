/* The functions of osprey/rt/leaks.h. */
#include "osprey/rt/leaks.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "door.h"
#include "heap/heap_debug.h"
#include "heap/heap_walk.h"
#include "heap/huge.h"
#include "heap/mapping.h"
#include "tell.h"
#include "trace/trace.h"

#define MOST_SIZES 64
#define MOST_FIBERS 100
#define SHOWN 4			/* blocks of each size */
#define TRIES 100

struct size {
	size_t bytes;
	uint64_t n;
	void *some[SHOWN];
};

struct waits_for_ever {
	struct fiber *fiber;
	uint64_t id;
};

/* What was not reached at the first look. Grows while nobody may allocate: it is a mapping. */
struct suspects {
	uintptr_t *blocks;
	size_t n, room;
	int error;
};

/* Filled while nobody may allocate. */
struct findings {
	struct suspects suspects;
	struct rt_leaks sums;
	struct rt_leaked_block *blocks;
	size_t most;
	struct size sizes[MOST_SIZES];
	unsigned nsizes;
	struct waits_for_ever fibers[MOST_FIBERS];
};

static struct short_lock lock;
static struct findings findings;	/* under the lock: it is more than a fiber's stack should bear */

/* It was freed, and its page's owner was not told yet. */
static bool is_owed(const struct heap_found *found)
{
	const struct heap_block *b = found->block;

	return found->page && b->key == heap_key(b);
}

static bool found(struct tracer *t, uintptr_t word, struct span *ret)
{
	struct heap_found block;

	(void)t;
	if (!heap_mark((void *)word, &block))
		return false;
	/* What is in one that is owed is old. */
	*ret = (struct span){ (uintptr_t)block.block, (uintptr_t)block.block + (is_owed(&block) ? 0 : block.bytes) };
	return true;
}

/* What is in blocks counts if the block is found; the heap's own notes, of what is free and what is owed, do
 * not. */
static bool excluded(uintptr_t page)
{
	return segment_around((void *)page) || segments_forever_holds((void *)page);
}

static void add(struct findings *f, void *block, size_t bytes)
{
	if (f->blocks && f->sums.blocks < f->most)
		f->blocks[f->sums.blocks] = (struct rt_leaked_block){ block, bytes };
	f->sums.blocks++;
	f->sums.bytes += bytes;
	unsigned i = 0;
	while (i < f->nsizes && f->sizes[i].bytes != bytes)
		i++;
	if (i == MOST_SIZES)
		return;
	if (i == f->nsizes)
		f->sizes[f->nsizes++] = (struct size){ .bytes = bytes };
	struct size *s = &f->sizes[i];
	if (s->n < SHOWN)
		s->some[s->n] = block;
	s->n++;
}

static void not_reached(const struct heap_found *found, void *arg)
{
	void *block = found->block;
	size_t bytes = found->bytes;

	if (is_owed(found))
		return;
	if (heap_debugged && !heap_debug_within(found->block, &block, &bytes))
		return;
	add(arg, block, bytes);
}

static int suspects_init(struct suspects *s)
{
	s->room = 4096;
	s->blocks = mmap(NULL, s->room * sizeof *s->blocks, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return s->blocks == MAP_FAILED ? -ENOMEM : 0;
}

static void suspect(const struct heap_found *found, void *arg)
{
	struct suspects *s = &((struct findings *)arg)->suspects;

	if (s->n == s->room) {
		void *more = mremap(s->blocks, s->room * sizeof *s->blocks, 2 * s->room * sizeof *s->blocks, MREMAP_MAYMOVE);
		if (more == MAP_FAILED) {
			s->error = -ENOMEM;
			return;
		}
		s->blocks = more;
		s->room *= 2;
	}
	/* Hidden from the second look. */
	s->blocks[s->n++] = ~(uintptr_t)found->block;
}

static int by_address(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_suspect(const struct suspects *s, const void *block)
{
	uintptr_t hidden = ~(uintptr_t)block;

	return bsearch(&hidden, s->blocks, s->n, sizeof *s->blocks, by_address) != NULL;
}

static void confirm(const struct heap_found *found, void *arg)
{
	if (is_suspect(&((struct findings *)arg)->suspects, found->block))
		not_reached(found, arg);
}

static void fibers_not_reached(struct findings *f, const struct tracer *first, const struct tracer *t)
{
	for (int size = 0; size < FIBER_STACK_SIZES; size++)
		for (uint32_t i = 0, n = fiber_used((enum rt_stack)size); i < n; i++) {
			struct fiber *is = fiber_at((enum rt_stack)size, i);
			if (atomic_load(&is->state) != FIBER_PARKED || trace_reached(first, is) || trace_reached(t, is))
				continue;
			if (f->sums.fibers < MOST_FIBERS)
				f->fibers[f->sums.fibers] = (struct waits_for_ever){ is, atomic_load(&is->id) };
			f->sums.fibers++;
		}
}

/* A thread may have been stopped while it changed what all threads share. */
static int halt_at_rest(const struct halted **ret, size_t *ret_n)
{
	for (int i = 0; i < TRIES; i++) {
		int r = halt_begin(ret, ret_n);
		if (r < 0)
			return r;
		if (!atomic_load(&segments.lock.held))
			return 0;
		halt_end();
	}
	return -EAGAIN;
}

/* One look: the first collects, the second (with the first's tracer) confirms. */
static int look(struct tracer *t, struct findings *f, const struct tracer *first)
{
	const struct halted *halted;
	size_t n;
	int r = halt_at_rest(&halted, &n);

	if (r < 0)
		return r;
	/* Huge blocks that were freed and are kept are no segments: what is in them would be a root. */
	heap_lock(&segments.lock);
	(void)huge_purge(0);
	heap_unlock(&segments.lock);
	heap_marks_begin();
	r = trace_from_roots(t, halted, n);
	if (r == 0)
		heap_walk_unmarked(first ? confirm : suspect, f);
	if (r == 0 && first)
		fibers_not_reached(f, first, t);
	halt_end();
	return r < 0 ? r : f->suspects.error;
}

/* A second look sees what only seemed lost, since a thread was stopped on its way through the heap. */
static int find(void *arg, uintptr_t sp)
{
	struct findings *f = arg;
	struct tracer first = { .low = 1, .high = UINTPTR_MAX, .found = found, .excluded = excluded, .own_sp = sp };
	struct tracer second = first;
	int r = suspects_init(&f->suspects);

	if (r < 0)
		return r;
	r = tracer_init(&first);
	if (r == 0) {
		r = look(&first, f, NULL);
		tracer_finish(&first);
		if (r == 0) {
			qsort(f->suspects.blocks, f->suspects.n, sizeof *f->suspects.blocks, by_address);
			sched_yield();
			r = tracer_init(&second);
		}
		if (r == 0) {
			r = look(&second, f, &first);
			tracer_deinit(&second);
		}
		tracer_deinit(&first);
	}
	munmap(f->suspects.blocks, f->suspects.room * sizeof *f->suspects.blocks);
	return r;
}

static int find_into(struct rt_leaked_block *ret_some, size_t most)
{
	int kept = errno;

	if (!short_lock_try(&lock))
		return -EBUSY;
	/* What is in there from before looks like pointers. */
	memset(&findings, 0, sizeof findings);
	if (ret_some)
		memset(ret_some, 0, most * sizeof *ret_some);
	findings.blocks = ret_some;
	findings.most = most;
	int r = trace_standing(find, &findings);
	if (r < 0)
		short_lock_give(&lock);
	errno = kept;
	return r;
}

int rt_leaks_find(struct rt_leaks *ret, struct rt_leaked_block *ret_some, size_t most)
{
	int r = find_into(ret_some, most);

	if (r < 0)
		return r;
	*ret = findings.sums;
	short_lock_give(&lock);
	return 0;
}

static void tell_size(const struct size *s)
{
	dprintf(STDERR_FILENO, "  %" PRIu64 " of %zu bytes:", s->n, s->bytes);
	for (unsigned i = 0; i < SHOWN && i < s->n; i++)
		dprintf(STDERR_FILENO, " %p", s->some[i]);
	dprintf(STDERR_FILENO, "%s\n", s->n > SHOWN ? " …" : "");
}

static void tell_fibers(const struct findings *f)
{
	if (!thread_self() || !thread_self()->running)
		return;
	struct thread *t = door_enter();
	for (uint64_t i = 0; i < f->sums.fibers && i < MOST_FIBERS; i++) {
		struct fiber *is = f->fibers[i].fiber;
		if (atomic_load(&is->state) == FIBER_PARKED && atomic_load(&is->id) == f->fibers[i].id)
			tell_parked(t, is);
	}
	if (f->sums.fibers > MOST_FIBERS)
		dprintf(STDERR_FILENO, "… and %" PRIu64 " more\n", f->sums.fibers - MOST_FIBERS);
	door_leave();
}

int rt_leaks_report(struct rt_leaks *ret)
{
	int r = find_into(NULL, 0);

	if (r < 0)
		return r;
	const struct findings *f = &findings;
	if (f->sums.blocks) {
		dprintf(STDERR_FILENO, "osprey/rt: nothing points to %" PRIu64 " blocks, %" PRIu64 " bytes:\n", f->sums.blocks, f->sums.bytes);
		for (unsigned i = 0; i < f->nsizes; i++)
			tell_size(&f->sizes[i]);
	}
	if (f->sums.fibers) {
		dprintf(STDERR_FILENO, "osprey/rt: %" PRIu64 " fibers wait for ever, nobody is left who could end that:\n", f->sums.fibers);
		tell_fibers(f);
	}
	if (ret)
		*ret = f->sums;
	short_lock_give(&lock);
	return 0;
}

/* Who looks meanwhile does so in the parent only; it is not waited for, since it tells what it finds under the
 * lock. What it has found so far is nothing to the child. */
static void fork_in_child(void)
{
	atomic_store(&lock.held, 0);
}

__attribute__((constructor)) static void fork_prepared(void)
{
	pthread_atfork(NULL, NULL, fork_in_child);
}
