/* How long threads are blocked, where, and who wakes them.
 *
 * Each thread that leaves a CPU because it waits writes down when (task storage). When it is woken the time is known,
 * and only if it was long enough is the waker's stack taken, and its own as it comes back to a CPU: that of the kernel by
 * the kernel's unwinder, that of user space through its page tables (far_memory.bpf.h) by unwind rows. Sums are kept in the
 * kernel for each pair of stacks; a stack is sent once. Threads that are blocked from the beginning to the end of the watch
 * pass no tracepoint: an iterator takes them at the end.
 *
 * Needs: BTF, 5.17 (bpf_loop), CAP_BPF and CAP_PERFMON. Cost: ~0.1 us a switch and ~0.05 us a wakeup; ~10 us for each
 * wait that is long enough.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "kernel/types.bpf.h"

#include <bpf/bpf_helpers.h>

struct walk;
static bool walk_read(struct walk *w, __u64 address, __u64 *ret);
#define WALK_READ(w, address, ret) walk_read(w, address, ret)

#include "dig/profile/profile_walk.bpf.h"

#include "dig/latency/task_wanted.bpf.h"
#include "dig/offcpu/far_memory.bpf.h"
#include "dig/offcpu/offcpu_watch.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define TASK_DYING 0xb0	   /* EXIT_DEAD, EXIT_ZOMBIE, TASK_DEAD */
#define TASK_SLEEPS 0x1
#define TASK_UNINTERRUPTIBLE 0x2
#define TASK_STOPS 0xc	   /* stopped, traced */
#define TASK_NO_LOAD 0x400 /* with uninterruptible: idle */

const volatile __u64 min_ns;
const volatile char wanted_state; /* 0: any */
const volatile bool by_thread, kernel_threads;

unsigned counting;
/* When the watch began and ended: CLOCK_MONOTONIC, and CLOCK_BOOTTIME. */
__u64 started_ns, started_boot_ns, ended_ns;

/* Not every event is seen: no program runs in the threads of some machines' agents (a sandbox's first process), nor in the interrupts
 * that come while they run. So who comes back is looked at whether or not its waking was seen, and a wait whose end was missed
 * is counted as lost when the thread leaves again, for whatever reason. */
struct offcpu_task {
	__u64 out_ns; /* 0: it has not left */
	__u64 woken_ns; /* from a wait that was long enough; else 0 */
	struct profile_id waker;
	__u8 state;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct offcpu_task);
} tasks SEC(".maps");

/* Stacks that were sent. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROFILE_STACKS);
	__type(key, struct profile_id);
	__type(value, __u8);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, OFFCPU_WAITS);
	__type(key, struct offcpu_key);
	__type(value, struct offcpu_sum);
} waits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct offcpu_counts);
} counts SEC(".maps");

#if defined(__TARGET_ARCH_x86)
static __noinline bool walk_read(struct walk *w, __u64 address, __u64 *ret)
{
	if (w->memory)
		return far_read(w, address, ret);
	return bpf_probe_read_user(ret, sizeof *ret, (void *)address) == 0;
}

/* `far`: it is not the current task. */
static __always_inline void walk_user(struct task_struct *t, struct profile_stack *s, struct walk *w, bool far)
{
	struct pt_regs *r = (void *)bpf_task_pt_regs(t);

	w->pc = BPF_CORE_READ(r, ip);
	w->sp = BPF_CORE_READ(r, sp);
	w->bp = BPF_CORE_READ(r, bp);
	w->exact = 1;
	if (far)
		far_open(t, w);
	w->space = space_of(t, s->tgid, s->layout, w);
	w->end = PROFILE_END_FULL;
	bpf_loop(PROFILE_DEPTH, step, NULL, 0);
}
#else
static __always_inline void walk_user(struct task_struct *t, struct profile_stack *s, struct walk *w, bool far)
{
	w->end = PROFILE_END_NO_RULE;
}
#endif

/* ---- which tasks ---- */

static __always_inline bool wanted(struct task_struct *t)
{
	return t->pid && (kernel_threads || !(t->flags & PF_KTHREAD)) && task_wanted(t);
}

/* As in /proc; 0: it does not wait (one that is being woken just now, TASK_WAKING, has none of these bits). */
static __always_inline char state_letter(__u32 state)
{
	if (state & TASK_DYING)
		return 0;
	if (state & TASK_UNINTERRUPTIBLE)
		return state & TASK_NO_LOAD ? 'I' : 'D';
	return state & TASK_SLEEPS ? 'S' : state & TASK_STOPS ? 'T' : 0;
}

static __always_inline bool wanted_letter(char letter)
{
	return letter && (!wanted_state || letter == wanted_state);
}

/* ---- stacks ---- */

static __always_inline void describe(struct task_struct *t, struct profile_stack *s, struct walk *w, char state)
{
	struct task_struct *leader = BPF_CORE_READ(t, group_leader);

	__builtin_memset(w, 0, sizeof *w);
	w->end = PROFILE_END_NONE;
	s->kind = PROFILE_STACK;
	s->nkernel = s->nuser = 0;
	s->tgid = process_number(t);
	s->tid = by_thread ? task_number(t) : s->tgid;
	bpf_probe_read_kernel(s->comm, sizeof s->comm, t->comm);
	bpf_probe_read_kernel(s->process, sizeof s->process, leader->comm);
	s->kernel_thread = (t->flags & PF_KTHREAD) != 0;
	s->layout = s->kernel_thread ? 0 : layout_of(t);
	s->state = state;
	w->id.a = (__u64)s->tgid << 32 | s->tid;
	w->id.b = s->layout ^ (__u8)state;
	mix(&w->id, *(__u64 *)s->process ^ *(__u64 *)(s->process + 8));
}

/* The same once its kernel stack is there. False: there was no room. */
static __always_inline bool send(struct task_struct *t, struct profile_stack *s, struct walk *w, long kernel_bytes, bool far)
{
	__u8 one = 1;

	s->nkernel = kernel_bytes > 0 ? (__u64)kernel_bytes / 8 : 0;
	bpf_loop(PROFILE_DEPTH, mix_kernel, NULL, 0);
	if (s->layout)
		walk_user(t, s, w, far);
	if (w->wish)
		wish(s->tgid);
	s->end = w->end;
	mix(&w->id, w->end);
	s->id = w->id;
	int r = compat_map_update(&stacks, &s->id, &one, BPF_NOEXIST);
	if (r == -17) /* EEXIST */
		return true;
	__u32 n = s->nkernel + s->nuser;
	if (n > 2 * PROFILE_DEPTH)
		n = 2 * PROFILE_DEPTH;
	if (r == 0 && bpf_ringbuf_output(&ring, s, __builtin_offsetof(struct profile_stack, pc) + n * 8, BPF_RB_NO_WAKEUP) == 0)
		return true;
	if (r == 0)
		bpf_map_delete_elem(&stacks, &s->id);
	return false;
}

/* ---- sums ---- */

static __always_inline bool add(const struct offcpu_key *key, __u64 took_ns, __u64 queued_ns)
{
	struct offcpu_sum first = { took_ns, queued_ns, 1, took_ns }, *sum;

	if (compat_map_update(&waits, key, &first, BPF_NOEXIST) == 0)
		return true;
	if (!(sum = bpf_map_lookup_elem(&waits, key)))
		return false;
	__sync_fetch_and_add(&sum->total_ns, took_ns);
	__sync_fetch_and_add(&sum->queued_ns, queued_ns);
	__sync_fetch_and_add(&sum->count, 1);
	if (took_ns > sum->max_ns)
		sum->max_ns = took_ns;
	return true;
}

static __noinline void record(struct task_struct *t, char state, const struct profile_id *waker, __u64 took_ns, __u64 queued_ns)
{
	__u64 began = bpf_ktime_get_ns();
	__u32 zero = 0;
	struct offcpu_counts *c = bpf_map_lookup_elem(&counts, &zero);
	struct profile_stack *s = bpf_map_lookup_elem(&scratch, &zero);
	struct walk *w = this_walk();

	if (!c || !s || !w)
		return;
	c->waits++;
	describe(t, s, w, state);
	bool sent = send(t, s, w, bpf_get_task_stack(t, s->pc, PROFILE_DEPTH * 8, 0), true);
	struct offcpu_key key = { .stack = s->id, .waker = *waker };
	if (!sent || !add(&key, took_ns, queued_ns)) {
		c->lost++;
		c->lost_ns += took_ns;
	}
	if (w->end < 6)
		c->ends[w->end]++;
	c->spent_ns += bpf_ktime_get_ns() - began;
}

/* ---- events ---- */

/* It has come back unseen. */
static __noinline void lost_wait(struct offcpu_task *k)
{
	__u32 zero = 0;
	struct offcpu_counts *c = bpf_map_lookup_elem(&counts, &zero);

	if (!c)
		return;
	c->lost++;
	if (k->woken_ns)
		c->lost_ns += k->woken_ns - k->out_ns;
	k->woken_ns = 0;
}

static __always_inline void leaves(struct task_struct *t)
{
	char letter = state_letter(compat_task_state(t));
	bool waits = wanted_letter(letter);

	if (!wanted(t))
		return;
	struct offcpu_task *k = bpf_task_storage_get(&tasks, t, NULL, waits ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
	if (!k)
		return;
	if (k->out_ns)
		lost_wait(k);
	k->out_ns = waits ? bpf_ktime_get_ns() : 0;
	k->state = letter;
}

static __noinline void comes(struct task_struct *t)
{
	struct offcpu_task *k = bpf_task_storage_get(&tasks, t, NULL, 0);
	struct offcpu_counts *c;
	__u32 zero = 0;

	if (!k || !k->out_ns)
		return;
	__u64 now = bpf_ktime_get_ns(), out = k->out_ns, woken = k->woken_ns;
	struct profile_id waker = { OFFCPU_WAKER_UNKNOWN };

	k->out_ns = k->woken_ns = 0;
	if (woken) {
		waker = k->waker;
	} else {
		if (now - out < min_ns)
			return;
		woken = now;
		if ((c = bpf_map_lookup_elem(&counts, &zero)))
			c->wakers_lost++;
	}
	record(t, k->state, &waker, now - out, now - woken);
}

/* A task that was preempted on its way to sleep can run. The state is read here and not taken from the arguments (5.18):
 * where a wakeup comes in between, the wait is too short to matter. */
static __noinline int on_switch(__u64 *args)
{
	struct task_struct *prev = (void *)args[1], *next = (void *)args[2];

	if (!counting)
		return 0;
	if (!(bool)args[0] && prev->pid) /* preempted? */
		leaves(prev);
	if (next->pid)
		comes(next);
	return 0;
}

SEC("tp_btf/sched_switch")
int offcpu_switch(__u64 *args)
{
	return on_switch(args);
}

static __always_inline void take_waker(void *ctx, struct offcpu_task *k)
{
	struct task_struct *waker = bpf_get_current_task_btf();
	__u64 began = bpf_ktime_get_ns();
	__u32 zero = 0;
	struct offcpu_counts *c = bpf_map_lookup_elem(&counts, &zero);
	struct profile_stack *s = bpf_map_lookup_elem(&scratch, &zero);
	struct walk *w = this_walk();

	if (!c || !s || !w)
		return;
	describe(waker, s, w, 0);
	if (!waker->pid)
		s->layout = 0;
	if (send(waker, s, w, bpf_get_stack(ctx, s->pc, PROFILE_DEPTH * 8, 0), false)) {
		k->waker = s->id;
	} else {
		k->waker = (struct profile_id){ OFFCPU_WAKER_UNKNOWN };
		c->wakers_lost++;
	}
	c->spent_ns += bpf_ktime_get_ns() - began;
}

static __noinline int on_waking(void *ctx, struct task_struct *t)
{
	if (!counting || !wanted(t))
		return 0;
	struct offcpu_task *k = bpf_task_storage_get(&tasks, t, NULL, 0);
	if (!k) {
		/* It has not left a CPU since the watch began, so it was off. */
		char letter = state_letter(compat_task_state(t));

		if (t->on_cpu || t->start_boottime >= started_boot_ns || !wanted_letter(letter))
			return 0;
		if (!(k = bpf_task_storage_get(&tasks, t, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE)))
			return 0;
		k->out_ns = started_ns;
		k->state = letter;
	}
	if (!k->out_ns)
		return 0;
	__u64 now = bpf_ktime_get_ns();
	/* It wakes itself: it has set its state and changed its mind. Not on_cpu: that stays set until the switch is
	 * over, which may take long where a hypervisor takes the CPU away in its midst. */
	if (now - k->out_ns < min_ns || t == bpf_get_current_task_btf()) {
		k->out_ns = 0;
		return 0;
	}
	k->woken_ns = now;
	take_waker(ctx, k);
	return 0;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(offcpu_waking, struct task_struct *t)
{
	return on_waking(ctx, t);
}

/* Once nothing counts any more: its stacks share their place with those of the events. */
static __noinline int on_rest(struct task_struct *t)
{
	char letter = state_letter(compat_task_state(t));
	struct profile_id waker = { OFFCPU_WAKER_NONE };

	if (counting || t->on_cpu || t->exit_state || !wanted_letter(letter) || !wanted(t))
		return 0;
	struct offcpu_task *k = bpf_task_storage_get(&tasks, t, NULL, 0);
	__u64 since = k ? k->out_ns : started_ns;
	if (!since || (k && k->woken_ns) || ended_ns < since || ended_ns - since < min_ns)
		return 0;
	record(t, letter, &waker, ended_ns - since, 0);
	return 0;
}

SEC("iter/task")
int offcpu_rest(struct bpf_iter__task *ctx)
{
	struct task_struct *t = ctx->task;

	return t ? on_rest(t) : 0;
}
