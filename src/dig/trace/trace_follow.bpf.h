/* Which threads are traced: those of the targets, and what they give birth to. A thread is traced when it has a
 * `struct thread` in task storage, which is the one look-up that a call costs. The includer defines that struct, beginning
 * with a struct trace_follow named follow, before, and how functions are made: OWN_FUNCTION.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_DIG_TRACE_TRACE_FOLLOW_BPF_H
#define OSPREY_DIG_TRACE_TRACE_FOLLOW_BPF_H

#include "kernel/pid_number.bpf.h"

#define TS_COMPAT 2
#define X32_BIT 0x40000000ul

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

/* Processes asked for, by their number in the reader's namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TRACE_TARGETS_MAX);
	__type(key, __s32);
	__type(value, __u8);
} targets SEC(".maps");

const volatile struct trace_settings settings;
__s64 living; /* threads that are traced */
__u64 threads_lost; /* without memory to trace them */

static __always_inline __s32 number_here(struct pid *pid)
{
	return pid_number_in(pid, settings.reader_namespace);
}

static __always_inline void number_thread(struct thread *t, struct task_struct *task)
{
	t->follow.tid = number_here(BPF_CORE_READ(task, thread_pid));
	t->follow.pid = number_here(BPF_CORE_READ(task, group_leader, thread_pid));
}

static __always_inline struct thread *follow(struct task_struct *task)
{
	struct thread *t = bpf_task_storage_get(&threads, task, 0, 0);

	if (t)
		return t;
	t = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	__sync_fetch_and_add(t ? (__u64 *)&living : &threads_lost, 1);
	return t;
}

/* `task`: as bpf_get_current_task_btf gives it, read without a helper. */
static __always_inline bool is_compat(struct task_struct *task, unsigned long id)
{
#if defined(__TARGET_ARCH_x86)
	return (task->thread_info.status & TS_COMPAT) || (id & X32_BIT);
#else
	return false;
#endif
}

static OWN_FUNCTION int find_target(struct task_struct *task)
{
	struct thread *t;
	__s32 pid;

	if (!task || task->exit_state)
		return 0;
	pid = number_here(BPF_CORE_READ(task, group_leader, thread_pid));
	if (!bpf_map_lookup_elem(&targets, &pid))
		return 0;
	t = follow(task);
	if (!t)
		return 0;
	number_thread(t, task);
	t->follow.waits_for_exec = settings.await_exec;
	return 0;
}

/* Read once after the programs are attached: all threads of the targets. */
SEC("iter/task")
int find_targets(struct bpf_iter__task *ctx)
{
	return find_target(ctx->task);
}

static OWN_FUNCTION int on_birth(struct task_struct *parent, struct task_struct *child)
{
	struct thread *of_parent = bpf_task_storage_get(&threads, parent, 0, 0), *t;

	if (!of_parent || (!settings.follow && parent->tgid != child->tgid))
		return 0;
	t = follow(child);
	if (!t)
		return 0;
	number_thread(t, child);
	t->follow.waits_for_exec = of_parent->follow.waits_for_exec;
	t->follow.born = 1;
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(follow_birth, struct task_struct *parent, struct task_struct *child)
{
	return on_birth(parent, child);
}

#endif
