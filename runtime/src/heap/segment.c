#include "heap/segment.h"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>

#include "heap/huge.h"
#include "heap/mapping.h"

/* Of those in slices: 1 TiB. */
#define SEGMENTS_MOST (1u << 18)
#define RUN_MOST (HEAP_LARGE_MAX / SLICE_BYTES)
#define SLICES_ALL (~UINT64_C(1))

struct segments segments = { .decay_ms = HEAP_DECAY_MS };

static struct segment *numbered[SEGMENTS_MOST];
static uint32_t unused_numbers;	/* below segments.used */
static uint8_t largest_run[SEGMENTS_MOST];
/* No segment of a lower number has a free run of so many slices. */
static uint32_t lowest_with[RUN_MOST + 1];

/* -- slices */

/* The bits where runs of n ones begin. */
static uint64_t runs_of(uint64_t bits, unsigned n)
{
	for (unsigned have = 1; have < n && bits;) {
		unsigned step = have < n - have ? have : n - have;
		bits &= bits >> step;
		have += step;
	}
	return bits;
}

static unsigned longest_run(uint64_t bits)
{
	unsigned n = 0;

	while (bits && n < RUN_MOST) {
		bits &= bits >> 1;
		n++;
	}
	return n;
}

static uint64_t slices_mask(size_t first, unsigned n)
{
	return (n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1) << first;
}

static void free_changed(struct segment *s)
{
	unsigned n = longest_run(s->free);

	largest_run[s->number] = (uint8_t)n;
	for (unsigned i = 1; i <= n; i++)
		if (lowest_with[i] > s->number)
			lowest_with[i] = s->number;
}

static void slices_take(struct segment *s, uint64_t mask)
{
	s->free &= ~mask;
	segments.dirty_slices -= (unsigned)__builtin_popcountll((s->dirty[0] | s->dirty[1]) & mask);
	s->dirty[0] &= ~mask;
	s->dirty[1] &= ~mask;
	free_changed(s);
}

static void slices_give(struct segment *s, uint64_t mask)
{
	s->free |= mask;
	s->dirty[0] |= mask;
	segments.dirty_slices += (unsigned)__builtin_popcountll(mask);
	free_changed(s);
}

static uint32_t unused_number(void)
{
	for (uint32_t n = 0; unused_numbers && n < segments.used; n++) {
		if (!numbered[n]) {
			unused_numbers--;
			return n;
		}
	}
	return segments.used < SEGMENTS_MOST ? segments.used++ : SEGMENTS_MOST;
}

static struct segment *segment_new(void)
{
	struct segment *s = mapping_take(SEGMENT_BYTES);

	if (!s)
		return NULL;
	uint32_t n = unused_number();
	if (n == SEGMENTS_MOST) {
		mapping_give(s, SEGMENT_BYTES);
		return NULL;
	}
	s->number = n;
	s->free = SLICES_ALL;
	s->mapped_bytes = SEGMENT_BYTES;
	numbered[n] = s;
	segments.mapped_bytes += SEGMENT_BYTES;
	segment_register(s, SEGMENT_BYTES);
	free_changed(s);
	return s;
}

static struct segment *segment_with(unsigned slices)
{
	uint32_t n = lowest_with[slices];

	while (n < segments.used && largest_run[n] < slices)
		n++;
	lowest_with[slices] = n;
	return n < segments.used ? numbered[n] : segment_new();
}

/* What has memory already is taken first. */
static size_t slices_choose(struct segment *s, unsigned n)
{
	uint64_t runs = runs_of(s->dirty[0] | s->dirty[1], n);

	if (!runs)
		runs = runs_of(s->free, n);
	return (size_t)__builtin_ctzll(runs);
}

static struct heap_page *page_make(struct segment *s, size_t first, unsigned slices)
{
	struct heap_page *page = &s->pages[first];

	for (size_t i = first; i < first + slices; i++)
		s->first[i] = (uint8_t)first;
	page->start = (char *)s + (first << SLICE_SHIFT);
	page->slices = (uint16_t)slices;
	return page;
}

/* -- giving to the system */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Which of them the kernel took: of memory that is locked (mlockall) it takes none. */
static uint64_t discard(struct segment *s, uint64_t mask)
{
	uint64_t zero = 0;
	int kept = errno;

	for (uint64_t left = mask; left;) {
		unsigned first = (unsigned)__builtin_ctzll(left);
		unsigned n = ~(left >> first) ? (unsigned)__builtin_ctzll(~(left >> first)) : 64 - first;
		if (madvise((char *)s + ((size_t)first << SLICE_SHIFT), (size_t)n << SLICE_SHIFT, MADV_DONTNEED) == 0)
			zero |= slices_mask(first, n);
		left &= ~slices_mask(first, n);
	}
	errno = kept;
	return zero;
}

/* The slices are nobody's meanwhile, so that others need not wait for the kernel. Under the lock, which is
 * given back and taken. */
static size_t segment_purge(struct segment *s, uint64_t mask)
{
	slices_take(s, mask);
	heap_unlock(&segments.lock);
	uint64_t zero = discard(s, mask);
	size_t bytes = (size_t)__builtin_popcountll(zero) << SLICE_SHIFT;
	heap_lock(&segments.lock);
	s->free |= mask;
	s->touched &= ~zero;
	segments.purged_bytes += bytes;
	free_changed(s);
	return bytes;
}

static void purge_old(void)
{
	uint32_t purges = atomic_fetch_add_explicit(&segments.purges, 1, memory_order_relaxed);

	heap_lock(&segments.lock);
	for (uint32_t n = 0; n < segments.used; n++) {
		struct segment *s = numbered[n];
		if (!s || !(s->dirty[0] | s->dirty[1]))
			continue;
		uint64_t old = s->dirty[1];
		s->dirty[1] = s->dirty[0] & ~old;
		s->dirty[0] = old;
		if (old)
			segment_purge(s, old);
	}
	if (purges)
		huge_purge(purges);
	heap_unlock(&segments.lock);
}

/* Once in a while, by whoever comes then. */
void segments_purge_in_time(void)
{
	int64_t now = now_ms(), next = atomic_load_explicit(&segments.next_purge_ms, memory_order_relaxed);
	int64_t decay_ms = atomic_load_explicit(&segments.decay_ms, memory_order_relaxed);

	if (now >= next &&
	    atomic_compare_exchange_strong_explicit(&segments.next_purge_ms, &next, now + decay_ms, memory_order_relaxed,
						    memory_order_relaxed) && next)
		purge_old();
}

static void segment_unmap(struct segment *s)
{
	numbered[s->number] = NULL;
	unused_numbers++;
	largest_run[s->number] = 0;
	segments.mapped_bytes -= SEGMENT_BYTES;
	segments.dirty_slices -= (unsigned)__builtin_popcountll(s->dirty[0] | s->dirty[1]);
	segment_unregister(s, SEGMENT_BYTES);
	mapping_give(s, SEGMENT_BYTES);
}

size_t segments_purge(void)
{
	heap_lock(&segments.lock);
	size_t bytes = huge_purge(0);
	for (uint32_t n = 0; n < segments.used; n++) {
		struct segment *s = numbered[n];
		if (!s)
			continue;
		if (s->free == SLICES_ALL) {
			bytes += (size_t)__builtin_popcountll(s->dirty[0] | s->dirty[1]) << SLICE_SHIFT;
			segment_unmap(s);
		} else if (s->dirty[0] | s->dirty[1]) {
			bytes += segment_purge(s, s->dirty[0] | s->dirty[1]);
		}
	}
	heap_unlock(&segments.lock);
	return bytes;
}

struct segment *segment_numbered(uint32_t n)
{
	return numbered[n];
}

/* -- pages */

static struct heap_page *pages_try(unsigned slices, bool *ret_zero)
{
	struct heap_page *page = NULL;

	heap_lock(&segments.lock);
	struct segment *s = segment_with(slices);
	if (s) {
		size_t first = slices_choose(s, slices);
		uint64_t mask = slices_mask(first, slices);
		*ret_zero = !(s->touched & mask);
		s->touched |= mask;
		slices_take(s, mask);
		page = page_make(s, first, slices);
	}
	heap_unlock(&segments.lock);
	return page;
}

struct heap_page *pages_take(unsigned slices, bool *ret_zero)
{
	struct heap_page *page = pages_try(slices, ret_zero);

	/* An address space that is used up may have free slices, but in runs too short. */
	if (!page && segments_purge() > 0)
		page = pages_try(slices, ret_zero);
	return page;
}

void pages_give(struct heap_page *page)
{
	struct segment *s = segment_of(page->start);

	heap_lock(&segments.lock);
	page->state = PAGE_FREE;
	atomic_store_explicit(&s->owner[page - s->pages], NULL, memory_order_relaxed);
	slices_give(s, slices_mask((size_t)(page - s->pages), page->slices));
	heap_unlock(&segments.lock);
	segments_purge_in_time();
}

static bool page_grow(struct segment *s, struct heap_page *page, unsigned slices)
{
	size_t first = (size_t)(page - s->pages);

	if (first + slices > SEGMENT_SLICES)
		return false;
	uint64_t more = slices_mask(first, slices) & ~slices_mask(first, page->slices);
	if ((s->free & more) != more)
		return false;
	slices_take(s, more);
	s->touched |= more;
	page_make(s, first, slices);
	return true;
}

static void page_shrink(struct segment *s, struct heap_page *page, unsigned slices)
{
	size_t first = (size_t)(page - s->pages);

	slices_give(s, slices_mask(first, page->slices) & ~slices_mask(first, slices));
	page->slices = (uint16_t)slices;
}

bool pages_resize(struct heap_page *page, unsigned slices)
{
	struct segment *s = segment_of(page->start);
	bool done = true;

	heap_lock(&segments.lock);
	if (slices > page->slices)
		done = page_grow(s, page, slices);
	else if (slices < page->slices)
		page_shrink(s, page, slices);
	heap_unlock(&segments.lock);
	return done;
}
