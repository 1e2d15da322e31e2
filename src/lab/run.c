/* The runner's side of a lab. */
#include "lab/run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "lab/tree.h"

/* Beyond the scenario's limit: for reaping and undoing. */
#define UNDO_NS (30 * NS_PER_S)

struct lab_run {
	struct lab_options options;
	int fd;
	pid_t guardian;
	char id[32];
	VEC(struct lab_label) labels;
	bool ready, lost; /* lost: the guardian is gone and did not say DONE */
	bool failed, done;
	int failure, result;
	struct note failure_note, result_note;
};

static void take(struct lab_run *run, const struct message *m)
{
	switch (m->kind) {
	case MESSAGE_ID:
		snprintf(run->id, sizeof run->id, "%.31s", m->note.text);
		break;
	case MESSAGE_SAY:
		if (run->options.say)
			run->options.say(m->note.text);
		break;
	case MESSAGE_LABEL: {
		struct lab_label *label = vec_push(&run->labels);

		if (label)
			*label = m->label;
		break;
	}
	case MESSAGE_READY:
		run->ready = true;
		break;
	case MESSAGE_FAILED:
		run->failed = true;
		run->failure = m->code;
		run->failure_note = m->note;
		break;
	case MESSAGE_DONE:
		run->done = true;
		run->result = m->code;
		run->result_note = m->note;
		break;
	}
}

static void drain(struct lab_run *run)
{
	struct message m;
	int r = 1;

	while (!run->lost && !run->done && (r = message_receive(run->fd, &m)) > 0)
		take(run, &m);
	if (r < 0 && !run->done)
		run->lost = true;
}

static bool interrupted(const struct lab_run *run)
{
	return run->options.interrupted && *run->options.interrupted;
}

/* Ready, or on the way down. */
static int await_ready(struct lab_run *run)
{
	while (!run->ready && !run->failed && !run->lost && !run->done) {
		struct pollfd fd = { .fd = run->fd, .events = POLLIN };

		if (interrupted(run))
			return -EINTR;
		(void)!poll(&fd, 1, 200);
		drain(run);
	}
	return run->ready ? 0 : run->failed ? run->failure : -ECHILD;
}

static void await_done(struct lab_run *run)
{
	uint64_t end = clock_mono_ns() + UNDO_NS;

	while (!run->done && !run->lost && clock_mono_ns() < end) {
		struct pollfd fd = { .fd = run->fd, .events = POLLIN };

		(void)!poll(&fd, 1, 200);
		drain(run);
	}
}

static struct lab_run *run_new(const struct lab_options *options)
{
	struct lab_run *run = calloc(1, sizeof *run);

	if (run) {
		run->options = *options;
		run->fd = -1;
	}
	return run;
}

static void run_free(struct lab_run *run)
{
	close_fd(&run->fd);
	vec_free(&run->labels);
	free(run);
}

static int start_guardian(const struct scenario *s, struct lab_run *run, struct note *note)
{
	pid_t self = getpid();
	int pair[2];
	int r = message_pair(pair);

	if (r < 0)
		return note_set(note, r, "socket pair: %s", strerror(-r));
	fflush(NULL);
	run->fd = pair[0];
	run->guardian = fork();
	if (run->guardian == 0)
		guardian_main(s, &run->options, pair[1], self);
	close(pair[1]);
	return run->guardian < 0 ? note_set(note, -errno, "fork: %s", strerror(errno)) : 0;
}

int lab_start_with(const struct scenario *s, const struct lab_options *options, struct lab_run **ret,
		   struct note *note)
{
	int r = lab_possible(s, note);
	struct lab_run *run;

	if (r < 0)
		return r;
	run = run_new(options);
	if (!run)
		return note_set(note, -ENOMEM, "no memory");
	r = start_guardian(s, run, note);
	if (r < 0) {
		run_free(run);
		return r;
	}
	r = await_ready(run);
	if (r == 0) {
		*ret = run;
		return 0;
	}
	if (run->failed)
		note_set(note, 0, "%s: %.220s", s->name, run->failure_note.text);
	else
		note_set(note, 0, "%s: %s", s->name, r == -EINTR ? "interrupted" : "the guardian was killed");
	(void)!lab_stop(run, NULL);
	return r;
}

int lab_start(const struct scenario *s, enum strength strength, void (*say)(const char *line),
	      struct lab_run **ret, struct note *note)
{
	const struct lab_options options = { .strength = strength, .say = say };

	return lab_start_with(s, &options, ret, note);
}

bool lab_run_alive(struct lab_run *run, struct note *note)
{
	drain(run);
	if (run->failed)
		note_set(note, 0, "%s", run->failure_note.text);
	else if (run->lost || run->done)
		note_set(note, 0, "its guardian was killed");
	return !run->failed && !run->lost && !run->done;
}

const char *lab_run_id(const struct lab_run *run)
{
	return run->id;
}

const struct lab_label *lab_run_labels(struct lab_run *run, size_t *ret_n)
{
	drain(run);
	*ret_n = run->labels.n;
	return run->labels.v;
}

/* The guardian is gone; its journal is not. The scenario's processes died with it, or are
 * dying: undoing waits for them. */
static int undo_for_guardian(struct note *note)
{
	unsigned undone = 0;

	return journal_clean(&undone, note);
}

int lab_stop(struct lab_run *run, struct note *note)
{
	struct message stop = { .kind = MESSAGE_STOP };
	int r;

	drain(run);
	(void)!message_send_now(run->fd, &stop);
	await_done(run);
	if (run->done || run->lost)
		(void)!waitpid(run->guardian, NULL, 0);
	if (run->done) {
		r = run->result;
		if (r < 0)
			note_set(note, 0, "%s", run->result_note.text);
		else if (run->failed)
			r = note_set(note, run->failure, "%s", run->failure_note.text);
	} else if (run->lost) {
		r = undo_for_guardian(note);
	} else {
		r = note_set(note, -ETIMEDOUT, "the guardian (pid %d) has not undone all after %d s; it goes on",
			     (int)run->guardian, (int)(UNDO_NS / NS_PER_S));
	}
	run_free(run);
	return r;
}
