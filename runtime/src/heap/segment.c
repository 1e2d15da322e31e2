#include "heap/segment.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* 48 bits of address, the most that the kernel gives unasked. */
#define SEGMENTS_POSSIBLE (UINT64_C(1) << (48 - SEGMENT_SHIFT))
/* Of those in slices: 1 TiB. */
#define SEGMENTS_MOST (1u << 18)
/* So often in a row a mapping is placed below the one before; then the kernel is asked where there is room. */
#define PLACED_IN_A_ROW 64
#define RUN_MOST (HEAP_LARGE_MAX / SLICE_BYTES)
/* Mappings of huge blocks. */
#define KEPT_MOST_EACH ((size_t)32 << 20)
#define KEPT_MOST ((size_t)64 << 20)
#define SLICES_ALL (~UINT64_C(1))

struct segments segments = { .decay_ms = HEAP_DECAY_MS };

/* Both untouched, so without memory, but for where the heap lies. */
static _Atomic uint64_t known[SEGMENTS_POSSIBLE / 64];
static _Atomic uint64_t begins[SEGMENTS_POSSIBLE / 64];
static struct segment *numbered[SEGMENTS_MOST];
static uint32_t unused_numbers;	/* below segments.used */
static uint8_t largest_run[SEGMENTS_MOST];
/* No segment of a lower number has a free run of so many slices. */
static uint32_t lowest_with[RUN_MOST + 1];
static _Atomic uintptr_t lowest_mapped;
static _Atomic uint32_t placed;

/* -- mappings */

static void *map(void *at, size_t bytes, int flags)
{
	int kept = errno;
	void *p = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	errno = kept;
	return p == MAP_FAILED ? NULL : p;
}

static void unmap(void *p, size_t bytes)
{
	int kept = errno;

	if (bytes)
		munmap(p, bytes);
	errno = kept;
}

static size_t whole_segments(size_t bytes)
{
	return (bytes + SEGMENT_BYTES - 1) & ~((size_t)SEGMENT_BYTES - 1);
}

static void *map_anywhere(size_t bytes)
{
	char *p = map(NULL, bytes + SEGMENT_BYTES, 0);

	if (!p)
		return NULL;
	char *aligned = (char *)whole_segments((uintptr_t)p);
	unmap(p, (size_t)(aligned - p));
	unmap(aligned + bytes, (size_t)(p + SEGMENT_BYTES - aligned));
	return aligned;
}

/* Aligned by a segment. Below the one before there is room most times, and the mappings become one to the kernel. */
static void *map_aligned(size_t bytes)
{
	uintptr_t lowest = atomic_load_explicit(&lowest_mapped, memory_order_relaxed);
	size_t room = whole_segments(bytes);
	char *p = NULL;

	if (lowest > room + SEGMENT_BYTES &&
	    atomic_fetch_add_explicit(&placed, 1, memory_order_relaxed) % PLACED_IN_A_ROW != PLACED_IN_A_ROW - 1)
		p = map((void *)(lowest - room), bytes, MAP_FIXED_NOREPLACE);
	if (p && (uintptr_t)p % SEGMENT_BYTES) {	/* a kernel before 4.17 takes the address for a wish */
		unmap(p, bytes);
		p = NULL;
	}
	if (!p)
		p = map_anywhere(bytes);
	if (p)
		atomic_store_explicit(&lowest_mapped, (uintptr_t)p, memory_order_relaxed);
	return p;
}

static void set_bits(_Atomic uint64_t *bits, const void *from, size_t bytes, bool on)
{
	uint64_t i = (uintptr_t)from >> SEGMENT_SHIFT, end = i + whole_segments(bytes) / SEGMENT_BYTES;

	for (; i < end; i++) {
		uint64_t bit = UINT64_C(1) << (i % 64);
		if (on)
			atomic_fetch_or_explicit(&bits[i / 64], bit, memory_order_relaxed);
		else
			atomic_fetch_and_explicit(&bits[i / 64], ~bit, memory_order_relaxed);
	}
}

static void segment_register(struct segment *s, size_t bytes)
{
	set_bits(begins, s, 1, true);
	set_bits(known, s, bytes, true);
}

static void segment_unregister(struct segment *s, size_t bytes)
{
	set_bits(known, s, bytes, false);
	set_bits(begins, s, 1, false);
	if (atomic_load_explicit(&lowest_mapped, memory_order_relaxed) == (uintptr_t)s)
		atomic_store_explicit(&lowest_mapped, (uintptr_t)s + whole_segments(bytes), memory_order_relaxed);
}

static bool bit_of(const _Atomic uint64_t *bits, uint64_t i)
{
	return atomic_load_explicit(&bits[i / 64], memory_order_relaxed) >> (i % 64) & 1;
}

bool segment_known(const struct segment *s)
{
	uint64_t i = (uintptr_t)s >> SEGMENT_SHIFT;

	return i < SEGMENTS_POSSIBLE && bit_of(begins, i);
}

struct segment *segment_around(const void *address)
{
	uint64_t i = (uintptr_t)address >> SEGMENT_SHIFT;

	if (i >= SEGMENTS_POSSIBLE || !bit_of(known, i))
		return NULL;
	for (uint64_t mask = ~UINT64_C(0) >> (63 - i % 64); ; mask = ~UINT64_C(0)) {
		uint64_t word = atomic_load_explicit(&begins[i / 64], memory_order_relaxed) & mask;
		if (word)
			return (struct segment *)(uintptr_t)(((i & ~UINT64_C(63)) + 63 - (unsigned)__builtin_clzll(word)) << SEGMENT_SHIFT);
		if (i < 64)
			return NULL;
		i = (i & ~UINT64_C(63)) - 1;
	}
}

#define MOST_FOREVER 256

static struct {
	_Atomic uintptr_t from, to;
} forever[MOST_FOREVER];
static _Atomic uint32_t nforever;

void *segments_forever(size_t size)
{
	char *p = map(NULL, size, 0);
	uint32_t i = p ? atomic_fetch_add(&nforever, 1) : MOST_FOREVER;

	if (i < MOST_FOREVER) {
		atomic_store(&forever[i].to, (uintptr_t)(p + size));
		atomic_store(&forever[i].from, (uintptr_t)p);
	}
	return p;
}

bool segments_forever_holds(const void *address)
{
	uint32_t n = atomic_load(&nforever);
	uintptr_t at = (uintptr_t)address;

	for (uint32_t i = 0; i < n && i < MOST_FOREVER; i++)
		if (atomic_load(&forever[i].from) && at >= forever[i].from && at < forever[i].to)
			return true;
	return false;
}

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
	struct segment *s = map_aligned(SEGMENT_BYTES);

	if (!s)
		return NULL;
	uint32_t n = unused_number();
	if (n == SEGMENTS_MOST) {
		unmap(s, SEGMENT_BYTES);
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

static void discard(struct segment *s, uint64_t mask)
{
	int kept = errno;

	for (uint64_t left = mask; left;) {
		unsigned first = (unsigned)__builtin_ctzll(left);
		unsigned n = ~(left >> first) ? (unsigned)__builtin_ctzll(~(left >> first)) : 64 - first;
		madvise((char *)s + ((size_t)first << SLICE_SHIFT), (size_t)n << SLICE_SHIFT, MADV_DONTNEED);
		left &= ~slices_mask(first, n);
	}
	errno = kept;
}

/* The slices are nobody's meanwhile, so that others need not wait for the kernel. Under the lock, which is given back and taken. */
static size_t segment_purge(struct segment *s, uint64_t mask)
{
	size_t bytes = (size_t)__builtin_popcountll(mask) << SLICE_SHIFT;

	slices_take(s, mask);
	short_lock_give(&segments.lock);
	discard(s, mask);
	short_lock_take(&segments.lock);
	s->free |= mask;
	s->touched &= ~mask;
	segments.purged_bytes += bytes;
	free_changed(s);
	return bytes;
}

/* Kept mappings that were freed before `before`; 0: all. Under the lock. */
static size_t kept_purge(uint32_t before)
{
	size_t bytes = 0;

	for (struct segment **at = &segments.kept, *s; (s = *at);) {
		if (before && (int32_t)(s->freed - before) >= 0) {
			at = &s->next_huge;
			continue;
		}
		*at = s->next_huge;
		bytes += s->mapped_bytes;
		segments.kept_bytes -= s->mapped_bytes;
		segments.purged_bytes += s->mapped_bytes;
		unmap(s, s->mapped_bytes);
	}
	return bytes;
}

static void purge_old(void)
{
	uint32_t purges = atomic_fetch_add_explicit(&segments.purges, 1, memory_order_relaxed);

	short_lock_take(&segments.lock);
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
		kept_purge(purges);
	short_lock_give(&segments.lock);
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
	unmap(s, SEGMENT_BYTES);
}

size_t segments_purge(void)
{
	short_lock_take(&segments.lock);
	size_t bytes = kept_purge(0);
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
	short_lock_give(&segments.lock);
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

	short_lock_take(&segments.lock);
	struct segment *s = segment_with(slices);
	if (s) {
		size_t first = slices_choose(s, slices);
		uint64_t mask = slices_mask(first, slices);
		*ret_zero = !(s->touched & mask);
		s->touched |= mask;
		slices_take(s, mask);
		page = page_make(s, first, slices);
	}
	short_lock_give(&segments.lock);
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

	short_lock_take(&segments.lock);
	page->state = PAGE_FREE;
	atomic_store_explicit(&s->owner[page - s->pages], NULL, memory_order_relaxed);
	slices_give(s, slices_mask((size_t)(page - s->pages), page->slices));
	short_lock_give(&segments.lock);
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

	short_lock_take(&segments.lock);
	if (slices > page->slices)
		done = page_grow(s, page, slices);
	else if (slices < page->slices)
		page_shrink(s, page, slices);
	short_lock_give(&segments.lock);
	return done;
}

/* -- huge blocks */

static void huge_link(struct segment *s)
{
	short_lock_take(&segments.lock);
	s->previous_huge = NULL;
	s->next_huge = segments.huge;
	if (segments.huge)
		segments.huge->previous_huge = s;
	segments.huge = s;
	segments.huge_blocks++;
	segments.huge_bytes += s->huge_bytes;
	segments.mapped_bytes += s->mapped_bytes;
	short_lock_give(&segments.lock);
	segment_register(s, s->mapped_bytes);
}

static void huge_unlink(struct segment *s)
{
	segment_unregister(s, s->mapped_bytes);
	short_lock_take(&segments.lock);
	if (s->next_huge)
		s->next_huge->previous_huge = s->previous_huge;
	if (s->previous_huge)
		s->previous_huge->next_huge = s->next_huge;
	else
		segments.huge = s->next_huge;
	segments.huge_blocks--;
	segments.huge_bytes -= s->huge_bytes;
	segments.mapped_bytes -= s->mapped_bytes;
	short_lock_give(&segments.lock);
}

/* Never 0, which would be no huge block. */
static size_t huge_rounded(size_t size)
{
	if (size == 0)
		size = 1;
	return (size + 4095) & ~(size_t)4095;
}

static void *huge_make(struct segment *s, size_t mapped, size_t offset)
{
	s->huge_bytes = mapped - offset;
	s->huge_offset = offset;
	s->mapped_bytes = mapped;
	huge_link(s);
	return (char *)s + offset;
}

/* Of those that are kept the smallest that serves, and is not twice what is needed. */
static struct segment *kept_take(size_t mapped)
{
	struct segment **best = NULL, *s = NULL;

	if (!segments.kept)
		return NULL;
	short_lock_take(&segments.lock);
	for (struct segment **at = &segments.kept; *at; at = &(*at)->next_huge)
		if ((*at)->mapped_bytes >= mapped && (*at)->mapped_bytes / 2 <= mapped &&
		    (!best || (*at)->mapped_bytes < (*best)->mapped_bytes))
			best = at;
	if (best) {
		s = *best;
		*best = s->next_huge;
		segments.kept_bytes -= s->mapped_bytes;
	}
	short_lock_give(&segments.lock);
	return s;
}

static bool kept_put(struct segment *s)
{
	bool kept = false;

	short_lock_take(&segments.lock);
	if (s->mapped_bytes <= KEPT_MOST_EACH && segments.kept_bytes + s->mapped_bytes <= KEPT_MOST) {
		s->freed = atomic_load_explicit(&segments.purges, memory_order_relaxed);
		s->next_huge = segments.kept;
		segments.kept = s;
		segments.kept_bytes += s->mapped_bytes;
		kept = true;
	}
	short_lock_give(&segments.lock);
	return kept;
}

/* Aligned by more than a segment: looked for within a larger mapping. */
static void *huge_aligned(size_t bytes, size_t alignment)
{
	size_t mapped = bytes + 2 * alignment;
	char *p = map_aligned(mapped);

	if (!p)
		return NULL;
	char *block = (char *)(((uintptr_t)p + 2 * alignment - 1) & ~(alignment - 1));
	char *front = block - SEGMENT_BYTES;
	unmap(p, (size_t)(front - p));
	unmap(block + bytes, (size_t)(p + mapped - block) - bytes);
	return huge_make((struct segment *)front, SEGMENT_BYTES + bytes, SEGMENT_BYTES);
}

static void *huge_map(size_t bytes, size_t alignment)
{
	/* From a multiple of SEGMENT_BYTES on, the first multiple of the alignment that leaves room in front. */
	size_t offset = alignment > SLICE_BYTES ? alignment : SLICE_BYTES;

	if (alignment > SEGMENT_BYTES)
		return huge_aligned(bytes, alignment);
	struct segment *s = map_aligned(bytes + offset);
	return s ? huge_make(s, bytes + offset, offset) : NULL;
}

void *huge_take(size_t size, size_t alignment, bool *ret_zero)
{
	size_t bytes = huge_rounded(size);

	if (size > PTRDIFF_MAX || alignment > PTRDIFF_MAX / 4 || bytes + 2 * alignment + SLICE_BYTES > PTRDIFF_MAX)
		return NULL;
	struct segment *s = alignment <= SLICE_BYTES ? kept_take(bytes + SLICE_BYTES) : NULL;
	*ret_zero = !s;
	segments_purge_in_time();
	if (s)
		return huge_make(s, s->mapped_bytes, SLICE_BYTES);
	void *block = huge_map(bytes, alignment);
	if (!block && segments_purge() > 0)
		block = huge_map(bytes, alignment);
	return block;
}

void huge_give(struct segment *s)
{
	huge_unlink(s);
	if (!kept_put(s))
		unmap(s, s->mapped_bytes);
}

/* Memory that is there is copied to in less time than new one takes. */
static bool huge_into_kept(struct segment *s, size_t bytes, void **ret_block)
{
	struct segment *to = kept_take(bytes + SLICE_BYTES);

	if (!to)
		return false;
	*ret_block = memcpy(huge_make(to, to->mapped_bytes, SLICE_BYTES), (char *)s + s->huge_offset, s->huge_bytes);
	huge_give(s);
	return true;
}

/* The kernel moves the memory without copying it. */
static struct segment *huge_move(struct segment *s, size_t mapped)
{
	int kept = errno;
	void *to = mremap(s, s->mapped_bytes, mapped, 0);

	if (to == MAP_FAILED && mapped > s->mapped_bytes && (to = map_aligned(mapped)))
		if (mremap(s, s->mapped_bytes, mapped, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED) {
			unmap(to, mapped);
			to = MAP_FAILED;
		}
	errno = kept;
	return to == MAP_FAILED ? NULL : to;
}

void *huge_resize(struct segment *s, size_t size)
{
	size_t bytes = huge_rounded(size);
	void *block;

	if (size > PTRDIFF_MAX || bytes + s->huge_offset > PTRDIFF_MAX)
		return NULL;
	if (size > s->huge_bytes && huge_into_kept(s, bytes, &block))
		return block;
	huge_unlink(s);
	struct segment *to = huge_move(s, bytes + s->huge_offset);
	bool moved = to != NULL;
	if (!moved) {
		to = s;
	} else {
		to->huge_bytes = bytes;
		to->mapped_bytes = bytes + to->huge_offset;
	}
	huge_link(to);
	return moved ? (char *)to + to->huge_offset : NULL;
}
