/* Registers and stacks of threads, without stopping them.
 * Needs: 5.18 (bpf_copy_from_user_task), BTF. Sleepable: pages that are not there are fetched, as by a read
 * of the target's own.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "kernel/types.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel/compat.bpf.h"
#include "dig/stack/thread_grab.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define KERNEL_THREAD_FLAG 0x00200000 /* PF_KTHREAD */
#define EXITING_FLAG 0x00000004	      /* PF_EXITING */

/* Of the next look, written by the reader: whom to take (0: any; numbers of the reader's pid namespace). Kernels
 * before 6.1 walk over all tasks. */
int wanted_pid;
int wanted_tid;
unsigned most_pages;

struct grab_buffer {
	struct grab_record record;
	char stack[GRAB_PAGES * GRAB_PAGE];
};

/* A loaded program has one reader, so one buffer is enough. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct grab_buffer);
} buffers SEC(".maps");

static __always_inline void take_registers(struct task_struct *t, struct grab_record *r)
{
#if defined(__TARGET_ARCH_x86)
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(t);

	r->registers[0] = regs->ax;
	r->registers[1] = regs->dx;
	r->registers[2] = regs->cx;
	r->registers[3] = regs->bx;
	r->registers[4] = regs->si;
	r->registers[5] = regs->di;
	r->registers[6] = regs->bp;
	r->registers[7] = regs->sp;
	r->registers[8] = regs->r8;
	r->registers[9] = regs->r9;
	r->registers[10] = regs->r10;
	r->registers[11] = regs->r11;
	r->registers[12] = regs->r12;
	r->registers[13] = regs->r13;
	r->registers[14] = regs->r14;
	r->registers[15] = regs->r15;
	r->registers[16] = regs->ip;
	r->origin = regs->orig_ax;
#endif
}

/* Each page of the stack to a page of the buffer, until one is not there: at places that are known beforehand, so that
 * the verifier can follow. */
static __always_inline void take_stack(struct task_struct *t, struct grab_buffer *b)
{
	__u64 from = b->record.registers[7];
	__u32 skip = from & (GRAB_PAGE - 1), done = 0;

	b->record.stack_skip = skip;
	for (int i = 0; i < GRAB_PAGES; i++) {
		if (i >= most_pages) {
			b->record.flags |= GRAB_MORE;
			break;
		}
		long r = i == 0 ? bpf_copy_from_user_task(b->stack + skip, GRAB_PAGE - skip, (void *)from, t, 0) :
				  bpf_copy_from_user_task(b->stack + i * GRAB_PAGE, GRAB_PAGE,
							  (void *)(from - skip + i * GRAB_PAGE), t, 0);
		if (r)
			break;
		done = (i + 1) * GRAB_PAGE;
	}
	if (done == GRAB_PAGES * GRAB_PAGE)
		b->record.flags |= GRAB_MORE;
	b->record.stack_end = done;
}

static __always_inline __u64 switches_of(struct task_struct *t)
{
	return t->nvcsw + t->nivcsw;
}

/* The kernel's own unwinder holds the stack while it looks; of a task that runs just now it gives what it finds. */
static __always_inline void take_kernel_stack(struct task_struct *t, struct grab_record *r)
{
	long n = bpf_get_task_stack(t, r->kernel, sizeof r->kernel, 0);

	r->kernel_frames = n < 0 ? (int)n : (int)(n / sizeof r->kernel[0]);
}

static __always_inline struct upid *number_of(struct pid *pid, unsigned level)
{
	return (void *)pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid);
}

static __always_inline int number_inside(struct pid *pid)
{
	unsigned level = BPF_CORE_READ(pid, level);
	struct upid *own = number_of(pid, level);

	return BPF_CORE_READ(own, nr);
}

/* As the reader calls it; 0: not at all. */
static __always_inline int number_here(struct pid *pid)
{
	struct task_struct *reader = (void *)bpf_get_current_task();
	struct pid *own = BPF_CORE_READ(reader, thread_pid);
	unsigned level = BPF_CORE_READ(own, level);

	struct upid *ours = number_of(own, level), *its = number_of(pid, level);

	if (BPF_CORE_READ(pid, level) < level || BPF_CORE_READ(its, ns) != BPF_CORE_READ(ours, ns))
		return 0;
	return BPF_CORE_READ(its, nr);
}

static __always_inline void take_thread(struct task_struct *t, struct grab_record *r)
{
	unsigned flags = t->flags;

	r->flags = flags & KERNEL_THREAD_FLAG ? GRAB_KERNEL_THREAD : 0;
	if (t->on_cpu)
		r->flags |= GRAB_ON_CPU;
	r->state = compat_task_state(t);
	r->exit_state = t->exit_state;
	r->switches = switches_of(t);
	r->start_boot_ns = t->start_boottime;
	r->run_ns = t->se.sum_exec_runtime;
	r->tid_inside = number_inside(BPF_CORE_READ(t, thread_pid));
	r->origin = ~0ull;
	r->stack_skip = r->stack_end = 0;
	bpf_probe_read_kernel(r->comm, sizeof r->comm, t->comm);
}

SEC("iter.s/task")
int grab_thread(struct bpf_iter__task *ctx)
{
	struct task_struct *t = ctx->task;
	__u32 zero = 0;

	if (!t)
		return 0;
	int tid = number_here(BPF_CORE_READ(t, thread_pid));
	int pid = number_here(BPF_CORE_READ(t, group_leader, thread_pid));
	if ((wanted_pid && pid != wanted_pid) || (wanted_tid && tid != wanted_tid))
		return 0;
	struct grab_buffer *b = bpf_map_lookup_elem(&buffers, &zero);
	if (!b)
		return 0;
	struct grab_record *r = &b->record;
	r->tid = tid;
	r->pid = pid;
	take_thread(t, r);
	if (!(r->flags & GRAB_KERNEL_THREAD) && !(t->flags & EXITING_FLAG)) {
		take_registers(t, r);
		take_stack(t, b);
	}
	take_kernel_stack(t, r);
	if (t->on_cpu || switches_of(t) != r->switches)
		r->flags |= GRAB_TORN;
	__u32 n = r->stack_end;
	if (n > sizeof b->stack)
		n = sizeof b->stack;
	r->size = sizeof *r + n;
	bpf_seq_write(ctx->meta->seq, b, sizeof *r + n);
	return 0;
}
