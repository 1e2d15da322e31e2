#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/command.h"
#include "cmd/countdown.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "cmd/target.h"
#include "report/latency.h"

enum { BY, SLOWER, FOR, INTERVAL, PID, CGROUP, TOP, JSON, NO_COLOR };

#define DURATIONS UINT64_C(10000000), UINT64_C(31536000000000000) /* 10 ms to a year */
#define DEFAULT_FOR (5 * NS_PER_S)
#define WORST 10

static const char *const bys[] = { "process", "task", "cgroup", "cpu", "disk", "call", "vector", "address", NULL };
enum { BY_PROCESS, BY_TASK, BY_CGROUP, BY_CPU, BY_DISK, BY_CALL, BY_VECTOR, BY_ADDRESS };

static const struct option options[] = {
	[BY] = { "by", 'b', OPTION_CHOICE, "WHAT",
		 "rows by process, task, cgroup, cpu (runq), disk, call (syscall), vector (softirq), address (futex)", 0, 0, bys },
	[SLOWER] = { "slower", 's', OPTION_DURATION, "DURATION", "print each that takes so long, as it comes", 1000,
		     UINT64_C(3600000000000) },
	[FOR] = { "for", 'f', OPTION_DURATION, "DURATION", "how long (5s; with --interval until Ctrl-C)", DURATIONS },
	[INTERVAL] = { "interval", 'i', OPTION_DURATION, "DURATION", "a line for each so much time", DURATIONS },
	[PID] = { "pid", 'p', OPTION_COUNT, "PID", "of this process alone, all its threads", 1, INT32_MAX },
	[CGROUP] = { "cgroup", 'g', OPTION_FILE, "PATH", "of the tasks of a cgroup (v2) and of those below it" },
	[TOP] = { "top", 't', OPTION_COUNT, "N", "rows at most (10)", 1, 100000 },
	[JSON] = { "json", 'j', OPTION_FLAG, NULL, "as JSON, schema osprey.latency/1" },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
};

static const char *kind_choice(size_t i)
{
	return i < LATENCY_KINDS ? latency_kind_names[i] : NULL;
}

struct measuring {
	const struct arguments *args;
	struct latency_request request;
	struct latency *latency;
	struct cgroup_ids *cgroups;
	struct page_style style, line_style; /* in a pipe a line stays one */
	uint64_t real_minus_mono_ns;
	struct countdown down;
	struct latency_slow worst[WORST];
	size_t nworst;
	uint64_t nslow;
	size_t lines;
	int code;
};

/* ---- what is asked for ---- */

static enum latency_by default_by(enum latency_kind kind)
{
	switch (kind) {
	case LATENCY_RUNQ: return LATENCY_BY_PROCESS;
	case LATENCY_DISK:
	case LATENCY_FUTEX: return LATENCY_BY_PLACE;
	default: return LATENCY_BY_NUMBER;
	}
}

static bool by_of(enum latency_kind kind, uint64_t choice, enum latency_by *ret)
{
	static const struct {
		enum latency_by by;
		int kind; /* -1: any that fits */
	} table[] = {
		[BY_PROCESS] = { LATENCY_BY_PROCESS, -1 },	      [BY_TASK] = { LATENCY_BY_TASK, -1 },
		[BY_CGROUP] = { LATENCY_BY_CGROUP, -1 },	      [BY_CPU] = { LATENCY_BY_NUMBER, LATENCY_RUNQ },
		[BY_DISK] = { LATENCY_BY_PLACE, LATENCY_DISK },	      [BY_CALL] = { LATENCY_BY_NUMBER, LATENCY_SYSCALL },
		[BY_VECTOR] = { LATENCY_BY_NUMBER, LATENCY_SOFTIRQ }, [BY_ADDRESS] = { LATENCY_BY_PLACE, LATENCY_FUTEX },
	};

	*ret = table[choice].by;
	return (table[choice].kind < 0 || table[choice].kind == (int)kind) && latency_by_fits(kind, *ret);
}

static int ask(struct measuring *m, struct note *note)
{
	const struct option_value *o = m->args->option;
	struct latency_request *q = &m->request;

	while (strcmp(latency_kind_names[q->kind], m->args->operand[0]) != 0)
		q->kind++;
	q->by = default_by(q->kind);
	if (o[BY].given && !by_of(q->kind, o[BY].number, &q->by))
		return note_set(note, -EINVAL, "--by %s does not fit %s", bys[o[BY].number], latency_kind_names[q->kind]);
	if (q->kind == LATENCY_SOFTIRQ && (o[PID].given || o[CGROUP].given))
		return note_set(note, -EINVAL, "soft interrupts belong to no process: --%s does not fit", o[PID].given ? "pid" : "cgroup");
	if (o[INTERVAL].given && o[SLOWER].given)
		return note_set(note, -EINVAL, "--interval and --slower both print as they go: choose one");
	q->pid = (int)o[PID].number;
	if (o[PID].given) {
		int fd = target_open(q->pid, note);
		if (fd == -ESRCH)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	q->slow_ns = o[SLOWER].number;
	if (o[CGROUP].given)
		return cgroup_id_find(o[CGROUP].text, &q->cgroup, &q->cgroup_level, note);
	return 0;
}

/* ---- telling ---- */

static void keep_worst(struct measuring *m, const struct latency_slow *s)
{
	size_t at = m->nworst < WORST ? m->nworst++ : WORST - 1;

	if (at == WORST - 1 && m->nslow > WORST && m->worst[at].took_ns >= s->took_ns)
		return;
	for (; at > 0 && m->worst[at - 1].took_ns < s->took_ns; at--)
		m->worst[at] = m->worst[at - 1];
	m->worst[at] = *s;
}

static void tell_slow(void *arg, const struct latency_slow *s)
{
	struct measuring *m = arg;
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = m->line_style };
	int r = 0;

	m->nslow++;
	keep_worst(m, s);
	if (m->args->option[JSON].given)
		r = latency_slow_json(&m->request, s, m->real_minus_mono_ns, &text);
	else
		latency_slow_line(&m->request, s, m->real_minus_mono_ns, &p);
	countdown_clear(&m->down);
	if (m->code == EXIT_FINE)
		m->code = output_write(buf_span(&text), r < 0 ? r : p.error);
}

static void tell(struct measuring *m, struct latency_result *result, uint64_t start_ns, uint64_t before_ns)
{
	const struct option_value *o = m->args->option;
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = m->style };
	struct latency_report report = {
		.request = &m->request, .result = result, .cgroups = m->cgroups,
		.at_s = (double)(result->at_ns - start_ns) / 1e9, .elapsed_s = (double)(result->at_ns - before_ns) / 1e9,
		.real_minus_mono_ns = m->real_minus_mono_ns, .max_rows = o[TOP].given ? (unsigned)o[TOP].number : 10,
		.worst = m->worst, .nworst = m->nworst, .nslow = m->nslow,
	};
	int r = 0;

	if (o[JSON].given) {
		r = latency_json(&report, o[INTERVAL].given || o[SLOWER].given, &text);
	} else if (o[INTERVAL].given) {
		p.style = m->line_style;
		if (m->lines++ % 20 == 0)
			latency_line_head(&p);
		latency_line(&report, &p);
	} else {
		if (m->nslow)
			page_newline(&p);
		latency_text(&report, &p);
	}
	countdown_clear(&m->down);
	if (m->code == EXIT_FINE)
		m->code = output_write(buf_span(&text), r < 0 ? r : p.error);
}

/* ---- the measurement ---- */

static void wait_until(struct measuring *m, uint64_t until_ns)
{
	while (!interrupted && m->code == EXIT_FINE) {
		uint64_t now = clock_mono_ns();

		if (now >= until_ns)
			return;
		uint64_t left_ms = (until_ns - now) / NS_PER_MS + 1;
		countdown_show(&m->down);
		(void)!latency_wait(m->latency, left_ms < 1000 ? (unsigned)left_ms : 1000);
	}
}

static int failed(int r)
{
	if (r == -EOPNOTSUPP)
		say("latency: not measurable: needs a kernel with CONFIG_SCHED_INFO");
	else
		say("latency: %s", strerror(-r));
	return EXIT_UNABLE;
}

static int measure(struct measuring *m)
{
	static struct latency_result before, after, between;
	const struct option_value *o = m->args->option;
	char what[40];
	int r = 0;

	interrupt_catch();
	latency_on_slow(m->latency, tell_slow, m);
	/* Programs count from when they were attached: just now. */
	memset(&before, 0, sizeof before);
	uint64_t start = before.at_ns = clock_mono_ns(), next = start, last = start;
	uint64_t end = o[FOR].given ? start + o[FOR].number : o[INTERVAL].given ? UINT64_MAX : start + DEFAULT_FOR;
	snprintf(what, sizeof what, "measuring %s", latency_kind_names[m->request.kind]);
	m->down = (struct countdown){ .what = what, .end_ns = end };
	while (r == 0 && m->code == EXIT_FINE && !interrupted && last < end) {
		next = !o[INTERVAL].given || end - next <= o[INTERVAL].number ? end : next + o[INTERVAL].number;
		wait_until(m, next);
		r = latency_read(m->latency, &after);
		if (r == 0)
			r = latency_between(&before, &after, &between);
		if (r == 0)
			tell(m, &between, start, last);
		last = after.at_ns;
		struct latency_result swap = before;
		before = after;
		after = swap;
	}
	latency_result_deinit(&before);
	latency_result_deinit(&after);
	latency_result_deinit(&between);
	return r < 0 ? failed(r) : m->code;
}

static int run(const struct arguments *args)
{
	static struct measuring measuring;
	struct measuring *m = &measuring;
	struct note note = { "" };
	struct host *h = NULL;
	int code = EXIT_UNABLE;

	*m = (struct measuring){ .args = args, .style = output_style(args->option[NO_COLOR].given),
				 .line_style = output_table_style(args->option[NO_COLOR].given),
				 .real_minus_mono_ns = clock_real_ns() - clock_mono_ns() };
	int r = ask(m, &note);
	if (r < 0) {
		say("latency: %s", note.text);
		return r == -EOPNOTSUPP || r == -ESRCH ? EXIT_UNABLE : EXIT_USAGE;
	}
	r = host_open_live("/", &h, &note);
	if (r == 0)
		r = latency_new(h, &m->request, &m->latency, &note);
	if (r < 0)
		say("latency: not measurable: %s", note.text);
	if (r == 0 && m->request.by == LATENCY_BY_CGROUP)
		r = cgroup_ids_new(&m->cgroups);
	if (r == 0)
		code = measure(m);
	latency_free(m->latency);
	cgroup_ids_free(m->cgroups);
	host_free(h);
	return code;
}

const struct command command_latency = {
	.name = "latency",
	.summary = "measure waits as histograms: CPU, disk, calls, softirqs, futexes",
	.description =
		"Counts in the kernel, as histograms, how long each takes, and tells the quantiles, the "
		"worst with its time, and who waited most.\n\n"
		"runq: tasks that could run, until a CPU took them. disk: requests, from the driver to "
		"their end, and before that in the queue. syscall: system calls; those whose trade is to "
		"wait (poll, nanosleep…) stand apart. softirq: handlers of soft interrupts. futex: waits of "
		"threads for each other, by address.\n\n"
		"--slower prints each that takes as long as it comes, with who, where and how long; the "
		"threshold is tested in the kernel, so that what is faster costs next to nothing. Ctrl-C "
		"ends early, and prints.\n\n"
		"Needs Linux 5.11 with BTF, and root (CAP_BPF and CAP_PERFMON); kprobes are not needed. "
		"Cost: about 0.3 us a switch (runq), 0.5 us a call (syscall, futex). A quantile is told "
		"within an eighth of it.",
	.operands = "KIND",
	.min_operands = 1,
	.max_operands = 1,
	.operand_choice = kind_choice,
	OPTIONS(options),
	.run = run,
};
