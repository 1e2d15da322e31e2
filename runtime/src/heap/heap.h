/* A thread's heap: pages of blocks, of each size class some. Only its thread takes blocks from them.
 *
 * Who frees blocks of others' pages keeps some back, by pages (`owed`): up to 32 blocks or 8 KiB of a page,
 * of OWED pages. Then it puts them on the page's `remote` list, all by one compare-and-swap, which would
 * otherwise wait for the block to come from the other CPU's cache, one after the other. All that is owed is
 * told when the heap itself needs a page, and when the thread ends. If the page had no free block, its owner
 * does not look at it any more: then who freed tells it (`woken`). PAGE_REMOTE_FULL in `remote` is that right
 * to tell: who clears it, has it, and the page keeps its owner until it is told. Neither pages nor heaps
 * lock.
 *
 * A heap is its thread's, not its processor's: a fiber is never switched while it is in here, so it needs no
 * door, and threads that are not the runtime's are served alike. When a thread ends, its heap is left with
 * what is still in use; it is taken whole by the next thread that starts, or its pages by one that needs
 * memory (heap_thread.c). Heaps are never freed. */
#ifndef RT_HEAP_HEAP_H
#define RT_HEAP_HEAP_H

#include "heap/segment.h"

struct page_list {
	struct heap_page *first, *last;
};

#define OWED 16

/* Blocks of a page of another heap that were freed here; that heap does not know it yet. */
struct owed {
	struct heap_page *page;		/* NULL: none */
	struct heap_block *first, *last;
	uint32_t n;
};

struct heap {
	struct heap_page *direct[HEAP_DIRECT_MAX / 16 + 1];	/* current, by (size + 15) / 16 */
	struct heap_page *current[HEAP_CLASSES];
	struct page_list listed[HEAP_CLASSES];
	struct page_list full;					/* and those that are waking */
	struct owed owed[OWED];
	uint32_t purges_seen;				/* others may need what it keeps for itself */
	uint32_t rests_seen;
	_Atomic(struct heap_page *) woken __attribute__((aligned(64)));
	struct heap *next;					/* of those without a thread */
} __attribute__((aligned(128)));

extern struct heap heap_none;	/* of threads that have none yet; always empty */
extern struct heap heap_ended;	/* of threads that are about to end; always empty */
extern __thread struct heap *heap_current __attribute__((tls_model("initial-exec"), visibility("hidden")));
extern uintptr_t heap_secret;

/* The caller's heap, asked anew each time: see thread_self. */
static inline struct heap *heap_self(void)
{
	struct heap *h;

#if defined __x86_64__
	__asm__ volatile("movq heap_current@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0" : "=&r"(h));
#elif defined __aarch64__
	uint64_t offset;
	__asm__ volatile("adrp %1, :gottprel:heap_current\n\tldr %1, [%1, :gottprel_lo12:heap_current]\n\t"
			 "mrs %0, tpidr_el0\n\tldr %0, [%0, %1]" : "=&r"(h), "=&r"(offset));
#endif
	return h;
}

/* What the second word of a block is while it is free. It is looked at when the block is taken, where its
 * line of the cache is needed anyway: a block that was freed twice is taken twice, and the second time it has
 * no key. To look when it is freed would cost as much again as all the rest. */
static inline uintptr_t heap_key(const void *block)
{
	return heap_secret ^ (uintptr_t)block;
}

/* Of a heap that only the caller uses. NULL: there is no memory. `heap_take`: any size. */
void *heap_take(struct heap *h, size_t size);
void *heap_take_aligned(struct heap *h, size_t alignment, size_t size);

/* Above HEAP_MEDIUM_MAX; of no heap. `ret_zero`: the block is zero. */
void *heap_take_large(size_t size, bool *ret_zero);

/* Back to where it belongs, by anybody. */
void heap_give(struct heap *mine, void *block);
size_t heap_usable(const void *block);
/* Without moving it; false: it must move. */
bool heap_resize(void *block, size_t size);

/* What is owed to others. */
void heap_tell_all(struct heap *h);

/* Looks at what others freed; gives pages without blocks away. */
void heap_collect(struct heap *h);

void heap_init_lists(struct heap *h);
void heap_append(struct heap *h, struct heap_page *page);
void heap_remove(struct page_list *list, struct heap_page *page);
void heap_own(struct heap *h, struct heap_page *page);

/* What a heap does for callers that may be in debug mode, and have no heap yet. */
void *heap_malloc_slow(size_t size);
void *heap_malloc_aligned(size_t alignment, size_t size);
void heap_free_slow(void *block);
void *heap_zalloc(size_t n, size_t size);
void *heap_realloc(void *block, size_t size);
size_t heap_block_usable(const void *block);
size_t heap_purge(void);

/* Of a thread that may sleep for long: what it keeps for itself and owes to others is given away, if heap_rest_all was called since it
 * last did so. Takes some ns if not. */
void heap_rest(void);
void heap_rest_all(void);

_Noreturn void heap_freed_twice(const void *block) __attribute__((cold));
_Noreturn void heap_broken(const void *block) __attribute__((cold));

/* NULL: heap_malloc_slow is to be asked. */
static inline void *heap_malloc_fast(size_t size)
{
	if (__builtin_expect(size <= HEAP_DIRECT_MAX, 1)) {
		struct heap_page *page = heap_self()->direct[(size + 15) >> 4];
		struct heap_block *b = page->free;
		if (__builtin_expect(b != NULL, 1)) {
			if (__builtin_expect(b->key != heap_key(b), 0))
				heap_broken(b);
			page->free = b->next;
			b->key = 0;
			return b;
		}
	}
	return NULL;
}

static inline void *heap_malloc(size_t size)
{
	void *block = heap_malloc_fast(size);

	return __builtin_expect(block != NULL, 1) ? block : heap_malloc_slow(size);
}

/* Of a page that is not current the last block, of a full one the first. */
void heap_page_noticed(struct heap *h, struct heap_page *page);

static inline void heap_free(void *block)
{
	if (!block)
		return;
	struct segment *s = segment_of(block);
	size_t slice = segment_slice(s, block);
	struct heap *h = heap_self();
	struct heap_block *b = block;
	if (__builtin_expect(atomic_load_explicit(&s->owner[slice], memory_order_relaxed) != h, 0)) {
		heap_free_slow(block);
		return;
	}
	struct heap_page *page = &s->pages[slice];
	if (__builtin_expect(page->free == b, 0))
		heap_freed_twice(b);
	b->next = page->free;
	b->key = heap_key(b);
	page->free = b;
	if (__builtin_expect(--page->left == 0, 0))
		heap_page_noticed(h, page);
}

#endif
