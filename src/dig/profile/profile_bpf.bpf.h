/* Samples of CPU stacks: shared by the programs and their reader.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_DIG_PROFILE_PROFILE_BPF_BPF_H
#define OSPREY_DIG_PROFILE_PROFILE_BPF_BPF_H

#ifdef __bpf__
typedef __s16 int16_t;
#else
#include <stdint.h>
#endif

#define PROFILE_DEPTH 127	 /* frames of each, user and kernel */
#define PROFILE_STACKS 65536	 /* different ones between two times that they are read out */
#define PROFILE_RING (8u << 20)
#define PROFILE_TABLES 8192	 /* files with unwind rows */
#define PROFILE_PROCESSES 16384

/* Executable memory of a process, sorted by address. The rows (unwind_compact.bpf.h)
 * count their pc from `bias`. */
struct profile_range {
	uint64_t start, end, bias;
	uint32_t table;
	uint32_t nrows; /* 0: by frame pointer */
};

/* ---- what is sampled ---- */

/* Bits of an address of user space, which has none above 2^57. */
#define PROFILE_EXACT (1ull << 63)   /* the instruction itself; else a return address */
#define PROFILE_GUESSED (1ull << 62) /* found by frame pointer */
#define PROFILE_ADDRESS ((1ull << 57) - 1)

enum profile_end {
	PROFILE_END_WHOLE,
	PROFILE_END_NONE,     /* no user stack: a kernel thread, or not asked for */
	PROFILE_END_UNKNOWN,  /* the process or the mapping was not known yet */
	PROFILE_END_NO_RULE,  /* no rule, and no frame pointer led further */
	PROFILE_END_NO_MEMORY,/* the stack was not in memory */
	PROFILE_END_FULL,
};

struct profile_id {
	uint64_t a, b; /* 128 bits of hash over all that tells stacks apart */
};

/* Sent once for each different stack; frames of the kernel first, innermost first, then those of the user. */
struct profile_stack {
	uint32_t kind; /* PROFILE_STACK */
	uint32_t tgid, tid;
	uint16_t nkernel, nuser;
	struct profile_id id;
	uint64_t layout; /* which program it is: changes with exec, not with fork */
	uint8_t end;	 /* enum profile_end */
	uint8_t kernel_thread;
	uint8_t state;	 /* of a thread that waits, a letter as in /proc; else 0 */
	char comm[16], process[16];
	uint64_t pc[2 * PROFILE_DEPTH + 2];
};

/* Something of a process is not known: its ranges are wanted. */
struct profile_wish {
	uint32_t kind; /* PROFILE_WISH */
	uint32_t tgid;
};

enum { PROFILE_STACK = 1, PROFILE_WISH };

struct profile_counts {
	uint64_t samples; /* that passed the filter and were counted */
	uint64_t lost;	  /* no room for their stack */
	uint64_t idle;
	uint64_t kernel_only; /* in the kernel, of a thread without user space */
	uint64_t ends[6];     /* samples by the end of their user stack */
	uint64_t guessed;     /* samples with a frame that was found by frame pointer */
};

#endif
