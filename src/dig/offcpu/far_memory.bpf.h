/* User memory of a task that does not run: read through its page tables and the kernel's map of all memory.
 *
 * When a task has been off the CPU for long is known when it comes back; at that moment (sched_switch) the memory
 * that helpers reach is still that of the task before it, and taking its stack each time it leaves would cost every switch what
 * only the long waits are worth. So the page is looked up as the CPU would do it, by reads that may fail: what is not
 * mapped, paged out or freed meanwhile is "not there". Nothing is held, nothing is touched.
 *
 * The map of all memory begins at a random place, which kernels without CONFIG_KALLSYMS_ALL do not tell. It is a multiple of
 * 1 GiB below any page table, and of all candidates only the right one translates the address of a page table to where that
 * table was found.
 * x86-64, four and five levels. Cost: ~0.2 us for each page; the place is looked for once.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_DIG_OFFCPU_FAR_MEMORY_BPF_H
#define OSPREY_DIG_OFFCPU_FAR_MEMORY_BPF_H

#if defined(__TARGET_ARCH_x86)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct mm_struct___tables {
	void *pgd;
};
#pragma clang attribute pop

#define FAR_PAGE 4096ull
#define FAR_PRESENT 1
#define FAR_LARGE (1 << 7)
#define FAR_GIB (1ull << 30)
#define FAR_CANDIDATES 4096 /* of so much memory at most, in GiB, is a page table looked for below */
/* 46 bits: above is what encrypts memory (SEV), and no memory that Linux maps with four levels. */
#define FAR_FRAME (((1ull << 46) - 1) & ~(FAR_PAGE - 1))

__u64 direct_map; /* 0: not found yet */
unsigned direct_map_tries;

static __always_inline __u64 far_entry(__u64 table, __u64 address, unsigned shift)
{
	__u64 entry = 0;

	bpf_probe_read_kernel(&entry, sizeof entry, (void *)(table + (address >> shift & 511) * 8));
	return entry & FAR_PRESENT ? entry : 0;
}

/* Where a page of the address space with this top table lies in memory; 0: nowhere. */
static __noinline __u64 far_translate(__u64 base, __u64 top, __u64 address)
{
	__u64 table = top, entry;

	/* The map begins above 2^64 - 2^47 only where tables have four levels. */
	if (base < 0xffff800000000000ull) {
		if (!(entry = far_entry(table, address, 48)))
			return 0;
		table = base + (entry & FAR_FRAME);
	}
	if (!(entry = far_entry(table, address, 39)) || !(entry = far_entry(base + (entry & FAR_FRAME), address, 30)))
		return 0;
	if (entry & FAR_LARGE)
		return (entry & FAR_FRAME & ~(FAR_GIB - 1)) + (address & (FAR_GIB - 1) & ~(FAR_PAGE - 1));
	if (!(entry = far_entry(base + (entry & FAR_FRAME), address, 21)))
		return 0;
	if (entry & FAR_LARGE)
		return (entry & FAR_FRAME & ~((2ull << 20) - 1)) + (address & ((2ull << 20) - 1) & ~(FAR_PAGE - 1));
	entry = far_entry(base + (entry & FAR_FRAME), address, 12);
	return entry & FAR_FRAME;
}

struct far_search {
	__u64 top, found;
};

static long far_candidate(__u32 i, struct far_search *s)
{
	__u64 base = (s->top & ~(FAR_GIB - 1)) - i * FAR_GIB, at = far_translate(base, s->top, s->top);

	if (!at || base + at != (s->top & ~(FAR_PAGE - 1)))
		return 0;
	s->found = base;
	return 1;
}

static __noinline void far_find(__u64 top)
{
	struct far_search s = { .top = top };

	/* One that is being freed may lead nowhere; a host where none leads anywhere is no host of ours. */
	if (direct_map_tries++ > 8)
		return;
	bpf_loop(FAR_CANDIDATES, far_candidate, &s, 0);
	direct_map = s.found;
}

/* Makes walk.memory ready for a task's user space. */
static __always_inline void far_open(struct task_struct *t, struct walk *w)
{
	struct mm_struct___tables *mm = (void *)BPF_CORE_READ(t, mm);
	__u64 top = mm ? (__u64)BPF_CORE_READ(mm, pgd) : 0;

	if (top && !direct_map)
		far_find(top);
	w->memory = top;
	w->page_at = 0;
}

/* 8 bytes, which do not cross the end of a page. */
static __noinline bool far_read(struct walk *w, __u64 address, __u64 *ret)
{
	__u64 page = address & ~(FAR_PAGE - 1), at;

	if (!direct_map || address - page > FAR_PAGE - 8 || address >> 56)
		return false;
	if (!w->page_at || w->page != page) {
		at = far_translate(direct_map, w->memory, page);
		w->page_at = at ? direct_map + at : 0;
		w->page = page;
	}
	return w->page_at && bpf_probe_read_kernel(ret, 8, (void *)(w->page_at + (address - page))) == 0;
}

#endif
#endif
