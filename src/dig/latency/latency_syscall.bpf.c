/* How long system calls take; or, of them, how long futexes are waited for, by address.
 * Needs: BTF, 5.11 (task storage). Cost: ~0.5 us a call, the kernel's slow path into and out of calls included.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "kernel/types.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "dig/latency/latency_record.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define NO_CALL (-1)

/* The numbers of futex(2) and futex_wait(2). */
const volatile int futex_call = NO_CALL, futex_wait_call = NO_CALL;
const volatile bool futexes_only;

struct called {
	__u64 at_ns;
	__u64 address;
	__s64 number;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct called);
} calls SEC(".maps");

#if defined(__TARGET_ARCH_x86)
#define FIRST(regs) BPF_CORE_READ(regs, di)
#define SECOND(regs) BPF_CORE_READ(regs, si)
#else
#define FIRST(regs) BPF_CORE_READ(regs, regs[0])
#define SECOND(regs) BPF_CORE_READ(regs, regs[1])
#endif

/* linux/futex.h: those that wait. */
static __always_inline bool futex_waits(__u64 operation)
{
	switch (operation & 127) {
	case 0: case 6: case 9: case 11: case 13: return true; /* WAIT, LOCK_PI, WAIT_BITSET, WAIT_REQUEUE_PI, LOCK_PI2 */
	default: return false;
	}
}

SEC("tp_btf/sys_enter")
int BPF_PROG(latency_enter, struct pt_regs *regs, long number)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct called *c;

	if (futexes_only && !(number == futex_wait_call || (number == futex_call && futex_waits(SECOND(regs)))))
		return 0;
	if (!task_wanted(current))
		return 0;
	c = bpf_task_storage_get(&calls, current, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!c)
		return 0;
	c->number = number;
	c->address = futexes_only ? FIRST(regs) : 0;
	c->at_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(latency_exit, struct pt_regs *regs, long result)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct called *c = bpf_task_storage_get(&calls, current, NULL, 0);
	struct latency_what what = { .at_ns = bpf_ktime_get_ns() };
	struct latency_who who;

	if (!c || !c->at_ns)
		return 0;
	what.took_ns = what.at_ns - c->at_ns;
	what.number = c->number;
	what.place = c->address;
	c->at_ns = 0;
	/* The word had changed already: nobody waited. EAGAIN */
	if (futexes_only && result == -11)
		return 0;
	who_is(current, &who);
	if (futexes_only)
		what.number = who.tgid; /* an address is one's own */
	latency_record(&who, &what);
	return 0;
}
