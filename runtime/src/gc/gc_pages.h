/* Memory of the collected heap: one range of addresses, in pages of 64 KiB that hold blocks of one size, or a
 * part of a large one.
 *
 * All of it under the collector's lock, but what says otherwise. */
#ifndef RT_GC_PAGES_H
#define RT_GC_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "osprey/rt/gc.h"

#define GC_PAGE_BYTES ((size_t)64 << 10)
#define GC_LEAST_BLOCK 32u
#define GC_WORDS (GC_PAGE_BYTES / GC_LEAST_BLOCK / 64)

/* In front of what the user has. */
struct gc_block {
	const struct rt_gc_map *map;
	size_t bytes;		/* that the user asked for */
};

/* A block that is not free, with its header; NULL: no memory. What is behind the header is not zeroed. */
struct gc_block *gc_take(size_t bytes);

/* The block around an address, if one is allocated there. Without the lock, while nobody allocates. */
struct gc_block *gc_block_at(uintptr_t address);

/* The range in which blocks may be. */
void gc_range(uintptr_t *ret_low, uintptr_t *ret_high);

/* Is the address within the heap's memory or its own notes? */
bool gc_holds(uintptr_t address);

void gc_marks_clear(void);
/* True: it was not marked. */
bool gc_mark(struct gc_block *b);
bool gc_is_marked(const struct gc_block *b);

/* Frees what is not marked. */
void gc_sweep(void);

void gc_sums(uint64_t *ret_bytes, uint64_t *ret_blocks, uint64_t *ret_mapped);

#endif
