/* How long soft interrupts take, by vector; and how long they had been raised before they began.
 * Needs: BTF, 5.8 (ring buffer). Cost: ~0.1 us for each.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "kernel/types.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "dig/latency/latency_record.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define VECTORS 10

struct vector {
	__u64 raised_ns, began_ns, queued_ns;
};

/* A handler stays on its CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VECTORS);
	__type(key, __u32);
	__type(value, struct vector);
} vectors SEC(".maps");

SEC("tp_btf/softirq_raise")
int BPF_PROG(latency_raise, unsigned int number)
{
	struct vector *v = bpf_map_lookup_elem(&vectors, &number);

	if (v && !v->raised_ns)
		v->raised_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/softirq_entry")
int BPF_PROG(latency_begin, unsigned int number)
{
	struct vector *v = bpf_map_lookup_elem(&vectors, &number);

	if (!v)
		return 0;
	v->began_ns = bpf_ktime_get_ns();
	v->queued_ns = v->raised_ns && v->raised_ns < v->began_ns ? v->began_ns - v->raised_ns : 0;
	v->raised_ns = 0; /* its handler may raise it again */
	return 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(latency_end, unsigned int number)
{
	struct vector *v = bpf_map_lookup_elem(&vectors, &number);
	struct latency_what what = { .at_ns = bpf_ktime_get_ns(), .number = number };
	struct task_struct *current = (void *)bpf_get_current_task();
	struct latency_who who = { 0 };

	if (!v || !v->began_ns)
		return 0;
	what.took_ns = what.at_ns - v->began_ns;
	/* Whom it held up. */
	who.tgid = BPF_CORE_READ(current, tgid);
	who.tid = BPF_CORE_READ(current, pid);
	who.pid_here = reader_namespace ? number_of(BPF_CORE_READ(current, group_leader, thread_pid)) : who.tgid;
	who.tid_here = reader_namespace ? number_of(BPF_CORE_READ(current, thread_pid)) : who.tid;
	bpf_get_current_comm(who.comm, sizeof who.comm);
	if (v->queued_ns)
		latency_record_queued(&who, v->queued_ns, what.at_ns);
	v->began_ns = 0;
	latency_record(&who, &what);
	return 0;
}
