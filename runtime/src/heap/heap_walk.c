#include "heap/heap_walk.h"

#include <string.h>

#include "heap/heap_thread.h"
#include "heap/mapping.h"

#define BLOCKS_MOST (SLICE_BYTES / 16)

/* -- from an address to its block */

static bool huge_at(struct segment *s, const char *address, struct heap_found *ret)
{
	char *block = (char *)s + s->huge_offset;

	if (address < block || address >= block + s->huge_bytes)
		return false;
	*ret = (struct heap_found){ .block = block, .bytes = s->huge_bytes, .segment = s };
	return true;
}

bool heap_found_at(const void *address, struct heap_found *ret)
{
	struct segment *s = segment_around(address);

	if (!s)
		return false;
	if (s->huge_bytes)
		return huge_at(s, address, ret);
	struct heap_page *page = &s->pages[s->first[segment_slice(s, address)]];
	if (page->state == PAGE_FREE)
		return false;
	size_t n = (size_t)((const char *)address - page->start) / page->block_bytes;
	if (n >= (page->state == PAGE_LARGE ? 1 : page->extended))
		return false;
	*ret = (struct heap_found){ .block = page->start + n * page->block_bytes, .bytes = page->block_bytes,
				    .segment = s, .page = page };
	return true;
}

/* -- over pages */

struct walk {
	heap_visit *visit;
	void *arg;
	bool unmarked;		/* visit these only */
	uint64_t free[BLOCKS_MOST / 64];
};

static void note_list(struct walk *w, const struct heap_page *page, const struct heap_block *b)
{
	for (; b; b = b->next) {
		size_t n = (size_t)((const char *)b - page->start) / page->block_bytes;
		w->free[n / 64] |= UINT64_C(1) << (n % 64);
	}
}

static void note_free(struct walk *w, const struct heap_page *page)
{
	uintptr_t remote = atomic_load_explicit(&page->remote, memory_order_acquire);

	memset(w->free, 0, sizeof w->free);
	if (page->state == PAGE_LARGE)
		return;
	note_list(w, page, page->free);
	note_list(w, page, (const struct heap_block *)(remote & PAGE_REMOTE_BLOCKS));
}

static void found_numbered(struct segment *s, struct heap_page *page, size_t n, struct heap_found *ret)
{
	*ret = (struct heap_found){ .block = page->start + n * page->block_bytes, .bytes = page->block_bytes,
				    .segment = s, .page = page };
}

static void walk_page(struct walk *w, struct segment *s, struct heap_page *page)
{
	uint32_t blocks = page->state == PAGE_LARGE ? 1 : page->extended;
	struct heap_found found;

	note_free(w, page);
	for (uint32_t n = 0; n < blocks; n++) {
		if (w->free[n / 64] >> (n % 64) & 1)
			continue;
		found_numbered(s, page, n, &found);
		if (!w->unmarked || !heap_marked(&found))
			w->visit(&found, w->arg);
	}
}

static void each_page(struct walk *w, void (*page_do)(struct walk *w, struct segment *s, struct heap_page *page))
{
	for (uint32_t i = 0; i < segments.used; i++) {
		struct segment *s = segment_numbered(i);
		for (size_t k = 1; s && k < SEGMENT_SLICES; k += s->pages[k].state == PAGE_FREE ? 1 : s->pages[k].slices)
			if (s->pages[k].state != PAGE_FREE)
				page_do(w, s, &s->pages[k]);
	}
}

static void walk_all(struct walk *w)
{
	struct heap_found found;

	heap_tell_all(heap_self());
	heap_lock(&segments.lock);
	each_page(w, walk_page);
	for (struct segment *s = segments.huge; s; s = s->next_huge) {
		huge_at(s, (char *)s + s->huge_offset, &found);
		if (!w->unmarked || !s->huge_marked)
			w->visit(&found, w->arg);
	}
	heap_unlock(&segments.lock);
}

void heap_walk(heap_visit *visit, void *arg)
{
	walk_all(&(struct walk){ .visit = visit, .arg = arg });
}

void heap_walk_unmarked(heap_visit *visit, void *arg)
{
	walk_all(&(struct walk){ .visit = visit, .arg = arg, .unmarked = true });
}

/* -- sums */

struct sums {
	struct walk walk;
	const struct heap *common;
	uint64_t live_bytes, live_blocks, free_bytes;
};

/* Of current pages nobody counts: the caller's own are looked at, and those of the common heap; of others'
 * what was handed out once is taken for in use. */
static uint32_t in_use(const struct segment *s, const struct heap_page *page, const struct heap *common)
{
	uint32_t n = page->extended;

	struct heap *owner = atomic_load_explicit(&s->owner[page - s->pages], memory_order_relaxed);
	if (owner == heap_self() || owner == common)
		for (const struct heap_block *b = page->free; b; b = b->next)
			n--;
	return n;
}

/* Blocks that were handed out, of those with a page among others. */
__attribute__((no_sanitize("thread"))) static uint32_t live_in(const struct segment *s, const struct heap_page *page, const struct heap *common)
{
	uint32_t freed = (uint32_t)(atomic_load_explicit(&page->remote, memory_order_relaxed) >> PAGE_REMOTE_COUNT);
	uint32_t n = page->state == PAGE_FULL ? page->capacity : page->state == PAGE_CURRENT ? in_use(s, page, common) :
		     page->state == PAGE_WAKING ? page->left - 1 : page->left;

	return n > freed && n <= page->capacity ? n - freed : 0;
}

/* Reads what the owner changes meanwhile. */
__attribute__((no_sanitize("thread"))) static void sum_page(struct walk *w, struct segment *s, struct heap_page *page)
{
	struct sums *sums = (struct sums *)w;
	uint32_t live = page->state == PAGE_LARGE ? 1 : live_in(s, page, sums->common);

	sums->live_blocks += live;
	sums->live_bytes += (uint64_t)live * page->block_bytes;
	if (page->state != PAGE_LARGE)
		sums->free_bytes += (uint64_t)(page->capacity - live) * page->block_bytes;
}

void heap_sum(uint64_t *ret_live_bytes, uint64_t *ret_live_blocks, uint64_t *ret_free_bytes)
{
	struct heap *common = heap_common_take();
	struct sums sums = { .common = common };

	heap_lock(&segments.lock);
	each_page(&sums.walk, sum_page);
	heap_unlock(&segments.lock);
	if (common)
		heap_common_give();
	*ret_live_bytes = sums.live_bytes;
	*ret_live_blocks = sums.live_blocks;
	*ret_free_bytes = sums.free_bytes;
}

/* -- marks */

static size_t mark_number(const struct heap_found *found)
{
	return (size_t)((char *)found->block - (char *)found->segment) / 16;
}

bool heap_marked(const struct heap_found *found)
{
	if (!found->page)
		return found->segment->huge_marked;
	size_t n = mark_number(found);
	return found->segment->marks[n / 64] >> (n % 64) & 1;
}

static void set_mark(const struct heap_found *found)
{
	size_t n = mark_number(found);

	if (found->page)
		found->segment->marks[n / 64] |= UINT64_C(1) << (n % 64);
	else
		found->segment->huge_marked = true;
}

bool heap_mark(const void *address, struct heap_found *ret)
{
	struct heap_found found;

	if (!heap_found_at(address, &found) || heap_marked(&found))
		return false;
	set_mark(&found);
	*ret = found;
	return true;
}

static void mark_free(struct walk *w, struct segment *s, struct heap_page *page)
{
	struct heap_found found;

	note_free(w, page);
	for (uint32_t n = 0; page->state != PAGE_LARGE && n < page->extended; n++) {
		if (!(w->free[n / 64] >> (n % 64) & 1))
			continue;
		found_numbered(s, page, n, &found);
		set_mark(&found);
	}
}

void heap_marks_begin(void)
{
	struct walk w;

	heap_tell_all(heap_self());
	heap_lock(&segments.lock);
	for (uint32_t i = 0; i < segments.used; i++)
		if (segment_numbered(i))
			memset(segment_numbered(i)->marks, 0, sizeof segment_numbered(i)->marks);
	for (struct segment *s = segments.huge; s; s = s->next_huge)
		s->huge_marked = false;
	each_page(&w, mark_free);
	heap_unlock(&segments.lock);
}
