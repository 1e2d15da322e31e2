/* Samples the stacks of what runs: kernel frames by the kernel's own unwinder, user frames by rows made of .eh_frame
 * (profile_space.h), and by frame pointers where no row is. Equal stacks are counted in the kernel; a stack itself is sent once.
 *
 * The table of stacks is keyed by 128 bits of hash: bpf_get_stackid's 32 lose stacks that collide, and whole
 * stacks as keys would be 2 KB each.
 * Needs: BTF, 5.17 (bpf_loop), CAP_BPF and CAP_PERFMON. Cost: ~3 us a sample and 0.3 us a frame.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "kernel/types.bpf.h"

#include "dig/profile/profile_walk.bpf.h"
#include "kernel/compat.bpf.h"
#include "kernel/pid_number.bpf.h"

#define BPF_F_USER_STACK 256

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* ---- kernel types of this program alone ---- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct inode___numbered {
	unsigned long i_ino;
};
struct file___of_inode {
	struct inode___numbered *f_inode;
};
struct cgroup___tree;
struct cgroup_subsys_state___tree {
	struct cgroup___tree *cgroup;
	struct cgroup_subsys_state___tree *parent;
};
struct cgroup_root___numbered {
	int hierarchy_id;
};
struct cgroup___tree {
	struct cgroup_subsys_state___tree self;
	struct kernfs_node *kn;
	struct cgroup_root___numbered *root;
};
#pragma clang attribute pop

#if defined(__TARGET_ARCH_x86)
/* struct pt_regs of x86-64, whole: it is what a sample's context begins with. */
struct registers {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
struct bpf_perf_event_data {
	struct registers regs;
	__u64 sample_period, addr;
};
#else
struct bpf_perf_event_data;
#endif

/* ---- what the reader sets ---- */

enum { ONLY_TARGETS = 1, ONLY_CGROUP = 2 };

const volatile unsigned filter;
const volatile unsigned reader_namespace; /* inode number of the reader's pid namespace; 0: the first */
const volatile int cgroup_hierarchy;	  /* 0: v2 */
const volatile __u64 cgroup_inode;
const volatile bool by_thread, with_kernel, with_user, with_idle, use_rows;

/* The reader gets what it needs to unwind before anything counts. */
unsigned counting;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROFILE_PROCESSES);
	__type(key, __u32);
	__type(value, __u8);
} targets SEC(".maps");

/* ---- what it tells ---- */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROFILE_STACKS);
	__type(key, struct profile_id);
	__type(value, __u64);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct profile_counts);
} counts SEC(".maps");

/* ---- which tasks ---- */

/* The number of a struct pid in the reader's namespace; 0: it is not in it. By address: functions that the verifier looks
 * at alone take no pointers. */
__noinline __u32 number_of(__u64 address)
{
	return pid_number_in((struct pid *)address, reader_namespace);
}

static __always_inline __u32 number_here(struct task_struct *t)
{
	return number_of((__u64)BPF_CORE_READ(t, thread_pid));
}

struct climb {
	struct css_set *set;
	struct cgroup___tree *at;
	bool found;
};

static long climb_cgroup(__u32 i, struct climb *c)
{
	struct cgroup___tree *at = c->at; /* no member of ours within what is relocated */

	if (!at)
		return 1;
	if (BPF_CORE_READ(at, kn, id) == cgroup_inode) {
		c->found = true;
		return 1;
	}
	c->at = BPF_CORE_READ(at, self.parent, cgroup);
	return 0;
}

static long find_hierarchy(__u32 i, struct climb *c)
{
	struct cgroup_subsys_state *state = NULL;

	/* Of an index that varies no relocation can be made. */
	bpf_probe_read_kernel(&state, sizeof state,
			      (void *)c->set + bpf_core_field_offset(struct css_set, subsys) + (i & 15) * sizeof state);
	struct cgroup___tree *group = (void *)BPF_CORE_READ(state, cgroup);

	if (!group || BPF_CORE_READ(group, root, hierarchy_id) != cgroup_hierarchy)
		return 0;
	c->at = group;
	return 1;
}

/* Of the current task. */
__noinline bool in_cgroup(void)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	struct css_set *set = BPF_CORE_READ(t, cgroups);
	struct climb c = { .set = set };

	if (cgroup_hierarchy == 0)
		c.at = (void *)BPF_CORE_READ(set, dfl_cgrp);
	else
		bpf_loop(16, find_hierarchy, &c, 0);
	bpf_loop(64, climb_cgroup, &c, 0);
	return c.found;
}

#if defined(__TARGET_ARCH_x86)
static __always_inline bool user_registers(struct bpf_perf_event_data *ctx, struct task_struct *t, struct walk *w)
{
	if (ctx->regs.cs & 3) {
		w->pc = ctx->regs.ip;
		w->sp = ctx->regs.sp;
		w->bp = ctx->regs.bp;
		return true;
	}
	struct registers *r = (void *)bpf_task_pt_regs(t);
	return bpf_probe_read_kernel(&w->pc, 8, &r->ip) == 0 && bpf_probe_read_kernel(&w->sp, 8, &r->sp) == 0 &&
	       bpf_probe_read_kernel(&w->bp, 8, &r->bp) == 0 && w->pc;
}

static __always_inline void walk_user(struct bpf_perf_event_data *ctx, struct task_struct *t, struct profile_stack *s,
				      struct walk *w)
{
	if (!user_registers(ctx, t, w)) {
		w->end = PROFILE_END_NO_RULE;
		return;
	}
	w->exact = 1;
	w->space = use_rows ? space_of(t, s->tgid, s->layout, w) : 0;
	w->end = PROFILE_END_FULL;
	bpf_loop(PROFILE_DEPTH, step, NULL, 0);
}
#else
static long mix_user(__u32 i, void *unused)
{
	__u32 zero = 0;
	struct profile_stack *s = bpf_map_lookup_elem(&scratch, &zero);
	struct walk *w = this_walk();

	if (!s || !w || i >= s->nuser)
		return 1;
	__u32 at = s->nkernel + i;
	if (at >= 2 * PROFILE_DEPTH)
		return 1;
	if (i == 0)
		s->pc[at] |= PROFILE_EXACT;
	mix(&w->id, s->pc[at]);
	return 0;
}

static __always_inline void walk_user(struct bpf_perf_event_data *ctx, struct task_struct *t, struct profile_stack *s,
				      struct walk *w)
{
	__u32 n = s->nkernel;

	if (n > PROFILE_DEPTH)
		return;
	long bytes = bpf_get_stack(ctx, &s->pc[n], PROFILE_DEPTH * 8, BPF_F_USER_STACK);
	s->nuser = bytes > 0 ? (__u64)bytes / 8 : 0;
	w->end = s->nuser ? PROFILE_END_WHOLE : PROFILE_END_NO_RULE;
	bpf_loop(PROFILE_DEPTH, mix_user, NULL, 0);
}
#endif

/* ---- counting ---- */

static __always_inline bool count(struct profile_stack *s)
{
	__u64 one = 1, *known = bpf_map_lookup_elem(&stacks, &s->id);

	if (known) {
		__sync_fetch_and_add(known, 1);
		return true;
	}
	int r = compat_map_update(&stacks, &s->id, &one, BPF_NOEXIST);
	if (r == -17) { /* EEXIST: another CPU was first, and sends it */
		known = bpf_map_lookup_elem(&stacks, &s->id);
		if (known)
			__sync_fetch_and_add(known, 1);
		return known != NULL;
	}
	if (r < 0)
		return false;
	__u32 n = s->nkernel + s->nuser;
	if (n > 2 * PROFILE_DEPTH)
		n = 2 * PROFILE_DEPTH;
	if (bpf_ringbuf_output(&ring, s, __builtin_offsetof(struct profile_stack, pc) + n * 8, BPF_RB_NO_WAKEUP) == 0)
		return true;
	bpf_map_delete_elem(&stacks, &s->id);
	return false;
}

static __always_inline bool wanted(__u32 tgid)
{
	if (filter & ONLY_TARGETS)
		return bpf_map_lookup_elem(&targets, &tgid) != NULL;
	if (filter & ONLY_CGROUP)
		return in_cgroup();
	return tgid != 0;
}

static __always_inline void describe(struct task_struct *t, struct profile_stack *s, struct walk *w)
{
	struct task_struct *leader = BPF_CORE_READ(t, group_leader);

	s->kind = PROFILE_STACK;
	s->tid = by_thread ? (reader_namespace ? number_here(t) : (__u32)t->pid) : s->tgid;
	bpf_probe_read_kernel(s->comm, sizeof s->comm, t->comm);
	bpf_probe_read_kernel(s->process, sizeof s->process, leader->comm);
	s->kernel_thread = (t->flags & PF_KTHREAD) != 0;
	s->layout = s->kernel_thread ? 0 : layout_of(t);
	w->id.a = (__u64)s->tgid << 32 | s->tid;
	w->id.b = s->layout;
	mix(&w->id, *(__u64 *)s->process ^ *(__u64 *)(s->process + 8));
}

static __noinline int sample(struct bpf_perf_event_data *ctx)
{
	struct task_struct *t = (void *)bpf_get_current_task_btf();
	__u32 zero = 0, tgid = reader_namespace ? number_here(BPF_CORE_READ(t, group_leader)) : (__u32)t->tgid;
	struct profile_counts *c = bpf_map_lookup_elem(&counts, &zero);
	struct profile_stack *s = bpf_map_lookup_elem(&scratch, &zero);
	struct walk *w = this_walk();

	if (!c || !s || !w)
		return 0;
	if (t->pid == 0) {
		c->idle += counting;
		if (!with_idle)
			return 0;
	}
	if (!wanted(tgid))
		return 0;
	__builtin_memset(w, 0, sizeof *w);
	w->end = PROFILE_END_NONE;
	s->tgid = tgid;
	s->nkernel = s->nuser = 0;
	describe(t, s, w);
	if (with_kernel) {
		long bytes = bpf_get_stack(ctx, s->pc, PROFILE_DEPTH * 8, 0);
		s->nkernel = bytes > 0 ? (__u64)bytes / 8 : 0;
		bpf_loop(PROFILE_DEPTH, mix_kernel, NULL, 0);
	}
	if (with_user && s->layout)
		walk_user(ctx, t, s, w);
	if (w->wish && use_rows)
		wish(tgid);
	if (!counting)
		return 0;
	s->end = w->end;
	mix(&w->id, w->end);
	s->id = w->id;
	if (s->nkernel + s->nuser == 0 && !with_user)
		return 0; /* it was in user space, which nobody asked for */
	c->samples++;
	if (!count(s)) {
		c->lost++;
		return 0;
	}
	c->guessed += w->guessed;
	if (w->end < 6)
		c->ends[w->end]++;
	return 0;
}

SEC("perf_event")
int profile_sample(struct bpf_perf_event_data *ctx)
{
	return sample(ctx);
}

/* Children of those that are looked at are looked at. */
static __noinline int follow(struct task_struct *parent, struct task_struct *child)
{
	__u32 from = reader_namespace ? number_here(BPF_CORE_READ(parent, group_leader)) : (__u32)parent->tgid, to;
	__u8 one = 1;

	if (!(filter & ONLY_TARGETS) || child->pid != child->tgid || !bpf_map_lookup_elem(&targets, &from))
		return 0;
	to = reader_namespace ? number_here(child) : (__u32)child->tgid;
	if (to)
		bpf_map_update_elem(&targets, &to, &one, BPF_ANY);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(profile_fork, struct task_struct *parent, struct task_struct *child)
{
	return follow(parent, child);
}
