/* Memory of the heap, as it comes from the system: segments of 4 MiB, aligned by that, in slices of 64 KiB.
 *
 * Runs of slices are pages (Go: spans): of blocks of one size, or one large block. What lies in front of a
 * segment, in its first slice, says all about its pages, so a block's page is found from its address. Blocks
 * above HEAP_LARGE_MAX have a mapping of their own that begins like a segment.
 *
 * Slices that are given back keep their memory for a while (HEAP_DECAY_MS): they are in one of two
 * generations, and those still free when the older one ends are given to the system (MADV_DONTNEED). No
 * thread does that by itself: who takes or gives slices does, when it is time. */
#ifndef RT_HEAP_SEGMENT_H
#define RT_HEAP_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "short_lock.h"
#include "size_class.h"

struct heap;

enum {
	SEGMENT_SHIFT = 22,
	SLICE_SHIFT = 16,
	SEGMENT_SLICES = 64,
	SLICE_BYTES = 1 << SLICE_SHIFT,
	SEGMENT_BYTES = 1 << SEGMENT_SHIFT,
	SEGMENT_MARK_WORDS = SEGMENT_BYTES / 16 / 64,
	HEAP_DECAY_MS = 1000,	/* each generation */
};

enum page_state {
	PAGE_FREE,	/* no page */
	PAGE_CURRENT,	/* blocks are taken from it, and not counted: `left` is at most PAGE_LEFT_MOST */
	PAGE_LISTED,	/* has free blocks; in the heap's list of its class. `left`: blocks in use */
	PAGE_FULL,	/* none is free, PAGE_REMOTE_FULL is set; `left`: 1, so the first free is noticed */
	PAGE_WAKING,	/* was full; who freed a block will tell the owner. `left`: one more than in use */
	PAGE_LARGE,	/* one block, of nobody */
};

/* Low bits of `remote`. Its high 16 bits are the number of blocks, so nobody needs to walk the list. */
#define PAGE_REMOTE_FULL ((uintptr_t)1)
#define PAGE_REMOTE_COUNT 48
#define PAGE_REMOTE_BLOCKS (((uintptr_t)1 << PAGE_REMOTE_COUNT) - 16)

#define PAGE_LEFT_MOST 1024u

struct heap_block {
	struct heap_block *next;
	uintptr_t key;		/* heap_key(block) while it is free */
};

struct heap_page {
	/* The owner's. */
	struct heap_block *free;
	uint32_t left;		/* the owner frees so many until it is noticed (heap_page_noticed) */
	uint32_t extended;	/* so many blocks have been in lists; those behind were never touched */
	uint32_t capacity;
	uint32_t block_bytes;
	char *start;
	struct heap_page *next, *previous;
	uint8_t state, size_class;
	uint16_t slices;

	/* What others write: blocks that they free. */
	_Atomic uintptr_t remote __attribute__((aligned(64)));
	struct heap_page *next_woken;
	uint32_t batch;		/* so many may be kept back (heap.h); never changes while there are blocks */
} __attribute__((aligned(128)));

struct segment {
	/* By slices: who may take and give blocks there without asking. NULL: ask (nobody, or not the first
	 * slice of a page). One more than there are: a block aligned by a segment's size lies at the very end
	 * of what stands in front of it. */
	_Atomic(struct heap *) owner[SEGMENT_SLICES + 1];

	/* A block with a mapping of its own. 0: slices. */
	size_t huge_bytes;	/* usable */
	size_t huge_offset;
	size_t mapped_bytes;
	bool huge_marked;
	uint32_t freed;		/* segments.purges then, while it is kept */
	struct segment *next_huge, *previous_huge;

	/* Under the lock of all. */
	uint32_t number;
	uint64_t free;		/* slices */
	uint64_t dirty[2];	/* free, with memory: the younger and the older generation */
	uint64_t touched;	/* not known to be zero */
	uint8_t first[SEGMENT_SLICES];	/* the page's first slice */

	struct heap_page pages[SEGMENT_SLICES];
	uint64_t marks[SEGMENT_MARK_WORDS];	/* heap_walk.h: a bit for each 16 bytes */
};
_Static_assert(sizeof(struct segment) <= SLICE_BYTES, "it is the first slice");
_Static_assert(offsetof(struct segment, pages) <= 4096, "a huge block costs one page of the system in front of it");

struct segments {
	struct short_lock lock;		/* of all here, in huge.c and in heap_thread.c */
	uint32_t used;			/* numbers */
	struct segment *huge;
	struct segment *kept;		/* mappings of huge blocks that were freed */
	_Atomic uint64_t kept_bytes;	/* looked at without the lock: 0, there is none */
	uint64_t mapped_bytes, huge_bytes, huge_blocks, purged_bytes, dirty_slices;
	_Atomic int64_t next_purge_ms;
	_Atomic int64_t decay_ms;
	_Atomic uint32_t purges;
	_Atomic uint32_t rests;		/* heap_rest_all: so often */
};
extern struct segments segments;

/* The thread that forks has all locks of the heap from before the fork until behind it, and the atfork handlers of
 * others that run meanwhile allocate. */
extern __thread bool heap_forking __attribute__((tls_model("initial-exec"), visibility("hidden")));

static inline void heap_lock(struct short_lock *l)
{
	if (__builtin_expect(!heap_forking, 1))
		short_lock_take(l);
}

static inline void heap_unlock(struct short_lock *l)
{
	if (__builtin_expect(!heap_forking, 1))
		short_lock_give(l);
}

/* A block's segment: also for one that lies at a multiple of SEGMENT_BYTES. */
static inline struct segment *segment_of(const void *block)
{
	return (struct segment *)(((uintptr_t)block - 1) & ~((uintptr_t)SEGMENT_BYTES - 1));
}

static inline size_t segment_slice(const struct segment *s, const void *block)
{
	return ((uintptr_t)block - (uintptr_t)s) >> SLICE_SHIFT;
}

/* A page of so many slices; its fields but `slices` and `start` are the caller's to fill, and the owner.
 * NULL: there is no memory. `ret_zero`: what it holds is zero. */
struct heap_page *pages_take(unsigned slices, bool *ret_zero);
void pages_give(struct heap_page *page);

/* In place: false where what follows is not free. Shrinking always can. */
bool pages_resize(struct heap_page *page, unsigned slices);

/* Gives to the system what is old, if it is time. Takes some ns if not. */
void segments_purge_in_time(void);

/* To the system, whatever is free. Returns the bytes. */
size_t segments_purge(void);

/* The n-th segment, NULL where it was given back; n < segments.used. Under the lock. */
struct segment *segment_numbered(uint32_t n);

#endif
