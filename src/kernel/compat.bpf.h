/* One accessor for each kernel field that changed its name, place or type, with the
 * release and commit that changed it. Include after bpf_core_read.h.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_KERNEL_COMPAT_BPF_H
#define OSPREY_KERNEL_COMPAT_BPF_H

#include "kernel/types.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct___before_5_14 {
	volatile long state;
};

struct task_struct___before_5_16 {
	unsigned int cpu;
};

struct atomic_long___counter {
	long counter;
};

struct mm_rss_stat___before_6_2 {
	struct atomic_long___counter count[4];
};

struct mm_struct___before_6_2 {
	struct mm_rss_stat___before_6_2 rss_stat;
};

#pragma clang attribute pop

/* 5.14, 2f064a59a11f "sched: Change task_struct::state": volatile long state became
 * unsigned int __state. */
static inline unsigned int compat_task_state(struct task_struct *t)
{
	if (bpf_core_field_exists(t->__state))
		return t->__state;
	return (unsigned int)((struct task_struct___before_5_14 *)t)->state;
}

/* 5.16, bcf9033e5449 "sched: move CPU field back into thread_info if
 * THREAD_INFO_IN_TASK=y". */
static inline unsigned int compat_task_cpu(struct task_struct *t)
{
	if (bpf_core_field_exists(t->thread_info.cpu))
		return t->thread_info.cpu;
	return ((struct task_struct___before_5_16 *)t)->cpu;
}

/* 6.2, f1a7941243c1 "mm: convert mm's rss stats into percpu_counter". The sum is short of
 * what the CPUs hold back: at most the batch (32, or 2 pages a CPU) for each CPU. /proc has
 * added these up since 6.16 (82241a83cd15); before, it told the same number as this. */
#define compat_mm_pages(mm, member)                                                              \
	({                                                                                       \
		struct mm_struct *mm_ = (mm);                                                    \
		struct mm_struct___before_6_2 *old_mm_ = (void *)mm_;                            \
		__s64 pages_ = 0;                                                                \
		if (bpf_core_field_exists(mm_->rss_stat[0].count))                               \
			pages_ = mm_->rss_stat[member].count;                                    \
		else if (bpf_core_field_exists(old_mm_->rss_stat.count[0].counter))              \
			/* by helper: old verifiers do not follow an array of typedefs */        \
			pages_ = BPF_CORE_READ(old_mm_, rss_stat.count[member].counter);         \
		pages_;                                                                          \
	})

#define compat_has_mm_pages(mm)                     \
	(bpf_core_field_exists((mm)->rss_stat[0].count) || \
	 bpf_core_field_exists(((struct mm_struct___before_6_2 *)(mm))->rss_stat.count[0].counter))

/* 5.15, dd6e10fbd9fb "bpf: Add bpf_task_pt_regs() helper". */
enum bpf_func_id___task_pt_regs { BPF_FUNC_task_pt_regs___task_pt_regs = 175 };
#define compat_has_task_pt_regs() \
	bpf_core_enum_value_exists(enum bpf_func_id___task_pt_regs, BPF_FUNC_task_pt_regs___task_pt_regs)

/* What it does, for kernels before, to be read by helper: the registers of user space lie at
 * the end of the kernel stack. 16 KiB is THREAD_SIZE of x86-64 (without KASAN) and of arm64 with
 * pages of 4 KiB. */
#define compat_task_pt_regs(task) \
	((struct pt_regs *)((char *)(task)->stack + 16384 - bpf_core_type_size(struct pt_regs)))

/* 6.4, d7ba4cc900bf "bpf: return long from bpf_map_ops funcs": before, they returned int, and a program calls them
 * directly, so that the upper half of what comes back is whatever was there. */
#define compat_map_update(map, key, value, flags) ((int)bpf_map_update_elem(map, key, value, flags))

#endif
