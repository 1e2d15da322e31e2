/* User stacks walked in the kernel by unwind rows, where they were given (profile_space.h), else by frame pointer: for
 * programs that send struct profile_stack. The walk begins at walk.pc, sp and bp, in the ranges of process walk.space.
 * Whose memory: of the current task, unless WALK_READ(w, address, ret) is defined before and says otherwise.
 * Needs: 5.17 (bpf_loop). Include after types.bpf.h. x86-64; elsewhere there is the hash alone.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_DIG_PROFILE_PROFILE_WALK_BPF_H
#define OSPREY_DIG_PROFILE_PROFILE_WALK_BPF_H

#define BPF_MAP_TYPE_LRU_HASH 9
#define BPF_MAP_TYPE_ARRAY_OF_MAPS 12
#define BPF_MAP_TYPE_HASH_OF_MAPS 13
#define BPF_F_MMAPABLE 1024
#define BPF_F_INNER_MAP 4096
#define BPF_RB_NO_WAKEUP 1
#define BPF_RB_FORCE_WAKEUP 2
#define PF_KTHREAD 0x00200000

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "dig/profile/profile_bpf.bpf.h"
#include "dig/unwind/unwind_compact.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct mm_struct___layout {
	unsigned long start_code, end_code, start_stack;
};
#pragma clang attribute pop

/* ---- what the reader gives ---- */

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
/* ---- what is sent ---- */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PROFILE_RING);
} ring SEC(".maps");

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
	/* for WALK_READ: another task's memory, and the page of it that was read last */
	__u64 memory, page, page_at;
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

#ifndef WALK_READ
#define WALK_READ(w, address, ret) (bpf_probe_read_user(ret, sizeof *(ret), (void *)(address)) == 0)
#endif

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
	if (!WALK_READ(w, w->bp + 8, &pc) || !WALK_READ(w, w->bp, &bp))
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

	if (!WALK_READ(w, frame + UNWIND_COMPACT_SIGNAL_PC, &w->pc) || !WALK_READ(w, frame + UNWIND_COMPACT_SIGNAL_RBP, &w->bp) ||
	    !WALK_READ(w, frame + UNWIND_COMPACT_SIGNAL_RSP, &w->sp))
		return end_with(w, PROFILE_END_NO_MEMORY);
	w->exact = 1;
	w->lost_bp = 0;
	return 0;
}

/* Where the frame began; 0: nobody can tell. */
static __always_inline __u64 cfa_of(struct walk *w, const struct unwind_compact_row *row)
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
		return !w->lost_bp && WALK_READ(w, w->bp + offset, &cfa) ? cfa : 0;
	case UNWIND_COMPACT_DEREF_RSP_8:
		return WALK_READ(w, w->sp + offset, &cfa) ? cfa + 8 : 0;
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
	if (!WALK_READ(w, cfa - 8, &pc))
		return end_with(w, PROFILE_END_NO_MEMORY);
	if (row->rbp == UNWIND_COMPACT_RBP_LOST)
		w->lost_bp = 1;
	else if (row->rbp == UNWIND_COMPACT_RBP_AT_RBP)
		w->lost_bp |= !WALK_READ(w, w->bp, &bp);
	else if (row->rbp != UNWIND_COMPACT_RBP_SAME)
		w->lost_bp = !WALK_READ(w, cfa + saved, &bp);
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

static __always_inline void wish(__u32 tgid)
{
	struct profile_wish event = { PROFILE_WISH, tgid };
	__u64 now = bpf_ktime_get_ns(), *last = bpf_map_lookup_elem(&wished, &tgid);

	if (last && now - *last < WISH_EVERY_NS)
		return;
	bpf_map_update_elem(&wished, &tgid, &now, BPF_ANY);
	bpf_ringbuf_output(&ring, &event, sizeof event, BPF_RB_FORCE_WAKEUP);
}

#endif
