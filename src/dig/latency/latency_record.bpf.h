/* Counting latencies in the kernel: the maps, and latency_record, which every program here ends in.
 * Needs: 5.11 in all (BPF_MAP_TYPE_RINGBUF: 5.8).
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_DIG_LATENCY_LATENCY_RECORD_BPF_H
#define OSPREY_DIG_LATENCY_LATENCY_RECORD_BPF_H

#include "dig/latency/latency.bpf.h"
#include "dig/latency/task_wanted.bpf.h"

const volatile unsigned latency_by;
/* What took longer is told at once; 0: nothing is. */
const volatile __u64 slow_ns;

__u64 slow_lost;
__u64 keys_lost;

/* 0: the latency itself, 1: what came before it (in a queue). */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct latency_counts);
} totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LATENCY_NUMBERS);
	__type(key, __u32);
	__type(value, struct latency_counts);
} numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LATENCY_KEYS);
	__type(key, struct latency_key);
	__type(value, struct latency_counts);
} keys SEC(".maps");

/* Zeroes: what a new key starts from is too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct latency_counts);
} blank SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} slow SEC(".maps");

/* Somebody as a latency's owner; filled while he is at hand. */
struct latency_who {
	__s32 tgid, tid;     /* in the first namespace: for keys */
	__s32 pid_here, tid_here;
	__u64 cgroup;
	char comm[16];
};

struct latency_what {
	__u64 took_ns, at_ns;
	__u64 number, place;
	__u32 operation;
	const char *name;		 /* nullable; 32 bytes */
	const struct latency_who *other; /* nullable */
};

static __always_inline void who_is(struct task_struct *t, struct latency_who *ret)
{
	ret->tgid = t->tgid;
	ret->tid = t->pid;
	ret->pid_here = process_number(t);
	ret->tid_here = task_number(t);
	ret->cgroup = latency_by == LATENCY_BY_CGROUP ? task_cgroup_id(t) : 0;
	bpf_probe_read_kernel(ret->comm, sizeof ret->comm, t->comm);
}

static __always_inline void set_worst(struct latency_counts *c, const struct latency_who *who, __u64 took_ns, __u64 at_ns)
{
	c->max_ns = took_ns;
	c->max_at_ns = at_ns;
	c->max_pid = who->pid_here;
	c->max_tid = who->tid_here;
	__builtin_memcpy(c->max_comm, who->comm, sizeof c->max_comm);
}

/* Of this CPU alone. */
static __always_inline void count_here(struct latency_counts *c, const struct latency_who *who, __u64 took_ns, __u64 at_ns)
{
	__u32 slot = latency_slot(took_ns);

	barrier_var(slot); /* else the compiler knows what the verifier does not */
	c->count++;
	c->total_ns += took_ns;
	if (slot < LATENCY_SLOTS)
		c->slot[slot]++;
	if (took_ns > c->max_ns)
		set_worst(c, who, took_ns, at_ns);
}

/* Of all CPUs: the worst of two that end in the same instant may be the smaller one. */
static __always_inline void count_shared(struct latency_counts *c, const struct latency_who *who, __u64 took_ns, __u64 at_ns)
{
	__u32 slot = latency_slot(took_ns);

	barrier_var(slot); /* else the compiler knows what the verifier does not */
	__sync_fetch_and_add(&c->count, 1);
	__sync_fetch_and_add(&c->total_ns, took_ns);
	if (slot < LATENCY_SLOTS)
		__sync_fetch_and_add(&c->slot[slot], 1);
	if (took_ns > c->max_ns)
		set_worst(c, who, took_ns, at_ns);
}

static __always_inline struct latency_counts *new_key(const struct latency_key *key, const struct latency_who *who,
						      const char *name)
{
	__u32 zero = 0;
	struct latency_counts *zeroes = bpf_map_lookup_elem(&blank, &zero), *c = NULL;

	if (zeroes)
		bpf_map_update_elem(&keys, key, zeroes, BPF_NOEXIST);
	c = bpf_map_lookup_elem(&keys, key);
	if (!c) {
		__sync_fetch_and_add(&keys_lost, 1);
		return NULL;
	}
	c->pid = who->pid_here;
	c->tid = who->tid_here;
	if (name)
		__builtin_memcpy(c->name, name, sizeof c->name);
	else
		__builtin_memcpy(c->name, who->comm, sizeof who->comm);
	return c;
}

static __always_inline void count_key(const struct latency_who *who, const struct latency_what *what)
{
	struct latency_key key = { 0 };
	struct latency_counts *c;

	switch (latency_by) {
	case LATENCY_BY_PROCESS: key.a = who->tgid; break;
	case LATENCY_BY_TASK: key.a = who->tgid; key.b = who->tid; break;
	case LATENCY_BY_CGROUP: key.a = who->cgroup; break;
	default: key.a = what->number; key.b = what->place; break;
	}
	c = bpf_map_lookup_elem(&keys, &key);
	if (!c)
		c = new_key(&key, who, latency_by == LATENCY_BY_PLACE ? what->name : NULL);
	if (c)
		count_shared(c, who, what->took_ns, what->at_ns);
}

static __always_inline void tell_slow(const struct latency_who *who, const struct latency_what *what)
{
	struct latency_slow *s = bpf_ringbuf_reserve(&slow, sizeof *s, 0);

	if (!s) {
		__sync_fetch_and_add(&slow_lost, 1);
		return;
	}
	__builtin_memset(s, 0, sizeof *s);
	s->at_ns = what->at_ns;
	s->took_ns = what->took_ns;
	s->number = what->number;
	s->place = what->place;
	s->operation = what->operation;
	s->pid = who->pid_here;
	s->tid = who->tid_here;
	s->cpu = bpf_get_smp_processor_id();
	__builtin_memcpy(s->comm, who->comm, sizeof s->comm);
	if (what->other) {
		s->other_pid = what->other->pid_here;
		s->other_tid = what->other->tid_here;
		__builtin_memcpy(s->other_comm, what->other->comm, sizeof s->other_comm);
	}
	if (what->name)
		__builtin_memcpy(s->name, what->name, sizeof s->name);
	bpf_ringbuf_submit(s, 0);
}

static __always_inline void latency_record(const struct latency_who *who, const struct latency_what *what)
{
	struct latency_counts *c;
	__u32 index = 0;

	if (latency_by == LATENCY_BY_NUMBER) {
		index = what->number < LATENCY_NUMBERS ? what->number : LATENCY_NUMBERS - 1;
		c = bpf_map_lookup_elem(&numbers, &index);
	} else {
		c = bpf_map_lookup_elem(&totals, &index);
		count_key(who, what);
	}
	if (c)
		count_here(c, who, what->took_ns, what->at_ns);
	if (slow_ns && what->took_ns >= slow_ns)
		tell_slow(who, what);
}

/* What came before the latency. */
static __always_inline void latency_record_queued(const struct latency_who *who, __u64 took_ns, __u64 at_ns)
{
	__u32 index = 1;
	struct latency_counts *c = bpf_map_lookup_elem(&totals, &index);

	if (c)
		count_here(c, who, took_ns, at_ns);
}

#endif
