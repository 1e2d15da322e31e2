/* What task.bpf.c writes.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_SOURCE_PROCESS_TASK_ITER_BPF_H
#define OSPREY_SOURCE_PROCESS_TASK_ITER_BPF_H

#include "source/process/task.bpf.h"

/* A sleeping task that has not run since the last look is written whole again at every
 * eighth look, for what others may have changed. */
#define TASK_LOOKS_BETWEEN_REREADS 8
#define TASK_PULSES 32768

/* A task as it is now. */
struct task_record {
	struct task task; /* user_ns, system_ns and their dead_ kin: in ticks as charged */
	uint64_t dead_run_ns; /* on a CPU, of the threads that have ended: scales dead_user_ns… */
};

/* A task that is as it was at the last look, but for what reclaim takes from it. The first
 * member tells which of the two it is: a tid is above 0. */
struct task_rest {
	int32_t minus_tid;
	int32_t unused;
	uint64_t anon_bytes, file_bytes, shmem_bytes, swap_bytes;
};

/* When a task was last written whole or found resting, and how often it had run by then. By
 * tid: two tasks that share a place are simply written whole each time. */
struct task_pulse {
	int32_t tid;
	uint32_t look;
	uint64_t start_ns;
	uint64_t beats;
};

/* Of task_walk.bpf.c: tasks that it writes whole at one look; looks until it writes one whole that
 * sleeps. */
#define TASK_WALK_MOST 4096
#define TASK_WALKS_BETWEEN_REREADS 32

#endif
