#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "cmd/command.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "report/probe.h"

enum { PID, FOR, LIMIT, INTERVAL, STACK, TOP, RATE, JSON, VERBOSE, NO_COLOR };

static const struct option options[] = {
	[PID] = { "pid", 'p', OPTION_COUNT, "PID", "only in this process; its files are found as it sees them", 1, 1 << 22, NULL },
	[FOR] = { "for", 'd', OPTION_DURATION, "DURATION", "end after so long (default: at Ctrl-C)", NS_PER_MS, 0, NULL },
	[LIMIT] = { "limit", 'n', OPTION_COUNT, "N", "end after N printed hits", 1, 0, NULL },
	[INTERVAL] = { "interval", 'i', OPTION_DURATION, "DURATION", "show the aggregates so far each time it has passed",
		       100 * NS_PER_MS, 0, NULL },
	[STACK] = { "stack", 's', OPTION_FLAG, NULL, "kernel and user stack of each hit; of aggregates: by stack too" },
	[TOP] = { "top", 0, OPTION_COUNT, "N", "rows of an aggregate that are shown (default 20)", 1, 1 << 20, NULL },
	[RATE] = { "rate", 0, OPTION_COUNT, "N", "hits that are printed in a second (default 5000; 0: all)" },
	[JSON] = { "json", 0, OPTION_FLAG, NULL, "a JSON document a line: hits, aggregates, and the end with what was lost" },
	[VERBOSE] = { "verbose", 'v', OPTION_FLAG, NULL, "list: arguments of every probe; else: what the kernel's verifier says" },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
};

#define DRAIN_NS (20 * NS_PER_MS)
#define TALK_WIDTH 100

/* ---- errors ---- */

/* The line, cut around the column where it is long, and a caret. */
static int tell_error(struct span line, const struct probe_error *e)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = output_talk_style(true) };
	size_t room = p.style.width > TALK_WIDTH + 2 ? TALK_WIDTH : p.style.width > 22 ? p.style.width - 2 : 20;
	size_t column = e->column > line.n ? line.n : e->column, from = column > room * 3 / 5 ? column - room * 3 / 5 : 0;
	struct span shown = { line.p + from, line.n - from > room ? room : line.n - from };
	struct span before = { shown.p, column - from };

	if (isatty(STDERR_FILENO))
		page_wrap(&p, 0, "osprey: probe: %s", e->text);
	else
		page_put(&p, "osprey: probe: %s", e->text);
	page_newline(&p);
	page_indent(&p, 2);
	page_put_span(&p, shown);
	page_newline(&p);
	page_indent(&p, 2 + text_columns(before, p.style.unicode));
	page_put(&p, "^");
	page_newline(&p);
	if (p.error == 0)
		(void)!output_write_fd(STDERR_FILENO, buf_span(&text));
	return EXIT_USAGE;
}

static int join_operands(const struct arguments *args, size_t from, struct buf *ret)
{
	for (size_t i = from; i < args->noperands; i++) {
		int r = buf_printf(ret, "%s%s", i > from ? " " : "", args->operand[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- list ---- */

static void put_argument(struct page *p, const struct probe_argument *a)
{
	page_indent(p, 4);
	page_tone(p, TONE_CYAN);
	page_put(p, "%s", a->name);
	page_tone(p, TONE_DIM);
	page_put(p, "  ");
	if (a->place == PLACE_CONTEXT_TEXT)
		page_wrap(p, 8, "%s[%u]", a->type, a->bytes);
	else if (a->elements > 1)
		page_wrap(p, 8, "%s[%u]", a->type, a->elements);
	else
		page_wrap(p, 8, "%s", a->type);
	if (a->place == PLACE_NOWHERE)
		page_wrap(p, 8, "(not readable here)");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static void put_arguments(struct page *p, const struct probe_variant *v)
{
	if (!probe_goes_by_register(v)) {
		vec_each(a, &v->argument)
			put_argument(p, a);
		return;
	}
	page_indent(p, 4);
	page_tone(p, TONE_DIM);
	page_wrap(p, 4, v->kind == PROBE_UPROBE ? "arg0 to arg5 by register: no debug information of it" :
						  "retval by register: no debug information of it");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

/* A probe in an inlined function stands in several places, all under one name. How many; 0: it was listed before. */
static size_t places_of(const probe_variant_vec *found, const struct probe_variant *variant, const struct probe_site *listed)
{
	bool behind = false;
	size_t n = 0;

	if (variant->kind != PROBE_USDT)
		return 1;
	vec_each(v, found) {
		vec_each(site, &v->site) {
			behind |= site == listed;
			if (strcmp(site->name, listed->name) == 0 && !behind)
				return 0;
			n += strcmp(site->name, listed->name) == 0;
		}
	}
	return n;
}

/* Returns how many probes. */
static size_t put_list(struct page *p, const probe_variant_vec *found, bool arguments)
{
	size_t probes = 0;

	vec_each(v, found) {
		vec_each(site, &v->site) {
			size_t places = places_of(found, v, site);
			if (!places)
				continue;
			probes++;
			page_put(p, "%s", site->name);
			if (places > 1) {
				page_tone(p, TONE_DIM);
				page_wrap(p, 4, "(%zu places)", places);
				page_tone(p, TONE_PLAIN);
			}
			if (site->semaphore && arguments) {
				page_tone(p, TONE_DIM);
				page_wrap(p, 4, "(has a semaphore)");
				page_tone(p, TONE_PLAIN);
			}
			page_newline(p);
			if (arguments)
				put_arguments(p, v);
		}
	}
	return probes;
}

static size_t count_sites(const probe_variant_vec *found)
{
	size_t n = 0;

	vec_each(v, found)
		n += v->site.n;
	return n;
}

static int json_list(struct buf *out, const probe_variant_vec *found)
{
	struct json j = { .out = out };

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.probe.list/1");
	json_array(&j, "probes");
	vec_each(v, found) {
		vec_each(site, &v->site) {
			json_object(&j, NULL);
			json_string(&j, "probe", site->name);
			json_bool(&j, "semaphore", site->semaphore != 0);
			json_array(&j, "arguments");
			vec_each(a, &v->argument) {
				json_object(&j, NULL);
				json_string(&j, "name", a->name);
				json_string(&j, "type", a->type[0] ? a->type : NULL);
				json_bool(&j, "readable", a->place != PLACE_NOWHERE);
				json_end(&j);
			}
			json_end(&j);
			json_end(&j);
		}
	}
	json_end(&j);
	json_end(&j);
	return json_finish(&j);
}

/* "sched:*" is a tracepoint's group, as perf has it; *text is what is parsed then. */
static int parse_listed(struct span pattern, struct buf *text, struct probe_spec *ret, struct probe_error *error)
{
	static const char prefix[] = "tracepoint:";
	struct probe_error other;
	int r = probe_spec_parse(pattern, true, ret, error);

	if (r == 0 || error->column || strstr(error->text, "did you mean"))
		return r;
	if (buf_printf(text, "%s%.*s", prefix, (int)pattern.n, pattern.p) < 0)
		return -ENOMEM;
	if (probe_spec_parse(buf_span(text), true, ret, &other) < 0)
		return r;
	/* Errors point into what was typed. */
	ret->name_column -= ret->name_column < sizeof prefix - 1 ? ret->name_column : sizeof prefix - 1;
	return 0;
}

/* All that can be listed without a file: tracepoints, raw ones, kprobes where there are any. */
static int find_listed(struct probe_world *w, struct span pattern, probe_variant_vec *found, struct probe_error *error,
		       struct note *note)
{
	static const enum probe_kind kinds[] = { PROBE_TRACEPOINT, PROBE_RAW_TRACEPOINT, PROBE_KPROBE };
	struct probe_spec spec;
	cleanup(buf_deinit) struct buf tracepoint = { 0 };
	int r = -EINVAL;

	if (pattern.n && memchr(pattern.p, ':', pattern.n)) {
		r = parse_listed(pattern, &tracepoint, &spec, error);
		if (r < 0)
			return r;
		/* An exact name is asked for to see what it holds. */
		w->names_only = w->names_only && (spec.name.n == 0 || probe_has_pattern(spec.name));
		return probe_resolve(w, &spec, 0, found, error, note);
	}
	/* "list sched": any kernel probe that has it in its name. */
	cleanup(buf_deinit) struct buf any = { 0 };
	bool plain = !probe_has_pattern(pattern);
	if (buf_printf(&any, "%s%.*s%s", plain ? "*" : "", (int)pattern.n, pattern.p, plain && pattern.n ? "*" : "") < 0)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		spec = (struct probe_spec){ .kind = kinds[i], .name = buf_span(&any) };
		int one = probe_resolve(w, &spec, i, found, error, note);
		if (one < 0 && one != -EINVAL && one != -EOPNOTSUPP)
			return one;
		if (one == -EOPNOTSUPP)
			say("probe: %s", note->text);
		r = one == 0 ? 0 : r;
	}
	return r;
}

static int run_list(const struct arguments *args)
{
	cleanup(buf_deinit) struct buf pattern = { 0 }, text = { 0 };
	struct page p = { .out = &text, .style = output_table_style(args->option[NO_COLOR].given) };
	struct probe_world world = { .pid = (int)args->option[PID].number, .max_sites = SIZE_MAX, .tracefs = -1,
				     .names_only = !args->option[VERBOSE].given && !args->option[JSON].given,
				     .describe_all = true };
	probe_variant_vec found = { 0 };
	struct probe_error error = { .text = "" };
	struct note note = { "" };
	int code;

	if (join_operands(args, 1, &pattern) < 0)
		return output_write(buf_span(&text), -ENOMEM);
	int r = find_listed(&world, buf_span(&pattern), &found, &error, &note);
	if (r == -EINVAL && error.text[0]) {
		code = tell_error(buf_span(&pattern), &error);
	} else if (r < 0) {
		say("probe: %s", note.text[0] ? note.text : strerror(-r));
		code = EXIT_UNABLE;
	} else if (args->option[JSON].given) {
		code = output_write(buf_span(&text), json_list(&text, &found));
	} else {
		size_t probes = put_list(&p, &found, !world.names_only), places = count_sites(&found);
		page_tone(&p, TONE_STRONG);
		page_put(&p, "%zu probe%s", probes, probes == 1 ? "" : "s");
		if (places != probes)
			page_put(&p, " in %zu places", places);
		page_tone(&p, TONE_PLAIN);
		page_newline(&p);
		code = output_write(buf_span(&text), p.error);
	}
	probe_variants_deinit(&found);
	probe_world_deinit(&world);
	return code;
}

/* ---- at work ---- */

struct watch {
	const struct arguments *args;
	struct probe_report report;
	struct buf text;
	struct page page;
	uint64_t started_ns;
	uint64_t printed, unshown, limit;
	uint64_t rate, second, in_second;
	struct probe_losses before; /* the last drain; with a limit */
	bool limit_reached;
	int error;
};

#define LIMIT_REACHED 1

static int on_hit(void *arg, const struct probe_record *record, const struct probe_layout *l)
{
	struct watch *w = arg;
	uint64_t second = record->mono_ns / NS_PER_S;

	if (second != w->second) {
		w->second = second;
		w->in_second = 0;
	}
	if (w->rate && ++w->in_second > w->rate) {
		w->unshown++;
		return 0;
	}
	if (w->args->option[JSON].given)
		w->error = probe_json_record(&w->text, &w->report, record, l);
	else
		probe_text_record(&w->page, &w->report, record, l);
	w->printed++;
	if (w->error == 0)
		w->error = w->page.error;
	if (w->error < 0)
		return w->error;
	return w->limit && w->printed >= w->limit ? LIMIT_REACHED : 0;
}

/* Whether to go on. A reader that has gone away ends it. */
static bool flush(struct watch *w)
{
	if (w->error == 0 && w->text.n)
		w->error = output_write_fd(STDOUT_FILENO, buf_span(&w->text));
	buf_clear(&w->text);
	return w->error == 0;
}

static void put_aggregates(struct watch *w)
{
	const struct probe_program *program = probe_session_program(w->report.session);
	cleanup(buf_deinit) struct buf keys = { 0 };
	probe_row_vec rows = { 0 };

	event_stacks_until(w->report.stacks, clock_mono_ns());
	for (size_t c = 0; c < program->nclauses; c++) {
		for (size_t a = 0; a < program->clause[c].nactions && w->error == 0; a++) {
			if (program->clause[c].action[a].kind == ACTION_PRINT)
				continue;
			w->error = probe_session_aggregate(w->report.session, c, a, &rows, &keys);
			if (w->error < 0)
				break;
			if (w->args->option[JSON].given)
				w->error = probe_json_aggregate(&w->text, &w->report, c, a, &rows);
			else
				probe_text_aggregate(&w->page, &w->report, c, a, &rows);
		}
	}
	vec_free(&rows);
	w->error = w->error ? w->error : w->page.error;
}

static void put_end(struct watch *w)
{
	/* What came behind the last that was asked for is no loss. */
	struct probe_losses losses = w->before;
	double seconds = (double)(clock_mono_ns() - w->started_ns) / (double)NS_PER_S;
	int r = w->limit_reached ? 0 : probe_session_losses(w->report.session, &losses);

	if (r < 0) {
		w->error = r;
		return;
	}
	if (w->args->option[JSON].given)
		w->error = probe_json_end(&w->text, &losses, w->printed, w->unshown, seconds);
	else
		probe_text_losses(&w->page, &losses, w->unshown);
}

/* In one process, the end of it is the end of the probe. */
static bool target_gone(const struct watch *w)
{
	return w->args->option[PID].given && kill((pid_t)w->args->option[PID].number, 0) < 0 && errno == ESRCH;
}

static void watch(struct watch *w)
{
	const struct option_value *o = w->args->option;
	uint64_t end = o[FOR].given ? w->started_ns + o[FOR].number : UINT64_MAX;
	uint64_t next = o[INTERVAL].given ? w->started_ns + o[INTERVAL].number : UINT64_MAX;
	bool last = false;

	while (!last) {
		uint64_t now = clock_mono_ns(), wake = now + DRAIN_NS;

		wake = wake > end ? end : wake;
		wake = wake > next ? next : wake;
		(void)!clock_sleep_until(wake);
		now = clock_mono_ns();
		last = interrupted || now >= end || target_gone(w);
		if (w->limit)
			w->error = probe_session_losses(w->report.session, &w->before);
		int r = probe_session_drain(w->report.session, on_hit, w);
		if (r == LIMIT_REACHED && w->limit && w->printed >= w->limit)
			last = w->limit_reached = true;
		else if (r < 0 && r != -EINTR)
			w->error = r;
		/* Their ring would fill while no hit asks; what a hit that is still under way needs is left. */
		event_stacks_until(w->report.stacks, now - EVENT_STACKS_LAG_NS);
		if (now >= next && !last) {
			put_aggregates(w);
			next += o[INTERVAL].number;
		}
		if (!flush(w))
			return;
	}
	put_aggregates(w);
	put_end(w);
	flush(w);
}

/* Said wherever stderr goes: who starts a program behind this waits for it. */
static void tell_start(const struct watch *w)
{
	size_t n = probe_session_sites(w->report.session);

	say("probe: %zu place%s probed%s%s", n, n == 1 ? " is" : "s are",
	    probe_session_by_register(w->report.session) ? " (arguments by register)" : "",
	    w->args->option[FOR].given ? "" : "; Ctrl-C ends it");
}

static int tell_verifier(const struct probe_session *s)
{
	const char *text = probe_session_verifier(s), *from = text + strlen(text);

	/* The last lines say why. */
	for (unsigned lines = 0; from > text && lines < 12; from--)
		lines += from[-1] == '\n';
	if (*from)
		(void)!output_write_fd(STDERR_FILENO, span_from(from));
	return EXIT_UNABLE;
}

static int watch_session(const struct arguments *args, struct probe_session *s)
{
	const struct option_value *o = args->option;
	struct watch w = { .args = args, .report.session = s, .limit = o[LIMIT].given ? o[LIMIT].number : 0,
			   .rate = o[RATE].given ? o[RATE].number : 5000 };
	struct note note = { "" };

	interrupt_catch();
	int r = event_stacks_new(&(struct symbolizer_options){ 0 }, &w.report.stacks);
	r = r < 0 ? r : probe_session_attach(s, &note);
	if (r < 0) {
		say("probe: %s", note.text[0] ? note.text : strerror(-r));
		event_stacks_free(w.report.stacks);
		return o[VERBOSE].given ? tell_verifier(s) : EXIT_UNABLE;
	}
	w.page = (struct page){ .out = &w.text, .style = output_table_style(o[NO_COLOR].given) };
	w.report.real_minus_mono_ns = (int64_t)(clock_real_ns() - clock_mono_ns());
	w.report.several = probe_session_sites(s) > 1;
	w.report.rows = o[TOP].given ? o[TOP].number : 20;
	w.started_ns = clock_mono_ns();
	if (o[PID].given)
		event_stacks_meet(w.report.stacks, (int)o[PID].number);
	tell_start(&w);
	watch(&w);
	int code = w.error == 0 || w.error == -EPIPE ? EXIT_FINE : EXIT_UNABLE;
	if (code != EXIT_FINE)
		say("probe: %s", strerror(-w.error));
	event_stacks_free(w.report.stacks);
	buf_deinit(&w.text);
	return code;
}

static int check_target(const struct arguments *args)
{
	if (args->option[PID].given && kill((pid_t)args->option[PID].number, 0) < 0 && errno == ESRCH) {
		say("probe: there is no process %s", args->option[PID].text);
		return EXIT_UNABLE;
	}
	return EXIT_FINE;
}

static int run(const struct arguments *args)
{
	cleanup(buf_deinit) struct buf line = { 0 };
	struct probe_options wanted = { .pid = (int)args->option[PID].number, .stacks = args->option[STACK].given,
					.verbose = args->option[VERBOSE].given };
	struct probe_session *s = NULL;
	struct probe_error error = { .text = "" };
	struct note note = { "" };
	int code = check_target(args);

	if (code != EXIT_FINE)
		return code;
	if (strcmp(args->operand[0], "list") == 0)
		return run_list(args);
	if (join_operands(args, 0, &line) < 0)
		return output_write(buf_span(&line), -ENOMEM);
	int r = probe_session_new(buf_span(&line), &wanted, &s, &error, &note);
	if (r == -EINVAL && error.text[0])
		return tell_error(buf_span(&line), &error);
	if (r < 0) {
		say("probe: %s", note.text[0] ? note.text : strerror(-r));
		return EXIT_UNABLE;
	}
	code = watch_session(args, s);
	probe_session_free(s);
	return code;
}

const struct command command_probe = {
	.name = "probe",
	.summary = "watch functions, tracepoints, USDT: print, count, sum, histogram",
	.description =
		"osprey probe list [PATTERN] shows what can be probed; osprey probe 'PROBE [if FILTER] "
		"[ACTION]' does it, until Ctrl-C, --for or --limit. What was lost is always told.\n\n"
		"PROBE: tracepoint:GROUP:EVENT, rawtracepoint:EVENT, kprobe:FUNCTION[+OFFSET], "
		"kretprobe:FUNCTION, uprobe:FILE:FUNCTION[+OFFSET] or uprobe:FILE:0xADDRESS, "
		"uretprobe:FILE:FUNCTION, usdt:FILE:[PROVIDER:]NAME (short: t rt k kr u ur). FILE is a "
		"path, or a name: libc, bash. * and ? match several, and 'probe' says which was hit.\n\n"
		"ACTION: print [VALUE, …] (when none is named: every argument), count, sum VALUE, min "
		"VALUE, max VALUE, avg VALUE, histogram VALUE (by powers of 2); all but print take 'by "
		"VALUE, …'. More actions follow behind ';', and so do more probes with filters and actions "
		"of their own.\n\n"
		"VALUES: what osprey probe list PROBE shows (fields, arguments), arg0 to arg5 by position, "
		"retval of a return; pid, tid, uid, comm, cpu, ns (time), cgroup, probe, stack, ustack, "
		"kstack. Where a field has the name of one of these, the field is meant, and current.pid is "
		"the task's. str(ADDRESS) is text, a->b a member by the kernel's types "
		"(current->real_parent->tgid), a[1] an element, *a what it points to, "
		"read8/16/32/64(ADDRESS) memory, u8 to u64, i8 to i64 and int cut a number, hex(…) shows it "
		"so. Numbers: 12, 0x1f, 4k, 10ms (in ns).\n\n"
		"FILTER: ! - ~ * / % + - << >> & ^ | then == != < <= > >= starts, then && and ||. Texts: == "
		"!= starts, with a text in quotes: comm == \"nginx\", str(filename) starts \"/etc/\".\n\n"
		"Examples:\n\n"
		"osprey probe 'tracepoint:sched:sched_switch if prev_prio < 100 count by prev_comm'\n\n"
		"osprey probe 'tracepoint:syscalls:sys_enter_openat print str(filename)'\n\n"
		"osprey probe --for 5s 'uprobe:libc:malloc histogram arg0 by comm; sum arg0 by pid'\n\n"
		"osprey probe --pid 812 'uretprobe:libc:malloc if retval == 0 print'\n\n"
		"Arguments and results of a user function have the names and types of its debug information "
		"(the file's own, or a separate one), where a single function is named. Without it, and "
		"where a pattern matches, arg0 to arg5 are the registers of the calling convention, 64 bits "
		"each: a C int that is below 0 is then int(retval). Text and memory that is not resident "
		"cannot be read: such values are shown as (unreadable), never as 0. Hits of osprey itself "
		"are not printed. A hit of a user probe costs the program some microseconds (bench/probe.sh "
		"measures it), that of a tracepoint a tenth. --stack prints kernel and user stacks: those "
		"of the user are unwound by the rules of the program's files from registers and 8 KiB that "
		"are copied with the hit, and say why when they are not whole (x86-64; 32-bit processes "
		"have none; but of user probes needs Linux 5.15, before by frame pointers). As keys of "
		"aggregates they go by frame pointers, which end early in code that has none. Nothing stays "
		"attached when osprey ends, however it ends. Needs root and Linux 5.8.",
	.operands = "list [PATTERN] | PROBE [if FILTER] [ACTION]",
	.min_operands = 1,
	.max_operands = OPERANDS_ANY,
	OPTIONS(options),
	.run = run,
};
