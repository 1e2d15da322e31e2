/* Epochs: when may memory be freed that others may still be reading without a lock?
 *
 * Readers of a lock-free structure stand in a section (enter, leave). Who has taken an object out of the
 * structure retires it: it is freed once every section that began before has ended. So whoever finds an
 * object in a section may look at it until the section's end.
 *
 * Fibers and plain threads alike. A fiber may park, and come back on another thread, within a section;
 * sections nest. But while one lasts nothing that was retired after its beginning is freed: long ones cost
 * memory. Not in signal handlers.
 *
 * In the child of a fork, sections that other threads stood in last for ever, and so may the call of another
 * thread that was just freeing: all may be called there, but nothing may be freed any more, and
 * rt_epoch_barrier needs a deadline.
 *
 * Cost: enter and leave are two plain stores each to memory of the thread's own, some ns. What an atomic
 * instruction would do is done by who frees, with membarrier(2), once for many objects; where the kernel has
 * none (before Linux 4.14, or kept from it), each enter makes a fence.
 *
 * Memory order: everything done in a section happens before the functions of what was retired in it or during
 * it are called. A section alone orders nothing between threads: pointers are published with release and read
 * with acquire (or consume), as ever. */
#ifndef OSPREY_RT_EPOCH_H
#define OSPREY_RT_EPOCH_H

#include <osprey/rt/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Returns what leave has to be given. Anywhere; does not block or fail. */
RT_API unsigned rt_epoch_enter(void);
RT_API void rt_epoch_leave(unsigned section);

/* Lies within the object; its own from rt_epoch_retire on. */
struct rt_retired {
	struct rt_retired *next;
	void (*function)(struct rt_retired *);
};

/* The object is in no structure any more. `function` is called with it once no section of before is left: by
 * some later call of retire, advance or barrier, in whatever fiber or thread makes it, one function at a time
 * in the process. It may retire others; it is not to call rt_epoch_barrier. Each 64th call of a thread
 * advances. Anywhere, in a section too; does not block. */
RT_API void rt_epoch_retire(struct rt_retired *object, void (*function)(struct rt_retired *object));

/* Frees what may be freed. Returns how many objects that were. Anywhere; does not wait for sections. */
RT_API size_t rt_epoch_advance(void);

/* Waits until the functions of all that was retired before have been called. 0; -ETIMEDOUT; -ECANCELED. Not
 * in a section, which would wait for itself. Fiber or plain thread; blocks. */
RT_API int rt_epoch_barrier(int64_t deadline);

struct rt_epoch_state {
	uint64_t epoch;		/* how often it was moved on */
	uint64_t retired;	/* objects that wait for their function */
	uint64_t sections;	/* under way, about */
};
RT_API void rt_epoch_look(struct rt_epoch_state *ret);

#ifdef __cplusplus
}
#endif
#endif
