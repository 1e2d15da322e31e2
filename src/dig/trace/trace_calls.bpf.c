/* Every call of the traced threads as one record, written when it returns, with the memory behind its arguments.
 * Needs: BTF, 5.13 (task storage in tracing programs). Cost: ~0.3 us a call that is wanted, of traced threads; ~70 ns a call
 * of all others, most of which is the raw_syscalls tracepoints'.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "kernel/types.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "dig/stack/event_stack.bpf.h"
#include "dig/trace/trace.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define BPF_F_NO_PREALLOC 1
#define BPF_LOCAL_STORAGE_GET_F_CREATE 1
#define BPF_RB_NO_WAKEUP 1
#define BPF_F_USER_STACK 256
#define SIGKILL 9

struct thread {
	struct trace_follow follow;
	__u8 active;	/* between the enter and the exit of a wanted call */
	__u8 seen;	/* an enter has been seen */
	__u8 missed;	/* bit per argument: its memory was not resident at the enter */
	__u8 matched;	/* the path filter */
	__u32 unused;
	struct trace_record record;
	char payload[TRACE_PAYLOAD_MAX + sizeof(struct trace_part) + TRACE_PIECE_MAX];
};

/* A program with functions of its own does nothing itself but call one. */
#define OWN_FUNCTION __noinline
#include "dig/trace/trace_follow.bpf.h"
#include "dig/trace/trace_paths.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 25);
} ring SEC(".maps");

/* With stacks: where a record is put together with its stack. Of each thread, for a program may be preempted. */
struct stacked {
	struct trace_record record;
	char payload[TRACE_PAYLOAD_MAX + sizeof(struct trace_part) + TRACE_PIECE_MAX + sizeof(struct trace_part) +
		     sizeof(struct event_stack)];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct stacked);
} stacked SEC(".maps");

const volatile struct trace_call_rule calls[TRACE_CALLS];
__u64 lost;	   /* records without room in the ring */
__u64 written;

struct user_iovec {
	__u64 base, size;
};

struct user_message {
	__u64 name;
	__u32 name_size, unused;
	__u64 vector, vector_size;
	__u64 control, control_size;
	__u32 flags, unused2;
};

struct user_message_sent {
	struct user_message message;
	__u32 sent, unused;
};

/* Masked where clang can no longer bound one register and use another. */
static __always_inline const volatile struct trace_call_rule *rule_of(__u32 call)
{
	call &= TRACE_CALLS - 1;
	barrier_var(call);
	return &calls[call];
}

/* ---- parts ---- */

static __always_inline struct trace_part *part_room(struct thread *t)
{
	__u32 used = t->record.size;

	if (used > TRACE_PAYLOAD_MAX) {
		t->record.flags |= RECORD_CUT;
		return NULL;
	}
	return (struct trace_part *)(t->payload + used);
}

static __always_inline void part_end(struct thread *t, struct trace_part *part, __u32 where, __u32 size)
{
	part->argument = where & 0xff;
	part->piece = where >> 8 & 0xff;
	part->at_exit = where >> 16 & 1;
	part->unused = 0;
	part->size = size;
	part->unused2 = 0;
	t->record.size += sizeof *part + ((size + 7) & ~7u);
}

/* `where`: the argument, the piece << 8, at exit << 16. */
static __always_inline bool capture_bytes(struct thread *t, __u32 where, __u64 from, __u64 size)
{
	struct trace_part *part = part_room(t);

	if (!part || !from)
		return true;
	if (size > TRACE_PIECE_MAX)
		size = TRACE_PIECE_MAX;
	if (bpf_probe_read_user(part + 1, size, (const void *)from))
		return false;
	part_end(t, part, where, size);
	return true;
}

static __always_inline bool capture_text(struct thread *t, __u32 where, __u64 from)
{
	struct trace_part *part = part_room(t);
	long size;

	if (!part || !from)
		return true;
	size = bpf_probe_read_user_str(part + 1, TRACE_PIECE_MAX, (const void *)from);
	if (size < 0)
		return false;
	part_end(t, part, where, size);
	return true;
}

static __always_inline __u64 least(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

/* What the verifier would walk again for every argument are functions that it walks once: global ones. They return 0, or
 * 1 when the memory was not there. `first` << 24 stands in `where`. */
__noinline int capture_vector(struct thread *t, __u32 where, __u64 from, __u64 n, __u64 total)
{
	__u32 first = where >> 24;

	if (!t)
		return 0;
	where &= 0xffffff;
	n = least(n, TRACE_IOVECS);
	if (!capture_bytes(t, where, from, n * sizeof(struct user_iovec)))
		return 1;
	for (__u32 i = 0; i < TRACE_IOVECS; i++) {
		struct user_iovec v;

		if (i >= n || !total || bpf_probe_read_user(&v, sizeof v, (const void *)(from + i * sizeof v)))
			break;
		v.size = least(v.size, total);
		total -= v.size;
		capture_bytes(t, where + ((first + i) << 8), v.base, least(v.size, settings.excerpt_bytes));
	}
	return 0;
}

__noinline int capture_message(struct thread *t, __u32 where, __u64 from, __u64 total)
{
	struct user_message m;

	if (!t)
		return 0;
	if (bpf_probe_read_user(&m, sizeof m, (const void *)from))
		return 1;
	capture_bytes(t, where + (PIECE_HEADER << 8), from, sizeof m);
	if (m.name)
		capture_bytes(t, where + (PIECE_NAME << 8), m.name, least(m.name_size, 128));
	capture_vector(t, (where + (PIECE_VECTOR << 8)) | (PIECE_DATA - PIECE_VECTOR) << 24, m.vector, m.vector_size, total);
	if (m.control)
		capture_bytes(t, where + (PIECE_CONTROL << 8), m.control, least(m.control_size, 256));
	return 0;
}

__noinline int capture_strings(struct thread *t, __u32 where, __u64 from)
{
	if (!t)
		return 0;
	for (__u32 i = 0; i < TRACE_STRINGS; i++) {
		__u64 at = 0;

		if (bpf_probe_read_user(&at, sizeof at, (const void *)(from + i * 8)))
			return i == 0;
		if (!at)
			break;
		capture_text(t, where + ((1 + i) << 8), at);
	}
	return 0;
}

/* How many elements or bytes the rule's length says. */
static __always_inline __u64 length_of(struct thread *t, __u32 length)
{
	__u32 by = length & 7;

	if (by == CAPTURE_BY_RESULT)
		return t->record.result < 0 ? 0 : t->record.result;
	if (by > 5)
		return 0;
	barrier_var(by);
	return t->record.argument[by & 7];
}

__noinline int capture_messages(struct thread *t, __u32 where, __u64 from, __u64 n)
{
	if (!t)
		return 0;
	for (__u32 i = 0; i < TRACE_MESSAGES; i++) {
		struct user_message_sent *at = (void *)(from + i * sizeof(struct user_message_sent));
		__u32 sent = -1;

		if (i >= n)
			break;
		if (where >> 16 & 1)
			bpf_probe_read_user(&sent, sizeof sent, &at->sent);
		if (capture_message(t, where + (i << 12), (__u64)at, sent))
			return i == 0;
	}
	return 0;
}

__noinline int capture_argument(struct thread *t, __u32 argument, __u32 at_exit)
{
	const volatile struct trace_capture_rule *rule;
	__u64 from, size, total, n;
	__u32 where, word = 0;

	if (!t || argument >= TRACE_ARGUMENTS)
		return 0;
	barrier_var(argument);
	rule = &rule_of(t->record.call)->argument[argument & 7];
	where = argument | (at_exit & 1) << 16;
	from = t->record.argument[argument & 7];
	size = rule->size;
	n = length_of(t, rule->length);
	total = at_exit ? t->record.result : ~0ull;
	switch (rule->kind) {
	case CAPTURE_STRING:
		return !capture_text(t, where, from);
	case CAPTURE_IOVEC:
		return capture_vector(t, where | 1 << 24, from, n, total);
	case CAPTURE_MESSAGE:
		return capture_message(t, where, from, total);
	case CAPTURE_MESSAGES:
		return capture_messages(t, where, from, n);
	case CAPTURE_STRINGS:
		return capture_strings(t, where, from);
	case CAPTURE_FIXED:
		break;
	case CAPTURE_ARRAY:
		size *= least(n, TRACE_PIECE_MAX);
		break;
	case CAPTURE_DATA:
		size = least(n, settings.excerpt_bytes);
		break;
	case CAPTURE_DATA_WHOLE:
		size = least(n, size);
		break;
	case CAPTURE_BITS:
		size = least((n + 63) / 64 * 8, size);
		break;
	case CAPTURE_ADDRESS:
		if (bpf_probe_read_user(&word, sizeof word, (const void *)n))
			return 0;
		size = least(word, 128);
		break;
	default:
		return 0;
	}
	return !capture_bytes(t, where, from, size);
}

static __always_inline void capture_enter(struct thread *t, const volatile struct trace_call_rule *rule)
{
	for (__u32 i = 0; i < TRACE_ARGUMENTS; i++)
		if ((rule->argument[i].when & CAPTURE_ENTER) && capture_argument(t, i, false))
			t->missed |= 1 << i;
}

/* What was not resident when the call began is by now, if the kernel itself has read it. */
static __always_inline void capture_exit(struct thread *t, const volatile struct trace_call_rule *rule)
{
	bool failed = t->record.result < 0;

	for (__u32 i = 0; i < TRACE_ARGUMENTS; i++) {
		if (t->missed & 1 << i)
			capture_argument(t, i, false);
		if (!failed && (rule->argument[i].when & CAPTURE_EXIT))
			capture_argument(t, i, true);
	}
}

/* ---- filters ---- */

static __always_inline bool fd_wanted(struct thread *t, const volatile struct trace_call_rule *rule)
{
	for (__u32 i = 0; i < TRACE_ARGUMENTS; i++) {
		if (!(rule->fds & 1 << i))
			continue;
		for (__u32 k = 0; k < TRACE_FILTER_FDS && k < settings.nfds; k++)
			if (settings.fd[k] == (__s32)t->record.argument[i])
				return true;
	}
	return false;
}

static __always_inline bool errno_wanted(__s64 result)
{
	__u64 error = -result;

	if (result >= 0 || result < -TRACE_ERRNO_MAX)
		return false;
	if (!settings.errnos)
		return true;
	return error < 256 && settings.errno_wanted[error >> 6 & 3] >> (error & 63) & 1;
}

/* ---- records ---- */

static __always_inline void emit(struct thread *t)
{
	__u64 size = sizeof t->record + t->record.size;

	if (size > sizeof t->record + sizeof t->payload)
		return;
	if (bpf_ringbuf_output(&ring, &t->record, size, BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&lost, 1);
}

#if defined(__TARGET_ARCH_x86)
static __always_inline void put_stack(void *ctx, struct event_stack *stack, struct pt_regs *regs)
{
	event_stack_copy(stack, regs);
}
#else
static __always_inline void put_stack(void *ctx, struct event_stack *stack, struct pt_regs *regs)
{
	long size = bpf_get_stack(ctx, stack->bytes, TRACE_FRAMES * 8, BPF_F_USER_STACK);

	stack->kind = EVENT_STACK_ADDRESSES;
	stack->size = size > 0 ? size : 0;
}
#endif

/* The user's: the kernel's own is the same at the end of every call, and made of these programs. */
static __noinline int emit_with_stack(void *ctx, struct thread *t, struct pt_regs *regs)
{
	struct stacked *s = bpf_task_storage_get(&stacked, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	__u32 used = t->record.size;
	struct trace_part *part;
	struct event_stack *stack;
	__u64 size;

	if (!s || used > sizeof t->payload) {
		emit(t);
		return 0;
	}
	bpf_probe_read_kernel(s, sizeof s->record + used, &t->record);
	part = (struct trace_part *)(s->payload + used);
	stack = (struct event_stack *)(part + 1);
	put_stack(ctx, stack, regs);
	part->argument = PART_USER_STACK;
	part->piece = 0;
	part->at_exit = 1;
	part->unused = 0;
	part->unused2 = 0;
	size = offsetof(struct event_stack, bytes) + (stack->size & 0x3fff);
	part->size = size;
	s->record.size = used + sizeof *part + size;
	size += sizeof s->record + used + sizeof *part;
	if (size > sizeof *s || bpf_ringbuf_output(&ring, s, size, BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

static __always_inline void finish(void *ctx, struct thread *t, struct pt_regs *regs)
{
	if (settings.stacks)
		emit_with_stack(ctx, t, regs);
	else
		emit(t);
}

static __always_inline void begin(struct thread *t, struct pt_regs *regs, __u16 call)
{
	struct trace_record *r = &t->record;

#if defined(__TARGET_ARCH_x86)
	/* One read in place of six: they lie beside each other. */
	r->argument[0] = regs->di;
	r->argument[1] = regs->si;
	r->argument[2] = regs->dx;
	r->argument[3] = regs->r10;
	r->argument[4] = regs->r8;
	r->argument[5] = regs->r9;
#elif defined(__TARGET_ARCH_arm64)
	r->argument[0] = BPF_CORE_READ(regs, orig_x0);
	for (int i = 1; i < TRACE_ARGUMENTS; i++)
		r->argument[i] = regs->regs[i];
#endif
	r->pid = t->follow.pid;
	r->tid = t->follow.tid;
	r->call = call;
	r->type = RECORD_CALL;
	r->flags = 0;
	r->size = 0;
	r->result = 0;
	t->missed = 0;
	bpf_get_current_comm(r->comm, sizeof r->comm);
}

static __noinline int on_enter(void *ctx, struct pt_regs *regs, long id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *t = bpf_task_storage_get(&threads, task, 0, 0);
	const volatile struct trace_call_rule *rule;
	bool compat;
	__u32 call = id & ~X32_BIT;

	if (!t)
		return 0;
	t->active = 0;
	t->seen = 1;
	if (call >= TRACE_CALLS)
		return 0;
	rule = rule_of(call);
	compat = is_compat(task, id);
	if (t->follow.waits_for_exec) {
		if (compat || !(rule->flags & CALL_EXECUTES))
			return 0;
		t->follow.waits_for_exec = 0;
	}
	if (!compat && !(rule->flags & CALL_WANTED))
		return 0;
	begin(t, regs, call);
	if (compat)
		t->record.flags |= RECORD_COMPAT;
	else if (settings.nfds && !fd_wanted(t, rule))
		return 0;
	t->record.start_ns = bpf_ktime_get_ns();
	if (!compat && (rule->flags & CALL_CAPTURES_ENTER))
		capture_enter(t, rule);
	t->matched = !settings.npaths || path_wanted(t, rule);
	t->active = 1;
	if (!compat && (rule->flags & CALL_NO_RETURN)) {
		t->active = 0;
		if (t->matched && !settings.failed_only && !settings.slower_ns) {
			t->record.flags |= RECORD_UNFINISHED;
			finish(ctx, t, regs);
		}
	}
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(call_begins, struct pt_regs *regs, long id)
{
	return on_enter(ctx, regs, id);
}

/* A call that had begun before tracing did: its registers still hold the arguments. */
static __always_inline bool begun_before(struct thread *t, struct task_struct *task, struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	__u32 call = regs->orig_ax & ~X32_BIT;

	if (t->seen || t->follow.born || t->follow.waits_for_exec || call >= TRACE_CALLS || is_compat(task, regs->orig_ax))
		return false;
	t->seen = 1;
	if (!(rule_of(call)->flags & CALL_WANTED))
		return false;
	begin(t, regs, call);
	if (settings.nfds && !fd_wanted(t, rule_of(call)))
		return false;
	t->record.start_ns = bpf_ktime_get_ns();
	t->record.flags = RECORD_BEGUN_BEFORE;
	t->missed = 0xff;
	t->matched = !settings.npaths;
	return true;
#else
	return false;
#endif
}

static __noinline int on_exit(void *ctx, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *t = bpf_task_storage_get(&threads, task, 0, 0);
	struct trace_record *r;
	__u32 call;

	if (!t || (!t->active && !begun_before(t, task, regs)))
		return 0;
	t->active = 0;
	r = &t->record;
	r->duration_ns = bpf_ktime_get_ns() - r->start_ns;
	r->result = result;
	if (settings.slower_ns && r->duration_ns < settings.slower_ns)
		return 0;
	if (settings.failed_only && !errno_wanted(result))
		return 0;
	call = r->call;
	if (call >= TRACE_CALLS)
		return 0;
	if (!(r->flags & RECORD_COMPAT) && ((rule_of(call)->flags & CALL_CAPTURES_EXIT) || t->missed))
		capture_exit(t, rule_of(call));
	if (!t->matched && !(t->missed && path_wanted(t, rule_of(call))) && !path_opened(t, rule_of(call)))
		return 0;
	finish(ctx, t, regs);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(call_ends, struct pt_regs *regs, long result)
{
	return on_exit(ctx, regs, result);
}

/* exec took the number of the process over from its first thread. */
static __noinline int on_exec(struct task_struct *task)
{
	struct thread *t = bpf_task_storage_get(&threads, task, 0, 0);

	if (!t)
		return 0;
	number_thread(t, task);
	t->record.pid = t->follow.pid;
	t->record.tid = t->follow.tid;
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(program_changed, struct task_struct *task)
{
	return on_exec(task);
}

static __noinline int on_signal(int signal, void *info)
{
	struct thread *t;
	struct trace_record r = { .start_ns = 0 };

	/* The end of a process is told so to each of its threads; the exit says it as well. */
	if (!settings.signals || signal == SIGKILL)
		return 0;
	t = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), 0, 0);
	if (!t || t->follow.waits_for_exec)
		return 0;
	r.start_ns = bpf_ktime_get_ns();
	r.pid = t->follow.pid;
	r.tid = t->follow.tid;
	r.type = RECORD_SIGNAL;
	r.call = signal;
	bpf_probe_read_kernel(r.argument, sizeof r.argument, info);
	bpf_get_current_comm(r.comm, sizeof r.comm);
	if (bpf_ringbuf_output(&ring, &r, sizeof r, BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

SEC("tp_btf/signal_deliver")
int BPF_PROG(signal_comes, int signal, void *info)
{
	return on_signal(signal, info);
}

static __noinline int on_end(struct task_struct *task)
{
	struct thread *t = bpf_task_storage_get(&threads, task, 0, 0);

	if (!t)
		return 0;
	__sync_fetch_and_add(&living, -1);
	if (t->follow.waits_for_exec || !settings.signals)
		return 0;
	if (t->active && t->matched && !settings.failed_only && !settings.slower_ns) {
		t->record.flags |= RECORD_UNFINISHED;
		emit(t);
	}
	t->active = 0;
	t->record.start_ns = bpf_ktime_get_ns();
	t->record.duration_ns = 0;
	t->record.pid = t->follow.pid;
	t->record.tid = t->follow.tid;
	t->record.type = RECORD_EXIT;
	t->record.call = 0;
	t->record.flags = BPF_CORE_READ(task, signal, live.counter) == 0 ? RECORD_LAST : 0;
	t->record.argument[0] = task->exit_code;
	t->record.size = 0;
	bpf_get_current_comm(t->record.comm, sizeof t->record.comm);
	emit(t);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(thread_ends, struct task_struct *task)
{
	return on_end(task);
}
