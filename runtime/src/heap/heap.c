#include "heap/heap.h"

#include <string.h>

#include "heap/heap_fault.h"
#include "heap/heap_thread.h"
#include "heap/huge.h"
#include "heap/mapping.h"
#include "perturb.h"

/* Blocks are put into a list some at a time, so that memory is touched when it is needed. */
#define EXTEND_BYTES 4096
#define OWED_BYTES 8192u
#define OWED_BLOCKS 32u

static struct heap_page nothing;	/* of a class without pages: no free block, ever */

#define EIGHT(x) x, x, x, x, x, x, x, x
#define EMPTY_HEAP { .direct = { EIGHT(EIGHT(&nothing)), &nothing }, \
		     .current = { EIGHT(&nothing), EIGHT(&nothing), EIGHT(&nothing), EIGHT(&nothing), EIGHT(&nothing), \
				  &nothing, &nothing, &nothing, &nothing } }
struct heap heap_none = EMPTY_HEAP;
struct heap heap_ended = EMPTY_HEAP;
/* Only assembly reads it, which link-time optimisation does not see. */
__thread struct heap *heap_current __attribute__((used, tls_model("initial-exec"))) = &heap_none;
uintptr_t heap_secret;

_Noreturn void heap_freed_twice(const void *block)
{
	heap_fault(block, "freed already");
}

_Noreturn void heap_broken(const void *block)
{
	heap_fault(block, "freed twice, or written after it was freed");
}

/* -- lists of pages */

static void push(struct page_list *list, struct heap_page *page)
{
	page->next = NULL;
	page->previous = list->last;
	if (list->last)
		list->last->next = page;
	else
		list->first = page;
	list->last = page;
}

void heap_remove(struct page_list *list, struct heap_page *page)
{
	if (page->previous)
		page->previous->next = page->next;
	else
		list->first = page->next;
	if (page->next)
		page->next->previous = page->previous;
	else
		list->last = page->previous;
}

void heap_append(struct heap *h, struct heap_page *page)
{
	page->state = PAGE_LISTED;
	push(&h->listed[page->size_class], page);
}

void heap_init_lists(struct heap *h)
{
	for (size_t i = 0; i < sizeof h->direct / sizeof *h->direct; i++)
		h->direct[i] = &nothing;
	for (unsigned c = 0; c < HEAP_CLASSES; c++)
		h->current[c] = &nothing;
}

static void set_current(struct heap *h, unsigned c, struct heap_page *page)
{
	uint32_t bytes = size_class_bytes(c);

	h->current[c] = page;
	if (bytes > HEAP_DIRECT_MAX)
		return;
	for (uint32_t i = c ? size_class_bytes(c - 1) / 16 + 1 : 0; i <= bytes / 16; i++)
		h->direct[i] = page;
}

/* -- pages */

/* Of slices that do not begin a page, nobody frees without asking. */
void heap_own(struct heap *h, struct heap_page *page)
{
	struct segment *s = segment_of(page->start);

	for (long i = page - s->pages, end = i + page->slices; i < end; i++)
		atomic_store_explicit(&s->owner[i], i == page - s->pages ? h : NULL, memory_order_release);
}

static uint32_t batch_of(uint32_t block_bytes)
{
	uint32_t n = OWED_BYTES / block_bytes;

	return n < 1 ? 1 : n > OWED_BLOCKS ? OWED_BLOCKS : n;
}

static struct heap_page *page_new(struct heap *h, unsigned c)
{
	unsigned slices = size_class_bytes(c) <= HEAP_SMALL_MAX ? 1 : HEAP_MEDIUM_SLICES;
	bool zero;
	struct heap_page *page = pages_take(slices, &zero);

	if (!page)
		return NULL;
	page->free = NULL;
	page->left = 0;
	page->extended = 0;
	page->block_bytes = size_class_bytes(c);
	page->capacity = (slices << SLICE_SHIFT) / page->block_bytes;
	page->size_class = (uint8_t)c;
	page->batch = batch_of(page->block_bytes);
	atomic_store_explicit(&page->remote, 0, memory_order_relaxed);
	heap_own(h, page);
	return page;
}

static void page_extend(struct heap_page *page)
{
	uint32_t n = EXTEND_BYTES / page->block_bytes, left = page->capacity - page->extended;

	n = n ? n : 1;
	n = n < left ? n : left;
	char *at = page->start + (size_t)page->extended * page->block_bytes;
	struct heap_block *first = (struct heap_block *)at;
	uint32_t extended = page->extended + n;
	for (struct heap_block *b = first;; b = b->next) {
		perturb();
		at += page->block_bytes;
		b->key = heap_key(b);
		b->next = --n ? (struct heap_block *)at : NULL;
		if (!n)
			break;
	}
	/* Who halts this thread walks the list (trace/leaks.c): it is whole when it is there. */
	atomic_signal_fence(memory_order_seq_cst);
	page->free = first;
	page->extended = extended;
}

/* What others freed. Of a current page `left` says nothing. */
static void page_collect(struct heap_page *page)
{
	uintptr_t remote = atomic_load_explicit(&page->remote, memory_order_relaxed);

	if (!(remote & ~PAGE_REMOTE_FULL))
		return;
	remote = atomic_exchange_explicit(&page->remote, 0, memory_order_acquire);
	struct heap_block *first = (struct heap_block *)(remote & PAGE_REMOTE_BLOCKS), *last = first;
	page->left = page->state == PAGE_CURRENT ? PAGE_LEFT_MOST : page->left - (uint32_t)(remote >> PAGE_REMOTE_COUNT);
	if (page->free) {
		while (last->next)
			last = last->next;
		last->next = page->free;
	}
	page->free = first;
}

/* Into the list of its class, or to all if no block of it is in use. `left`: how many are. */
static void page_settle(struct heap *h, struct heap_page *page)
{
	if (page->left == 0)
		pages_give(page);
	else
		heap_append(h, page);
}

void heap_page_noticed(struct heap *h, struct heap_page *page)
{
	if (page->state == PAGE_CURRENT) {
		page->left = PAGE_LEFT_MOST;
		segments_purge_in_time();
		return;
	}
	if (page->state == PAGE_LISTED) {
		heap_remove(&h->listed[page->size_class], page);
		pages_give(page);
		return;
	}
	/* It was full, and a block has been put into its list. */
	uintptr_t full = PAGE_REMOTE_FULL;
	page->left = page->capacity - 1;
	if (!atomic_compare_exchange_strong_explicit(&page->remote, &full, 0, memory_order_relaxed, memory_order_relaxed)) {
		page->state = PAGE_WAKING;
		page->left++;
		return;
	}
	heap_remove(&h->full, page);
	page_settle(h, page);
}

/* Pages of which others have told that they freed blocks. */
static void take_woken(struct heap *h)
{
	if (!atomic_load_explicit(&h->woken, memory_order_relaxed))
		return;
	struct heap_page *page = atomic_exchange_explicit(&h->woken, NULL, memory_order_acquire), *next;
	for (; page; page = next) {
		next = page->next_woken;
		page->left = page->state == PAGE_FULL ? page->capacity : page->left - 1;
		heap_remove(&h->full, page);
		page_collect(page);
		page_settle(h, page);
	}
}

/* False: blocks have come meanwhile. */
static bool make_full(struct heap *h, struct heap_page *page)
{
	uintptr_t none = 0;

	if (!atomic_compare_exchange_strong_explicit(&page->remote, &none, PAGE_REMOTE_FULL, memory_order_release,
						     memory_order_relaxed))
		return false;
	page->state = PAGE_FULL;
	page->left = 1;
	push(&h->full, page);
	return true;
}

/* A free block into the page's list, if there is one. */
static bool page_refill(struct heap_page *page)
{
	if (!page->free)
		page_collect(page);
	if (!page->free && page->extended < page->capacity)
		page_extend(page);
	return page->free != NULL;
}

static struct heap_page *next_page(struct heap *h, unsigned c)
{
	heap_tell_all(h);
	segments_purge_in_time();
	uint32_t purges = atomic_load_explicit(&segments.purges, memory_order_relaxed);
	if (h->purges_seen != purges) {
		h->purges_seen = purges;
		heap_collect(h);
	}
	take_woken(h);
	struct heap_page *page = h->listed[c].first;
	if (!page && heap_adopt(h))
		page = h->listed[c].first;
	if (page)
		heap_remove(&h->listed[c], page);
	else
		page = page_new(h, c);
	return page;
}

/* The current page of the class gets a free block. NULL: there is no memory. */
static struct heap_page *refill(struct heap *h, unsigned c)
{
	struct heap_page *page = h->current[c];

	while (page == &nothing || !page_refill(page)) {
		if (page != &nothing && !make_full(h, page))
			continue;
		set_current(h, c, &nothing);
		page = next_page(h, c);
		if (!page)
			return NULL;
		page->state = PAGE_CURRENT;
		page->left = PAGE_LEFT_MOST;
		set_current(h, c, page);
	}
	return page;
}

static uint32_t blocks_in(const struct heap_block *list)
{
	uint32_t n = 0;

	for (; list; list = list->next)
		n++;
	return n;
}

void heap_collect(struct heap *h)
{
	struct heap_page *next;

	heap_tell_all(h);
	take_woken(h);
	for (unsigned c = 0; c < HEAP_CLASSES; c++) {
		struct heap_page *page = h->current[c];
		if (page != &nothing) {
			page_collect(page);
			page->left = page->extended - blocks_in(page->free);
			set_current(h, c, &nothing);
			page_settle(h, page);
		}
		for (page = h->listed[c].first; page; page = next) {
			next = page->next;
			page_collect(page);
			if (page->left == 0) {
				heap_remove(&h->listed[c], page);
				pages_give(page);
			}
		}
	}
}

/* -- blocks */

static void *take_large(size_t size, bool *ret_zero)
{
	unsigned slices = (unsigned)((size + SLICE_BYTES - 1) >> SLICE_SHIFT);
	struct heap_page *page = pages_take(slices, ret_zero);

	segments_purge_in_time();
	if (!page)
		return NULL;
	page->state = PAGE_LARGE;
	page->block_bytes = slices << SLICE_SHIFT;
	return page->start;
}

void *heap_take_large(size_t size, bool *ret_zero)
{
	return size <= HEAP_LARGE_MAX ? take_large(size, ret_zero) : huge_take(size, 16, ret_zero);
}

static void *take_of_class(struct heap *h, unsigned c)
{
	struct heap_page *page = h->current[c];

	if (!page->free)
		page = refill(h, c);
	if (!page)
		return NULL;
	struct heap_block *b = page->free;
	if (b->key != heap_key(b))
		heap_broken(b);
	page->free = b->next;
	b->key = 0;
	return b;
}

void *heap_take(struct heap *h, size_t size)
{
	bool zero;

	if (size <= HEAP_MEDIUM_MAX)
		return take_of_class(h, size_class_of(size));
	return heap_take_large(size, &zero);
}

void *heap_take_aligned(struct heap *h, size_t alignment, size_t size)
{
	bool zero;

	if (alignment > SLICE_BYTES || size > HEAP_LARGE_MAX)
		return huge_take(size, alignment, &zero);
	if (size <= HEAP_MEDIUM_MAX) {
		/* Pages begin at a multiple of 64 KiB, so blocks lie at multiples of what divides their
		 * size. */
		for (unsigned c = size_class_of(size > alignment ? size : alignment); c < HEAP_CLASSES; c++)
			if (size_class_bytes(c) % alignment == 0)
				return take_of_class(h, c);
	}
	return take_large(size, &zero);
}

static struct heap_page *page_of(const struct segment *s, const void *block)
{
	return (struct heap_page *)&s->pages[s->first[segment_slice(s, block)]];
}

/* -- blocks of others */

static void tell_owner(struct heap_page *page)
{
	struct segment *s = segment_of(page);
	/* It stays the same until it is told. */
	struct heap *owner = atomic_load_explicit(&s->owner[page - s->pages], memory_order_relaxed);

	page->next_woken = atomic_load_explicit(&owner->woken, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&owner->woken, &page->next_woken, page, memory_order_release,
						      memory_order_relaxed))
		;
}

static void put_remote(struct heap_page *page, struct heap_block *first, struct heap_block *last, uintptr_t n)
{
	uintptr_t old = atomic_load_explicit(&page->remote, memory_order_relaxed), new;

	do {
		last->next = (struct heap_block *)(old & PAGE_REMOTE_BLOCKS);
		new = (uintptr_t)first | ((old >> PAGE_REMOTE_COUNT) + n) << PAGE_REMOTE_COUNT;
	} while (!atomic_compare_exchange_weak_explicit(&page->remote, &old, new, memory_order_acq_rel, memory_order_relaxed));
	if (old & PAGE_REMOTE_FULL)
		tell_owner(page);
}

static void tell(struct owed *owed)
{
	put_remote(owed->page, owed->first, owed->last, owed->n);
	owed->page = NULL;
}

void heap_tell_all(struct heap *h)
{
	for (int i = 0; i < OWED; i++)
		if (h->owed[i].page)
			tell(&h->owed[i]);
}

static void give_remote(struct heap *h, struct heap_page *page, struct heap_block *b)
{
	struct owed *owed = &h->owed[(uintptr_t)page / sizeof *page % OWED];

	b->key = heap_key(b);
	if (h == &heap_none || h == &heap_ended) {
		put_remote(page, b, b, 1);
		return;
	}
	if (owed->page != page) {
		if (owed->page)
			tell(owed);
		*owed = (struct owed){ .page = page, .last = b };
	}
	b->next = owed->first;
	owed->first = b;
	if (++owed->n >= page->batch)
		tell(owed);
}

static void give_local(struct heap *h, struct heap_page *page, struct heap_block *b)
{
	b->key = heap_key(b);
	b->next = page->free;
	page->free = b;
	if (--page->left == 0)
		heap_page_noticed(h, page);
}

static void give_huge(struct segment *s, void *block)
{
	if ((char *)block != (char *)s + s->huge_offset)
		heap_fault(block, "not the begin of a block");
	huge_give(s);
}

/* A block with slices of its own, or none. */
static void give_large(struct heap_page *page, void *block)
{
	if (page->state == PAGE_FREE)
		heap_fault(block, "freed already, or never allocated");
	if (block != page->start)
		heap_fault(block, "not the begin of a block");
	pages_give(page);
}

void heap_give(struct heap *mine, void *block)
{
	struct segment *s = segment_of(block);

	if (!segment_known(s))
		heap_fault(block, "not a block of this heap");
	if (s->huge_bytes) {
		give_huge(s, block);
		return;
	}
	struct heap_page *page = page_of(s, block);
	struct heap *owner = atomic_load_explicit(&s->owner[page - s->pages], memory_order_relaxed);
	/* Of another's page nothing is read but what others write: the owner writes the rest all the time. */
	if (!owner)
		give_large(page, block);
	else if (((struct heap_block *)block)->key == heap_key(block))
		heap_fault(block, "freed already");
	else if (owner != mine)
		give_remote(mine, page, block);
	else if ((size_t)((char *)block - page->start) % page->block_bytes != 0)
		heap_fault(block, "not the begin of a block");
	else
		give_local(mine, page, block);
}

size_t heap_usable(const void *block)
{
	const struct segment *s = segment_of(block);

	return s->huge_bytes ? s->huge_bytes : page_of(s, block)->block_bytes;
}

static bool resize_huge(struct segment *s, size_t size)
{
	return size <= s->huge_bytes && size > s->huge_bytes / 2;
}

static bool resize_large(struct heap_page *page, size_t size)
{
	unsigned slices = (unsigned)((size + SLICE_BYTES - 1) >> SLICE_SHIFT);

	if (size <= HEAP_MEDIUM_MAX || size > HEAP_LARGE_MAX || !pages_resize(page, slices))
		return false;
	page->block_bytes = slices << SLICE_SHIFT;
	return true;
}

bool heap_resize(void *block, size_t size)
{
	struct segment *s = segment_of(block);

	if (s->huge_bytes)
		return resize_huge(s, size);
	struct heap_page *page = page_of(s, block);
	/* As when it is given: the state of a page with an owner is its owner's. */
	if (!atomic_load_explicit(&s->owner[page - s->pages], memory_order_relaxed))
		return resize_large(page, size);
	return size <= page->block_bytes && (size > page->block_bytes / 2 || page->block_bytes <= 32);
}
