/* A thread as it stood at one moment: registers, the top of its stack, its kernel stack. What the BPF iterator
 * writes and user space reads, without conversion: a header, and the bytes of the stack behind it.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_DIG_STACK_THREAD_GRAB_BPF_H
#define OSPREY_DIG_STACK_THREAD_GRAB_BPF_H

#ifndef __bpf__
#include <stdint.h>
#endif

#define GRAB_PAGE 4096
#define GRAB_PAGES 6	       /* with the header, below the 32 KiB that an iterator may write at once */
#define GRAB_KERNEL_FRAMES 64

enum grab_flags {
	GRAB_KERNEL_THREAD = 1,
	GRAB_ON_CPU = 2,  /* it ran while we looked: registers are those of its last entry into the kernel */
	GRAB_TORN = 4,	  /* it ran between the first byte and the last */
	GRAB_MORE = 8,	  /* the stack goes on behind what was copied */
};

/* In the order of DWARF's numbers for x86-64: 16 is the instruction pointer. */
#define GRAB_REGISTERS 17

struct grab_record {
	uint32_t size; /* of the record, stack included */
	int32_t tid, pid;   /* in the reader's pid namespace */
	uint32_t flags;
	uint32_t state, exit_state; /* as the kernel has them */
	uint64_t switches;	    /* voluntary and not */
	uint64_t registers[GRAB_REGISTERS];
	uint64_t origin; /* number of the system call; ~0: none */
	int32_t kernel_frames; /* below 0: -errno of bpf_get_task_stack */
	/* Behind the header stand `stack_end` bytes, of which the first `stack_skip` are none of the stack:
	 * then those from registers[7] on. */
	uint32_t stack_skip, stack_end;
	uint32_t unused_too;
	uint64_t start_boot_ns;
	uint64_t run_ns;
	int32_t tid_inside, unused; /* in the thread's own pid namespace */
	char comm[16];
	uint64_t kernel[GRAB_KERNEL_FRAMES];
};

#endif
