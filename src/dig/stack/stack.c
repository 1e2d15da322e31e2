#include "dig/stack/stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "dig/image/core_dump.h"
#include "dig/image/target_memory.h"
#include "dig/stack/stack_unwind.h"
#include "dig/stack/thread_grab.h"
#include "dig/stack/thread_perf.h"
#include "dig/stack/thread_proc.h"
#include "dig/stack/thread_stop.h"

/* While all stand still little is copied; deeper stacks go on from memory afterwards, and are marked then. */
#define STOPPED_BYTES (64u << 10)
#define SAMPLE_WITHIN_MS 20

const char *stack_way_words(enum stack_way way)
{
	static const char *const words[] = {
		[STACK_NONE] = "not read", [STACK_BPF] = "read by BPF", [STACK_PERF] = "sampled by perf_event_open",
		[STACK_PROC] = "read from /proc", [STACK_PTRACE] = "stopped by ptrace", [STACK_CORE] = "of a core file",
	};

	return words[way];
}

static void thread_deinit(struct thread_stack *t)
{
	free(t->kernel);
	free(t->kernel_text);
	free(t->frames);
	free(t->bytes);
}

void process_stacks_free(struct process_stacks *s)
{
	if (!s)
		return;
	vec_each(t, &s->threads)
		thread_deinit(t);
	vec_free(&s->threads);
	address_space_free(s->space);
	thread_grab_free(s->grab);
	core_dump_free(s->core);
	free(s);
}

int process_stacks_read(const struct process_stacks *s, uint64_t address, void *to, size_t n)
{
	if (s->space && s->space->read)
		return s->space->read(s->space->arg, address, to, n);
	return s->pid ? target_memory_read(s->pid, address, to, n) : -EFAULT;
}

/* ---- by BPF ---- */

static int keep_kernel(const struct grab_record *r, struct thread_stack *t)
{
	if (r->kernel_frames < 0)
		t->kernel_error = r->kernel_frames;
	if (r->kernel_frames <= 0 || r->kernel_frames > GRAB_KERNEL_FRAMES)
		return 0;
	t->kernel = calloc((size_t)r->kernel_frames, sizeof *t->kernel);
	if (!t->kernel)
		return -ENOMEM;
	t->nkernel = (size_t)r->kernel_frames;
	memcpy(t->kernel, r->kernel, t->nkernel * sizeof *t->kernel);
	return 0;
}

static void keep_registers(const struct grab_record *r, struct thread_stack *t)
{
	static const uint8_t arguments[] = { 5, 4, 1, 10, 8, 9 }; /* rdi rsi rdx r10 r8 r9 */

	memcpy(t->registers.value, r->registers, sizeof r->registers);
	t->registers.known = (1u << UNWIND_REGISTERS) - 1;
	t->syscall = (int64_t)r->origin >= 0 ? (int32_t)r->origin : -1;
	for (size_t i = 0; i < 6; i++)
		t->argument[i] = r->registers[arguments[i]];
}

int thread_keep_record(struct thread_stack *t, const struct grab_record *r, struct span stack)
{
	*t = (struct thread_stack){
		.pid = r->pid, .tid = r->tid, .tid_inside = r->tid_inside,
		.state = grab_state_letter(r->state, r->exit_state), .way = STACK_BPF,
		.kernel_thread = r->flags & GRAB_KERNEL_THREAD, .on_cpu = r->flags & GRAB_ON_CPU,
		.torn = r->flags & GRAB_TORN, .syscall = -1, .switches = r->switches,
	};
	memcpy(t->comm, r->comm, sizeof t->comm);
	t->comm[sizeof t->comm - 1] = '\0';
	int k = keep_kernel(r, t);
	if (k < 0 || t->kernel_thread || t->state == 'Z' || t->state == 'X')
		return k;
	keep_registers(r, t);
	if (stack.n == 0)
		return 0;
	t->bytes = malloc(stack.n);
	if (!t->bytes)
		return -ENOMEM;
	memcpy(t->bytes, stack.p, stack.n);
	t->nbytes = stack.n;
	return 0;
}

static int grabbed(void *arg, const struct grab_record *r, struct span stack)
{
	struct process_stacks *s = arg;
	struct thread_stack *t = vec_push(&s->threads);

	return t ? thread_keep_record(t, r, stack) : -ENOMEM;
}

static int take_by_bpf(struct host *h, struct process_stacks *s, const struct stack_wish *wish)
{
	struct note why = { 0 };
	struct thread_grab_wish grab = { s->pid, wish->only_tid, GRAB_PAGES };
	int r = wish->no_bpf ? note_set(&why, -EOPNOTSUPP, "BPF was not wanted") : thread_grab_new(h, &s->grab, &why);

	if (r >= 0)
		r = thread_grab_each(s->grab, &grab, grabbed, s);
	if (r < 0 && r != -ESRCH && r != -ENOMEM) {
		snprintf(s->why_no_bpf, sizeof s->why_no_bpf, "%s", why.text[0] ? why.text : strerror(-r));
		while (s->threads.n)
			thread_deinit(&s->threads.v[--s->threads.n]);
	}
	return r;
}

/* ---- by /proc ---- */

static int take_by_proc(struct host *h, struct process_stacks *s, const struct stack_wish *wish)
{
	tid_list tids = { 0 };
	int r = thread_proc_list(h, s->pid, &tids), first = 0;

	for (size_t i = 0; r >= 0 && i < tids.n; i++) {
		if (wish->only_tid && tids.v[i] != wish->only_tid)
			continue;
		struct thread_stack *t = vec_push(&s->threads);
		if (!t) {
			r = -ENOMEM;
			break;
		}
		int taken = thread_proc_take(h, s->pid, tids.v[i], t);
		if (taken == -ENOMEM)
			r = taken;
		if (taken < 0) { /* it has ended, or is closed to us */
			first = first ? first : taken;
			thread_deinit(t);
			s->threads.n--;
		}
	}
	vec_free(&tids);
	if (r >= 0 && s->threads.n == 0)
		r = first ? first : -ESRCH;
	return r;
}

/* ---- those that run ---- */

typedef VEC(struct thread_stack *) thread_refs;

static int collect(struct process_stacks *s, bool (*wanted)(const struct thread_stack *), thread_refs *ret)
{
	ret->n = 0;
	vec_each(t, &s->threads) {
		if (!wanted(t))
			continue;
		struct thread_stack **added = vec_push(ret);
		if (!added)
			return -ENOMEM;
		*added = t;
	}
	return 0;
}

static bool stale(const struct thread_stack *t)
{
	return t->way != STACK_PERF && t->way != STACK_PTRACE && t->on_cpu && !t->kernel_thread;
}

static bool unread(const struct thread_stack *t)
{
	return t->way == STACK_NONE && !t->kernel_thread && t->state != 'Z' && t->state != 'X' && !t->error;
}

static bool user_thread(const struct thread_stack *t)
{
	return !t->kernel_thread && t->state != 'Z' && t->state != 'X';
}

static int regrabbed(void *arg, const struct grab_record *r, struct span stack)
{
	struct thread_stack *t = arg;

	thread_deinit(t);
	return thread_keep_record(t, r, stack);
}

/* It did not run when it was to be sampled: it may sleep by now. */
static int look_again(struct host *h, struct process_stacks *s, struct thread_stack *t)
{
	int r;

	if (s->grab && t->way == STACK_BPF) {
		struct thread_grab_wish again = { s->pid, t->tid, GRAB_PAGES };
		r = thread_grab_each(s->grab, &again, regrabbed, t);
	} else {
		struct thread_stack now;
		r = thread_proc_take(h, s->pid, t->tid, &now);
		if (r >= 0) {
			thread_deinit(t);
			*t = now;
		}
	}
	return r == -ENOMEM ? r : 0;
}

static int sample_running(struct host *h, struct process_stacks *s, const struct stack_wish *wish)
{
	thread_refs running = { 0 };
	int r = collect(s, stale, &running);

	if (r >= 0 && running.n && !wish->no_perf)
		(void)!thread_perf_sample(running.v, running.n, SAMPLE_WITHIN_MS);
	for (size_t i = 0; r >= 0 && i < running.n; i++)
		if (stale(running.v[i]))
			r = look_again(h, s, running.v[i]);
	vec_free(&running);
	return r;
}

/* One at a time, so that no two are held together. */
static int stop_unread(struct process_stacks *s)
{
	thread_refs left = { 0 };
	int r = collect(s, unread, &left);

	for (size_t i = 0; r >= 0 && i < left.n; i++) {
		uint64_t pause_ns = 0;
		int reached = thread_stop_take(&left.v[i], 1, STOPPED_BYTES, &pause_ns);
		if (reached == -ENOMEM)
			r = reached;
		if (reached <= 0) {
			left.v[i]->error = reached < 0 ? reached : -EBUSY;
			continue;
		}
		s->stopped++;
		if (pause_ns > s->pause_ns)
			s->pause_ns = pause_ns;
	}
	vec_free(&left);
	return r;
}

static int refuse_stop(struct host *h, int pid, int r, struct note *note)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct span rest, line;
	char path[64];
	uint64_t tracer = 0;

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	if (host_read(h, path, &text) == 0) {
		rest = buf_span(&text);
		while (!tracer && span_line(&rest, &line)) {
			if (span_starts(line, "TracerPid:"))
				(void)!span_next_u64(&line, &tracer);
		}
	}
	if (tracer)
		return note_set(note, r, "process %d is traced already, by %llu, and only one can; without "
				"--consistent nothing has to be stopped", pid, (unsigned long long)tracer);
	return note_set(note, r, "process %d may not be stopped: run as its user, or as root (CAP_SYS_PTRACE)", pid);
}

static int stop_all(struct host *h, struct process_stacks *s, struct note *note)
{
	thread_refs all = { 0 };
	int r = collect(s, user_thread, &all);

	if (r >= 0) {
		r = thread_stop_take(all.v, all.n, STOPPED_BYTES, &s->pause_ns);
		if (r >= 0)
			s->stopped = (unsigned)r;
		else if (r == -EPERM)
			(void)!refuse_stop(h, s->pid, r, note);
	}
	vec_free(&all);
	return r < 0 ? r : 0;
}

/* ---- all of it ---- */

static int by_tid(const void *a, const void *b)
{
	const struct thread_stack *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

static void find_comm(struct host *h, struct process_stacks *s)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/comm", s->pid);
	if (host_read(h, path, &text) == 0)
		span_copy(span_trim(buf_span(&text)), s->comm, sizeof s->comm);
}

static int refuse(struct host *h, const struct process_stacks *s, int only_tid, int r, struct note *note)
{
	tid_list tids = { 0 };

	if (r == -EACCES || r == -EPERM)
		return note_set(note, r, "the threads of process %d are closed to us: run as its user, or as root "
				"(CAP_SYS_PTRACE)", s->pid);
	if (r != -ESRCH)
		return note_set(note, r, "the threads of process %d cannot be read: %s", s->pid, strerror(-r));
	bool there = only_tid && thread_proc_list(h, s->pid, &tids) == 0;
	vec_free(&tids);
	if (there)
		return note_set(note, r, "process %d has no thread %d; without --tid all are shown", s->pid, only_tid);
	return note_set(note, r, "there is no process %d", s->pid);
}

static int take_threads(struct host *h, struct process_stacks *s, const struct stack_wish *wish, struct note *note)
{
	int r = take_by_bpf(h, s, wish);

	if (r < 0 && r != -ESRCH && r != -ENOMEM)
		r = take_by_proc(h, s, wish);
	if (r < 0)
		return refuse(h, s, wish->only_tid, r, note);
	qsort(s->threads.v, s->threads.n, sizeof s->threads.v[0], by_tid);
	if (wish->consistent)
		return stop_all(h, s, note);
	r = sample_running(h, s, wish);
	return r < 0 || wish->no_stop ? r : stop_unread(s);
}

int process_stacks_take(struct host *h, struct image_store *store, int pid, const struct stack_wish *wish,
			struct process_stacks **ret, struct note *note)
{
	struct process_stacks *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return note_set(note, -ENOMEM, "out of memory");
	s->pid = pid;
	find_comm(h, s);
	r = address_space_of_process(store, pid, &s->space, note);
	if (r >= 0)
		r = take_threads(h, s, wish, note);
	if (r >= 0)
		r = stacks_unwind(s);
	if (r == -ENOMEM)
		note_set(note, r, "out of memory");
	if (r < 0) {
		process_stacks_free(s);
		return r;
	}
	*ret = s;
	return 0;
}
