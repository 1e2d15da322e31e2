/* Latencies as the programs count them: shared by the programs and their reader.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_DIG_LATENCY_LATENCY_BPF_H
#define OSPREY_DIG_LATENCY_LATENCY_BPF_H

#ifndef __bpf__
#include <stdint.h>
#endif

/* Slots of a histogram: each power of two in four equal parts; the first four hold 0 to 3 ns, the last all
 * from 2^40 ns (18 minutes) on. */
#define LATENCY_SLOTS 160

#define LATENCY_NUMBERS 512 /* keys that are small numbers: system calls, vectors, CPUs */
#define LATENCY_KEYS 4096   /* others; those that come when it is full are in the total alone */

enum latency_by {
	LATENCY_BY_PROCESS,
	LATENCY_BY_TASK,
	LATENCY_BY_CGROUP,
	LATENCY_BY_NUMBER,  /* the call, the vector, the CPU */
	LATENCY_BY_PLACE,   /* the disk; the address of a futex in its process */
};

struct latency_key {
	uint64_t a, b;
};

struct latency_counts {
	uint64_t count, total_ns;
	uint64_t max_ns, max_at_ns; /* the worst, and when it ended: CLOCK_MONOTONIC */
	int32_t max_pid, max_tid;   /* in the reader's pid namespace; 0: not in it, or nobody's */
	char max_comm[16];
	int32_t pid, tid;	    /* whose key this is, likewise */
	char name[32];		    /* comm, or the disk's name */
	uint64_t slot[LATENCY_SLOTS];
};

/* One that took longer than the threshold. */
struct latency_slow {
	uint64_t at_ns, took_ns; /* at: its end */
	uint64_t number, place;	 /* call or vector; sector or address */
	int32_t pid, tid;
	int32_t other_pid, other_tid; /* runq: who ran before it on its CPU; 0: nobody */
	uint32_t cpu, operation;
	char comm[16], other_comm[16];
	char name[32]; /* the disk's */
};

static inline uint32_t latency_log2(uint64_t v)
{
	uint32_t log, shift;

	log = (v > 0xffffffff) << 5;
	v >>= log;
	shift = (v > 0xffff) << 4;
	v >>= shift;
	log |= shift;
	shift = (v > 0xff) << 3;
	v >>= shift;
	log |= shift;
	shift = (v > 0xf) << 2;
	v >>= shift;
	log |= shift;
	shift = (v > 0x3) << 1;
	v >>= shift;
	log |= shift;
	return log | (uint32_t)(v >> 1);
}

static inline uint32_t latency_slot(uint64_t ns)
{
	uint32_t log, slot;

	if (ns < 4)
		return (uint32_t)ns;
	log = latency_log2(ns);
	slot = (log - 1) * 4 + (uint32_t)(ns >> (log - 2) & 3);
	return slot < LATENCY_SLOTS ? slot : LATENCY_SLOTS - 1;
}

#endif
