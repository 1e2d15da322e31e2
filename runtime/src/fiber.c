#include "fiber.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "misuse.h"
#include "perturb.h"
#include "short_lock.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102	/* Linux 6.13 */
#endif

/* A guard made by mprotect splits a mapping in two, and the kernel allows 65 530 of them (vm.max_map_count).
 * Without guards of the newer kind, so many fibers have one; the stack pointer of the others is checked when
 * they park. */
#define SPLITTING_GUARDS 10000

#define MOST_FIBERS (4u << 20)
#define LEAST_RESERVED 1000u
/* Memory is made writable for so many at a time: a stack's worth of system calls for 64 of them. */
#define GROW_BY 256u

struct fiber_table fiber_tables[FIBER_STACK_SIZES] = {
	[RT_STACK_DEFAULT] = { .stack_bytes = 64 << 10 },
	[RT_STACK_LARGE] = { .stack_bytes = 256 << 10 },
};

static size_t page_bytes = 4096;
static _Atomic uint32_t splitting_guards;

/* Not for core files: those who write them by reading (gcore) would write hundreds of gigabytes of nothing. */
static void *reserve(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, bytes, MADV_DONTDUMP);
	return p;
}

static bool make_writable(void *p, size_t bytes)
{
	if (mprotect(p, bytes, PROT_READ | PROT_WRITE) < 0)
		return false;
	/* Where that is refused it was before too. */
	madvise(p, bytes, MADV_DODUMP);
	return true;
}

/* As many as the address space allows (ulimit -v). */
static int table_reserve(struct fiber_table *t)
{
	for (uint32_t n = sanitizer_most_fibers(MOST_FIBERS); n >= LEAST_RESERVED; n /= 2) {
		t->fibers = reserve((size_t)n * sizeof *t->fibers);
		t->stacks = t->fibers ? reserve((size_t)n * t->stack_bytes) : NULL;
		if (t->stacks) {
			/* One huge page would hold 32 stacks, of which one is used. */
			madvise(t->stacks, (size_t)n * t->stack_bytes, MADV_NOHUGEPAGE);
			t->reserved = n;
			return 0;
		}
		if (t->fibers)
			munmap(t->fibers, (size_t)n * sizeof *t->fibers);
	}
	t->fibers = NULL;
	return -ENOMEM;
}

int fiber_table_init(void)
{
	page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	for (size_t i = 0; i < FIBER_STACK_SIZES; i++) {
		if (fiber_tables[i].fibers)
			continue;
		int r = table_reserve(&fiber_tables[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int table_make_writable(struct fiber_table *t)
{
	uint32_t n = t->reserved - t->ready < GROW_BY ? t->reserved - t->ready : GROW_BY;

	if (n == 0)
		return -ENOMEM;
	if (!make_writable(t->fibers + t->ready, n * sizeof *t->fibers) ||
	    !make_writable(t->stacks + (size_t)t->ready * t->stack_bytes, n * t->stack_bytes))
		return -ENOMEM;
	t->ready += n;
	return 0;
}

/* The highest bytes of each stack hold a word that whoever overflows the next stack overwrites first. There
 * it costs no page: the top one is used anyway. */
#define TOP_BYTES 64
#define CANARY UINT64_C(0x6f73707265792121)

static bool without_guards;

void fiber_table_without_guards(void)
{
	without_guards = true;
}

static uint64_t *canary_below(char *stack)
{
	return (uint64_t *)(void *)(stack - sizeof(uint64_t));
}

/* Where the stack below has no memory at present (cold/cold.h) the word is zero, and comes back with it. */
static bool canary_is_whole(const struct fiber *f)
{
	const _Atomic uint64_t *canary = (_Atomic uint64_t *)canary_below(fiber_stack_low(f));

	for (int looks = 0; looks < 2; looks++) {
		uint64_t word = atomic_load_explicit(canary, memory_order_acquire);
		if (word == CANARY)
			return true;
		if (word == 0 && atomic_load_explicit(&f[-1].cold_copy, memory_order_acquire))
			return true;
	}
	return false;
}

void fiber_check_stack(const struct fiber *f)
{
	/* Below the first lies nothing of ours. */
	if (f != fiber_tables[f->stack_size].fibers && !canary_is_whole(f))
		misuse("stack overflow: %zu KiB are used up, and what lies below was overwritten",
		       fiber_stack_bytes((enum rt_stack)f->stack_size) >> 10);
}

void fiber_trim_stack(struct fiber *f)
{
	size_t bytes = fiber_tables[f->stack_size].stack_bytes - 2 * page_bytes;
	int kept = errno;

	madvise(fiber_stack_low(f) + page_bytes, bytes, MADV_DONTNEED);
	errno = kept;
}

void fiber_stack_is_back(struct fiber *f)
{
	char *end = fiber_stack_low(f) + fiber_tables[f->stack_size].stack_bytes;
	_Atomic uint64_t *canary = (_Atomic uint64_t *)canary_below(end);

	/* Else whoever has the next stack has overflowed it. */
	if (atomic_load_explicit(canary, memory_order_relaxed) == 0)
		atomic_store_explicit(canary, CANARY, memory_order_release);
}

size_t fiber_page_bytes(void)
{
	return page_bytes;
}

static void guard(struct fiber *f)
{
	char *low = fiber_stack_low(f);

	if (without_guards)
		return;
	if (madvise(low, page_bytes, MADV_GUARD_INSTALL) == 0)
		f->guarded = true;
	else if (atomic_fetch_add(&splitting_guards, 1) < SPLITTING_GUARDS)
		f->guarded = mprotect(low, page_bytes, PROT_NONE) == 0;
}

struct fiber *fiber_table_grow(enum rt_stack size)
{
	struct fiber_table *t = &fiber_tables[size];
	struct fiber *f = NULL;
	int kept = errno;

	short_lock_take(&t->lock);
	uint32_t i = atomic_load_explicit(&t->used, memory_order_relaxed);
	if (i < t->ready || table_make_writable(t) == 0) {
		f = &t->fibers[i];
		f->stack_size = (uint8_t)size;
		/* Before anybody has the next one, who looks at it. */
		*canary_below(fiber_stack_low(f) + t->stack_bytes) = CANARY;
		atomic_store_explicit(&t->used, i + 1, memory_order_release);
	}
	short_lock_give(&t->lock);
	/* Others have the next one meanwhile. */
	perturb();
	if (f) {
		guard(f);
		sanitizer_stack_made(fiber_stack_low(f) + page_bytes, t->stack_bytes - page_bytes);
	}
	errno = kept;
	return f;
}

uint32_t fiber_used(enum rt_stack size)
{
	return atomic_load_explicit(&fiber_tables[size].used, memory_order_acquire);
}

struct fiber *fiber_at(enum rt_stack size, uint32_t i)
{
	return &fiber_tables[size].fibers[i];
}

size_t fiber_stack_bytes(enum rt_stack size)
{
	return fiber_tables[size].stack_bytes;
}

char *fiber_stack_low(const struct fiber *f)
{
	struct fiber_table *t = &fiber_tables[f->stack_size];

	return t->stacks + (size_t)(f - t->fibers) * t->stack_bytes;
}

/* Stacks whose tops lie at equal offsets share the sets of the caches, and evict each other there. Within a
 * page, so that a parked fiber still costs one. */
static size_t colour(const struct fiber *f)
{
	return (size_t)(f - fiber_tables[f->stack_size].fibers) % 16 * 64 + TOP_BYTES;
}

char *fiber_stack_top(const struct fiber *f)
{
	return fiber_stack_low(f) + fiber_tables[f->stack_size].stack_bytes - colour(f);
}

void fiber_prepare(struct fiber *f, void (*start)(void *))
{
	size_t bytes = fiber_tables[f->stack_size].stack_bytes;

	context_make(&f->context, fiber_stack_low(f), bytes, fiber_stack_top(f), start, f);
}

struct fiber *fiber_of_address(const void *address, bool *ret_in_guard)
{
	for (size_t i = 0; i < FIBER_STACK_SIZES; i++) {
		struct fiber_table *t = &fiber_tables[i];
		size_t offset = (size_t)((const char *)address - t->stacks);
		size_t used = atomic_load_explicit(&t->used, memory_order_acquire);
		if (!t->stacks || (const char *)address < t->stacks || offset >= used * t->stack_bytes)
			continue;
		*ret_in_guard = offset % t->stack_bytes < page_bytes;
		return &t->fibers[offset / t->stack_bytes];
	}
	return NULL;
}
