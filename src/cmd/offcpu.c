#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "cmd/command.h"
#include "cmd/countdown.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "cmd/target.h"
#include "dig/latency/cgroup_id.h"
#include "report/flame.h"
#include "report/offcpu.h"

enum { FOR, MIN, TOP, STATE, THREADS, CGROUP, KERNEL_THREADS, LINES, FOLDED, SVG, HTML, PPROF, OUTPUT, JSON, NO_COLOR };

#define DEFAULT_FOR (5 * NS_PER_S)
#define DEFAULT_MIN NS_PER_MS

static const char *const states[] = { "S", "D", NULL };

static const struct option options[] = {
	[FOR] = { "for", 'f', OPTION_DURATION, "DURATION", "how long to watch (5s)", UINT64_C(10000000),
		  UINT64_C(86400000000000) },
	[MIN] = { "min", 'm', OPTION_DURATION, "DURATION", "waits that take at least so long (1ms)", 1000, UINT64_C(3600000000000) },
	[TOP] = { "top", 't', OPTION_COUNT, "N", "stacks at most (5; of JSON 100)", 1, 100000 },
	[STATE] = { "state", 's', OPTION_CHOICE, "STATE", "S: waits that a signal can end; D: waits that none can (disks…)", 0, 0,
		    states },
	[THREADS] = { "threads", 'T', OPTION_FLAG, NULL, "tell the threads of a process apart" },
	[CGROUP] = { "cgroup", 'g', OPTION_FILE, "PATH", "of the tasks of a cgroup (v2) and of those below it" },
	[KERNEL_THREADS] = { "kernel-threads", 'k', OPTION_FLAG, NULL, "those of the kernel too" },
	[LINES] = { "lines", 'l', OPTION_FLAG, NULL, "tell source lines of one function apart" },
	[FOLDED] = { "folded", 0, OPTION_FLAG, NULL, "folded stacks, a line each, with nanoseconds" },
	[SVG] = { "svg", 0, OPTION_FLAG, NULL, "a flame graph as one SVG file" },
	[HTML] = { "html", 0, OPTION_FLAG, NULL, "a flame graph as one page" },
	[PPROF] = { "pprof", 0, OPTION_FLAG, NULL, "a pprof profile" },
	[OUTPUT] = { "output", 'o', OPTION_FILE, "FILE", "write it there, and tell the answer" },
	[JSON] = { "json", 'j', OPTION_FLAG, NULL, "as JSON, schema osprey.offcpu/1" },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
};

struct watching {
	const struct arguments *args;
	struct offcpu_request request;
	struct offcpu_result result;
	char target[160];
	int pidfd; /* -1: none */
	bool ended;
};

/* ---- what is asked for ---- */

static int name_process(struct watching *w, struct note *note)
{
	char path[40], comm[32] = "";

	w->pidfd = target_open(w->request.pid, note);
	if (w->pidfd == -ESRCH)
		return w->pidfd;
	snprintf(path, sizeof path, "/proc/%d/comm", w->request.pid);
	cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, comm, sizeof comm - 1);
	if (n > 0 && comm[n - 1] == '\n')
		comm[n - 1] = '\0';
	snprintf(w->target, sizeof w->target, "%s [%d]", comm, w->request.pid);
	return 0;
}

static int ask(struct watching *w, struct note *note)
{
	const struct option_value *o = w->args->option;
	struct offcpu_request *q = &w->request;
	uint64_t pid = 0;

	if (o[FOLDED].given + o[SVG].given + o[HTML].given + o[PPROF].given + o[JSON].given > 1)
		return note_set(note, -EINVAL, "choose one of --folded, --svg, --html, --pprof, --json");
	if (w->args->noperands && (!span_u64(span_from(w->args->operand[0]), &pid) || pid == 0 || pid > INT32_MAX))
		return note_set(note, -EINVAL, "'%s' is no PID", w->args->operand[0]);
	if (pid && o[CGROUP].given)
		return note_set(note, -EINVAL, "a PID and --cgroup both say whom to watch: choose one");
	q->pid = (int)pid;
	q->min_ns = o[MIN].given ? o[MIN].number : DEFAULT_MIN;
	q->state = o[STATE].given ? states[o[STATE].number][0] : '\0';
	q->by_thread = o[THREADS].given;
	q->kernel_threads = o[KERNEL_THREADS].given;
	q->lines = o[LINES].given;
	snprintf(w->target, sizeof w->target, "the host");
	if (o[CGROUP].given) {
		snprintf(w->target, sizeof w->target, "cgroup %.140s", o[CGROUP].text);
		return cgroup_id_find(o[CGROUP].text, &q->cgroup, &q->cgroup_level, note);
	}
	return pid ? name_process(w, note) : 0;
}

/* ---- the watch ---- */

static bool target_ended(struct watching *w)
{
	struct pollfd p = { .fd = w->pidfd, .events = POLLIN };

	w->ended = w->pidfd >= 0 && poll(&p, 1, 0) > 0;
	return w->ended;
}

static int watch_until(struct watching *w, struct offcpu *o, uint64_t end_ns)
{
	char what[200];
	struct countdown down = { .what = what, .end_ns = end_ns };
	uint64_t shown = 0;
	int r = 0;

	snprintf(what, sizeof what, "watching what blocks %s", w->target);
	while ((r == 0 || r == -EINTR) && !interrupted && !target_ended(w)) {
		uint64_t now = clock_mono_ns();

		if (now >= end_ns)
			break;
		if (now - shown >= NS_PER_S / 2) {
			countdown_show(&down);
			shown = now;
		}
		uint64_t left_ms = (end_ns - now) / NS_PER_MS + 1;
		r = offcpu_pump(o, left_ms < 100 ? (int)left_ms : 100);
	}
	countdown_clear(&down);
	return r == -EINTR ? 0 : r;
}

static int watch(struct watching *w)
{
	const struct option_value *length = &w->args->option[FOR];
	struct note note = { "" };
	struct offcpu *o = NULL;
	struct host *h = NULL;
	int r = host_open_live("/", &h, &note);

	interrupt_catch();
	if (r == 0)
		r = offcpu_start(h, &w->request, &o, &note);
	if (r == 0)
		r = watch_until(w, o, clock_mono_ns() + (length->given ? length->number : DEFAULT_FOR));
	if (r == 0)
		r = offcpu_finish(o, &w->result);
	if (r < 0)
		say("offcpu: not measurable: %s", note.text[0] ? note.text : strerror(-r));
	offcpu_free(o);
	host_free(h);
	return r < 0 ? EXIT_UNABLE : EXIT_FINE;
}

/* ---- output ---- */

static int draw(struct watching *w, const struct offcpu_report *report, struct buf *ret)
{
	const struct option_value *o = w->args->option;
	cleanup(buf_deinit) struct buf proof = { 0 };
	char title[200];
	int r = offcpu_proof(report, &proof);

	snprintf(title, sizeof title, "blocked time of %s", w->target);
	struct flame f = {
		.tree = &w->result.rows.waits, .title = title, .whole = "the blocked time", .event = "off-cpu",
		.proof = proof.data, .duration_ns = w->result.wall_ns, .real_ns = w->result.real_ns,
	};
	if (r < 0)
		return r;
	if (o[FOLDED].given)
		return flame_folded(&f, ret);
	if (o[SVG].given)
		return flame_svg(&f, ret);
	return o[HTML].given ? flame_html(&f, ret) : flame_pprof(&f, ret);
}

static int text_to(struct watching *w, const struct offcpu_report *report, bool to_file, struct buf *ret)
{
	struct page p = { .out = ret, .style = output_style(w->args->option[NO_COLOR].given || to_file) };

	offcpu_text(&p, report);
	return p.error;
}

static int show(struct watching *w)
{
	const struct option_value *o = w->args->option;
	cleanup(buf_deinit) struct buf text = { 0 };
	bool drawn = o[FOLDED].given || o[SVG].given || o[HTML].given || o[PPROF].given;
	struct offcpu_report report = { .request = &w->request, .result = &w->result, .target = w->target, .ended = w->ended,
					.top = o[TOP].given ? (unsigned)o[TOP].number : o[JSON].given ? 100 : 5 };
	int r = drawn ? draw(w, &report, &text) :
		o[JSON].given ? offcpu_json(&report, &text) : text_to(w, &report, o[OUTPUT].given, &text);

	if (r < 0 || !o[OUTPUT].given)
		return output_write(buf_span(&text), r);
	int code = output_write_file("offcpu", o[OUTPUT].text, buf_span(&text));
	if (code != EXIT_FINE)
		return code;
	/* The file is for later; the answer is wanted now. */
	if (drawn || o[JSON].given) {
		buf_clear(&text);
		report.top = o[TOP].given ? (unsigned)o[TOP].number : 5;
		r = text_to(w, &report, false, &text);
		code = output_write(buf_span(&text), r);
	}
	say("offcpu: written to %s", o[OUTPUT].text);
	return code;
}

static int run(const struct arguments *args)
{
	struct watching w = { .args = args, .pidfd = -1 };
	struct note note = { "" };
	int r = ask(&w, &note);
	int code;

	if (r < 0) {
		say("offcpu: %s", note.text);
		return r == -EOPNOTSUPP || r == -ESRCH ? EXIT_UNABLE : EXIT_USAGE;
	}
	code = watch(&w);
	if (code == EXIT_FINE) {
		code = show(&w);
		offcpu_result_deinit(&w.result);
	}
	if (w.pidfd >= 0)
		close(w.pidfd);
	return code;
}

const struct command command_offcpu = {
	.name = "offcpu",
	.summary = "show what blocks threads: where, for how long, and who wakes them",
	.description =
		"Watches a process, a control group or the whole host, and adds up the time that threads spend off the CPU because they "
		"wait: by their stack in the kernel and in the program, with the one who woke them and the stack of that one. Waits "
		"that have not ended count too. Preemption is no wait (osprey latency runq shows it).\n\n"
		"Waiting for time, events or work is told apart: threads that have nothing to do spend their lives so. It works without "
		"frame pointers, and nothing is stopped. Only waits of at least --min are looked at closely; the test for it is all that "
		"other switches cost. Flame graphs hold the same stacks, weighted by time. Ctrl-C ends early, and prints.\n\n"
		"Needs Linux 5.17 with BTF, and root (CAP_BPF and CAP_PERFMON); user stacks on x86-64 alone.",
	.operands = "[PID]",
	.max_operands = 1,
	OPTIONS(options),
	.run = run,
};
