/* Samples the stacks of what runs: kernel frames by the kernel's own unwinder, user frames by rows made of .eh_frame
 * (profile_space.h), and by frame pointers where no row is. Equal stacks are counted in the kernel; a stack itself is sent once.
 *
 * The table of stacks is keyed by 128 bits of hash: bpf_get_stackid's 32 lose stacks that collide, and whole
 * stacks as keys would be 2 KB each.
 * Needs: BTF, 5.17 (bpf_loop), CAP_BPF and CAP_PERFMON. Cost: ~3 us a sample and 0.3 us a frame.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "kernel/types.bpf.h"

#define BPF_MAP_TYPE_LRU_HASH 9
#define BPF_MAP_TYPE_ARRAY_OF_MAPS 12
#define BPF_MAP_TYPE_HASH_OF_MAPS 13
#define BPF_F_MMAPABLE 1024
#define BPF_F_INNER_MAP 4096
#define BPF_F_USER_STACK 256
#define BPF_RB_NO_WAKEUP 1
#define BPF_RB_FORCE_WAKEUP 2
#define PF_KTHREAD 0x00200000

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "dig/profile/profile_bpf.bpf.h"
#include "dig/unwind/unwind_compact.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* ---- kernel types of this program alone ---- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct pid_namespace___numbered {
	struct ns_common ns;
};
struct inode___numbered {
	unsigned long i_ino;
};
struct file___of_inode {
	struct inode___numbered *f_inode;
};
struct mm_struct___layout {
	unsigned long start_code, end_code, start_stack;
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

struct rows {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct unwind_compact_row));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, PROFILE_TABLES);
	__type(key, __u32);
	__array(values, struct rows);
} tables SEC(".maps");

struct ranges {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct profile_range));
};

/* The first range has the number of the others in `nrows`, and the layout in `bias`. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, PROFILE_PROCESSES);
	__type(key, __u32);
	__array(values, struct ranges);
} spaces SEC(".maps");

/* ---- what it tells ---- */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PROFILE_RING);
} ring SEC(".maps");

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

/* ---- its own ---- */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u64);
} wished SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct profile_stack);
} scratch SEC(".maps");

#define WISH_EVERY_NS 20000000ull

/* ---- which tasks ---- */

#define MAX_LEVELS 32 /* MAX_PID_NS_LEVEL */

/* The number of a struct pid in the reader's namespace; 0: it is not in it. By address: functions that the verifier looks
 * at alone take no pointers. */
__noinline __u32 number_of(__u64 address)
{
	struct pid *pid = (void *)address;
	unsigned levels = BPF_CORE_READ(pid, level);

	for (unsigned level = 0; level < MAX_LEVELS && level <= levels; level++) {
		struct upid *number = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid);
		struct pid_namespace___numbered *ns = (void *)BPF_CORE_READ(number, ns);

		if (BPF_CORE_READ(ns, ns.inum) == reader_namespace)
			return BPF_CORE_READ(number, nr);
	}
	return 0;
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

static __always_inline __u64 layout_of(struct task_struct *t)
{
	struct mm_struct___layout *mm = (void *)BPF_CORE_READ(t, mm);

	if (!mm)
		return 0;
	__u64 start = BPF_CORE_READ(mm, start_code), end = BPF_CORE_READ(mm, end_code);
	__u64 stack = BPF_CORE_READ(mm, start_stack);
	return ((start * 31 + end) * 31 + stack) | 1;
}

/* ---- walking ---- */

struct walk {
	__u64 pc, sp, bp;
	struct profile_id id;
	__u32 space; /* whose ranges */
	__u16 nkernel;
	__u8 exact, guess; /* of pc */
	__u8 end, guessed, lost_bp;
	__u8 wish;
};

/* Not on the stack: of what lies there the verifier follows each value. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} walks SEC(".maps");

static __always_inline struct walk *this_walk(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&walks, &zero);
}

/* Two lanes of multiply and shift, of different constants. */
static __always_inline void mix(struct profile_id *id, __u64 value)
{
	id->a = (id->a ^ value) * 0x9e3779b97f4a7c15ull;
	id->a ^= id->a >> 29;
	id->b = (id->b + value + 0x632be59bd9b4e019ull) * 0xd6e8feb86659fd93ull;
	id->b ^= id->b >> 32;
}

#if defined(__TARGET_ARCH_x86)
/* Searches are loops of the kernel's and functions of their own, which its verifier looks at once: written as loops
 * within the walk they cost it a minute. */
struct search {
	__u64 pc;
	__u32 map, low, high;
};

static long halve_ranges(__u32 i, struct search *s)
{
	__u32 middle = (s->low + s->high) / 2, space = s->map;
	void *ranges = bpf_map_lookup_elem(&spaces, &space);
	struct profile_range *r = ranges && s->low < s->high ? bpf_map_lookup_elem(ranges, &middle) : NULL;

	if (!r)
		return 1;
	if (r->end <= s->pc)
		s->low = middle + 1;
	else
		s->high = middle;
	return 0;
}

/* The position of the range that covers pc; 0: none. Whether the process is known is for the caller to see. */
__noinline __u32 find_range(__u32 space, __u64 pc)
{
	struct search s = { .pc = pc, .map = space, .low = 1 };
	__u32 zero = 0;
	void *ranges = bpf_map_lookup_elem(&spaces, &space);
	struct profile_range *r = ranges ? bpf_map_lookup_elem(ranges, &zero) : NULL;

	if (!r)
		return 0;
	s.high = r->nrows + 1;
	bpf_loop(20, halve_ranges, &s, 0);
	zero = s.low;
	r = bpf_map_lookup_elem(ranges, &zero);
	return r && r->start <= pc && pc < r->end ? zero : 0;
}

static long halve_rows(__u32 i, struct search *s)
{
	__u32 middle = (s->low + s->high) / 2, table = s->map;
	void *rows = bpf_map_lookup_elem(&tables, &table);
	struct unwind_compact_row *row = rows && s->low < s->high ? bpf_map_lookup_elem(rows, &middle) : NULL;

	if (!row)
		return 1;
	if (row->pc <= s->pc)
		s->low = middle + 1;
	else
		s->high = middle;
	return 0;
}

/* The number of rows that begin at or before pc: the last of them is its. */
__noinline __u32 find_row(__u32 table, __u32 nrows, __u32 pc)
{
	struct search s = { .pc = pc, .map = table, .high = nrows };

	bpf_loop(32, halve_rows, &s, 0);
	return s.low;
}

static __always_inline bool read_user(__u64 address, __u64 *ret)
{
	return bpf_probe_read_user(ret, sizeof *ret, (void *)address) == 0;
}

static __always_inline long end_with(struct walk *w, __u8 end)
{
	w->end = end;
	return 1;
}

static __always_inline long by_frame_pointer(struct walk *w, __u8 otherwise)
{
	__u64 pc, bp;

	if (w->bp == 0 && w->guessed) /* how the first of such frames is marked */
		return end_with(w, PROFILE_END_WHOLE);
	/* Frames of one function are less than 16 MiB. */
	if (w->lost_bp || w->bp < w->sp || w->bp - w->sp > 1 << 24 || w->bp & 7)
		return end_with(w, otherwise);
	if (!read_user(w->bp + 8, &pc) || !read_user(w->bp, &bp))
		return end_with(w, PROFILE_END_NO_MEMORY);
	if (pc == 0)
		return end_with(w, PROFILE_END_WHOLE);
	w->sp = w->bp + 16;
	w->bp = bp;
	w->pc = pc;
	w->exact = 0;
	w->guess = w->guessed = 1;
	return 0;
}

static __always_inline long out_of_signal(struct walk *w)
{
	__u64 frame = w->sp;

	if (!read_user(frame + UNWIND_COMPACT_SIGNAL_PC, &w->pc) || !read_user(frame + UNWIND_COMPACT_SIGNAL_RBP, &w->bp) ||
	    !read_user(frame + UNWIND_COMPACT_SIGNAL_RSP, &w->sp))
		return end_with(w, PROFILE_END_NO_MEMORY);
	w->exact = 1;
	w->lost_bp = 0;
	return 0;
}

/* Where the frame began; 0: nobody can tell. */
static __always_inline __u64 cfa_of(const struct walk *w, const struct unwind_compact_row *row)
{
	__s64 offset = (__s64)row->offset * 8;
	__u64 cfa = 0;

	switch (row->kind) {
	case UNWIND_COMPACT_RSP:
		return w->sp + offset;
	case UNWIND_COMPACT_RBP:
		return w->lost_bp ? 0 : w->bp + offset;
	case UNWIND_COMPACT_PLT:
		return w->sp + ((w->pc & 15) >= (__u64)row->offset ? 16 : 8);
	case UNWIND_COMPACT_DEREF_RBP:
		return !w->lost_bp && read_user(w->bp + offset, &cfa) ? cfa : 0;
	case UNWIND_COMPACT_DEREF_RSP_8:
		return read_user(w->sp + offset, &cfa) ? cfa + 8 : 0;
	default:
		return 0;
	}
}

static __always_inline long by_row(struct walk *w, const struct unwind_compact_row *row)
{
	__u64 pc, bp = w->bp;
	__s64 saved = (__s64)row->rbp * 8;

	if (row->kind == UNWIND_COMPACT_END)
		return end_with(w, PROFILE_END_WHOLE);
	if (row->kind == UNWIND_COMPACT_SIGNAL)
		return out_of_signal(w);
	if (row->kind == UNWIND_COMPACT_NONE)
		return by_frame_pointer(w, PROFILE_END_NO_RULE);
	__u64 cfa = cfa_of(w, row);
	if (cfa <= w->sp) /* it must rise */
		return end_with(w, PROFILE_END_NO_RULE);
	if (!read_user(cfa - 8, &pc))
		return end_with(w, PROFILE_END_NO_MEMORY);
	if (row->rbp == UNWIND_COMPACT_RBP_LOST)
		w->lost_bp = 1;
	else if (row->rbp == UNWIND_COMPACT_RBP_AT_RBP)
		w->lost_bp |= !read_user(w->bp, &bp);
	else if (row->rbp != UNWIND_COMPACT_RBP_SAME)
		w->lost_bp = !read_user(cfa + saved, &bp);
	if (pc == 0)
		return end_with(w, PROFILE_END_WHOLE);
	w->sp = cfa;
	w->bp = bp;
	w->pc = pc;
	w->exact = 0;
	return 0;
}

static __always_inline bool keep(struct walk *w)
{
	__u32 zero = 0;
	struct profile_stack *s = bpf_map_lookup_elem(&scratch, &zero);
	__u64 pc = (w->pc & PROFILE_ADDRESS) | (w->exact ? PROFILE_EXACT : 0) | (w->guess ? PROFILE_GUESSED : 0);

	if (!s || s->nuser >= PROFILE_DEPTH)
		return false;
	__u32 at = s->nkernel + s->nuser;
	if (at >= 2 * PROFILE_DEPTH)
		return false;
	s->pc[at] = pc;
	s->nuser++;
	mix(&w->id, pc);
	return true;
}

static __always_inline struct unwind_compact_row *row_of(const struct profile_range *range, __u64 pc)
{
	__u32 table = range->table, at = range->nrows ? find_row(table, range->nrows, (__u32)(pc - range->bias)) : 0;
	void *rows = at ? bpf_map_lookup_elem(&tables, &table) : NULL;

	at--;
	return rows ? bpf_map_lookup_elem(rows, &at) : NULL;
}

static long step(__u32 i, void *unused)
{
	struct profile_range *range = NULL;
	struct walk *w = this_walk();

	if (!w)
		return 1;
	__u32 space = w->space, at = 0;
	void *ranges = space ? bpf_map_lookup_elem(&spaces, &space) : NULL;
	__u64 pc = w->exact ? w->pc : w->pc - 1;

	if (ranges && (at = find_range(space, pc)))
		range = bpf_map_lookup_elem(ranges, &at);
	/* A guess that leads out of all code was wrong. */
	if (ranges && !range && w->guess)
		return end_with(w, PROFILE_END_NO_RULE);
	if (!keep(w))
		return end_with(w, PROFILE_END_FULL);
	w->guess = 0;
	if (!range) {
		w->wish = 1;
		return by_frame_pointer(w, PROFILE_END_UNKNOWN);
	}
	struct unwind_compact_row *row = row_of(range, pc);
	return row ? by_row(w, row) : by_frame_pointer(w, PROFILE_END_NO_RULE);
}

/* A child has its parent's mappings until it execs. */
static __always_inline __u32 space_of(struct task_struct *t, __u32 tgid, __u64 layout, struct walk *w)
{
	__u32 zero = 0, parent;
	void *ranges = bpf_map_lookup_elem(&spaces, &tgid);

	if (ranges) {
		struct profile_range *head = bpf_map_lookup_elem(ranges, &zero);

		if (head && head->bias == layout)
			return tgid;
		w->wish = 1;
		return 0;
	}
	w->wish = 1;
	parent = BPF_CORE_READ(t, real_parent, tgid);
	if ((ranges = bpf_map_lookup_elem(&spaces, &parent))) {
		struct profile_range *head = bpf_map_lookup_elem(ranges, &zero);

		if (head && head->bias == layout)
			return parent;
	}
	return 0;
}

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

static long mix_kernel(__u32 i, void *unused)
{
	__u32 zero = 0;
	struct profile_stack *s = bpf_map_lookup_elem(&scratch, &zero);
	struct walk *w = this_walk();

	if (!s || !w || i >= s->nkernel)
		return 1;
	mix(&w->id, s->pc[i & 127]);
	return 0;
}

/* ---- counting ---- */

static __always_inline void wish(__u32 tgid)
{
	struct profile_wish event = { PROFILE_WISH, tgid };
	__u64 now = bpf_ktime_get_ns(), *last = bpf_map_lookup_elem(&wished, &tgid);

	if (last && now - *last < WISH_EVERY_NS)
		return;
	bpf_map_update_elem(&wished, &tgid, &now, BPF_ANY);
	bpf_ringbuf_output(&ring, &event, sizeof event, BPF_RB_FORCE_WAKEUP);
}

static __always_inline bool count(struct profile_stack *s)
{
	__u64 one = 1, *known = bpf_map_lookup_elem(&stacks, &s->id);

	if (known) {
		__sync_fetch_and_add(known, 1);
		return true;
	}
	long r = bpf_map_update_elem(&stacks, &s->id, &one, BPF_NOEXIST);
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
