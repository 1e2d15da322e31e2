/* Threads grabbed by a BPF iterator: registers, stack bytes and kernel stack of each, while they sleep or run on as
 * they like. Nothing stops them, no system call of theirs is interrupted.
 *
 * Needs 5.18, BTF, root or CAP_BPF and CAP_PERFMON. Cost: ~16 ms of CPU to load, ~10 us a thread. Threads that ran
 * meanwhile are marked (GRAB_TORN): their registers are those of their last entry into the kernel. */
#ifndef OSPREY_DIG_STACK_THREAD_GRAB_H
#define OSPREY_DIG_STACK_THREAD_GRAB_H

#include "dig/stack/thread_grab.bpf.h"
#include "kernel/host.h"

struct thread_grab;
int thread_grab_new(struct host *h, struct thread_grab **ret, struct note *note) __attribute__((warn_unused_result));
void thread_grab_free(struct thread_grab *g);

struct thread_grab_wish {
	int pid;	      /* all its threads */
	int tid;	      /* or this one alone; 0: all */
	unsigned most_pages;  /* of each stack, at most GRAB_PAGES */
};
/* The record and the bytes of the stack (from registers[7] on) live until `each` returns. What `each` returns
 * below 0 ends it. -ESRCH: there was no such thread. */
typedef int (*thread_grab_fn)(void *arg, const struct grab_record *r, struct span stack);
int thread_grab_each(struct thread_grab *g, const struct thread_grab_wish *wish, thread_grab_fn each, void *arg)
	__attribute__((warn_unused_result));

/* 'R', 'S', 'D'… as /proc/PID/stat has it. */
char grab_state_letter(uint32_t state, uint32_t exit_state);

#endif
