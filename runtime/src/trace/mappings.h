/* The process's own memory, page by page, as its kernel tells it. Without allocation or locks. */
#ifndef RT_MAPPINGS_H
#define RT_MAPPINGS_H

#include <stddef.h>
#include <stdint.h>

/* Each page of a private writable mapping that has memory (or is swapped out), `from` on. /proc/self/maps,
 * /proc/self/pagemap (Linux 4.2 for other than root). `lowest` says from where on a mapping matters. -errno:
 * there is no /proc. */
int mappings_walk(void (*page)(void *arg, uintptr_t page, uintptr_t from, size_t page_bytes),
		  uintptr_t (*lowest)(void *arg, uintptr_t from, uintptr_t to), void *arg);

#endif
