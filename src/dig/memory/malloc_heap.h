/* The heap of glibc's malloc, summed up from outside: what each arena got from the kernel, what of it is
 * free, and where the free memory lies. Nothing of the target is stopped, and no symbol is needed.
 *
 * Reads the target's memory (struct heap_memory). Found by its shape: the 127 bins of an arena are heads of rings, and
 * most are empty, so that they point at themselves; `next` of the arenas makes a ring through the main one, which must
 * close. So stripped and static programs are read too, and other allocators (jemalloc, tcmalloc, musl) are said to be
 * not found. Layout: struct malloc_state of glibc 2.26 to 2.39, 64-bit, whose members keep their distance to the bins;
 * safe-linking of 2.32 is told from plain lists by what it decodes to.
 *
 * Sums are those of mallinfo2(3): blocks in thread caches (tcache) count as in use, blocks that have a mapping of their
 * own (large ones) are in no arena. A target that allocates meanwhile changes what is read: each arena is read again
 * until its head is the same before and after. When that never was so, a walk that came through all lists is taken and
 * marked as moving (some blocks came or went meanwhile); when none did, the arena is torn.
 * Cost: one read (~1 us) a free block, at most HEAP_BLOCKS_MAX in all; beyond that the sum is marked as cut. */
#ifndef OSPREY_DIG_MEMORY_MALLOC_HEAP_H
#define OSPREY_DIG_MEMORY_MALLOC_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

#define HEAP_ARENAS_MAX 4096
#define HEAP_BLOCKS_MAX 1000000

/* All n bytes of the target at the address: 0 or -errno. */
struct heap_memory {
	int (*read)(void *arg, uint64_t address, void *to, size_t n);
	void *arg;
};

/* Where an arena may lie: writable private mappings of a file, with the anonymous one that follows (.bss). */
struct heap_range {
	uint64_t start, end;
};

struct heap_arena {
	uint64_t address;	      /* of its malloc_state */
	bool main;		      /* the one that grows by brk */
	uint64_t system_bytes;	      /* from the kernel */
	uint64_t peak_bytes;	      /* the most it ever had */
	uint64_t free_bytes;	      /* of these: not in use; top_bytes is part of it */
	uint64_t top_bytes;	      /* at its end: what can be given back */
	uint64_t binned_bytes, blocks; /* in bins: between blocks in use; how many free blocks */
	uint64_t largest_bytes;	      /* of the blocks in bins */
	uint64_t fast_bytes;	      /* in fast bins */
	uint64_t attached;	      /* threads that use it */
	bool moving;		      /* it changed while it was read: sums are near, not exact */
	bool torn;		      /* no walk came through: nothing but what is from the kernel is known */
	bool cut;		      /* it has more free blocks than are followed */
};

struct malloc_heap {
	VEC(struct heap_arena) arenas; /* the main one first, then as their ring goes */
	struct heap_arena total;       /* sums; moving, torn or cut when one is */
};

void malloc_heap_deinit(struct malloc_heap *h);
/* 0; -ENOENT: no arena in the ranges (another allocator, or nothing was allocated yet); -ENOMEM; -errno of reads when
 * no range could be read. *ret is replaced on success. */
int malloc_heap_read(const struct heap_memory *memory, const struct heap_range *ranges, size_t n,
		     struct malloc_heap *ret)
	__attribute__((warn_unused_result));

#endif
