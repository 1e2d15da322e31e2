/* Births counted by parent: shared by the program and its reader.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_SOURCE_PROCESS_FORK_WATCH_BPF_H
#define OSPREY_SOURCE_PROCESS_FORK_WATCH_BPF_H

#ifndef __bpf__
#include <stdint.h>
#endif

#define FORK_WATCH_PARENTS 10240

/* Under the parent's tgid in the first pid namespace. */
struct fork_births {
	int32_t pid; /* in the reader's namespace; 0: not in it */
	char comm[16];
	uint64_t births;
};

#endif
