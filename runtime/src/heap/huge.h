/* Blocks above HEAP_LARGE_MAX: each has a mapping of its own that begins like a segment. Mappings of up to 32
 * MiB, in all 64 MiB, are kept as slices are (segment.h) when their block is freed. Any thread. */
#ifndef RT_HEAP_HUGE_H
#define RT_HEAP_HUGE_H

#include "heap/segment.h"

/* NULL: there is no memory. `alignment`: a power of two. `ret_zero`: what it holds is zero. */
void *huge_take(size_t size, size_t alignment, bool *ret_zero);
void huge_give(struct segment *s);

/* In place or moved; NULL: neither, and the block is as it was. */
void *huge_resize(struct segment *s, size_t size);

/* To the system, the kept mappings that were freed before `before` (segments.purges then); 0: all. Returns
 * the bytes. Under the lock of all. */
size_t huge_purge(uint32_t before);

#endif
