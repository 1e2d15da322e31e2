/* Calls that can hang in the kernel (a dead NFS server, a held mmap_lock), with an
 * end: the call runs in a thread of its own; when it does not answer in time it is
 * left behind, and dies with the process. */
#ifndef OSPREY_BASE_BOUNDED_H
#define OSPREY_BASE_BOUNDED_H

/* Runs call(arg) and returns its result; -ETIMEDOUT after timeout_ms; -EAGAIN
 * when no thread can be had (then nothing was called).
 * Ownership: on -ETIMEDOUT the call still uses `arg`; it calls release(arg) itself
 * when it ends. Otherwise the caller keeps `arg`. So arg must be on the heap.
 * A caller of a real-time policy waits for a thread of the same: an ordinary one may not run in
 * time where run queues are full. Left behind, it is an ordinary one.
 * At most 8 calls may be left behind: then -EBUSY. */
int bounded_call(int (*call)(void *arg), void *arg, void (*release)(void *arg), unsigned timeout_ms)
	__attribute__((warn_unused_result));

#endif
