/* The memory that the heap has of the system: mappings that begin like a segment (segment.h), and which
 * addresses lie in them. Any thread, without a lock; errno is kept. */
#ifndef RT_HEAP_MAPPING_H
#define RT_HEAP_MAPPING_H

#include <stdbool.h>
#include <stddef.h>

struct segment;

/* Aligned by SEGMENT_BYTES, zero. NULL: there is no memory. Below the one before there is room most times,
 * and the mappings become one to the kernel. */
void *mapping_take(size_t bytes);
/* A part of one too; no bytes are none. */
void mapping_give(void *p, size_t bytes);

/* From now on, and no longer, addresses in those bytes are of `s`. */
void segment_register(struct segment *s, size_t bytes);
void segment_unregister(struct segment *s, size_t bytes);

/* Is there a segment at this multiple of SEGMENT_BYTES? Any address. */
bool segment_known(const struct segment *s);

/* The segment whose memory an address lies in; NULL: none. Any address. */
struct segment *segment_around(const void *address);

/* Memory for what is never freed, page-aligned; zero. NULL: there is none. */
void *segments_forever(size_t size);

/* Is it in such memory? What lies there are the heap's own notes, no pointers of the program. (Of very much
 * of it, not all is known.) */
bool segments_forever_holds(const void *address);

#endif
