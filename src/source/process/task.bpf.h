/* One task (a thread) as the kernel sees it at one moment: the record that the BPF
 * iterator writes and that user space keeps, without conversion.
 *
 * Fixed-width members alone, naturally aligned, the same in BPF and in user space.
 * Members that a kernel lacks hold READING_ABSENT (all ones).
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_SOURCE_PROCESS_TASK_BPF_H
#define OSPREY_SOURCE_PROCESS_TASK_BPF_H

#ifndef __bpf__
#include <stdint.h>
#endif

enum task_flags {
	TASK_IS_LEADER = 1,	    /* tid == pid: the members "of the process" are set */
	TASK_IS_KERNEL_THREAD = 2,
	TASK_IN_IOWAIT = 4,	    /* D state that counts as disk wait */
	TASK_HAS_SYSCALL = 8,	    /* syscall and argument[] are set */
	TASK_HAS_WAIT_NS = 16,	    /* run-queue delay was readable */
};

enum task_cgroup { TASK_CGROUP_CPU, TASK_CGROUP_MEMORY, TASK_CGROUP_IO, TASK_CGROUP_PIDS, TASK_CGROUP_COUNT };

struct task {
	int32_t tid;
	int32_t pid;  /* of the process: the kernel's tgid */
	int32_t ppid; /* real parent's tgid */
	uint32_t uid; /* effective */
	char state;   /* R S D T t Z X I P, as in /proc/PID/stat */
	uint8_t flags;
	uint8_t policy; /* SCHED_NORMAL 0, FIFO 1, RR 2, BATCH 3, IDLE 5, DEADLINE 6 */
	int8_t nice;
	uint32_t rt_priority;
	int32_t last_cpu;
	int32_t syscall; /* the call a blocked task sleeps in; -1: none */
	char comm[16];
	/* Device number of the controlling terminal as in /proc/PID/stat, 0: none; of the process. */
	uint32_t tty;
	uint32_t unused;
	uint64_t start_ns; /* CLOCK_BOOTTIME */

	/* of the thread */
	uint64_t user_ns, system_ns;
	uint64_t run_ns;  /* on a CPU (schedstat 1) */
	uint64_t wait_ns; /* runnable, waiting for a CPU (schedstat 2) */
	uint64_t runs;	  /* times it was put on a CPU (schedstat 3) */
	uint64_t voluntary_switches, involuntary_switches;
	uint64_t minor_faults, major_faults;
	uint64_t read_bytes, write_bytes; /* caused at the block layer */
	uint64_t block_delay_ns;	  /* waited for block I/O; absent without delay accounting */
	uint64_t argument[4];		  /* of the system call */

	/* of the process; absent on other threads */
	uint64_t threads;
	uint64_t virtual_bytes, anon_bytes, file_bytes, shmem_bytes, swap_bytes; /* resident parts, swapped part */
	uint64_t fd_count, fd_limit; /* open descriptors, soft RLIMIT_NOFILE */
	uint64_t dead_user_ns, dead_system_ns; /* of threads that have ended */
	uint64_t dead_minor_faults, dead_major_faults;
	uint64_t dead_voluntary_switches, dead_involuntary_switches;
	uint64_t dead_read_bytes, dead_write_bytes; /* and of children that were waited for: one sum */
	uint64_t children_user_ns, children_system_ns; /* of children that were waited for */
	uint64_t children_minor_faults;

	/* inode numbers; 0: unknown */
	uint64_t cgroup[4]; /* enum task_cgroup */
	uint64_t net_ns;
};

#endif
