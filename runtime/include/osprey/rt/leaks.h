/* Leaks: blocks of the runtime's heap (heap.h) that nothing points to any more, and fibers that wait for
 * ever.
 *
 * All other threads are halted by a signal (SIGRTMAX - 4, which is the runtime's own once one of these
 * functions was called), and what can be reached is followed from the data of all loaded objects, the stacks
 * and registers of threads, thread-local storage, the memory of other allocators, and the stacks of fibers
 * that can run. Any aligned word that looks like a pointer to a block, or into it, is taken for one. So what
 * is told is lost; what is lost may go untold where an old word still looks like a pointer to it, and where
 * something else that is lost lies in the C library's heap.
 *
 * A fiber waits for ever when what it waits at (a channel, or what lies in a block of the heap or on a stack)
 * cannot be reached from anything that can run, nor from a timer: nobody is left who could end the waiting. A
 * pointer that the program hides (in a file, by arithmetic, in unaligned or shared memory) is not seen.
 *
 * Cost: the others stand still for about a millisecond for each some MiB in use; calls of theirs that the
 * kernel cannot take up again end with EINTR. Linux 5.10 or later, /proc. Fiber or plain thread, also in the
 * child of a fork (which waits while threads are halted); does not park. 0; -EBUSY: another looks already, or the program uses the signal; -ETIMEDOUT: a thread keeps the
 * signal blocked; -EAGAIN: the heap was never found at rest; -ENOMEM; -ENOSYS: the program is built with
 * AddressSanitizer (which finds leaks itself) or ThreadSanitizer; what /proc says. */
#ifndef OSPREY_RT_LEAKS_H
#define OSPREY_RT_LEAKS_H

#include <osprey/rt/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rt_leaks {
	uint64_t blocks;
	uint64_t bytes;		/* room of these blocks */
	uint64_t fibers;	/* that wait for ever */
};

struct rt_leaked_block {
	void *block;
	size_t bytes;
};

/* Counts; and the first `most` of the blocks, if `ret_some` is not NULL (which is cleared first: a list of
 * before would point to them). */
RT_API int rt_leaks_find(struct rt_leaks *ret, struct rt_leaked_block *ret_some, size_t most);

/* The same, and tells it on standard error: blocks by their size, the first ones of each, and fibers with who
 * started them and their stacks (these from a fiber only). Says nothing when there is none. `ret` may be
 * NULL. */
RT_API int rt_leaks_report(struct rt_leaks *ret);

#ifdef __cplusplus
}
#endif
#endif
