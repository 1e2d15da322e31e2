/* The malloc heap of a live process: malloc_heap.h over its own memory. Reads /proc/PID/maps and its memory by
 * process_vm_readv (3.2). Privilege: the same user or CAP_SYS_PTRACE. Stops nothing. */
#ifndef OSPREY_DIG_MEMORY_PROCESS_HEAP_H
#define OSPREY_DIG_MEMORY_PROCESS_HEAP_H

#include "dig/image/memory_map.h"
#include "dig/memory/malloc_heap.h"

/* Where arenas may lie: writable private mappings of files, with an anonymous one that follows at once. */
typedef VEC(struct heap_range) heap_ranges;
int heap_ranges_of(const struct memory_map *map, heap_ranges *ret) __attribute__((warn_unused_result));

/* As malloc_heap_read; -ESRCH, -EPERM, -EACCES, -ETIMEDOUT of the maps. */
int process_heap_read(int pid, struct malloc_heap *ret) __attribute__((warn_unused_result));

#endif
