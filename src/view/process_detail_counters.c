#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "view/process_detail_parts.h"

#define MAX_THREADS 10000

static int read_of_thread(struct detail_reader *r, int tid, const char *file)
{
	char path[48];

	snprintf(path, sizeof path, "task/%d/%s", tid, file);
	return proc_dir_read(&r->dir, path, &r->scratch);
}

static bool sleeps(const struct task *t)
{
	return t->state == 'S' || t->state == 'D';
}

static void read_wait(struct detail_reader *r, int tid, struct process_thread *t)
{
	t->wchan[0] = '\0';
	if (!sleeps(&t->task) || !(r->sections & PROCESS_THREADS))
		return;
	if (read_of_thread(r, tid, "wchan") == 0 && !span_is(buf_span(&r->scratch), "0"))
		span_copy(span_trim(buf_span(&r->scratch)), t->wchan, sizeof t->wchan);
	if (!(t->task.flags & TASK_IS_KERNEL_THREAD) && read_of_thread(r, tid, "syscall") == 0)
		task_syscall_parse(buf_span(&r->scratch), &t->task);
	detail_mutex(r, &t->task, &t->mutex);
}

/* 1: read; 0: it has ended in the meantime. */
static int read_thread(struct detail_reader *r, int tid, struct process_thread *ret)
{
	struct process_thread t = { .run_growth_ns = READING_ABSENT, .wait_growth_ns = READING_ABSENT };

	task_missing(READING_ABSENT, &t.task);
	if (read_of_thread(r, tid, "stat") < 0 || task_stat_parse(buf_span(&r->scratch), &t.task) < 0)
		return 0;
	if (read_of_thread(r, tid, "status") == 0)
		task_status_parse(buf_span(&r->scratch), &t.task);
	int e = read_of_thread(r, tid, "schedstat");
	if (e == 0)
		task_schedstat_parse(buf_span(&r->scratch), &t.task);
	else
		t.task.run_ns = t.task.wait_ns = t.task.runs = reading_from_errno(e);
	t.task.pid = r->d->pid;
	read_wait(r, tid, &t);
	*ret = t;
	return 1;
}

static int compare_threads(const void *a, const void *b)
{
	const struct process_thread *x = a, *y = b;

	return (x->task.tid > y->task.tid) - (x->task.tid < y->task.tid);
}

static int compare_before(const void *a, const void *b)
{
	const struct thread_before *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

static void take_growth(struct detail_reader *r, struct process_thread *t)
{
	struct thread_before like = { .tid = t->task.tid };
	const struct thread_before *b =
		r->before.threads.n ? bsearch(&like, r->before.threads.v, r->before.threads.n, sizeof like,
					      compare_before) : NULL;

	if (!r->before.measured)
		return;
	bool same = b && b->start_ns == t->task.start_ns;
	t->run_growth_ns = reading_delta(same ? b->run_ns : 0, t->task.run_ns);
	t->wait_growth_ns = reading_delta(same ? b->wait_ns : 0, t->task.wait_ns);
}

int detail_threads(struct detail_reader *r)
{
	struct process_detail *d = r->d;
	cleanup(buf_deinit) struct buf names = { 0 };
	struct span list, name;
	uint64_t tid;

	d->threads.n = 0;
	d->threads_left_out = 0;
	d->threads_error = proc_dir_list(&r->dir, "task", &names);
	if (d->threads_error)
		return d->threads_error == -ENOMEM ? d->threads_error : 0;
	list = buf_span(&names);
	while (span_line(&list, &name)) {
		struct process_thread t, *kept;

		if (!span_u64(name, &tid) || tid > INT32_MAX)
			continue;
		if (d->threads.n >= MAX_THREADS)
			d->threads_left_out++;
		else if (read_thread(r, (int)tid, &t)) {
			take_growth(r, &t);
			if (!(kept = vec_push(&d->threads)))
				return -ENOMEM;
			*kept = t;
		}
	}
	if (d->threads.n)
		qsort(d->threads.v, d->threads.n, sizeof *d->threads.v, compare_threads);
	return 0;
}

/* ---- sums ---- */

/* Once one part is missing so is the sum. */
static void add(reading *sum, reading part)
{
	*sum = reading_sum(*sum, part);
}

static void sum_threads(const struct process_detail *d, struct process_totals *ret)
{
	reading none = d->threads_error ? reading_from_errno(d->threads_error) : d->threads.n ? 0 : READING_ABSENT;

	ret->voluntary_switches = ret->involuntary_switches = none;
	ret->run_delay_ns = ret->run_count = ret->block_delay_ns = none;
	vec_each(t, &d->threads) {
		add(&ret->voluntary_switches, t->task.voluntary_switches);
		add(&ret->involuntary_switches, t->task.involuntary_switches);
		add(&ret->run_delay_ns, t->task.wait_ns);
		add(&ret->run_count, t->task.runs);
		add(&ret->block_delay_ns, t->task.block_delay_ns);
	}
}

static int take_io(struct detail_reader *r, struct process_totals *ret)
{
	struct process_io io;
	int e = proc_dir_read(&r->dir, "io", &r->scratch);

	if (e == -ENOMEM)
		return e;
	if (e < 0)
		process_io_missing(reading_from_errno(e), &io);
	else
		process_io_parse(buf_span(&r->scratch), &io);
	ret->read_chars_bytes = io.read_chars_bytes;
	ret->write_chars_bytes = io.write_chars_bytes;
	ret->read_calls = io.read_calls;
	ret->write_calls = io.write_calls;
	ret->read_bytes = io.read_bytes;
	ret->write_bytes = io.write_bytes;
	ret->cancelled_bytes = io.cancelled_bytes;
	return 0;
}

/* Since 5.14 delays are not counted unless asked for; before, a kernel without them tells zeros. */
static bool delays_counted(struct detail_reader *r, const struct process_totals *totals)
{
	if (host_read(r->h, "/proc/sys/kernel/task_delayacct", &r->scratch) == 0 &&
	    span_is(span_trim(buf_span(&r->scratch)), "1"))
		return true;
	return reading_or(totals->block_delay_ns, 0) > 0;
}

static void take_growths(const struct process_totals *before, const struct process_totals *now,
			 struct process_totals *ret)
{
#define GROWTH(name) ret->name = reading_delta(before->name, now->name);
	PROCESS_DETAIL_COUNTERS(GROWTH)
#undef GROWTH
}

/* A thread that ended takes its part of the sums with it: what the others gained cannot be told then, and
 * a sum that fell is malformed. So growth is summed by thread. */
static void sum_thread_growth(const struct process_detail *d, struct process_totals *ret)
{
	if (d->threads_error || d->threads.n == 0)
		return;
	ret->run_delay_ns = 0;
	vec_each(t, &d->threads)
		add(&ret->run_delay_ns, t->wait_growth_ns);
}

int detail_totals(struct detail_reader *r)
{
	struct process_detail *d = r->d;
	struct process_totals *t = &d->totals;

	t->user_ns = d->task.user_ns;
	t->system_ns = d->task.system_ns;
	t->minor_faults = d->task.minor_faults;
	t->major_faults = d->task.major_faults;
	sum_threads(d, t);
	int e = take_io(r, t);
	if (e < 0)
		return e;
	d->delays_counted = delays_counted(r, t);
	if (!d->delays_counted && reading_ok(t->block_delay_ns))
		t->block_delay_ns = READING_ABSENT;
	if (r->before.measured) {
		take_growths(&r->before.totals, t, &d->growth);
		sum_thread_growth(d, &d->growth);
		d->interval_s = (double)(host_time(r->h).mono_ns - r->before.at.mono_ns) / (double)NS_PER_S;
	}
	return 0;
}

static int keep_threads(struct detail_reader *r)
{
	vec_each(t, &r->d->threads) {
		struct thread_before *b = vec_push(&r->before.threads);
		if (!b)
			return -ENOMEM;
		*b = (struct thread_before){ t->task.tid, t->task.start_ns, t->task.run_ns, t->task.wait_ns };
	}
	return 0;
}

int detail_interval(struct detail_reader *r, uint64_t interval_ns)
{
	unsigned sections = r->sections;

	r->before.at = host_time(r->h);
	r->sections = PROCESS_COUNTERS; /* what threads wait for now is not asked */
	int e = detail_threads(r);
	if (e == 0)
		e = detail_totals(r);
	r->sections = sections;
	if (e == 0)
		e = keep_threads(r);
	r->before.totals = r->d->totals;
	if (e == 0)
		e = host_tick(r->h, r->before.at.mono_ns + interval_ns);
	r->before.measured = e == 0;
	return e == -ENODATA ? 0 : e;
}
