/* What each thread of a process waits for, in words: the system call, the descriptor behind it, the other end of its
 * socket, the lock and who holds it.
 *
 * Asks /proc/PID/fd and the socket tables of the process's network namespace once for all threads, and reads the lock
 * word of those that sleep in a mutex (source/process/mutex.h). Nothing stops. Privilege: the same user or
 * CAP_SYS_PTRACE. */
#ifndef OSPREY_DIG_STACK_THREAD_WAIT_H
#define OSPREY_DIG_STACK_THREAD_WAIT_H

#include "dig/stack/stack.h"

struct thread_wait {
	char what[256]; /* "waits for data: read of 5, tcp 10.0.0.1:80 -> 10.0.0.2:4711"; "": it waits for nothing */
	uint64_t lock_address; /* of a mutex; 0: none */
	int owner_tid;	       /* who holds it, in our pid namespace; 0: could not be named */
	int fd;		       /* -1: none */
};

/* One for each of s->threads, in their order; to be freed. -ENOMEM. `h` NULL: of a core file. */
int thread_waits_read(struct host *h, const struct process_stacks *s, struct thread_wait **ret)
	__attribute__((warn_unused_result));

#endif
