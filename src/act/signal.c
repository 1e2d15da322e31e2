#include "act/signal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "source/process/task.h"

#define AFTER_KILL_NS (2 * NS_PER_S)
#define STOP_WAIT_NS (200 * NS_PER_MS)
#define STEP_NS (5 * NS_PER_MS)
#define ROUNDS_MAX 1000
#define DESCRIPTORS_KEPT 8

struct target {
	struct process process;
	int fd; /* -1: ended, or no pidfds */
	bool ended, stopped_by_us, stopped_before;
};

struct run {
	struct host *h;
	process_vec *v;
	const struct signal_plan *plan;
	struct signal_report *ret;
	VEC(struct target) target; /* as v, and as ret->result */
	VEC(struct pollfd) poll;
	uint64_t sent_ns;
};

void signal_report_deinit(struct signal_report *r)
{
	vec_free(&r->result);
}

/* Some descriptors are left over for reading /proc: who cannot read it takes all for ended. */
static int pidfd_open_of(int pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct rlimit limit;

	if (fd < 0)
		return -errno;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)fd + DESCRIPTORS_KEPT > limit.rlim_cur) {
		close(fd);
		return -EMFILE;
	}
	return fd;
}

/* 0: the pid is that process still. -ESRCH: it has ended. Other errors: nobody knows. */
static int check_same(struct host *h, const struct process *p)
{
	struct process now;
	int r = process_read(h, p->pid, 0, &now);

	return r == 0 && now.start_ticks != p->start_ticks ? -ESRCH : r;
}

static int send_to(struct run *run, const struct target *t, int number)
{
	int r;

	if (t->ended)
		return -ESRCH;
	if (t->fd >= 0)
		return syscall(SYS_pidfd_send_signal, t->fd, number, NULL, 0) < 0 ? -errno : 0;
	r = check_same(run->h, &t->process);
	return r < 0 ? r : kill(t->process.pid, number) < 0 ? -errno : 0;
}

static void more_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)!setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* One more target. Ended meanwhile is no failure. */
static int target_add(struct run *run, const struct process *p, struct note *note)
{
	struct target t = { .process = *p, .fd = pidfd_open_of(p->pid), .stopped_before = p->state == 'T' };
	struct signal_result *result;
	struct target *place;
	int r;

	if (t.fd == -ENOSYS || t.fd == -EMFILE || t.fd == -ENFILE)
		run->ret->by_pid = true;
	else if (t.fd < 0 && t.fd != -ESRCH && t.fd != -EINVAL)
		return note_set(note, t.fd, "pidfd of %d: %s", p->pid, strerror(-t.fd));
	r = check_same(run->h, p);
	if (r < 0 && t.fd >= 0) {
		close(t.fd);
		t.fd = -1;
	}
	if (r < 0 && r != -ESRCH)
		return note_set(note, r, "/proc/%d/stat: %s", p->pid, strerror(-r));
	t.ended = r == -ESRCH || p->state == 'Z';
	place = vec_push(&run->target);
	result = place ? vec_push(&run->ret->result) : NULL;
	if (!result) {
		if (t.fd >= 0)
			close(t.fd);
		return note_set(note, -ENOMEM, "%s", strerror(ENOMEM));
	}
	*place = t;
	result->process = *p;
	result->ended = t.ended;
	return 0;
}

static int add_new(struct run *run, struct note *note)
{
	int r = 0;

	for (size_t i = run->target.n; i < run->v->n && r == 0; i++)
		r = target_add(run, &run->v->v[i], note);
	return r;
}

static void fail(struct signal_result *result, int r)
{
	if (r < 0 && r != -ESRCH && result->error == 0)
		result->error = r;
}

/* Stops those from `from` on. */
static void stop_from(struct run *run, size_t from)
{
	for (size_t i = from; i < run->target.n; i++) {
		struct target *t = &run->target.v[i];

		if (t->ended || t->stopped_before || t->stopped_by_us)
			continue;
		t->stopped_by_us = send_to(run, t, SIGSTOP) == 0;
	}
}

/* A stop that is only on its way lets a fork finish that had begun. */
static void wait_stopped(struct run *run)
{
	uint64_t end_ns = clock_mono_ns() + STOP_WAIT_NS;

	for (size_t i = 0; i < run->target.n; i++) {
		const struct target *t = &run->target.v[i];
		struct process now;

		while (t->stopped_by_us && process_read(run->h, t->process.pid, 0, &now) == 0 &&
		       now.start_ticks == t->process.start_ticks && !strchr("TtZXD", now.state) &&
		       clock_mono_ns() < end_ns)
			(void)!clock_sleep_until(clock_mono_ns() + NS_PER_MS);
	}
}

static int gather(struct run *run, bool freeze, struct note *note)
{
	int r = add_new(run, note), grown;

	if (r < 0 || !run->plan->grow)
		return r;
	if (freeze)
		stop_from(run, 0);
	for (int round = 0; round < ROUNDS_MAX; round++) {
		size_t from = run->target.n;

		if (freeze)
			wait_stopped(run);
		grown = run->plan->grow(run->plan->grow_arg, run->h, run->v);
		if (grown < 0)
			return note_set(note, grown, "looking for the members: %s", strerror(-grown));
		r = add_new(run, note);
		if (r < 0 || grown == 0)
			return r;
		if (freeze)
			stop_from(run, from);
	}
	return 0;
}

/* Who ends or stops this osprey between a stop and its end would leave the members stopped. They come after. */
static void keep_back(sigset_t *ret_before)
{
	static const int enders[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGPIPE };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof enders / sizeof enders[0]; i++)
		sigaddset(&set, enders[i]);
	sigprocmask(SIG_BLOCK, &set, ret_before);
}

static void let_go_on(struct run *run)
{
	for (size_t i = 0; i < run->target.n; i++) {
		struct target *t = &run->target.v[i];

		if (t->stopped_by_us)
			(void)!send_to(run, t, SIGCONT);
		t->stopped_by_us = false;
	}
}

static void send_all(struct run *run)
{
	const struct signal_plan *plan = run->plan;

	run->sent_ns = clock_mono_ns();
	for (size_t i = 0; i < run->target.n; i++) {
		struct target *t = &run->target.v[i];
		struct signal_result *result = &run->ret->result.v[i];
		int r = send_to(run, t, plan->number);

		fail(result, r);
		result->sent = r == 0;
		t->ended |= r == -ESRCH;
		result->ended |= t->ended;
	}
	if (plan->number != SIGSTOP && plan->number != SIGKILL)
		let_go_on(run);
	/* Who is to end must run for it. */
	for (size_t i = 0; i < run->target.n && plan->then_kill; i++) {
		if (run->target.v[i].stopped_before && run->ret->result.v[i].sent)
			run->ret->result.v[i].resumed = send_to(run, &run->target.v[i], SIGCONT) == 0;
	}
}

static void mark_ended(struct run *run, size_t i)
{
	run->target.v[i].ended = true;
	run->ret->result.v[i].ended = true;
	run->ret->result.v[i].ended_after_ns = clock_mono_ns() - run->sent_ns;
}

/* A zombie has ended: what is left of it is its parent's affair. */
static bool has_ended(struct run *run, const struct target *t)
{
	struct process now;
	int r = process_read(run->h, t->process.pid, 0, &now);

	return r == -ESRCH || (r == 0 && (now.start_ticks != t->process.start_ticks || now.state == 'Z' ||
					  now.state == 'X'));
}

static bool is_interrupted(const struct run *run)
{
	return run->plan->interrupted && *run->plan->interrupted;
}

static bool is_awaited(const struct run *run, size_t i)
{
	return !run->target.v[i].ended && run->ret->result.v[i].error == 0;
}

/* Fills run->poll with those that are awaited, in order. Their number. */
static size_t poll_set(struct run *run)
{
	size_t left = 0;

	run->poll.n = 0;
	for (size_t i = 0; i < run->target.n; i++) {
		const struct target *t = &run->target.v[i];
		struct pollfd *p;

		if (!is_awaited(run, i))
			continue;
		if (t->fd < 0 && has_ended(run, t)) {
			mark_ended(run, i);
			continue;
		}
		left++;
		p = vec_push(&run->poll);
		if (p)
			*p = (struct pollfd){ .fd = t->fd, .events = POLLIN };
	}
	return left;
}

static void poll_take(struct run *run)
{
	for (size_t i = 0, at = 0; i < run->target.n && at < run->poll.n; i++) {
		if (is_awaited(run, i) && run->poll.v[at++].revents & (POLLIN | POLLHUP))
			mark_ended(run, i);
	}
}

/* Waits until all that were hit have ended, the time is over, or Ctrl-C. */
static void wait_ended(struct run *run, uint64_t end_ns)
{
	while (poll_set(run) > 0 && !is_interrupted(run)) {
		uint64_t longest_ns = run->ret->by_pid ? STEP_NS : 100 * NS_PER_MS;
		uint64_t now_ns = clock_mono_ns(), wait_ns;

		if (now_ns >= end_ns)
			return;
		wait_ns = end_ns - now_ns < longest_ns ? end_ns - now_ns : longest_ns;
		(void)!poll(run->poll.v, run->poll.n, (int)((wait_ns + NS_PER_MS - 1) / NS_PER_MS));
		poll_take(run);
	}
}

static bool any_left(const struct run *run)
{
	for (size_t i = 0; i < run->target.n; i++) {
		if (is_awaited(run, i))
			return true;
	}
	return false;
}

static int kill_rest(struct run *run, struct note *note)
{
	sigset_t before;
	int r = 0;

	keep_back(&before);
	if (run->plan->kill_all)
		r = run->plan->kill_all(run->plan->grow_arg);
	run->ret->at_once = run->plan->kill_all && r == 0;
	r = run->ret->at_once ? 0 : gather(run, run->plan->freeze, note);
	for (size_t i = 0; i < run->target.n; i++) {
		struct signal_result *result = &run->ret->result.v[i];

		if (run->target.v[i].ended)
			continue;
		int failed = run->ret->at_once ? 0 : send_to(run, &run->target.v[i], SIGKILL);

		fail(result, failed);
		result->killed = failed == 0;
	}
	let_go_on(run); /* whom the KILL was refused */
	sigprocmask(SIG_SETMASK, &before, NULL);
	wait_ended(run, clock_mono_ns() + AFTER_KILL_NS);
	return r;
}

/* What keeps one that should have ended. */
static void look_at_rest(struct run *run)
{
	for (size_t i = 0; i < run->target.n; i++) {
		struct signal_result *result = &run->ret->result.v[i];
		struct process now;

		if (run->target.v[i].ended || process_read(run->h, result->process.pid, 0, &now) < 0)
			continue;
		result->state = now.state;
		if (task_wchan(run->h, result->process.pid, result->process.pid, result->waits_in,
			       sizeof result->waits_in) < 0 || strcmp(result->waits_in, "0") == 0)
			result->waits_in[0] = '\0';
	}
}

/* Finds all members and sends the signal. */
static int find_and_send(struct run *run, struct note *note)
{
	bool wants_stop = run->plan->freeze && run->plan->number != SIGCONT && run->plan->number != 0;
	int r;

	if (run->plan->number == SIGKILL && run->plan->kill_all)
		run->sent_ns = clock_mono_ns();
	r = gather(run, wants_stop, note);
	if (r < 0) {
		let_go_on(run);
		return r;
	}
	if (run->plan->number == SIGKILL && run->plan->kill_all &&
	    run->plan->kill_all(run->plan->grow_arg) == 0) {
		run->ret->at_once = true;
		vec_each(result, &run->ret->result)
			result->sent = true;
	} else
		send_all(run);
	return 0;
}

static int act(struct run *run, struct note *note)
{
	sigset_t before;
	int r;

	keep_back(&before);
	r = find_and_send(run, note);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (r < 0 || !run->plan->wait)
		return r;
	wait_ended(run, run->sent_ns + run->plan->grace_ns);
	if (!any_left(run))
		return 0;
	if (is_interrupted(run)) {
		run->ret->interrupted = true;
		return 0;
	}
	r = run->plan->then_kill ? kill_rest(run, note) : 0;
	look_at_rest(run);
	return r;
}

int signal_run(struct host *h, process_vec *v, const struct signal_plan *plan, struct signal_report *ret,
	       struct note *note)
{
	struct run run = { .h = h, .v = v, .plan = plan, .ret = ret };
	int r;

	*ret = (struct signal_report){ 0 };
	more_descriptors();
	r = act(&run, note);
	vec_each(t, &run.target) {
		if (t->fd >= 0)
			close(t->fd);
	}
	vec_free(&run.target);
	vec_free(&run.poll);
	return r;
}
