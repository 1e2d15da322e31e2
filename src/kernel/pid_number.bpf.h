/* What a pid is called in a pid namespace, told by the namespace's inode number. Include after bpf_core_read.h.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_KERNEL_PID_NUMBER_BPF_H
#define OSPREY_KERNEL_PID_NUMBER_BPF_H

#include "kernel/types.bpf.h"

#define PID_LEVELS_MAX 32 /* MAX_PID_NS_LEVEL */

struct pid_namespace___numbered {
	struct ns_common ns;
} __attribute__((preserve_access_index));

/* 0: it has no number there. */
static __always_inline int pid_number_in(struct pid *pid, unsigned namespace_inode)
{
	unsigned levels = BPF_CORE_READ(pid, level);

	for (unsigned level = 0; level < PID_LEVELS_MAX && level <= levels; level++) {
		struct upid *number = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid);
		struct pid_namespace___numbered *ns = (void *)BPF_CORE_READ(number, ns);

		if (BPF_CORE_READ(ns, ns.inum) == namespace_inode)
			return BPF_CORE_READ(number, nr);
	}
	return 0;
}

#endif
