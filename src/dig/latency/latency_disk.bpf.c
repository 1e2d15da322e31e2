/* How long disks take for requests, from their issue to the driver until their end; and how long these had been
 * waiting before (since they were made: the scheduler, limits, a full queue).
 * Needs: BTF, 5.5. Cost: ~0.3 us a request.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "kernel/types.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "dig/latency/latency_record.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define MAX_REQUESTS 16384

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct gendisk {
	int major, first_minor;
	char disk_name[32];
};

struct request_queue___disk {
	struct gendisk *disk;
};

struct request {
	struct request_queue *q;
	unsigned int cmd_flags;
	unsigned int __data_len;
	__u64 __sector;
	__u64 start_time_ns;
};

struct request___before_5_17 {
	struct gendisk *rq_disk;
};

/* Gone since 5.11 (0d02129e76ed), the release whose a54895fa057c took the queue from the arguments. */
struct hd_struct {
	int partno;
};

#pragma clang attribute pop

struct issued {
	__u64 at_ns, queued_ns;
	struct latency_who who;
};

/* By the request's address. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_REQUESTS);
	__type(key, __u64);
	__type(value, struct issued);
} requests SEC(".maps");

/* 5.17, f3fa33acca9f "block: remove the ->rq_disk field in struct request". */
static __always_inline struct gendisk *disk_of(struct request *rq)
{
	struct request___before_5_17 *before = (void *)rq;
	struct request_queue___disk *q;

	if (bpf_core_field_exists(before->rq_disk))
		return BPF_CORE_READ(before, rq_disk);
	q = (void *)BPF_CORE_READ(rq, q);
	return BPF_CORE_READ(q, disk);
}

SEC("tp_btf/block_rq_issue")
int latency_issue(__u64 *arguments)
{
	struct request *rq = bpf_core_type_exists(struct hd_struct) ? (void *)arguments[1] : (void *)arguments[0];
	struct task_struct *current = (void *)bpf_get_current_task();
	__u64 key = (__u64)rq, made = BPF_CORE_READ(rq, start_time_ns);
	struct issued issued = { .at_ns = bpf_ktime_get_ns() };

	/* By helper: 5.11's bpf_get_current_task_btf is not needed for that. */
	issued.who.tgid = BPF_CORE_READ(current, tgid);
	issued.who.tid = BPF_CORE_READ(current, pid);
	issued.who.pid_here = reader_namespace ? number_of(BPF_CORE_READ(current, group_leader, thread_pid)) : issued.who.tgid;
	issued.who.tid_here = reader_namespace ? number_of(BPF_CORE_READ(current, thread_pid)) : issued.who.tid;
	if (wanted_pid && issued.who.pid_here != wanted_pid)
		return 0;
	if (wanted_cgroup && !in_wanted_cgroup(current))
		return 0;
	if (latency_by == LATENCY_BY_CGROUP)
		issued.who.cgroup = task_cgroup_id(current);
	bpf_get_current_comm(issued.who.comm, sizeof issued.who.comm);
	if (made && issued.at_ns > made)
		issued.queued_ns = issued.at_ns - made;
	bpf_map_update_elem(&requests, &key, &issued, BPF_ANY);
	return 0;
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(latency_complete, struct request *rq, int error, unsigned int bytes)
{
	__u64 key = (__u64)rq, now = bpf_ktime_get_ns();
	struct issued *issued = bpf_map_lookup_elem(&requests, &key);
	struct gendisk *disk;
	char name[32] = "";

	/* A part of it has ended: the rest will. */
	if (!issued || bytes < BPF_CORE_READ(rq, __data_len))
		return 0;
	disk = disk_of(rq);
	if (disk)
		bpf_probe_read_kernel_str(name, sizeof name, disk->disk_name);
	struct latency_what what = {
		.at_ns = now,
		.took_ns = now - issued->at_ns,
		.number = disk ? (__u64)BPF_CORE_READ(disk, major) << 20 | BPF_CORE_READ(disk, first_minor) : 0,
		.operation = BPF_CORE_READ(rq, cmd_flags),
		.name = name,
	};
	latency_record(&issued->who, &what);
	latency_record_queued(&issued->who, issued->queued_ns, now);
	bpf_map_delete_elem(&requests, &key);
	return 0;
}
