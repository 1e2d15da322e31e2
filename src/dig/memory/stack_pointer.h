/* Where the stacks of a process's threads are: the stack pointer of each, as of its last entry into the kernel.
 *
 * Reads /proc/PID/task/TID/syscall (2.6.27), which tells it of threads that sleep; those that run are looked up by
 * BPF (thread_grab.h) where that can be had, else they are left out. Nothing stops. Privilege: the same user or
 * CAP_SYS_PTRACE. Cost: ~20 us a thread; BPF is loaded (~16 ms) only when a thread runs. */
#ifndef OSPREY_DIG_MEMORY_STACK_POINTER_H
#define OSPREY_DIG_MEMORY_STACK_POINTER_H

#include "base/vec.h"
#include "kernel/host.h"

struct stack_pointer {
	uint64_t address;
	int tid;
	char comm[16];
};
typedef VEC(struct stack_pointer) stack_pointers;

/* By address. Threads that ended meanwhile or are closed to us are left out. -ESRCH: no such process; -ENOMEM. *ret is
 * replaced on success. */
int stack_pointers_read(struct host *h, int pid, stack_pointers *ret) __attribute__((warn_unused_result));

#endif
