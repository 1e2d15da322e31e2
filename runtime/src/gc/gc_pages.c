#include "gc/gc_pages.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MOST_RESERVED ((size_t)64 << 30)
#define LEAST_RESERVED ((size_t)64 << 20)
#define GROW_PAGES 16u
#define MOST_SMALL ((size_t)16 << 10)
#define NCLASSES 40

enum page_kind { GC_FREE, GC_SMALL, GC_LARGE, GC_REST };	/* REST: behind the first of a large block */

struct gc_page {
	uint8_t kind, class;
	uint32_t back;		/* REST: how far the first is */
	uint32_t pages;		/* LARGE */
	uint32_t n;		/* blocks */
	uint32_t word;		/* of `used`: those before are full */
	size_t block_bytes;
	struct gc_page *next;	/* with room, of its class */
	uint64_t used[GC_WORDS], marks[GC_WORDS];
};

/* Where a page in front of the first one would be: this data is looked at as any other, and the first block's
 * address is not to lie in it. */
static char *before;
static struct gc_page *pages;
static size_t npages, nwritable, nreserved;
static size_t search_from;
static struct gc_page *with_room[NCLASSES];
static uint64_t live_bytes, live_blocks;

/* -- sizes: by 16 to 128, then four to each power of two */

static unsigned class_of(size_t bytes)
{
	if (bytes <= 128)
		return (unsigned)((bytes + 15) / 16);
	unsigned log = 63 - (unsigned)__builtin_clzll(bytes - 1);
	return 9 + (log - 7) * 4 + (unsigned)((bytes - 1) >> (log - 2) & 3);
}

static size_t bytes_of(unsigned class)
{
	if (class <= 8)
		return class * 16;
	unsigned log = 7 + (class - 9) / 4;
	return ((size_t)1 << log) + ((class - 9) % 4 + 1) * ((size_t)1 << (log - 2));
}

/* -- pages */

static bool reserve(void)
{
	for (size_t bytes = MOST_RESERVED; bytes >= LEAST_RESERVED && !before; bytes /= 2) {
		size_t n = bytes / GC_PAGE_BYTES;
		char *p = mmap(NULL, bytes + GC_PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		void *notes = mmap(NULL, n * sizeof *pages, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p != MAP_FAILED && notes != MAP_FAILED) {
			before = (char *)(((uintptr_t)p - 1) & ~(uintptr_t)(GC_PAGE_BYTES - 1));
			pages = notes;
			nreserved = n;
			break;
		}
		if (p != MAP_FAILED)
			munmap(p, bytes + GC_PAGE_BYTES);
		if (notes != MAP_FAILED)
			munmap(notes, n * sizeof *pages);
	}
	return before != NULL;
}

static char *base(void)
{
	return before + GC_PAGE_BYTES;
}

/* Whole system pages of the notes around what is needed. */
static bool make_writable(size_t until)
{
	uintptr_t mask = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
	uintptr_t from = (uintptr_t)(pages + nwritable) & ~mask, to = ((uintptr_t)(pages + until) + mask) & ~mask;

	if (mprotect(base() + nwritable * GC_PAGE_BYTES, (until - nwritable) * GC_PAGE_BYTES,
		     PROT_READ | PROT_WRITE) < 0 ||
	    mprotect((void *)from, to - from, PROT_READ | PROT_WRITE) < 0)
		return false;
	nwritable = until;
	return true;
}

static struct gc_page *grow(size_t n)
{
	if ((!before && !reserve()) || n > nreserved - npages)
		return NULL;
	if (npages + n > nwritable) {
		size_t until = npages + n + GROW_PAGES;
		if (!make_writable(until < nreserved ? until : nreserved))
			return NULL;
	}
	npages += n;
	return &pages[npages - n];
}

/* So many free ones in a row. */
static struct gc_page *pages_take(size_t n)
{
	size_t run = 0;

	for (size_t i = search_from; i < npages; i++) {
		run = pages[i].kind == GC_FREE ? run + 1 : 0;
		if (run == n) {
			if (n == 1)
				search_from = i + 1;
			return &pages[i + 1 - n];
		}
	}
	if (n == 1)
		search_from = npages;
	return grow(n);
}

static char *start_of(const struct gc_page *p)
{
	return base() + (size_t)(p - pages) * GC_PAGE_BYTES;
}

static struct gc_block *take_large(size_t bytes)
{
	size_t n = (bytes + GC_PAGE_BYTES - 1) / GC_PAGE_BYTES;
	struct gc_page *p = pages_take(n);

	if (!p)
		return NULL;
	*p = (struct gc_page){ .kind = GC_LARGE, .pages = (uint32_t)n, .n = 1, .block_bytes = n * GC_PAGE_BYTES, .used = { 1 } };
	for (size_t i = 1; i < n; i++) {
		p[i].kind = GC_REST;
		p[i].back = (uint32_t)i;
	}
	live_bytes += p->block_bytes;
	live_blocks++;
	return (struct gc_block *)(void *)start_of(p);
}

static struct gc_page *small_page(unsigned class)
{
	struct gc_page *p = pages_take(1);

	if (!p)
		return NULL;
	*p = (struct gc_page){ .kind = GC_SMALL, .class = (uint8_t)class, .block_bytes = bytes_of(class) };
	p->n = (uint32_t)(GC_PAGE_BYTES / p->block_bytes);
	return p;
}

/* NULL: it is full. */
static struct gc_block *take_from(struct gc_page *p)
{
	for (; p->word * 64 < p->n; p->word++) {
		uint64_t free = ~p->used[p->word];
		if (!free)
			continue;
		uint32_t i = p->word * 64 + (uint32_t)__builtin_ctzll(free);
		if (i >= p->n)
			return NULL;
		p->used[p->word] |= UINT64_C(1) << (i % 64);
		live_bytes += p->block_bytes;
		live_blocks++;
		return (struct gc_block *)(void *)(start_of(p) + i * p->block_bytes);
	}
	return NULL;
}

struct gc_block *gc_take(size_t bytes)
{
	if (bytes > MOST_RESERVED)
		return NULL;
	size_t all = bytes + sizeof(struct gc_block);
	if (all > MOST_SMALL)
		return take_large(all);
	unsigned class = class_of(all < GC_LEAST_BLOCK ? GC_LEAST_BLOCK : all);
	for (struct gc_page *p; (p = with_room[class]); with_room[class] = p->next) {
		struct gc_block *b = take_from(p);
		if (b)
			return b;
	}
	struct gc_page *p = small_page(class);
	if (!p)
		return NULL;
	p->next = NULL;
	with_room[class] = p;
	return take_from(p);
}

/* -- from addresses to blocks */

static struct gc_page *page_at(uintptr_t address, uint32_t *ret_nth)
{
	uintptr_t offset = address - (uintptr_t)base();

	if (!before || offset >= npages * GC_PAGE_BYTES)
		return NULL;
	struct gc_page *p = &pages[offset / GC_PAGE_BYTES];
	if (p->kind == GC_REST)
		p -= p->back;
	if (p->kind == GC_FREE)
		return NULL;
	*ret_nth = p->kind == GC_LARGE ? 0 : (uint32_t)(offset % GC_PAGE_BYTES / p->block_bytes);
	return *ret_nth < p->n ? p : NULL;
}

struct gc_block *gc_block_at(uintptr_t address)
{
	uint32_t i;
	struct gc_page *p = page_at(address, &i);

	if (!p || !(p->used[i / 64] >> (i % 64) & 1))
		return NULL;
	return (struct gc_block *)(void *)(start_of(p) + i * p->block_bytes);
}

void gc_range(uintptr_t *ret_low, uintptr_t *ret_high)
{
	*ret_low = (uintptr_t)base();
	*ret_high = (uintptr_t)base() + npages * GC_PAGE_BYTES;
}

bool gc_holds(uintptr_t address)
{
	return before && (address - (uintptr_t)base() < nreserved * GC_PAGE_BYTES ||
			address - (uintptr_t)pages < nreserved * sizeof *pages);
}

/* -- marks */

void gc_marks_clear(void)
{
	for (size_t i = 0; i < npages; i++)
		if (pages[i].kind == GC_SMALL || pages[i].kind == GC_LARGE)
			memset(pages[i].marks, 0, sizeof pages[i].marks);
}

bool gc_mark(struct gc_block *b)
{
	uint32_t i = 0;
	struct gc_page *p = page_at((uintptr_t)b, &i);
	uint64_t bit = UINT64_C(1) << (i % 64);

	if (p->marks[i / 64] & bit)
		return false;
	p->marks[i / 64] |= bit;
	return true;
}

bool gc_is_marked(const struct gc_block *b)
{
	uint32_t i = 0;
	struct gc_page *p = page_at((uintptr_t)b, &i);

	return p->marks[i / 64] >> (i % 64) & 1;
}

/* Back to the system as well: it is not known when it is needed again. */
static void page_free(struct gc_page *p, size_t n)
{
	madvise(start_of(p), n * GC_PAGE_BYTES, MADV_DONTNEED);
	for (size_t i = 0; i < n; i++)
		p[i].kind = GC_FREE;
}

static void sweep_page(struct gc_page *p)
{
	uint32_t left = 0;

	for (uint32_t w = 0; w * 64 < p->n; w++) {
		p->used[w] &= p->marks[w];
		left += (uint32_t)__builtin_popcountll(p->used[w]);
	}
	if (left == 0) {
		page_free(p, p->kind == GC_LARGE ? p->pages : 1);
		return;
	}
	live_bytes += left * p->block_bytes;
	live_blocks += left;
	p->word = 0;
	if (p->kind == GC_SMALL && left < p->n) {
		p->next = with_room[p->class];
		with_room[p->class] = p;
	}
}

void gc_sweep(void)
{
	memset(with_room, 0, sizeof with_room);
	live_bytes = live_blocks = 0;
	search_from = 0;
	/* From the end: then those in front are used first. */
	for (size_t i = npages; i-- > 0;)
		if (pages[i].kind == GC_SMALL || pages[i].kind == GC_LARGE)
			sweep_page(&pages[i]);
}

void gc_sums(uint64_t *ret_bytes, uint64_t *ret_blocks, uint64_t *ret_mapped)
{
	*ret_bytes = live_bytes;
	*ret_blocks = live_blocks;
	*ret_mapped = npages * GC_PAGE_BYTES;
}
