/* Which tasks a program shall look at, and what their numbers are for its reader: for programs of
 * tracepoints, whose pointers to tasks are trusted. The loader sets the constants (latency.c shows how).
 * Needs: 5.5. Include after bpf_helpers.h, bpf_core_read.h and bpf_tracing.h.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_DIG_LATENCY_TASK_WANTED_BPF_H
#define OSPREY_DIG_LATENCY_TASK_WANTED_BPF_H

#include "kernel/compat.bpf.h"
#include "kernel/pid_number.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct cgroup___ancestors {
	int level;
	struct cgroup *ancestors[1];
};

struct cgroup___ancestor_ids {
	int level;
	__u64 ancestor_ids[1];
};

#pragma clang attribute pop

/* The inode number of the reader's pid namespace; 0: it is the first one. */
const volatile unsigned reader_namespace;
/* 0: all. The process as the reader numbers it. */
const volatile int wanted_pid;
/* 0: all. A cgroup of the default hierarchy, and how deep below its root it lies. */
const volatile __u64 wanted_cgroup;
const volatile int wanted_cgroup_level;

static __always_inline int number_of(struct pid *pid)
{
	return pid_number_in(pid, reader_namespace);
}

/* 0: not in the reader's namespace. */
static __always_inline int task_number(struct task_struct *t)
{
	return reader_namespace ? number_of(BPF_CORE_READ(t, thread_pid)) : t->pid;
}

static __always_inline int process_number(struct task_struct *t)
{
	return reader_namespace ? number_of(BPF_CORE_READ(t, group_leader, thread_pid)) : t->tgid;
}

static __always_inline __u64 task_cgroup_id(struct task_struct *t)
{
	return BPF_CORE_READ(t, cgroups, dfl_cgrp, kn, id);
}

/* 6.1, 7f203bc89eb6 "cgroup: Replace cgroup->ancestor_ids[] with ->ancestors[]". */
static __always_inline __u64 cgroup_ancestor_id(struct cgroup *group, int level)
{
	struct cgroup___ancestors *now = (void *)group;
	__u64 id = 0;

	if (bpf_core_field_exists(now->ancestors)) {
		struct cgroup *ancestor = NULL;

		bpf_probe_read_kernel(&ancestor, sizeof ancestor,
				      (void *)group + bpf_core_field_offset(struct cgroup___ancestors, ancestors) +
					      level * sizeof ancestor);
		return BPF_CORE_READ(ancestor, kn, id);
	}
	bpf_probe_read_kernel(&id, sizeof id,
			      (void *)group + bpf_core_field_offset(struct cgroup___ancestor_ids, ancestor_ids) +
				      level * sizeof id);
	return id;
}

static __always_inline bool in_wanted_cgroup(struct task_struct *t)
{
	struct cgroup *group = BPF_CORE_READ(t, cgroups, dfl_cgrp);
	struct cgroup___ancestors *leveled = (void *)group;

	return BPF_CORE_READ(leveled, level) >= wanted_cgroup_level &&
	       cgroup_ancestor_id(group, wanted_cgroup_level) == wanted_cgroup;
}

static __always_inline bool task_wanted(struct task_struct *t)
{
	if (wanted_pid && process_number(t) != wanted_pid)
		return false;
	return !wanted_cgroup || in_wanted_cgroup(t);
}

#endif
