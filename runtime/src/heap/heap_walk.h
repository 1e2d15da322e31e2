/* Looking at the heap from outside: from an address to the block around it, over all blocks, and marks for
 * who traces them.
 *
 * Others must not use the heap meanwhile, and what they owe (heap.h) is taken for allocated. That holds not
 * for heap_found_at, which needs that the block it finds is not freed. */
#ifndef RT_HEAP_WALK_H
#define RT_HEAP_WALK_H

#include "heap/heap.h"

struct heap_found {
	void *block;
	size_t bytes;		/* usable */
	struct segment *segment;
	struct heap_page *page;	/* NULL: a mapping of its own */
};

/* Any address, also within a block. False: none of the heap's blocks, or memory that has not been a block. A
 * free block is found too. */
bool heap_found_at(const void *address, struct heap_found *ret);

/* Every block that is allocated. `visit` must not use the heap. */
typedef void heap_visit(const struct heap_found *found, void *arg);
void heap_walk(heap_visit *visit, void *arg);

/* Sums over the blocks in slices, from the pages' counts; others may go on. */
void heap_sum(uint64_t *ret_live_bytes, uint64_t *ret_live_blocks, uint64_t *ret_free_bytes);

/* Marks. heap_marks_begin clears those of allocated blocks, and sets those of free ones: nobody looks into
 * these. */
void heap_marks_begin(void);
/* True: it was not marked before, and is now; `ret` is the block around the address. */
bool heap_mark(const void *address, struct heap_found *ret);
bool heap_marked(const struct heap_found *found);
/* Those that are not marked. */
void heap_walk_unmarked(heap_visit *visit, void *arg);

#endif
