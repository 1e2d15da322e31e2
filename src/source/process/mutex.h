/* The owner of a glibc mutex that a thread waits for.
 *
 * A thread blocked in pthread_mutex_lock sleeps in futex(FUTEX_WAIT[_PRIVATE], word, 2):
 * the word is 2 (locked with waiters), or 1 when a thread took it before the one that was
 * woken for it; and the kernel thread id of the owner stands 8
 * bytes behind it (struct __pthread_mutex_s of glibc >= 2.3: __lock, __count, __owner on
 * 64-bit). PI mutexes sleep in FUTEX_LOCK_PI and keep the owner in the word's low 30 bits.
 * Reads 24 bytes of the process by process_vm_readv: does not stop it. Needs the same user
 * or CAP_SYS_PTRACE.
 *
 * The word holds the owner's id in the process's own pid namespace; owner_tid is the id in
 * ours: translated by the last number of NSpid in /proc/PID/task/TID/status. */
#ifndef OSPREY_SOURCE_PROCESS_MUTEX_H
#define OSPREY_SOURCE_PROCESS_MUTEX_H

#include <stdbool.h>

#include "kernel/host.h"
#include "source/process/task.bpf.h"

struct mutex_wait {
	int32_t pid, tid;	 /* who waits */
	int32_t owner_tid;	 /* who holds it; 0: nobody could be named */
	uint64_t address;	 /* of the lock word, in pid's memory */
};

/* Whether the task sleeps in a futex call that looks like a mutex (no memory read). */
bool mutex_wait_suspected(const struct task *t);
/* Reads the word. -ENOENT: not a mutex after all (word neither 1 nor 2, no plausible owner);
 * -EPERM, -ESRCH… as process_vm_readv; -ETIMEDOUT after 50 ms, and at once for as long as an
 * earlier reading of that process hangs. ~30 us. */
int mutex_wait_read(struct host *h, struct buf *scratch, const struct task *t, struct mutex_wait *ret)
	__attribute__((warn_unused_result));

#endif
