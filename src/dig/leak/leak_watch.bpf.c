/* Allocations of one process, a share of them sampled by bytes, and which of these are freed.
 * Programs of user probes: at the entry of an allocating function it is decided whether this call is a sample; only
 * then its return matters, where the address is known, and registers and stack are those of the caller. With a session
 * (6.13) the kernel leaves the return of other calls alone; before, it traps there for each.
 * Needs: 5.8 (ring buffer). No types of the kernel are read. Cost: bench/leaks.sh.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "kernel/types.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel/compat.bpf.h"
#include "dig/leak/leak_draw.bpf.h"
#include "dig/leak/leak_watch.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Of linux/bpf.h. */
struct bpf_pidns_info {
	__u32 pid, tgid;
};
enum { BPF_RB_NO_WAKEUP = 1 };
enum { BPF_RB_AVAIL_DATA = 0 };

/* struct pt_regs of x86-64 as user space sees it: an interface, so it needs no relocation. */
struct registers {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

const volatile bool session;
const volatile __u32 wanted_pid;
/* Of the pid namespace that wanted_pid counts in; inode 0: the first one. */
const volatile __u64 namespace_device, namespace_inode;
/* Code of the allocator: what it calls of itself is no allocation of anybody's. */
const volatile __u64 own_code_start, own_code_end;

/* Written by the reader as it goes. */
__u64 mean_bytes;
bool over; /* from now on nothing counts: what is live stays so */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct leak_turn);
} turns SEC(".maps");

struct pending {
	__u64 sp, bytes, mean_bytes;
	__u64 out; /* where the address will be written; 0: it is the result */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct pending);
} pendings SEC(".maps");

/* realloc(NULL, n) may be a jump to malloc, whose probe then stands at the same stack and return address. */
struct tail {
	__u64 sp, to;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct tail);
} tails SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LEAK_LIVE_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct leak_block);
} live SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, LEAK_RING_BYTES);
} records SEC(".maps");

#if defined(__TARGET_ARCH_x86)

/* A child that was forked has the probes in its memory until it comes by. */
static __always_inline bool ours(void)
{
	struct bpf_pidns_info inside;

	if (over)
		return false;
	if (!namespace_inode)
		return bpf_get_current_pid_tgid() >> 32 == wanted_pid;
	return bpf_get_ns_current_pid_tgid(namespace_device, namespace_inode, &inside, sizeof inside) == 0 &&
	       inside.tgid == wanted_pid;
}

static __always_inline __u32 thread(void)
{
	return (__u32)bpf_get_current_pid_tgid();
}

static __always_inline struct leak_turn *this_turn(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&turns, &zero);
}

static __always_inline void take_registers(const struct registers *c, struct leak_record *r)
{
	r->registers[0] = c->ax;
	r->registers[1] = c->dx;
	r->registers[2] = c->cx;
	r->registers[3] = c->bx;
	r->registers[4] = c->si;
	r->registers[5] = c->di;
	r->registers[6] = c->bp;
	r->registers[7] = c->sp;
	r->registers[8] = c->r8;
	r->registers[9] = c->r9;
	r->registers[10] = c->r10;
	r->registers[11] = c->r11;
	r->registers[12] = c->r12;
	r->registers[13] = c->r13;
	r->registers[14] = c->r14;
	r->registers[15] = c->r15;
	r->registers[16] = c->ip;
}

/* Page by page, until one is not there. */
static __always_inline void take_stack(__u64 from, struct leak_record *r)
{
	__u32 skip = from & (LEAK_PAGE - 1), done = 0;

	r->stack_skip = skip;
	for (int i = 0; i < LEAK_PAGES; i++) {
		long e = i == 0 ? bpf_probe_read_user(r->stack + skip, LEAK_PAGE - skip, (void *)from) :
				  bpf_probe_read_user(r->stack + i * LEAK_PAGE, LEAK_PAGE,
						      (void *)(from - skip + i * LEAK_PAGE));
		if (e)
			break;
		done = (i + 1) * LEAK_PAGE;
	}
	r->stack_end = done;
}

/* A burst, until the reader has come by: samples become rarer before the ring is full. Each carries the mean that it
 * was drawn by. */
static __always_inline void slow_down(const struct leak_turn *turn)
{
	if ((turn->samples & 15) == 0 && mean_bytes < LEAK_MEAN_MAX &&
	    bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) > LEAK_RING_BYTES / 4)
		mean_bytes *= 2;
}

static __always_inline void record(const struct registers *c, const struct pending *p, __u64 address)
{
	struct leak_turn *turn = this_turn();
	struct leak_record *r = bpf_ringbuf_reserve(&records, sizeof *r, 0);
	struct leak_block block = { .mono_ns = bpf_ktime_get_ns() };

	if (!turn || !r) {
		if (turn)
			turn->ring_full++;
		if (r)
			bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return;
	}
	r->mono_ns = block.mono_ns;
	r->address = address;
	r->bytes = p->bytes;
	r->mean_bytes = p->mean_bytes;
	r->tid = thread();
	r->unused = 0;
	take_registers(c, r);
	take_stack(c->sp, r);
	turn->samples++;
	slow_down(turn);
	if (compat_map_update(&live, &address, &block, BPF_ANY)) {
		turn->table_full++;
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return;
	}
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
}

static __always_inline int returned(const struct registers *c)
{
	__u32 tid = thread();
	struct pending *found = bpf_map_lookup_elem(&pendings, &tid), p;
	__u64 address = c->ax;

	if (!found || found->sp + 8 != c->sp)
		return 0;
	p = *found;
	bpf_map_delete_elem(&pendings, &tid);
	if (p.out && (c->ax || bpf_probe_read_user(&address, sizeof address, (void *)p.out)))
		return 0;
	if (address)
		record(c, &p, address);
	return 0;
}

/* Whether this call comes from the allocator itself: then the outer one is the allocation. */
static __always_inline bool is_inner(const struct registers *c, __u32 tid)
{
	struct tail *tail = bpf_map_lookup_elem(&tails, &tid);
	__u64 to = 0;

	if (bpf_probe_read_user(&to, sizeof to, (void *)c->sp))
		return false;
	return (to >= own_code_start && to < own_code_end) || (tail && tail->sp == c->sp && tail->to == to);
}

/* Whether the call uses up what was left until the next sample. */
static __always_inline bool is_sample(__u64 bytes, __u64 *ret_mean_bytes)
{
	struct leak_turn *turn = this_turn();
	__u64 mean = mean_bytes;

	if (!turn)
		return false;
	turn->allocations++;
	turn->allocated_bytes += bytes;
	if (turn->mean_bytes != mean) {
		turn->mean_bytes = mean;
		turn->left_bytes = leak_draw(mean, bpf_get_prandom_u32());
	}
	if (turn->left_bytes > bytes) {
		turn->left_bytes -= bytes;
		return false;
	}
	turn->left_bytes = leak_draw(mean, bpf_get_prandom_u32());
	*ret_mean_bytes = mean;
	return true;
}

/* What a program of an entry answers: 1 spares the return, where there is a session. */
static __always_inline int entered(const struct registers *c, __u64 bytes, __u64 out, bool tail)
{
	struct pending p = { .sp = c->sp, .bytes = bytes ? bytes : 1, .out = out };
	__u32 tid = thread();

	if (!is_sample(p.bytes, &p.mean_bytes) || (!tail && is_inner(c, tid)))
		return session;
	bpf_map_update_elem(&pendings, &tid, &p, BPF_ANY);
	return 0;
}

static __always_inline void freed(__u64 address)
{
	struct leak_turn *turn = this_turn();

	if (turn)
		turn->frees++;
	/* Nearly all are in no table: looking takes no lock. */
	if (address && bpf_map_lookup_elem(&live, &address))
		bpf_map_delete_elem(&live, &address);
}

/* In a session one program stands at both ends. */
static __always_inline bool at_return(struct registers *c)
{
	return session && c->ip != bpf_get_func_ip(c);
}

#define ALLOCATION(name, bytes, out)                        \
	SEC("uprobe") int name(struct registers *c)         \
	{                                                   \
		if (!ours())                                \
			return session;                     \
		if (at_return(c))                           \
			return returned(c);                 \
		return entered(c, (bytes), (out), false);   \
	}

ALLOCATION(leak_first, c->di, 0)
ALLOCATION(leak_second, c->si, 0)
ALLOCATION(leak_product, c->di * c->si, 0)
ALLOCATION(leak_through, c->dx, c->di)

/* The old block goes, the new one is as any other. (Where there is no memory for it the old one stays, and is no longer
 * known: a leak less is told.) */
SEC("uprobe") int leak_again(struct registers *c)
{
	__u32 tid = thread();
	struct tail tail = { .sp = c->sp };

	if (!ours())
		return session;
	if (at_return(c))
		return returned(c);
	if (c->di) {
		freed(c->di);
		return c->si ? entered(c, c->si, 0, false) : session;
	}
	if (bpf_probe_read_user(&tail.to, sizeof tail.to, (void *)c->sp) == 0)
		bpf_map_update_elem(&tails, &tid, &tail, BPF_ANY);
	return entered(c, c->si, 0, true);
}

SEC("uprobe") int leak_free(struct registers *c)
{
	if (ours())
		freed(c->di);
	return session;
}

/* Without a session. */
SEC("uretprobe") int leak_return(struct registers *c)
{
	return ours() ? returned(c) : 0;
}

#else

SEC("uprobe") int leak_free(void *c)
{
	return 0;
}

#endif
