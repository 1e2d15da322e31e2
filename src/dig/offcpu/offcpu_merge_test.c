#include "dig/offcpu/offcpu_merge.h"

#include "base/check.h"

#define MAX 16

/* "k:schedule" is of the kernel, else of the program; "libc.so.6:read" of that module. Innermost first. */
static void side(struct call_tree *t, const char *const *names, uint32_t *frames, struct offcpu_side *ret)
{
	*ret = (struct offcpu_side){ .pid = 7, .tid = 7, .process = "server", .comm = "worker", .state = 'S', .frame = frames };
	for (size_t i = 0; names[i]; i++) {
		const char *colon = strchr(names[i], ':');
		char module[32] = "server";
		struct call_frame f = { .function = colon ? colon + 1 : names[i], .module = module };

		if (colon)
			span_copy((struct span){ names[i], (size_t)(colon - names[i]) }, module, sizeof module);
		if (strcmp(module, "k") == 0)
			f.kind = CALL_KERNEL;
		CHECK(call_tree_frame(t, &f, &frames[i]) == 0);
		if (f.kind == CALL_KERNEL)
			ret->nkernel++;
		else
			ret->nuser++;
	}
}

static const char *const getting[] = { "k:__schedule", "k:schedule", "k:futex_do_wait", "k:__x64_sys_futex", "libc.so.6:__futex_abstimed_wait",
				       "libc.so.6:pthread_cond_wait", "get", "main", NULL };
static const char *const napping[] = { "k:schedule", "k:do_nanosleep", "k:hrtimer_nanosleep", "k:__x64_sys_clock_nanosleep",
				       "libc.so.6:nanosleep", "nap", "main", NULL };
static const char *const giving[] = { "k:bpf_prog_1234", "k:bpf_trace_run1", "k:__traceiter_sched_waking", "k:try_to_wake_up",
				      "k:wake_up_q", "k:futex_wake", "libc.so.6:pthread_cond_signal", "give", "main", NULL };
static const char *const ticking[] = { "k:try_to_wake_up", "k:hrtimer_wakeup", "k:hrtimer_interrupt", "k:asm_sysvec_apic_timer_interrupt",
				       "k:do_something_else", "innocent", NULL };
static const char *const faulting[] = { "k:io_schedule", "k:folio_wait_bit_common", "k:filemap_fault", "k:do_user_addr_fault",
					"k:exc_page_fault", "k:asm_exc_page_fault", "touch", NULL };

static void add(struct offcpu_rows *r, const char *const *wait, char state, enum offcpu_waker_kind kind,
		const char *const *waker, uint64_t total_ns)
{
	uint32_t waits[MAX], wakers[MAX];
	struct offcpu_sum sum = { .total_ns = total_ns, .queued_ns = total_ns / 10, .count = 1, .max_ns = total_ns };
	struct offcpu_side a, b;

	side(&r->waits, wait, waits, &a);
	a.state = state;
	if (waker)
		side(&r->wakers, waker, wakers, &b);
	CHECK(offcpu_rows_add(r, &a, kind, waker ? &b : NULL, &sum) == 0);
}

static const char *frame_of(const struct call_tree *t, uint32_t node)
{
	return t->frame.v[t->node.v[node].frame].function;
}

static void test_equal_stacks_are_one_row(void)
{
	struct offcpu_rows r;

	CHECK(offcpu_rows_init(&r, false, false) == 0);
	add(&r, getting, 'S', OFFCPU_BY_TASK, giving, 100);
	add(&r, getting, 'S', OFFCPU_BY_TASK, giving, 300);
	add(&r, getting, 'S', OFFCPU_BY_NOBODY, NULL, 50);
	add(&r, getting, 'D', OFFCPU_BY_UNKNOWN, NULL, 20);
	CHECK(offcpu_rows_sort(&r, false) == 0);
	CHECK_U64(r.wait.n, 2);
	const struct offcpu_wait *w = &r.wait.v[0];
	CHECK_U64(w->total_ns, 450);
	CHECK_U64(w->queued_ns, 45);
	CHECK_U64(w->count, 3);
	CHECK_U64(w->max_ns, 300);
	CHECK_U64(w->still, 1);
	CHECK_STR(w->call, "futex");
	CHECK_STR(w->words, "a condition: another thread's signal");
	CHECK(!w->by_trade);
	/* The scheduler is taken off the inside. */
	CHECK_STR(frame_of(&r.waits, w->node), "futex_do_wait");
	CHECK_U64(w->waker.n, 2);
	CHECK(w->waker.v[0].kind == OFFCPU_BY_TASK);
	CHECK_U64(w->waker.v[0].total_ns, 400);
	CHECK_U64(w->waker.v[0].count, 2);
	CHECK_U64(w->waker.v[0].pid, 7);
	CHECK_STR(w->waker.v[0].process, "server");
	/* Who looked is taken off, and the wakeup itself. */
	CHECK_STR(frame_of(&r.wakers, w->waker.v[0].node), "wake_up_q");
	CHECK(w->waker.v[1].kind == OFFCPU_BY_NOBODY);
	CHECK(w->waker.v[1].node == CALL_NONE);
	CHECK(r.wait.v[1].state == 'D');
	CHECK_U64(call_tree_total(&r.waits), 470);
	struct offcpu_total all = offcpu_rows_total(&r, false);
	CHECK_U64(all.total_ns, 470);
	CHECK_U64(all.count, 4);
	offcpu_rows_deinit(&r);
}

static void test_interrupts_blame_nobody(void)
{
	struct offcpu_rows r;

	CHECK(offcpu_rows_init(&r, false, false) == 0);
	add(&r, napping, 'S', OFFCPU_BY_TASK, ticking, 1000);
	add(&r, napping, 'S', OFFCPU_BY_TASK, ticking, 1000);
	add(&r, faulting, 'D', OFFCPU_BY_TASK, giving, 1);
	CHECK(offcpu_rows_sort(&r, false) == 0);
	CHECK_U64(r.wait.n, 2);
	/* Sleep is by trade, and comes last however long. */
	CHECK_STR(r.wait.v[0].call, "page fault");
	CHECK_STR(r.wait.v[0].words, "a page to be read or written");
	CHECK(!r.wait.v[0].by_trade && r.wait.v[1].by_trade);
	CHECK_STR(r.wait.v[1].words, "time to pass");
	CHECK_STR(r.wait.v[1].call, "clock_nanosleep");
	const struct offcpu_waker *k = &r.wait.v[1].waker.v[0];
	CHECK_U64(r.wait.v[1].waker.n, 1);
	CHECK(k->kind == OFFCPU_BY_INTERRUPT);
	CHECK_STR(k->device, "a timer");
	CHECK_U64(k->pid, 0);
	for (uint32_t i = 1; i < r.wakers.node.n; i++)
		CHECK(strcmp(frame_of(&r.wakers, i), "innocent") != 0 && strcmp(frame_of(&r.wakers, i), "do_something_else") != 0);
	CHECK_U64(offcpu_rows_total(&r, true).total_ns, 2000);
	offcpu_rows_deinit(&r);
}

static void test_threads_apart(void)
{
	uint32_t frames[MAX];
	struct offcpu_side s;
	struct offcpu_rows r;
	struct offcpu_sum sum = { 5, 0, 1, 5 };

	CHECK(offcpu_rows_init(&r, true, false) == 0);
	for (uint32_t tid = 7; tid < 10; tid++) {
		side(&r.waits, getting, frames, &s);
		s.tid = tid;
		CHECK(offcpu_rows_add(&r, &s, OFFCPU_BY_NOBODY, NULL, &sum) == 0);
	}
	CHECK(offcpu_rows_sort(&r, false) == 0);
	CHECK_U64(r.wait.n, 3);
	CHECK_U64(call_tree_total(&r.waits), 15);
	offcpu_rows_deinit(&r);
}

/* Of a whole host, threads that nobody sends anything are no finding; of one process they may be. */
static void test_crowd(void)
{
	static const char *const reading[] = { "k:schedule", "k:anon_pipe_read", "k:vfs_read", "k:ksys_read", "main", NULL };
	struct offcpu_rows r;

	for (int crowd = 0; crowd < 2; crowd++) {
		CHECK(offcpu_rows_init(&r, false, false) == 0);
		add(&r, reading, 'S', OFFCPU_BY_NOBODY, NULL, 100);
		CHECK(offcpu_rows_sort(&r, crowd) == 0);
		CHECK_STR(r.wait.v[0].words, "data in a pipe");
		CHECK_STR(r.wait.v[0].call, "read");
		CHECK(r.wait.v[0].by_trade == (crowd == 1));
		offcpu_rows_deinit(&r);
	}
}

static void test_restarted(void)
{
	static const char *const restarted[] = { "k:do_syscall_64", "libc.so.6:clock_nanosleep", "nap", "main", NULL };
	struct offcpu_rows r;

	CHECK(offcpu_rows_init(&r, false, false) == 0);
	add(&r, restarted, 'S', OFFCPU_BY_NOBODY, NULL, 1);
	CHECK_STR(r.wait.v[0].words, "time to pass");
	CHECK(r.wait.v[0].by_trade);
	offcpu_rows_deinit(&r);
}

static void test_nothing_known(void)
{
	static const char *const nothing[] = { NULL };
	struct offcpu_rows r;

	CHECK(offcpu_rows_init(&r, false, false) == 0);
	add(&r, nothing, 'S', OFFCPU_BY_TASK, nothing, 1);
	CHECK(offcpu_rows_sort(&r, false) == 0);
	CHECK_U64(r.wait.n, 1);
	CHECK(!r.wait.v[0].words && !r.wait.v[0].call);
	CHECK(r.wait.v[0].waker.v[0].kind == OFFCPU_BY_TASK);
	offcpu_rows_deinit(&r);
}

int main(void)
{
	test_equal_stacks_are_one_row();
	test_interrupts_blame_nobody();
	test_threads_apart();
	test_crowd();
	test_restarted();
	test_nothing_known();
	return check_exit();
}
