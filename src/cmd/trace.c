#include "cmd/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "act/run.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/inherited.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "cmd/target.h"
#include "dig/trace/trace_files.h"
#include "report/trace.h"

static const char *const times[] = { "none", "relative", "delta", "absolute", NULL };
static const char *const bys[] = { "all", "process", "thread", NULL };

#define ANY_DURATION UINT64_C(1000000), UINT64_C(31536000000000000) /* 1 ms to a year */

static const struct option options[] = {
	[TRACE_CALLS_OPTION] = { "calls", 'e', OPTION_TEXT, "NAME,…", "these calls alone, or %file, %process, %network, %signal, %ipc, "
				 "%desc, %memory, %creds, %clock; !NAME: all but it; often" },
	[TRACE_ERRNO] = { "errno", 'E', OPTION_TEXT, "NAME,…", "calls alone that fail with these errors; any: with whichever" },
	[TRACE_SLOWER] = { "slower", 0, OPTION_DURATION, "DURATION", "calls alone that take as long or longer", 1, UINT64_C(31536000000000000) },
	[TRACE_PATH] = { "path", 'P', OPTION_TEXT, "PATTERN", "calls alone with a path that begins so, or on an open file of it; "
			 "*.so: ends so; =PATH: is it; often" },
	[TRACE_FD] = { "fd", 0, OPTION_TEXT, "N,…", "calls alone on these descriptors" },
	[TRACE_SUMMARY] = { "summary", 'c', OPTION_FLAG, NULL, "count and time the calls in the kernel, print a table at the end" },
	[TRACE_BY] = { "by", 0, OPTION_CHOICE, "WHOM", "with --summary: all together, or by process or thread", 0, 0, bys },
	[TRACE_HISTOGRAM] = { "histogram", 0, OPTION_FLAG, NULL, "with --summary: how durations are spread, for each call" },
	[TRACE_SIZE] = { "size", 's', OPTION_COUNT, "BYTES", "so much of data and strings (32)", 0, TRACE_PIECE_MAX },
	[TRACE_FD_PATHS] = { "fd-paths", 'y', OPTION_FLAG, NULL, "the file behind each descriptor" },
	[TRACE_STACK] = { "stack", 'k', OPTION_FLAG, NULL, "the user stack that led to each call, by the unwind rules of the files" },
	[TRACE_TIME] = { "time", 't', OPTION_CHOICE, "KIND", "when each call began: none, relative (to the first), delta (to "
			 "the line before), absolute", 0, 0, times },
	[TRACE_LIMIT] = { "limit", 'n', OPTION_COUNT, "N", "stop after N events", 1, UINT64_MAX },
	[TRACE_FOR] = { "for", 0, OPTION_DURATION, "DURATION", "stop after so long", ANY_DURATION },
	[TRACE_NO_FOLLOW] = { "no-follow", 0, OPTION_FLAG, NULL, "leave alone what targets fork" },
	[TRACE_PTRACE] = { "ptrace", 0, OPTION_FLAG, NULL, "by ptrace, as without the right to BPF: slower, stops the target at each call" },
	[TRACE_BUFFER] = { "buffer", 0, OPTION_COUNT, "KIB", "between kernel and osprey (32768)", 4, 1048576 },
	[TRACE_OUTPUT] = { "output", 'o', OPTION_FILE, "FILE", "write there; default: stdout, with COMMAND stderr" },
	[TRACE_JSON] = { "json", 'j', OPTION_FLAG, NULL, "one JSON object a line, schema osprey.trace/1" },
	[TRACE_NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
};

struct tracing {
	const struct arguments *args;
	struct trace_files *files; /* NULL: descriptors are numbers */
	struct event_stacks *stacks; /* NULL: none are printed */
	struct decode_options decode;
	struct page_style style;
	struct buf out, scratch;
	int fd;
	int error;
	bool unwritten; /* the error is of writing */
	uint64_t events, limit, first_ns, previous_ns;
	int64_t real_minus_mono_ns;
	int32_t only_tid; /* of all lines so far */
	bool with_thread;
};

static int flush(struct tracing *t)
{
	int r = t->out.n ? output_write_fd(t->fd, buf_span(&t->out)) : 0;

	buf_clear(&t->out);
	t->unwritten |= r < 0;
	return r;
}

/* Threads are told apart as soon as there are two. */
static bool tell_thread(struct tracing *t, int32_t tid)
{
	if (!t->only_tid)
		t->only_tid = tid;
	t->with_thread |= tid != t->only_tid;
	return t->with_thread;
}

static int on_record(void *arg, struct span record)
{
	struct tracing *t = arg;
	struct trace_event e;

	if (t->limit && t->events >= t->limit)
		return 1;
	if (trace_event_parse(record, &e) < 0)
		return 0;
	if (t->files)
		trace_files_before(t->files, &e);
	if (!t->first_ns)
		t->first_ns = e.record->start_ns;
	struct trace_line line = { .event = &e, .decode = &t->decode, .style = t->style, .scratch = &t->scratch,
				   .time = (enum trace_time)t->args->option[TRACE_TIME].number, .first_ns = t->first_ns,
				   .previous_ns = t->previous_ns, .real_minus_mono_ns = t->real_minus_mono_ns,
				   .with_thread = tell_thread(t, e.record->tid) };
	if (t->stacks)
		trace_stacks_frames(t->stacks, &e, &line.stack);
	t->error = t->args->option[TRACE_JSON].given ? trace_json(&line, &t->out) : trace_text(&line, &t->out);
	t->previous_ns = e.record->start_ns;
	if (t->files)
		trace_files_after(t->files, &e);
	t->events++;
	if (t->error == 0 && t->out.n > 1 << 16)
		t->error = flush(t);
	return t->error < 0 || (t->limit && t->events >= t->limit);
}

/* ---- the run ---- */

static const char ended_by_time[] = "--for is over";

static const char *follow(struct tracing *t, struct trace_source *s)
{
	const struct option_value *duration = &t->args->option[TRACE_FOR];
	uint64_t until_ns = duration->given ? clock_mono_ns() + duration->number : UINT64_MAX;

	for (;;) {
		int r = trace_source_take(s, until_ns, on_record, t);

		if (t->error == 0)
			t->error = flush(t);
		if (t->error < 0)
			return NULL;
		if (t->stacks)
			event_stacks_until(t->stacks, clock_mono_ns() - EVENT_STACKS_LAG_NS);
		if (t->limit && t->events >= t->limit)
			return "--limit is reached";
		if (interrupted)
			return "interrupted";
		if (r == 1)
			return "all targets ended";
		if (r < 0 && r != -EINTR) {
			t->error = r;
			return NULL;
		}
		if (clock_mono_ns() >= until_ns)
			return ended_by_time;
	}
}

static int finish(struct tracing *t, struct trace_source *s, const char *ended_by, uint64_t began_ns)
{
	int r = trace_source_end(s, on_record, t);
	struct trace_totals totals = { t->events, trace_source_lost(s), (double)(clock_mono_ns() - began_ns) / 1e9, ended_by };

	if (t->error == 0)
		t->error = r < 0 ? r : 0;
	if (t->error == 0)
		t->error = t->args->option[TRACE_JSON].given ? trace_end_json(&totals, &t->out) :
							       trace_end_text(&totals, &t->style, &t->out);
	return t->error == 0 ? flush(t) : t->error;
}

int trace_exit_code(int status)
{
	if (status == -1)
		return EXIT_FINE;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	run_die_of(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

static int stream(const struct arguments *args, struct trace_source *s, struct trace_request *q, int fd, uint64_t began_ns,
		  struct event_stacks *stacks, bool *ret_cut)
{
	struct tracing t = { .args = args, .fd = fd, .stacks = stacks, .limit = args->option[TRACE_LIMIT].number,
			     .decode = { .excerpt_bytes = q->excerpt_bytes },
			     .real_minus_mono_ns = (int64_t)(clock_real_ns() - clock_mono_ns()),
			     .style = fd == STDOUT_FILENO ? output_style(args->option[TRACE_NO_COLOR].given) :
				      output_talk_style(args->option[TRACE_NO_COLOR].given || args->option[TRACE_OUTPUT].given) };

	if (args->option[TRACE_FD_PATHS].given) {
		t.error = trace_files_new(&t.files);
		t.decode.fd_path = trace_files_path;
		t.decode.arg = t.files;
	}
	if (t.error == 0) {
		const char *ended_by = follow(&t, s);
		*ret_cut = interrupted || (t.limit && t.events >= t.limit) || (ended_by && ended_by == ended_by_time);
		t.error = t.error == 0 ? finish(&t, s, ended_by, began_ns) : t.error;
	}
	const char *file = args->option[TRACE_OUTPUT].given ? args->option[TRACE_OUTPUT].text : "the trace";
	if (t.error < 0 && t.error != -EPIPE)
		say("trace: %s%s%s%s", t.unwritten ? "cannot write " : "", t.unwritten ? file : "", t.unwritten ? ": " : "",
		    strerror(-t.error));
	trace_files_free(t.files);
	buf_deinit(&t.out);
	buf_deinit(&t.scratch);
	return t.error < 0 ? EXIT_UNABLE : EXIT_FINE;
}

static int start(const struct arguments *args, const struct trace_request *q, struct trace_source **ret, struct note *note)
{
	struct host *h;
	struct note by_bpf = { "" };
	int r;

	if (args->option[TRACE_PTRACE].given)
		return trace_by_ptrace(q, ret, note);
	r = host_open_live("/", &h, note);
	if (r < 0)
		return r;
	r = trace_by_bpf(h, q, ret, &by_bpf);
	host_free(h);
	if (r != -EOPNOTSUPP) {
		*note = by_bpf;
		return r;
	}
	r = trace_by_ptrace(q, ret, note);
	if (r == 0 && q->stacks)
		say("trace: no stacks: they need BPF (%s)", by_bpf.text);
	else if (r == 0)
		say("trace: by ptrace, which stops the target at each call: %s", by_bpf.text);
	return r;
}

int trace_stream(const struct arguments *args, struct trace_request *q, int fd)
{
	struct trace_source *s;
	struct note note = { "" };
	struct event_stacks *stacks = NULL;
	int r = 0;

	q->signals = !args->option[TRACE_CALLS_OPTION].given || q->argv;
	/* Before the command starts, that its mappings are seen. */
	if (q->stacks)
		r = event_stacks_new(&(struct symbolizer_options){ .no_lines = true }, &stacks);
	if (r == 0)
		r = start(args, q, &s, &note);
	if (r < 0) {
		say("trace: %s", note.text[0] ? note.text : strerror(-r));
		event_stacks_free(stacks);
		return EXIT_UNABLE;
	}
	uint64_t began_ns = clock_mono_ns();
	for (size_t i = 0; stacks && i < q->npids; i++)
		event_stacks_meet(stacks, q->pid[i]);
	/* Ended by its trace, the command has no code of its own. */
	bool cut = false;
	int code = stream(args, s, q, fd, began_ns, stacks, &cut), status = trace_source_status(s);
	trace_source_free(s);
	event_stacks_free(stacks);
	return code == EXIT_FINE && q->argv && !cut ? trace_exit_code(status) : code;
}

/* ---- what was asked ---- */

static int read_filter(const struct arguments *args, struct trace_filter *f, struct note *note)
{
	int r = 0;

	trace_filter_init(f);
	for (size_t i = 0; r == 0 && i < args->ngiven; i++) {
		struct span text = span_from(args->given[i].text);

		switch (args->given[i].option) {
		case TRACE_CALLS_OPTION:
			r = trace_filter_calls(f, text, note);
			break;
		case TRACE_ERRNO:
			r = trace_filter_errors(f, text, note);
			break;
		case TRACE_PATH:
			r = trace_filter_path(f, text, note);
			break;
		case TRACE_FD:
			r = trace_filter_fd(f, text, note);
			break;
		}
	}
	f->settings.slower_ns = args->option[TRACE_SLOWER].given ? args->option[TRACE_SLOWER].number : 0;
	return r;
}

/* All operands are numbers: processes. Else: a command. */
static bool are_pids(const struct arguments *args, int32_t *ret)
{
	for (size_t i = 0; i < args->noperands; i++) {
		uint64_t pid;

		if (!span_u64(span_from(args->operand[i]), &pid) || pid == 0 || pid > INT32_MAX)
			return false;
		ret[i] = (int32_t)pid;
	}
	return true;
}

/* What can be told before anything is attached. */
static int check_targets(const struct trace_request *q)
{
	for (size_t i = 0; i < q->npids; i++) {
		struct note note = { "" };
		char path[40], target[8];
		int fd = target_open(q->pid[i], &note);

		if (fd >= 0)
			close(fd);
		snprintf(path, sizeof path, "/proc/%d/exe", q->pid[i]);
		if (fd != -ESRCH && (readlink(path, target, sizeof target) >= 0 || errno != ENOENT))
			continue;
		if (fd == -ESRCH)
			say("trace: %s", note.text);
		else
			say("trace: process %d is a kernel thread: it makes no system calls", q->pid[i]);
		return EXIT_UNABLE;
	}
	return EXIT_FINE;
}

static size_t power_of_two(size_t n)
{
	size_t p = 4096;

	while (p < n)
		p *= 2;
	return p;
}

static int run(const struct arguments *args)
{
	static struct trace_filter filter; /* 20 KiB */
	struct trace_request q = { .filter = &filter, .excerpt_bytes = 32, .no_follow = args->option[TRACE_NO_FOLLOW].given,
				   .stacks = args->option[TRACE_STACK].given, .ring_bytes = 32 << 20 };
	struct note note = { "" };
	int fd = STDOUT_FILENO;

	if (args->noperands == 0) {
		say("trace: whom? Give processes (osprey trace 1234) or a command (osprey trace -- ls)");
		return EXIT_USAGE;
	}
	if (read_filter(args, &filter, &note) < 0) {
		say("trace: %s", note.text);
		return EXIT_USAGE;
	}
	if (args->noperands > TRACE_TARGETS_MAX) {
		say("trace: at most %d processes at once", TRACE_TARGETS_MAX);
		return EXIT_USAGE;
	}
	int32_t *pids = calloc(args->noperands, sizeof *pids);
	if (!pids) {
		say("trace: out of memory");
		return EXIT_UNABLE;
	}
	if (are_pids(args, pids)) {
		q.pid = pids;
		q.npids = args->noperands;
	} else {
		q.argv = args->operand;
		q.restore = inherited_restore;
		fd = STDERR_FILENO;
	}
	if (args->option[TRACE_SIZE].given)
		q.excerpt_bytes = (unsigned)args->option[TRACE_SIZE].number;
	if (args->option[TRACE_BUFFER].given)
		q.ring_bytes = power_of_two(args->option[TRACE_BUFFER].number * 1024);
	cleanup(close_fd) int file = -1;
	if (args->option[TRACE_OUTPUT].given) {
		fd = file = open(args->option[TRACE_OUTPUT].text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (file < 0) {
			say("trace: %s: %s", args->option[TRACE_OUTPUT].text, strerror(errno));
			free(pids);
			return EXIT_UNABLE;
		}
	}
	interrupt_catch();
	int code = check_targets(&q);
	if (code == EXIT_FINE)
		code = args->option[TRACE_SUMMARY].given ? trace_summarize(args, &q, fd) : trace_stream(args, &q, fd);
	free(pids);
	return code;
}

const struct command command_trace = {
	.name = "trace",
	.summary = "show system calls as strace does, without stopping anybody",
	.description =
		"Prints every system call when it returns, with its arguments decoded, its result and how long it took; signals and exits "
		"too. Calls are filtered in the kernel: what is not wanted costs nothing but the look. The last line tells how many events "
		"were lost, if any were: the buffer was full.\n\n"
		"By BPF (needs root, or CAP_BPF and CAP_PERFMON; Linux 5.13) targets are not stopped: a call costs them about 0.3 us. While it runs, the "
		"system calls of every process on the host take some 70 ns longer, for that is how the kernel's tracepoint works. Without that right, ptrace is "
		"used as strace does (about 10 us a call); a command's unwanted calls then pass by a seccomp filter at full speed.\n\n"
		"With a command its own output stays where it is and the trace goes to stderr; the exit code is that of the command. When --limit, "
		"--for or Ctrl-C ends the trace before the command has ended, the command is ended too, by SIGTERM.\n\n"
		"--stack copies the registers and 8 KiB of the user stack with each call (some microseconds, up to 10 KiB of the buffer), and unwinds them by the "
		"rules of the program's files: no frame pointers are needed. A stack that is not whole says why. 32-bit processes have none.",
	.operands = "[PID… | -- COMMAND…]",
	.max_operands = OPERANDS_ANY,
	OPTIONS(options),
	.run = run,
};
