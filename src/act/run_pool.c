#include "act/run_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "act/run_front.h"

struct slot {
	struct run_spec spec;
	char *argv[5];
	char *command;
	size_t number;
	int out, err;
};

struct at_work {
	const struct run_pool *pool;
	struct run_job *jobs; /* at_once of each */
	struct slot *slots;
	struct buf text; /* of the list */
	struct span rest;
	int signals, null;
	bool stopping;
	int interrupted, exit_code;
	size_t number;
	struct run_pool_state state;
};

/* ---- the list ---- */

bool run_pool_next(struct span *list, bool last, struct span *ret)
{
	while (list->n) {
		const char *end = memchr(list->p, '\n', list->n);
		struct span line = { list->p, end ? (size_t)(end - list->p) : list->n }, trimmed = span_trim(line);

		if (!end && !last)
			return false;
		list->p += line.n + (end != NULL);
		list->n -= line.n + (end != NULL);
		if (trimmed.n && trimmed.p[0] != '#') {
			*ret = line;
			return true;
		}
	}
	return false;
}

/* What was taken is dropped before more is read. */
static int read_more(struct at_work *w, struct note *note)
{
	size_t taken = w->text.n - w->rest.n;
	ssize_t n;
	int r;

	if (w->rest.n)
		memmove(w->text.data, w->text.data + taken, w->rest.n);
	w->text.n = w->rest.n;
	r = buf_reserve(&w->text, 65536);
	if (r < 0)
		return r;
	n = read(w->pool->list, w->text.data + w->text.n, 65536);
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		return note_set(note, -errno, "the list of commands: %s", strerror(errno));
	if (n == 0)
		w->state.list_ended = true;
	if (n > 0)
		w->text.n += (size_t)n;
	w->rest = buf_span(&w->text);
	return 0;
}

/* ---- one job ---- */

static int file_without_name(void)
{
	const char *directory = getenv("TMPDIR");
	int fd = open(directory && *directory ? directory : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd >= 0 ? fd : memfd_create("osprey-job", MFD_CLOEXEC);
}

static void slot_close(struct slot *s)
{
	if (s->err >= 0 && s->err != s->out)
		close(s->err);
	if (s->out >= 0)
		close(s->out);
	free(s->command);
	*s = (struct slot){ .out = -1, .err = -1 };
}

static int slot_fill(const struct at_work *w, struct slot *s, struct span command)
{
	s->out = file_without_name();
	s->err = w->pool->one_output ? s->out : file_without_name();
	s->command = strndup(command.p, command.n);
	if (s->out < 0 || s->err < 0 || !s->command)
		return -(errno ? errno : ENOMEM);
	s->argv[1] = (char *)"/bin/sh";
	s->argv[2] = (char *)"-c";
	s->argv[3] = s->command;
	s->spec = *w->pool->spec;
	s->spec.argv = s->argv + 1;
	s->spec.in = w->null;
	s->spec.out = s->out;
	s->spec.err = s->err;
	s->spec.stops_caller = false;
	return 0;
}

static int start(struct at_work *w, struct span command, struct note *note)
{
	size_t i = 0;
	int r;

	while (w->jobs[i].keeper)
		i++;
	r = slot_fill(w, &w->slots[i], command);
	if (r < 0)
		note_set(note, r, "job %zu: files for its output: %s", w->number + 1, strerror(-r));
	else
		r = run_job_start(&w->jobs[i], &w->slots[i].spec, note);
	if (r < 0) {
		slot_close(&w->slots[i]);
		return r;
	}
	w->slots[i].number = ++w->number;
	w->state.running++;
	return 0;
}

static void end_all(struct at_work *w)
{
	w->stopping = true;
	for (unsigned i = 0; i < w->pool->at_once; i++)
		run_job_signal(&w->jobs[i], RUN_SIGNAL_END);
}

static void ended(struct at_work *w, struct run_job *job)
{
	struct slot *s = &w->slots[job - w->jobs];
	struct run_pool_job told = { s->number, s->command, job->result, s->out, s->err };

	w->state.running--;
	w->state.done++;
	if (job->result->exit_code) {
		w->state.failed++;
		w->exit_code = w->exit_code ? w->exit_code : job->result->exit_code;
		if (w->pool->fail_fast && !w->stopping)
			end_all(w);
	}
	if (w->pool->ended(w->pool->arg, &told) < 0) {
		w->exit_code = w->exit_code ? w->exit_code : RUN_FAILED;
		end_all(w);
	}
	slot_close(s);
}

/* ---- the loop ---- */

static int start_what_fits(struct at_work *w, struct note *note)
{
	struct span command;
	int r = 0;

	while (r == 0 && !w->stopping && w->state.running < w->pool->at_once &&
	       run_pool_next(&w->rest, w->state.list_ended, &command))
		r = start(w, command, note);
	return r;
}

static void take_signals(struct at_work *w)
{
	struct signalfd_siginfo s;

	while (read(w->signals, &s, sizeof s) == (ssize_t)sizeof s) {
		siginfo_t info = { 0 };
		int asked;

		info.si_signo = (int)s.ssi_signo;
		info.si_code = s.ssi_code;
		asked = run_jobs_forward(w->jobs, w->pool->at_once, &info);
		if (!asked)
			continue;
		if (w->interrupted)
			end_all(w);
		w->interrupted = asked;
		w->stopping = true;
	}
}

static int wait_and_take(struct at_work *w, struct note *note)
{
	bool room = !w->stopping && !w->state.list_ended && w->state.running < w->pool->at_once;
	struct pollfd fds[] = { { .fd = w->signals, .events = POLLIN },
				{ .fd = room ? w->pool->list : -1, .events = POLLIN } };
	struct run_job *job;
	int r = 0;

	if (poll(fds, 2, -1) < 0 && errno != EINTR)
		return note_set(note, -errno, "poll: %s", strerror(errno));
	if (fds[1].revents)
		r = read_more(w, note);
	if (fds[0].revents)
		take_signals(w);
	while ((job = run_jobs_reap(w->jobs, w->pool->at_once)))
		ended(w, job);
	return r;
}

static int loop(struct at_work *w, struct note *note)
{
	int r = 0, failed;

	do {
		failed = start_what_fits(w, r == 0 ? note : NULL);
		if (failed == 0 && w->pool->changed)
			w->pool->changed(w->pool->arg, &w->state);
		if (failed == 0 && (w->state.running || !(w->stopping || w->state.list_ended)))
			failed = wait_and_take(w, r == 0 ? note : NULL);
		if (failed < 0 && r == 0) {
			r = failed;
			end_all(w);
		}
	} while (w->state.running || !(w->stopping || (w->state.list_ended && !w->rest.n)));
	return r;
}

static int prepare(struct at_work *w, struct note *note)
{
	unsigned n = w->pool->at_once;
	sigset_t all;
	int r = 0;

	sigfillset(&all);
	w->jobs = calloc(n, sizeof *w->jobs);
	w->slots = calloc(n, sizeof *w->slots);
	w->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	w->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (!w->jobs || !w->slots)
		return -ENOMEM;
	if (w->null < 0 || w->signals < 0)
		return note_set(note, -errno, "/dev/null or a descriptor for signals: %s", strerror(errno));
	for (unsigned i = 0; i < n; i++)
		w->slots[i].out = w->slots[i].err = -1;
	for (unsigned i = 0; r == 0 && i < n; i++)
		r = run_job_init(&w->jobs[i], note);
	return r;
}

static void deinit(struct at_work *w)
{
	for (unsigned i = 0; w->jobs && i < w->pool->at_once; i++)
		run_job_deinit(&w->jobs[i]);
	free(w->jobs);
	free(w->slots);
	if (w->null >= 0)
		close(w->null);
	if (w->signals >= 0)
		close(w->signals);
	buf_deinit(&w->text);
}

int run_pool_run(const struct run_pool *pool, int *ret_exit_code, int *ret_interrupted, struct note *note)
{
	struct at_work w = { .pool = pool };
	int r = prepare(&w, note);

	if (r == 0)
		r = loop(&w, note);
	if (r == 0) {
		*ret_exit_code = w.exit_code;
		*ret_interrupted = w.interrupted;
	}
	deinit(&w);
	return r;
}
