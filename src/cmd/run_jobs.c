#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "act/run_pool.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/output.h"
#include "cmd/run.h"

enum job_output { PLAIN, HEADER, PREFIX };

struct telling {
	run_line_vec lines; /* by number */
	enum job_output style;
	bool watched; /* stderr is a terminal, and talk is wanted */
	struct page_style progress;
	uint64_t start_ns;
	bool reader_left; /* of what the jobs write */
};

/* ---- what a job wrote ---- */

static bool same_place(void)
{
	struct stat out, err;

	return fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 && out.st_dev == err.st_dev &&
	       out.st_ino == err.st_ino;
}

/* `at_start`: the next byte begins a line. */
static int append_prefixed(struct buf *b, const char *prefix, struct span text, bool *at_start)
{
	int r = 0;

	while (text.n && r == 0) {
		const char *end = memchr(text.p, '\n', text.n);
		size_t n = end ? (size_t)(end - text.p) + 1 : text.n;

		if (*at_start)
			r = buf_append(b, prefix, strlen(prefix));
		if (r == 0)
			r = buf_append(b, text.p, n);
		*at_start = end != NULL;
		text.p += n;
		text.n -= n;
	}
	return r;
}

/* All of `from`, each line behind `prefix` (nullable). */
static int copy(int from, int to, const char *prefix, bool end_line)
{
	cleanup(buf_deinit) struct buf b = { 0 };
	static char chunk[65536];
	bool at_start = true;
	off_t at = 0;
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = pread(from, chunk, sizeof chunk, at)) > 0) {
		struct span text = { chunk, (size_t)n };

		at += n;
		if (prefix) {
			buf_clear(&b);
			r = append_prefixed(&b, prefix, text, &at_start);
			text = buf_span(&b);
		} else {
			at_start = chunk[n - 1] == '\n';
		}
		if (r == 0)
			r = output_write_fd(to, text);
	}
	if (r == 0 && end_line && !at_start)
		r = output_write_fd(to, SPAN("\n"));
	return r;
}

static int tell_output(const struct telling *t, const struct run_pool_job *job)
{
	cleanup(buf_deinit) struct buf head = { 0 };
	char prefix[32];
	bool prefixed = t->style == PREFIX;
	int r = 0;

	snprintf(prefix, sizeof prefix, "%zu: ", job->number);
	if (t->style == HEADER) {
		r = buf_printf(&head, "==> %zu: ", job->number);
		if (r == 0)
			r = text_safe(span_from(job->command), t->progress.unicode, &head);
		if (r == 0)
			r = buf_append(&head, "\n", 1);
		if (r == 0)
			r = output_write_fd(STDOUT_FILENO, buf_span(&head));
	}
	if (r == 0)
		r = copy(job->out, STDOUT_FILENO, prefixed ? prefix : NULL, t->style != PLAIN);
	if (r == 0 && job->err != job->out)
		r = copy(job->err, STDERR_FILENO, prefixed ? prefix : NULL, t->style != PLAIN);
	return r;
}

/* ---- progress ---- */

static void clear_progress(const struct telling *t)
{
	if (t->watched)
		(void)!output_write_fd(STDERR_FILENO, SPAN("\r\033[K"));
}

static void progress(void *arg, const struct run_pool_state *s)
{
	struct telling *t = arg;
	char text[128];

	if (!t->watched || !s->running)
		return;
	snprintf(text, sizeof text, "\r\033[K%zu running, %zu done, %zu failed%s", s->running, s->done, s->failed,
		 s->list_ended ? "" : ", more may come");
	(void)!output_write_fd(STDERR_FILENO, span_from(text));
}

/* ---- the end of one ---- */

static int ended(void *arg, const struct run_pool_job *job)
{
	struct telling *t = arg;
	struct run_line *line;
	int r;

	clear_progress(t);
	r = tell_output(t, job);
	t->reader_left |= r == -EPIPE;
	if (r < 0 && r != -EPIPE)
		say("run: the output of job %zu cannot be written: %s", job->number, strerror(-r));
	if (!job->result->pid)
		say("run: job %zu: %s", job->number, job->result->failed.text);
	if (job->result->warning.text[0])
		say("run: job %zu: %s", job->number, job->result->warning.text);
	while (t->lines.n < job->number)
		if (!vec_push(&t->lines))
			return -ENOMEM;
	line = &t->lines.v[job->number - 1];
	run_line_fill(job->result, line);
	line->command = strdup(job->command);
	return !line->command ? -ENOMEM : r;
}

/* Each job that runs holds two files. Programs get the limit that osprey found. */
static void raise_nofile(uint64_t at_once, struct run_inherited *inherited)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= 3 * at_once + 32)
		return;
	if (!inherited->has_nofile) {
		inherited->has_nofile = true;
		inherited->nofile = limit;
	}
	limit.rlim_cur = limit.rlim_max < 3 * at_once + 32 ? limit.rlim_max : 3 * at_once + 32;
	(void)!setrlimit(RLIMIT_NOFILE, &limit);
}

int run_jobs(const struct arguments *args, struct run_request *request, int output, int *ret_signal)
{
	struct telling t = { .style = (enum job_output)args->option[RUN_JOB_OUTPUT].number,
			     .start_ns = clock_mono_ns() };
	struct run_pool pool = {
		.spec = &request->spec, .at_once = (unsigned)args->option[RUN_JOBS].number,
		.fail_fast = args->option[RUN_FAIL_FAST].given, .one_output = same_place(), .list = STDIN_FILENO,
		.arg = &t, .ended = ended, .changed = progress,
	};
	struct run_report report = { .jobs = &t.lines };
	struct note note = { "" };
	int code = 0, interrupted = 0, r;

	raise_nofile(pool.at_once, &request->spec.inherited);
	t.progress = output_talk_style(false);
	t.watched = !args->option[RUN_QUIET].given && output_watched(&t.progress);
	r = run_pool_run(&pool, &code, &interrupted, &note);
	clear_progress(&t);
	report.elapsed_ns = clock_mono_ns() - t.start_ns;
	if (r < 0) {
		say("run: %s", note.text[0] ? note.text : strerror(-r));
		code = code ? code : RUN_FAILED;
	}
	if (interrupted) {
		say("run: interrupted by %s; nothing more was started", signal_text(interrupted).text);
		code = 128 + interrupted;
		*ret_signal = interrupted;
	}
	/* As a program does whose reader left; a shell looks at it with pipefail. */
	if (t.reader_left && !interrupted && code == RUN_FAILED && !request->spec.inherited.ignored_pipe) {
		code = 128 + SIGPIPE;
		*ret_signal = SIGPIPE;
	}
	/* With stdout gone nobody waits for the answer; an end of memory leaves holes. */
	for (size_t i = 0; i < t.lines.n; i++)
		if (!t.lines.v[i].command)
			t.lines.v[i] = (struct run_line){ .command = strdup("?"), .exit_code = RUN_FAILED,
							  .failed_to_start = true };
	code = run_tell(args, &report, output, code);
	vec_each(line, &t.lines)
		free(line->command);
	vec_free(&t.lines);
	return code;
}
