/* Heaps and the threads that have them. */
#ifndef RT_HEAP_THREAD_H
#define RT_HEAP_THREAD_H

#include "heap/heap.h"

/* The caller's heap, made if it has none. NULL: it is about to end, or there is no memory: use
 * heap_common. */
struct heap *heap_of_thread(void);

/* One for all, between heap_common_take and _give: of threads that end, and of debug mode. */
struct heap *heap_common_take(void);
void heap_common_give(void);

/* Pages of a heap whose thread ended come to this one. False: there were none. */
bool heap_adopt(struct heap *h);

/* Of all heaps without a thread. */
void heap_collect_left(void);

/* Numbers of heaps: with a thread, and without but with pages. */
void heap_count(uint32_t *ret_threads, uint32_t *ret_left);

#endif
