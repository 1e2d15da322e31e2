#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "act/run.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "cmd/command.h"
#include "cmd/countdown.h"
#include "cmd/inherited.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "dig/child/waiting_child.h"
#include "report/count.h"
#include "source/cpu/cpu_stat.h"

enum { EVENTS, DETAIL, LIST, FOR, INTERVAL, REPEAT, CGROUP, ALL, OUTPUT, JSON, CSV, NO_COLOR };

#define DURATIONS UINT64_C(10000000), UINT64_C(31536000000000000) /* 10 ms to a year */
#define DEFAULT_FOR (5 * NS_PER_S)

static const struct option options[] = {
	[EVENTS] = { "events", 'e', OPTION_TEXT, "EVENT,…",
		     "count these: cycles:u, {cycles,instructions}, sched:sched_switch, r01c2; often" },
	[DETAIL] = { "detail", 'd', OPTION_FLAG, NULL, "also the caches and TLBs" },
	[LIST] = { "list", 'l', OPTION_FLAG, NULL, "list the events and whether this machine has them" },
	[FOR] = { "for", 'f', OPTION_DURATION, "DURATION", "how long (5s; with --interval until Ctrl-C)", DURATIONS },
	[INTERVAL] = { "interval", 'i', OPTION_DURATION, "DURATION", "a line for each so much time", DURATIONS },
	[REPEAT] = { "repeat", 'r', OPTION_COUNT, "N", "run COMMAND N times: means and standard deviations", 1, 100000 },
	[CGROUP] = { "cgroup", 'g', OPTION_FILE, "PATH", "the tasks of a cgroup and of those below it" },
	[ALL] = { "all", 'a', OPTION_FLAG, NULL, "the whole host while COMMAND runs" },
	[OUTPUT] = { "output", 'o', OPTION_FILE, "FILE", "write the counts of COMMAND there in place of stderr" },
	[JSON] = { "json", 'j', OPTION_FLAG, NULL, "as JSON, schema osprey.count/1; with --interval a document a line" },
	[CSV] = { "csv", 0, OPTION_FLAG, NULL, "as CSV, a line for each look" },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
};

#define DEFAULT_EVENTS                                                                            \
	"{task-clock,context-switches,cpu-migrations,page-faults,major-faults},"                  \
	"{cycles,instructions,branches,branch-misses},{stalled-cycles-frontend,stalled-cycles-backend}," \
	"{cache-references,cache-misses}"
#define DETAIL_EVENTS                                                                             \
	"{L1-dcache-loads,L1-dcache-load-misses},{LLC-loads,LLC-load-misses},{dTLB-loads,dTLB-load-misses}," \
	"iTLB-load-misses"

struct counting {
	const struct arguments *args;
	count_event_vec events;
	struct count_set *set;
	struct host *host; /* of the whole host: for its CPUs' times */
	char subject[200];
	bool command, of_host;
	int output;
	VEC(struct pollfd) members; /* pidfds */
	unsigned unsure;
	/* of runs, to be averaged */
	unsigned runs;
	struct moments {
		double mean, squares, running;
		unsigned n;
	} figure[COUNT_MAX_EVENTS], elapsed, user, system;
	size_t lines;
};

static void counting_deinit(struct counting *c)
{
	count_set_free(c->set);
	host_free(c->host);
	vec_each(m, &c->members)
		close(m->fd);
	vec_free(&c->members);
	vec_free(&c->events);
	if (c->output >= 0)
		close(c->output);
}

/* ---- --list ---- */

static int probe(const struct count_name *name, char *ret_why, size_t size)
{
	struct count_event e = { .name = name, .kind = name->kind, .config = name->config };
	struct count_set *set;
	struct note note = { "" };
	int r = count_set_new(&e, 1, &set);

	if (r < 0)
		return r;
	r = count_set_add_child(set, getpid(), &note);
	const char *why = count_set_why(set, 0);
	snprintf(ret_why, size, "%s", why ? why : note.text);
	count_set_free(set);
	return r;
}

static void list_line(struct page *p, const struct count_name *name, const char *why)
{
	page_tone(p, why[0] ? TONE_DIM : TONE_STRONG);
	page_put(p, "%s", name->name);
	page_tone(p, TONE_PLAIN);
	page_indent(p, 25);
	page_put(p, "%s", why[0] ? "no  " : "yes ");
	unsigned hang = p->style.width < 60 ? 4 : 29;
	if (hang < 29)
		page_newline(p);
	page_wrap(p, hang, "%s", name->help);
	if (name->other[0])
		page_wrap(p, hang, "(also: %s)", name->other);
	page_newline(p);
}

static int list_events(const struct arguments *args)
{
	char why[2][200] = { "" };
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = output_style(args->option[NO_COLOR].given) };
	struct json j = { .out = &text };
	bool json = args->option[JSON].given;
	int r = 0;

	if (json) {
		json_object(&j, NULL);
		json_string(&j, "schema", "osprey.count.list/1");
		json_array(&j, "events");
	}
	for (size_t i = 0; i < count_nnames && r == 0; i++) {
		r = probe(&count_names[i], why[0], sizeof why[0]);
		if (!json) {
			/* Many lack the same. */
			if (why[0][0] && strcmp(why[0], why[1]) != 0) {
				page_tone(&p, TONE_YELLOW);
				page_wrap(&p, 0, "not here: %s:", why[0]);
				page_newline(&p);
			}
			memcpy(why[1], why[0], sizeof why[0]);
			list_line(&p, &count_names[i], why[0]);
			continue;
		}
		json_object(&j, NULL);
		json_string(&j, "name", count_names[i].name);
		json_string(&j, "help", count_names[i].help);
		json_bool(&j, "here", !why[0][0]);
		json_string(&j, "why", why[0][0] ? why[0] : NULL);
		json_end(&j);
	}
	if (json) {
		json_end(&j);
		json_end(&j);
		r = r < 0 ? r : json_finish(&j);
	} else {
		page_wrap(&p, 0, "Also tracepoints (-e sched:sched_switch) and the CPU's own events (-e r01c2).");
		page_newline(&p);
	}
	return output_write(buf_span(&text), r < 0 ? r : p.error);
}

/* ---- telling ---- */

static void add(struct moments *m, double v)
{
	if (isnan(v))
		return;
	double off = v - m->mean;
	m->mean += off / ++m->n;
	m->squares += off * (v - m->mean);
}

static double mean_of(const struct moments *m)
{
	return m->n ? m->mean : NAN;
}

static double stddev_of(const struct moments *m)
{
	return m->n > 1 ? sqrt(m->squares / (m->n - 1)) : NAN;
}

static void add_look(struct counting *c, const struct count_value *values)
{
	for (size_t i = 0; i < c->events.n; i++) {
		double pct = count_value_running_pct(&values[i]);

		add(&c->figure[i], count_value_scaled(&values[i]));
		c->figure[i].running = c->runs == 0 || pct < c->figure[i].running ? pct : c->figure[i].running;
	}
	c->runs++;
}

static int tell_as(struct counting *c, const struct count_report *report, struct buf *text)
{
	const struct option_value *o = c->args->option;
	struct page p = { .out = text };
	int r = 0;

	if (o[JSON].given)
		return count_json(report, o[INTERVAL].given, text);
	if (o[CSV].given) {
		r = c->lines ? 0 : count_csv_head(report, text);
		return r < 0 ? r : count_csv(report, text);
	}
	p.style = c->command ? output_talk_style(o[NO_COLOR].given || c->output >= 0) :
		  o[INTERVAL].given ? output_table_style(o[NO_COLOR].given) : output_style(o[NO_COLOR].given);
	/* A series that goes to a file or a pipe stays a table. */
	if (o[INTERVAL].given && c->command && (c->output >= 0 || !isatty(STDERR_FILENO)))
		p.style.width = 1u << 24;
	if (!o[INTERVAL].given)
		count_text(report, &p);
	else {
		if (c->lines % 20 == 0)
			count_line_head(report, &p);
		count_line(report, &p);
	}
	return p.error;
}

static int tell(struct counting *c, double at_s, double busy_cpus)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct count_figure figures[COUNT_MAX_EVENTS];
	struct count_report report = {
		.subject = c->subject, .events = c->events.v, .figures = figures, .n = c->events.n, .at_s = at_s,
		.elapsed_s = mean_of(&c->elapsed), .elapsed_stddev_s = stddev_of(&c->elapsed),
		.user_s = mean_of(&c->user), .system_s = mean_of(&c->system), .busy_cpus = busy_cpus, .runs = c->runs,
		.unsure = c->unsure, .only_user = count_set_only_user(c->set), .of_host = c->of_host,
		.is_process = c->members.n > 0,
	};
	uint64_t pid;

	if (c->members.n && span_u64(span_from(c->args->operand[0]), &pid))
		report.pid = (int)pid;
	for (size_t i = 0; i < c->events.n; i++) {
		const char *why = count_set_why(c->set, i);

		figures[i] = (struct count_figure){ mean_of(&c->figure[i]), stddev_of(&c->figure[i]),
						    c->figure[i].running, "" };
		if (why)
			snprintf(figures[i].why, sizeof figures[i].why, "%s", why);
	}
	int r = tell_as(c, &report, &text);
	c->lines++;
	if (!c->command)
		return output_write(buf_span(&text), r);
	if (r == 0)
		r = output_write_fd(c->output >= 0 ? c->output : STDERR_FILENO, buf_span(&text));
	if (r < 0 && c->output >= 0)
		say("count: the counts could not be written to %s: %s", c->args->option[OUTPUT].text, strerror(-r));
	return r < 0 ? EXIT_UNABLE : EXIT_FINE;
}

static void forget(struct counting *c)
{
	memset(c->figure, 0, sizeof c->figure);
	c->elapsed = c->user = c->system = (struct moments){ 0 };
	c->runs = 0;
}

/* ---- looks ---- */

struct look {
	uint64_t at_ns, busy_ns;
	struct count_value value[COUNT_MAX_EVENTS];
};

static int look(struct counting *c, struct look *ret)
{
	int r = count_set_read(c->set, ret->value);

	ret->at_ns = clock_mono_ns();
	ret->busy_ns = READING_ABSENT;
	if (r == 0 && c->host) {
		cleanup(buf_deinit) struct buf scratch = { 0 };
		struct cpu_stat stat;

		r = cpu_stat_read(c->host, &scratch, &stat, NULL);
		if (r == 0 && stat.presence == PRESENT)
			ret->busy_ns = cpu_times_busy_ns(&stat.total);
	}
	return r;
}

/* What happened between two looks becomes the one run of a report. */
static int tell_between(struct counting *c, uint64_t start_ns, const struct look *before, const struct look *after)
{
	struct count_value delta[COUNT_MAX_EVENTS];
	double elapsed = (double)(after->at_ns - before->at_ns) / 1e9;

	forget(c);
	for (size_t i = 0; i < c->events.n; i++)
		delta[i] = count_value_delta(&before->value[i], &after->value[i]);
	add_look(c, delta);
	add(&c->elapsed, elapsed);
	return tell(c, (double)(after->at_ns - start_ns) / 1e9,
		    reading_value(reading_delta(before->busy_ns, after->busy_ns)) / 1e9 / elapsed);
}

/* Whether all counted processes have ended. */
static bool wait_members(struct counting *c, uint64_t until_ns, struct countdown *down)
{
	while (!interrupted) {
		uint64_t now = clock_mono_ns();
		size_t alive = 0;

		vec_each(m, &c->members)
			alive += m->fd >= 0;
		if (alive == 0)
			return true;
		if (now >= until_ns)
			return false;
		countdown_show(down);
		int ms = until_ns - now > NS_PER_S ? 1000 : (int)((until_ns - now) / NS_PER_MS) + 1;
		if (poll(c->members.v, c->members.n, ms) <= 0)
			continue;
		vec_each(m, &c->members)
			if (m->fd >= 0 && m->revents) {
				close(m->fd);
				m->fd = -1;
			}
	}
	return false;
}

static int watch(struct counting *c)
{
	const struct option_value *o = c->args->option;
	uint64_t every = o[INTERVAL].given ? o[INTERVAL].number : UINT64_MAX;
	static struct look before, after;
	char what[240];
	int r, code = EXIT_FINE;
	bool ended = false;

	interrupt_catch();
	count_set_enable();
	r = look(c, &before);
	uint64_t start = before.at_ns, next = start;
	uint64_t end = o[FOR].given ? start + o[FOR].number : o[INTERVAL].given ? UINT64_MAX : start + DEFAULT_FOR;
	snprintf(what, sizeof what, "counting %s", c->subject);
	struct countdown down = { .what = what, .end_ns = end };
	while (r == 0 && code == EXIT_FINE && !ended && !interrupted && before.at_ns < end) {
		next = every == UINT64_MAX || end - next <= every ? end : next + every;
		if (c->members.n)
			ended = wait_members(c, next, &down);
		else
			(void)!countdown_sleep(&down, next);
		countdown_clear(&down);
		r = look(c, &after);
		if (r == 0)
			code = tell_between(c, start, &before, &after);
		before = after;
	}
	if (r < 0)
		say("count: %s", strerror(-r));
	return r < 0 ? EXIT_UNABLE : code;
}

/* ---- a command ---- */

/* Until it ends or the time has come: SIGCHLD, and what others want it to be told. True: it has ended. */
static bool wait_child(pid_t pid, uint64_t until_ns, int *ret_status, struct rusage *ret_usage)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	for (;;) {
		uint64_t now = clock_mono_ns(), left;

		if (wait4(pid, ret_status, WNOHANG, ret_usage) == pid)
			return true;
		if (now >= until_ns)
			return false;
		left = until_ns == UINT64_MAX ? 3600 * NS_PER_S : until_ns - now;
		int sig = sigtimedwait(&set, NULL, &(struct timespec){ (time_t)(left / NS_PER_S), (long)(left % NS_PER_S) });
		if (sig == SIGTERM || sig == SIGHUP)
			kill(pid, sig);
	}
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static int attach_child(struct counting *c, pid_t pid, struct note *note)
{
	int r = count_set_new(c->events.v, c->events.n, &c->set);

	if (r < 0)
		return note_set(note, r, "out of memory");
	return c->of_host ? count_set_add_cpus(c->set, -1, note) : count_set_add_child(c->set, pid, note);
}

/* As a shell has it. */
static int no_command(int negative_errno, const struct note *note)
{
	say("count: %s", note->text);
	return negative_errno == -ENOENT ? 127 : 126;
}

/* One run. 0, or the exit code of osprey's own failure. */
static int run_once(struct counting *c, int *ret_status)
{
	uint64_t every = c->args->option[INTERVAL].given ? c->args->option[INTERVAL].number : UINT64_MAX;
	static struct look before, after;
	struct waiting_child child;
	struct note note = { "" };
	struct rusage usage;
	bool ended = false;

	count_set_free(c->set);
	c->set = NULL;
	struct waiting_child_request q = { .argv = c->args->operand, .restore = inherited_restore };
	int r = waiting_child_start(&q, &child, &note);
	if (r == -ENOENT || r == -EACCES)
		return no_command(r, &note);
	if (r == 0 && (r = attach_child(c, child.pid, &note)) < 0)
		waiting_child_drop(&child);
	if (r < 0) {
		say("count: %s", note.text);
		return RUN_FAILED;
	}
	if (c->of_host)
		count_set_enable();
	r = look(c, &before);
	uint64_t start = before.at_ns, next = start;
	int go = waiting_child_go(&child, &note);
	if (go < 0)
		return no_command(go, &note);
	while (!ended && r == 0) {
		next = every == UINT64_MAX ? UINT64_MAX : next + every;
		ended = wait_child(child.pid, next, ret_status, &usage);
		r = look(c, &after);
		if (r == 0 && every != UINT64_MAX)
			r = tell_between(c, start, &before, &after) == EXIT_FINE ? 0 : -EIO;
		if (every != UINT64_MAX)
			before = after;
	}
	if (!ended)
		wait_child(child.pid, UINT64_MAX, ret_status, &usage);
	if (r < 0 || every != UINT64_MAX)
		return 0;
	for (size_t i = 0; i < c->events.n; i++)
		after.value[i] = count_value_delta(&before.value[i], &after.value[i]);
	add_look(c, after.value);
	add(&c->elapsed, (double)(after.at_ns - start) / 1e9);
	add(&c->user, seconds(usage.ru_utime));
	add(&c->system, seconds(usage.ru_stime));
	return 0;
}

static int run_command(struct counting *c)
{
	uint64_t times = c->args->option[REPEAT].given ? c->args->option[REPEAT].number : 1;
	int status = 0, first_bad = 0, code = 0;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* The terminal sends them to the program as well, whose end is ours. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	for (uint64_t i = 0; i < times && code == 0 && !WIFSIGNALED(status); i++) {
		code = run_once(c, &status);
		first_bad = first_bad ? first_bad : status;
	}
	if (code)
		return code;
	if (!c->args->option[INTERVAL].given && c->runs)
		code = tell(c, mean_of(&c->elapsed), NAN);
	if (WIFSIGNALED(first_bad))
		run_die_of(WTERMSIG(first_bad));
	return WEXITSTATUS(first_bad) ? WEXITSTATUS(first_bad) : code == EXIT_FINE ? EXIT_FINE : RUN_FAILED;
}

/* ---- what is asked for ---- */

static bool is_number(const char *word)
{
	uint64_t n;

	return span_u64(span_from(word), &n);
}

static const char *conflict(const struct arguments *args, bool command)
{
	const struct option_value *o = args->option;

	if (o[JSON].given && o[CSV].given)
		return "--json and --csv exclude each other";
	if (!command && o[REPEAT].given)
		return "--repeat is for a COMMAND";
	if (!command && o[ALL].given)
		return "--all is for a COMMAND; the whole host is counted when nothing is named";
	if (!command && o[OUTPUT].given)
		return "--output is for a COMMAND; without one the counts go to stdout";
	if (command && o[FOR].given)
		return "--for is not for a COMMAND, which is counted until it ends";
	if (o[CGROUP].given && args->noperands)
		return "--cgroup names what is counted: PIDs and a COMMAND cannot go with it";
	if (o[REPEAT].given && o[INTERVAL].given)
		return "--repeat and --interval exclude each other";
	return NULL;
}

static int wanted_events(struct counting *c, struct note *note)
{
	int r = 0;

	for (size_t i = 0; i < c->args->ngiven && r == 0; i++)
		if (c->args->given[i].option == EVENTS)
			r = count_events_parse(span_from(c->args->given[i].text), &c->events, note);
	if (r == 0 && !c->args->option[EVENTS].given)
		r = count_events_parse(SPAN(DEFAULT_EVENTS), &c->events, note);
	if (r == 0 && c->args->option[DETAIL].given)
		r = count_events_parse(SPAN(DETAIL_EVENTS), &c->events, note);
	if (r == 0 && c->events.n > COUNT_MAX_EVENTS)
		r = note_set(note, -EINVAL, "more than %d events", COUNT_MAX_EVENTS);
	return r;
}

static int resolve_events(struct counting *c)
{
	vec_each(e, &c->events) {
		struct note note = { "" };
		int r = count_event_resolve(e, &note);

		if (r < 0) {
			say("count: %s", note.text);
			return r == -ENOENT ? EXIT_USAGE : EXIT_UNABLE;
		}
	}
	return EXIT_FINE;
}

static int unable(const struct note *note)
{
	say("count: %s", note->text);
	return EXIT_UNABLE;
}

static int open_cgroup(const char *path, struct note *note)
{
	static const char *const roots[] = { "", "/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/perf_event" };
	char whole[4200];

	for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
		snprintf(whole, sizeof whole, "%s%s%.4000s", roots[i], roots[i][0] && path[0] != '/' ? "/" : "", path);
		int fd = open(whole, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		cleanup(close_fd) int procs = fd < 0 ? -1 : openat(fd, "cgroup.procs", O_PATH | O_CLOEXEC);
		if (procs >= 0)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return note_set(note, -ENOENT, "there is no cgroup '%.150s' (a path as in /proc/PID/cgroup, or its directory)", path);
}

static int prepare_cgroup(struct counting *c)
{
	struct note note = { "" };
	cleanup(close_fd) int fd = open_cgroup(c->args->option[CGROUP].text, &note);

	if (fd < 0)
		return unable(&note);
	snprintf(c->subject, sizeof c->subject, "cgroup %.180s", c->args->option[CGROUP].text);
	if (count_set_add_cpus(c->set, fd, &note) < 0)
		return unable(&note);
	return EXIT_FINE;
}

static int prepare_host(struct counting *c)
{
	struct note note = { "" };

	snprintf(c->subject, sizeof c->subject, "the host");
	c->of_host = true;
	if (host_open_live("/", &c->host, &note) < 0 || count_set_add_cpus(c->set, -1, &note) < 0)
		return unable(&note);
	return EXIT_FINE;
}

static void name_process(pid_t pid, char *ret, size_t size)
{
	char path[40], name[20] = "process";
	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof name - 1);

	if (n > 0)
		span_copy(span_trim((struct span){ name, (size_t)n }), name, sizeof name);
	snprintf(ret, size, "%s (%d)", name, pid);
}

static int prepare_processes(struct counting *c)
{
	for (size_t i = 0; i < c->args->noperands; i++) {
		struct note note = { "" };
		struct pollfd *m = vec_push(&c->members);
		uint64_t pid;
		unsigned unsure = 0;

		if (!m)
			return unable(&(struct note){ "out of memory" });
		if (!span_u64(span_from(c->args->operand[i]), &pid) || pid == 0 || pid > INT32_MAX) {
			say("count: '%s' is no PID", c->args->operand[i]);
			m->fd = -1;
			return EXIT_USAGE;
		}
		*m = (struct pollfd){ .fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0), .events = POLLIN };
		if (m->fd < 0) {
			say("count: there is no process %d", (int)pid);
			return EXIT_UNABLE;
		}
		if (count_set_add_process(c->set, (pid_t)pid, &unsure, &note) < 0)
			return unable(&note);
		c->unsure += unsure;
		if (i == 0)
			name_process((pid_t)pid, c->subject, sizeof c->subject);
	}
	if (c->args->noperands > 1)
		snprintf(c->subject, sizeof c->subject, "%zu processes", c->args->noperands);
	return EXIT_FINE;
}

static void name_command(struct counting *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->args->noperands && n < sizeof c->subject; i++)
		n += (size_t)snprintf(c->subject + n, sizeof c->subject - n, i ? " %s" : "%s", c->args->operand[i]);
	if (c->of_host)
		snprintf(c->subject, sizeof c->subject, "the host while %.160s ran", c->args->operand[0]);
}

/* Not one event can be counted: that is no answer. */
static bool all_missing(const struct counting *c)
{
	for (size_t i = 0; i < c->events.n; i++)
		if (!count_set_why(c->set, i))
			return false;
	say("count: not measurable: %s", count_set_why(c->set, 0));
	return true;
}

static int go(struct counting *c)
{
	const struct option_value *o = c->args->option;
	int code = EXIT_FINE;

	if (c->command) {
		c->of_host = o[ALL].given;
		name_command(c);
		if (o[OUTPUT].given) {
			c->output = open(o[OUTPUT].text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
			if (c->output < 0) {
				say("count: cannot write %s: %s; nothing was started", o[OUTPUT].text, strerror(errno));
				return RUN_FAILED;
			}
		}
		return run_command(c);
	}
	if (count_set_new(c->events.v, c->events.n, &c->set) < 0)
		return unable(&(struct note){ "out of memory" });
	code = o[CGROUP].given ? prepare_cgroup(c) : c->args->noperands ? prepare_processes(c) : prepare_host(c);
	if (code != EXIT_FINE)
		return code;
	return all_missing(c) ? EXIT_UNABLE : watch(c);
}

static int run(const struct arguments *args)
{
	static struct counting counting;
	struct counting *c = &counting;
	struct note note = { "" };
	const char *wrong;

	*c = (struct counting){ .args = args, .output = -1, .command = args->noperands && !is_number(args->operand[0]) };
	if (args->option[LIST].given)
		return list_events(args);
	wrong = conflict(args, c->command);
	if (!wrong && wanted_events(c, &note) < 0)
		wrong = note.text[0] ? note.text : "out of memory";
	if (wrong)
		say("count: %s", wrong);
	int code = wrong ? EXIT_USAGE : resolve_events(c);
	if (code == EXIT_FINE)
		code = go(c);
	counting_deinit(c);
	return code;
}

const struct command command_count = {
	.name = "count",
	.summary = "count what happens: cycles, instructions, misses, switches, faults",
	.description =
		"Counts hardware and software events of processes (all their threads, and what they start), "
		"of COMMAND, of a cgroup, or of the whole host when nothing is named, by the kernel's own "
		"counters, and tells what follows: instructions per cycle, miss rates, CPUs used, clock.\n\n"
		"Events within braces are counted together. When the CPU has fewer counters than groups, "
		"they take turns, and the line says from how much of the time it is scaled. What this "
		"machine cannot count is named with the reason; --list shows all.\n\n"
		"The output of COMMAND is left alone: its counts go to stderr or to --output, and its exit "
		"code is passed on; a signal that ended it ends osprey too; 125 when osprey failed, 126 and "
		"127 when COMMAND cannot be started.\n\n"
		"Needs: for own processes nothing (perf_event_paranoid 2: user space alone is counted); for "
		"others, cgroups and the host CAP_PERFMON. Cost: some 20 ns for each software event, about "
		"1 us for each switch of a counted task.",
	.operands = "[PID… | [--] COMMAND [ARGUMENT…]]",
	.max_operands = OPERANDS_ANY,
	.operands_end_options = true,
	.numbers_before_options = true,
	OPTIONS(options),
	.run = run,
};
