/* Memory: an allocator, as malloc, for fibers and all other threads.
 *
 * Each thread has a heap of its own; blocks may be freed by any thread. Anywhere: before main, in constructors and destructors, in
 * threads that end, in the child of a fork (which has all blocks; what other threads' heaps held free is lost to it). Not in signal
 * handlers. Nothing blocks a fiber or is a cancellation point; a thread may wait for others some microseconds, and in the
 * kernel for memory.
 *
 * NULL means that there is no memory (what elsewhere is -ENOMEM), or no such amount of it. A size of zero is a block as others.
 * Blocks are aligned by 16. errno is left as it was. Memory order: what was done before a block was freed is seen by who
 * gets it next.
 *
 * Up to 64 KiB a block's room is rounded up by at most a fifth, above to 64 KiB, and above 1 MiB it is a mapping of its own. What is free
 * is kept for one to two seconds and then given to the system, by threads that allocate; and by the runtime when all its fibers have
 * waited for as long. Without it a process that does nothing keeps what it has (rt_heap_purge).
 *
 * What a thread frees of others' blocks may stay with it for a while: up to 16 times 8 KiB, until it needs memory itself, purges or ends.
 *
 * A pointer that is none of a block ends the process with a line where that can be seen at little cost, and so does a block freed
 * twice: at the second free, or when it would be allocated a second time. RT_HEAP_DEBUG=1 in the environment, read at the first
 * allocation: bytes written in front of a block and behind it, use after free, free of what is none (a fault within rt_free where
 * nothing near it is mapped), each with the block's size. A number above 1 is the MiB of freed blocks that are watched (16).
 *
 * The same as malloc for whole programs: libospreymalloc.so, by linking or LD_PRELOAD, and libospreymalloc.a. Both are heaps of
 * their own, apart from the library's. Linux 5.10 or later; no privilege. */
#ifndef OSPREY_RT_HEAP_H
#define OSPREY_RT_HEAP_H

#include <stdbool.h>

#include <osprey/rt/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

RT_API void rt_free(void *block);	/* NULL: nothing */
RT_API void *rt_malloc(size_t size) __attribute__((malloc, alloc_size(1), warn_unused_result));
/* n * size bytes of zero. NULL also where the product is too large. */
RT_API void *rt_calloc(size_t n, size_t size) __attribute__((malloc, alloc_size(1, 2), warn_unused_result));
/* NULL: the block is as it was. A block of NULL: rt_malloc. A size of zero does not free. */
RT_API void *rt_realloc(void *block, size_t size) __attribute__((alloc_size(2), warn_unused_result));
/* `alignment`: a power of two, otherwise NULL. rt_realloc does not keep it. */
RT_API void *rt_aligned(size_t alignment, size_t size) __attribute__((malloc, alloc_size(2), warn_unused_result));

/* The bytes of a block that may be used: at least what was asked for. NULL: 0. */
RT_API size_t rt_usable(const void *block);

/* Gives what is free to the system: what the caller's thread, those that ended and all together keep. Returns its bytes. Takes
 * some milliseconds a GiB. */
RT_API size_t rt_heap_purge(void);

/* How long free memory is kept: between `ms` and twice that. Without a call 1000. */
RT_API void rt_heap_decay(uint32_t ms);

/* Bytes and blocks. Others go on meanwhile: sums are near, not exact. Of pages that other threads allocate from just now, what was
 * handed out once is taken for live. */
struct rt_heap_stats {
	uint64_t mapped_bytes;		/* address space */
	uint64_t live_bytes;		/* room of allocated blocks, huge ones included */
	uint64_t live_blocks;
	uint64_t huge_bytes;		/* of those with a mapping of their own */
	uint64_t huge_blocks;
	uint64_t free_bytes;		/* room of free blocks, in pages with others */
	uint64_t kept_bytes;		/* free for all, and not given to the system yet */
	uint64_t purged_bytes;		/* given to the system, in all */
	uint32_t threads;		/* that have a heap */
	uint32_t left_heaps;		/* of threads that ended, with blocks in use */
};
RT_API void rt_heap_stats(struct rt_heap_stats *ret_stats);

/* The block that an address lies in. False: none; whether it is allocated or free is not told. */
RT_API bool rt_heap_block(const void *address, void **ret_block, size_t *ret_size);

/* Every allocated block, and those that other threads freed but keep back (above). Nobody may use the heap meanwhile, `visit` included. */
RT_API void rt_heap_walk(void (*visit)(void *block, size_t size, void *arg), void *arg);

#ifdef __cplusplus
}
#endif
#endif
