/* How long tasks wait for a CPU, once they could run.
 * The scheduler adds this up itself (sched_info.run_delay, with CONFIG_SCHED_INFO): the wait before a turn on a
 * CPU is by how much the sum has grown since the task left the CPU the last time. So a look at each switch
 * suffices, wakeups need none, and a migration while it waits does no harm. It is told when the turn is over. A wakeup
 * that puts the task straight onto a CPU counts as no wait: the scheduler looks at its clock once for both.
 * Needs: BTF, 5.11 (task storage). Cost: ~0.3 us a switch.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "kernel/types.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "dig/latency/latency_record.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* CLOCK_BOOTTIME: of a task that is younger, all waits are known. */
const volatile __u64 began_boot_ns;
bool no_sched_info;

struct waited {
	__u64 before_ns; /* its sum when it left a CPU last */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct waited);
} tasks SEC(".maps");

/* A turn on this CPU: when it began, and who had the one before. */
struct turn {
	__u64 began_ns;
	struct latency_who before;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct turn);
} turns SEC(".maps");

/* How long the task waited for the turn that ends. False: nobody knows. */
static __always_inline bool waited_for(struct task_struct *t, __u64 *ret_ns)
{
	__u64 sum = t->sched_info.run_delay;
	struct waited *w = bpf_task_storage_get(&tasks, t, NULL, 0);
	bool known = w || t->start_boottime >= began_boot_ns;

	if (!w)
		w = bpf_task_storage_get(&tasks, t, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!w)
		return false;
	*ret_ns = sum - w->before_ns;
	w->before_ns = sum;
	return known;
}

static __always_inline void turn_over(struct task_struct *prev, struct turn *turn)
{
	struct latency_what what = { .at_ns = turn->began_ns, .number = bpf_get_smp_processor_id(), .other = &turn->before };
	struct latency_who who;

	if (!task_wanted(prev) || !waited_for(prev, &what.took_ns) || !turn->began_ns)
		return;
	who_is(prev, &who);
	latency_record(&who, &what);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(latency_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 zero = 0;
	struct turn *turn = bpf_map_lookup_elem(&turns, &zero);

	if (!bpf_core_field_exists(prev->sched_info.run_delay)) {
		no_sched_info = true;
		return 0;
	}
	if (!turn)
		return 0;
	if (prev->pid)
		turn_over(prev, turn);
	turn->began_ns = now;
	if (slow_ns)
		who_is(prev, &turn->before);
	return 0;
}
