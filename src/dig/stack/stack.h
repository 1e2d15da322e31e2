/* The stacks of a process's threads: where each stands, and what it waits for.
 *
 * In this order, each thread by the first way that serves it:
 * - BPF (thread_grab.h): nothing stops, no system call is interrupted. Threads that ran just then are
 * - sampled: a one-shot perf event takes registers and stack at the next tick of their own CPU time, in ~0.2 ms;
 * - without BPF, /proc/PID/task/TID/syscall gives the stack pointer and the pc of those that sleep;
 * - stopped, one at a time and for less than a millisecond (PTRACE_SEIZE): running threads where perf is
 *   closed. A stop makes a blocked epoll_wait and its like return EINTR; so this is the last resort.
 * With `consistent` all threads are stopped at once, copied and let go: what they show is one moment. The
 * pause is told.
 *
 * Privilege: the same user or CAP_SYS_PTRACE; BPF and kernel stacks: root, or CAP_BPF and CAP_PERFMON. Cost: ~16 ms to
 * load, ~30 us a thread with 25 frames. Kernel: 3.4; BPF 5.18. */
#ifndef OSPREY_DIG_STACK_STACK_H
#define OSPREY_DIG_STACK_STACK_H

#include "base/reading.h"
#include "dig/unwind/unwind.h"
#include "kernel/host.h"

#define STACK_FRAMES_MAX 2048
#define STACK_KERNEL_FRAMES 64

enum stack_way { STACK_NONE, STACK_BPF, STACK_PERF, STACK_PROC, STACK_PTRACE, STACK_CORE };
/* "read by BPF" */
const char *stack_way_words(enum stack_way way);

struct thread_stack {
	int pid, tid;
	int tid_inside; /* in the thread's own pid namespace; 0: not known */
	char comm[16];
	char state; /* as in /proc/PID/stat; '\0': not known */
	enum stack_way way;
	bool kernel_thread;
	bool on_cpu; /* it ran when it was looked at */
	bool torn;   /* it ran between the first byte and the last: what is shown may mix two moments */
	int32_t syscall; /* it is in this call; -1: in none, or not known */
	uint64_t argument[6];
	struct unwind_registers registers;
	uint64_t switches;
	int signal; /* of a core: what it was about to get; 0: none */

	uint64_t *kernel; /* innermost first */
	size_t nkernel;
	char *kernel_text; /* in their place, from /proc/TID/stack: "function+0x12/0x40" a line; NULL: none */
	int kernel_error;  /* -errno: why there are neither */

	struct unwind_frame *frames; /* of user space, innermost first */
	size_t nframes;
	enum unwind_end end;
	int error; /* -errno: why there are none */

	char *bytes; /* of the stack, from registers' rsp on */
	size_t nbytes;
};

struct process_stacks {
	int pid;
	char comm[16];
	VEC(struct thread_stack) threads; /* by tid; of a core: the one that ended it first */
	struct address_space *space;	  /* NULL: a kernel thread, a zombie */
	uint64_t pause_ns;		  /* longest stop that we caused; 0: none */
	unsigned stopped;		  /* threads that were stopped */
	char why_no_bpf[160];		  /* "": it was used */
	struct thread_grab *grab; /* NULL: BPF was not used */
	struct core_dump *core;	  /* NULL: a live process */
};

/* By default: BPF, and what stands in for it; no stop of more than one thread. */
struct stack_wish {
	bool consistent; /* stop all at once */
	bool no_bpf, no_perf, no_stop; /* for tests, and for those who must not */
	int only_tid; /* 0: all */
};

/* -ESRCH, -EPERM (told with what would help), -ENOMEM. Threads that ended meanwhile are left out. `store` is used until
 * process_stacks_free. */
int process_stacks_take(struct host *h, struct image_store *store, int pid, const struct stack_wish *wish,
			struct process_stacks **ret, struct note *note) __attribute__((warn_unused_result));
/* Of a core file (ELF, as the kernel, gcore or osprey write it). */
int process_stacks_of_core(struct image_store *store, const char *path, const char *executable,
			   struct process_stacks **ret, struct note *note) __attribute__((warn_unused_result));
void process_stacks_free(struct process_stacks *s);

/* Bytes of the process (or the core) now. */
int process_stacks_read(const struct process_stacks *s, uint64_t address, void *to, size_t n)
	__attribute__((warn_unused_result));

#endif
