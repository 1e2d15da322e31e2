/* Calls of the traced threads, counted and timed in the kernel: one sum for each call, or for each call of each process or
 * thread.
 * Needs: BTF, 5.13. Cost: see trace_summary.h
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "kernel/types.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "dig/trace/trace.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define BPF_F_NO_PREALLOC 1
#define BPF_F_MMAPABLE 1024
#define BPF_LOCAL_STORAGE_GET_F_CREATE 1

struct thread {
	struct trace_follow follow;
	__u64 start_ns; /* 0: not in a wanted call */
	__u32 call, unused;
	__s64 first_argument;
};

#define OWN_FUNCTION __always_inline
#include "dig/trace/trace_follow.bpf.h"

const volatile __u8 call_flags[TRACE_CALLS]; /* of their rules: 512 bytes lie in fewer pages than the rules do */
/* 0: all together; 1: by process; 2: by thread. */
const volatile __u8 by;
__u64 lost; /* calls without room in the table */

/* Of all together: TRACE_CALLS for each CPU, no look-up by hash. A plain array, since its place is a constant of the program
 * and its reader can map it; the reader sets its size. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct trace_sum);
} sums SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, TRACE_SUMMARY_KEYS);
	__type(key, struct trace_sum_key);
	__type(value, struct trace_sum);
} sums_by_task SEC(".maps");

static struct trace_sum no_sum;

static __always_inline __u32 highest_bit(__u64 v)
{
	__u32 bit = 0;

	if (v >> 32) {
		bit += 32;
		v >>= 32;
	}
	if (v >> 16) {
		bit += 16;
		v >>= 16;
	}
	if (v >> 8) {
		bit += 8;
		v >>= 8;
	}
	if (v >> 4) {
		bit += 4;
		v >>= 4;
	}
	if (v >> 2) {
		bit += 2;
		v >>= 2;
	}
	return bit + (v >> 1);
}

/* As trace_bucket of trace_summary.h. */
static __always_inline __u32 bucket_of(__u64 ns)
{
	__u32 bit, bucket;

	if (ns < 64)
		return 0;
	bit = highest_bit(ns);
	bucket = 1 + ((bit - 6) << 2) + (ns >> (bit - 2) & 3);
	return bucket < TRACE_BUCKETS ? bucket : TRACE_BUCKETS - 1;
}

static __always_inline struct trace_sum *sum_of(struct thread *t)
{
	struct trace_sum_key key = { .call = t->call };
	struct trace_sum *sum;

	if (!by) {
		__u32 of_cpu = bpf_get_smp_processor_id() * TRACE_CALLS + t->call;

		return bpf_map_lookup_elem(&sums, &of_cpu);
	}
	key.task = by == 1 ? t->follow.pid : t->follow.tid;
	sum = bpf_map_lookup_elem(&sums_by_task, &key);
	if (sum)
		return sum;
	bpf_map_update_elem(&sums_by_task, &key, &no_sum, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sums_by_task, &key);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(call_begins, struct pt_regs *regs, long id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *t = bpf_task_storage_get(&threads, task, 0, 0);
	__u32 call = id & ~X32_BIT;
	__u8 flags;

	if (!t)
		return 0;
	t->start_ns = 0;
	if (call >= TRACE_CALLS || is_compat(task, id))
		return 0;
	call &= TRACE_CALLS - 1;
	barrier_var(call);
	flags = call_flags[call];
	if (t->follow.waits_for_exec) {
		if (!(flags & CALL_EXECUTES))
			return 0;
		t->follow.waits_for_exec = 0;
	}
	if (!(flags & CALL_WANTED))
		return 0;
	t->call = call;
	t->start_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(call_ends, struct pt_regs *regs, long result)
{
	struct thread *t = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), 0, 0);
	struct trace_sum *sum;
	__u64 ns;

	if (!t || !t->start_ns)
		return 0;
	ns = bpf_ktime_get_ns() - t->start_ns;
	t->start_ns = 0;
	if (settings.slower_ns && ns < settings.slower_ns)
		return 0;
	if (settings.failed_only && (result >= 0 || result < -TRACE_ERRNO_MAX ||
				     (settings.errnos && (-result >= 256 ||
							  !(settings.errno_wanted[-result >> 6 & 3] >> (-result & 63) & 1)))))
		return 0;
	sum = sum_of(t);
	if (!sum) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	if (by) {
		/* A process has threads on several CPUs. */
		__sync_fetch_and_add(&sum->count, 1);
		__sync_fetch_and_add(&sum->total_ns, ns);
		if (result < 0 && result >= -TRACE_ERRNO_MAX)
			__sync_fetch_and_add(&sum->errors, 1);
		__sync_fetch_and_add(&sum->bucket[bucket_of(ns) & (TRACE_BUCKETS - 1)], 1);
	} else {
		sum->count++;
		sum->total_ns += ns;
		if (result < 0 && result >= -TRACE_ERRNO_MAX)
			sum->errors++;
		sum->bucket[bucket_of(ns) & (TRACE_BUCKETS - 1)]++;
	}
	if (ns > sum->max_ns)
		sum->max_ns = ns;
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(program_changed, struct task_struct *task)
{
	struct thread *t = bpf_task_storage_get(&threads, task, 0, 0);

	if (t)
		number_thread(t, task);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(thread_ends, struct task_struct *task)
{
	struct thread *t = bpf_task_storage_get(&threads, task, 0, 0);

	if (t)
		__sync_fetch_and_add(&living, -1);
	return 0;
}
