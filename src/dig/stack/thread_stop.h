/* Threads stopped, looked at and let go: PTRACE_SEIZE and PTRACE_INTERRUPT (3.4).
 *
 * A stop ends blocked calls that the kernel does not restart (epoll_wait and its like return EINTR): use it
 * last. A thread that does not stop (D state) within the bound is let go again and left out. When osprey is
 * killed meanwhile the kernel detaches, and the threads run on. Privilege: the same user or CAP_SYS_PTRACE,
 * and nobody else traces them. */
#ifndef OSPREY_DIG_STACK_THREAD_STOP_H
#define OSPREY_DIG_STACK_THREAD_STOP_H

#include "dig/stack/stack.h"

/* Takes registers and up to `most` bytes of stack of each thread while all of them stand still; those reached have way
 * STACK_PTRACE then, the others keep what they had. *ret_pause_ns is from the first stop to the last release. The
 * number of those reached; -EPERM: refused for all (traced by another, or not ours). */
int thread_stop_take(struct thread_stack **threads, size_t n, size_t most, uint64_t *ret_pause_ns)
	__attribute__((warn_unused_result));

#endif
