/* What the probes of allocations hand over: sampled allocations with registers and stack, and the table of those that
 * are still live.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_DIG_LEAK_LEAK_WATCH_BPF_H
#define OSPREY_DIG_LEAK_LEAK_WATCH_BPF_H

#ifndef __bpf__
#include <stdint.h>
#endif

#define LEAK_PAGE 4096
#define LEAK_PAGES 5 /* of the stack: 16 KiB at least, since the first is not whole */
#define LEAK_REGISTERS 17 /* in the order of DWARF's numbers for x86-64: 16 is the instruction pointer */
#define LEAK_LIVE_MAX (1u << 20)
#define LEAK_RING_BYTES (8u << 20)
#define LEAK_MEAN_MAX (1ull << 40)

/* A sampled allocation, as it returns to its caller: the instruction pointer is the return address. Of the stack stand
 * `stack_end` bytes here, of which the first `stack_skip` are none of it. */
struct leak_record {
	uint64_t mono_ns;
	uint64_t address, bytes;
	uint64_t mean_bytes; /* of the sampling, then */
	uint32_t tid;
	uint32_t stack_skip, stack_end;
	uint32_t unused;
	uint64_t registers[LEAK_REGISTERS];
	char stack[LEAK_PAGES * LEAK_PAGE];
};

/* Of the table of live ones, by address. With the address it names the record. */
struct leak_block {
	uint64_t mono_ns;
};

/* Counts of one CPU. */
struct leak_turn {
	uint64_t left_bytes, mean_bytes; /* until the next sample, and of which mean that was drawn */
	uint64_t allocations, allocated_bytes, frees;
	uint64_t samples;
	uint64_t ring_full, table_full; /* samples that were lost */
};

#endif
