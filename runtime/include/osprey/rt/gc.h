/* A heap whose blocks nobody frees: what cannot be reached any more is collected. For those who want it; all
 * else of the runtime is as ever, and neither knows of it nor pays for it.
 *
 * Mark and sweep; blocks do not move. A block is kept while an aligned word that may be a pointer to it, or
 * into it, stands in data of a loaded object, thread-local storage, a stack or register of a thread or a
 * fiber (parked ones too), memory of any other allocator (rt_malloc's also), or in a block that is kept. Of
 * blocks with a map only the words that it names count.
 *
 * Limits. Marking halts all other threads (leaks.h says how, and at what price) for about a millisecond for
 * each some MiB that the process uses, rt_malloc's and the C library's memory included. Words that only look
 * like pointers keep blocks. Pointers that are hidden (unaligned, in shared memory, with tag bits that lead
 * out of the block, in the kernel) do not. One lock for all threads. If a thread cannot be halted nothing is
 * collected.
 *
 * Anywhere but signal handlers, also in the child of a fork (which has all blocks; a fork waits for a collection that
 * is under way); does not park. errno is left as it was. Linux 5.10 or later, /proc. */
#ifndef OSPREY_RT_GC_H
#define OSPREY_RT_GC_H

#include <osprey/rt/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where pointers are: at these offsets of each `bytes` of the block (an array is its element's map,
 * repeated). Static, or as long-lived. */
struct rt_gc_map {
	size_t bytes;
	size_t n;
	const uint32_t *offsets;
};

/* For blocks without any: text, numbers. */
RT_API extern const struct rt_gc_map rt_gc_no_pointers;

/* Zeroed, aligned by 16. `map` NULL: any word of it may be a pointer. Collects when the heap has grown by its
 * factor. NULL: no memory. */
RT_API void *rt_gc_alloc(size_t bytes, const struct rt_gc_map *map) __attribute__((malloc, alloc_size(1), warn_unused_result));

/* Once nothing but finalizers knows the block, `function` is called with it, by whoever has made the
 * collection, fiber or thread; `arg` and all that the block points to are still there. It is collected with
 * the next collection, unless it was made known again. In no order. It may allocate. -ENOMEM; -EINVAL: no
 * block of this heap begins at `block`. Several for a block are called in any order. */
RT_API int rt_gc_finalizer(void *block, void (*function)(void *block, void *arg), void *arg);

/* Collects now. 0; -EBUSY, -ETIMEDOUT, -ENOSYS and others of leaks.h: nothing was collected. */
RT_API int rt_gc_collect(void);

/* Collections happen when live memory has grown by `grow_pct` (100: doubled, as at first; 0: never by
 * themselves), at the least by `least_bytes` (4 MiB). */
RT_API void rt_gc_tune(unsigned grow_pct, size_t least_bytes);

struct rt_gc_state {
	uint64_t collections;
	uint64_t live_bytes;		/* room of blocks that the last one left, and of later ones */
	uint64_t live_blocks;
	uint64_t mapped_bytes;
	int64_t halted_ns;		/* how long the last one kept the others */
};
RT_API void rt_gc_look(struct rt_gc_state *ret);

#ifdef __cplusplus
}
#endif
#endif
