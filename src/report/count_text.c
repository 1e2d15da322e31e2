#include <math.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "report/count.h"

#define VALUE_COLUMNS 16

static void figures_of(const struct count_report *r, double *ret)
{
	for (size_t i = 0; i < r->n; i++)
		ret[i] = r->figures[i].value;
}

static struct units_text value_text(const struct count_event *e, double value)
{
	struct units_text t;

	if (count_event_unit(e) != COUNT_NS)
		return number_text(value);
	snprintf(t.text, sizeof t.text, value < 1e10 ? "%.2f ms" : "%.0f ms", value / 1e6);
	return t;
}

/* ---- the answer in a sentence ---- */

static double metric_of(const struct count_report *r, enum count_metric_id id)
{
	double values[COUNT_MAX_EVENTS];

	figures_of(r, values);
	return count_metric_first(id, r->events, values, r->n, r->elapsed_s);
}

static void say_ipc(const struct count_report *r, struct page *p)
{
	double ipc = metric_of(r, COUNT_METRIC_instructions_per_cycle);

	if (isnan(ipc))
		return;
	page_wrap(p, 0, "%.2f instructions a cycle%s;", ipc,
		  ipc < 0.7 ? " (low: it waits, mostly for memory)" : ipc > 2 ? " (high: it computes)" : "");
}

static void answer(const struct count_report *r, struct page *p)
{
	double cpus = metric_of(r, COUNT_METRIC_cpus_used), switches = metric_of(r, COUNT_METRIC_context_switches_per_s);
	double major = metric_of(r, COUNT_METRIC_major_faults_per_s);

	page_tone(p, TONE_STRONG);
	page_wrap(p, 0, "%s", r->subject);
	page_tone(p, TONE_PLAIN);
	page_wrap(p, 0, "in %s%s:", duration_text(r->elapsed_s).text, r->runs > 1 ? " (mean)" : "");
	if (!isnan(r->busy_cpus))
		cpus = r->busy_cpus;
	if (!isnan(cpus))
		page_wrap(p, 0, "%.2f CPUs used;", cpus);
	say_ipc(r, p);
	if (!isnan(switches))
		page_wrap(p, 0, "%s context switches/s%s", number_text(switches).text, isnan(major) ? "" : ";");
	if (!isnan(major))
		page_wrap(p, 0, major > 0 ? "%s page faults/s waited for a disk" : "no page fault waited for a disk",
			  number_text(major).text);
	page_newline(p);
}

/* ---- the table ---- */

static void put_right(struct page *p, unsigned to, const char *text)
{
	unsigned columns = text_columns(span_from(text), p->style.unicode);

	page_indent(p, to > columns ? to - columns : 0);
	page_put(p, "%s", text);
}

static void metric_words(unsigned id, double v, char *ret, size_t size)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (strstr(count_metrics[id].words, "%s"))
		snprintf(ret, size, count_metrics[id].words, number_text(v).text);
	else
		snprintf(ret, size, count_metrics[id].words, v);
#pragma GCC diagnostic pop
}

static void metrics_of_event(const struct count_report *r, const double *values, size_t i, unsigned hang, struct page *p)
{
	bool first = true;

	for (unsigned id = 0; id < COUNT_METRICS; id++) {
		char text[80];
		double v = id == COUNT_METRIC_cpus_used && r->of_host ?
				   NAN : count_metric_value(id, r->events, values, r->n, i, r->elapsed_s);
		if (isnan(v))
			continue;
		metric_words(id, v, text, sizeof text);
		page_wrap(p, hang, "%s%s", first ? "" : "· ", text);
		first = false;
	}
}

static unsigned name_columns(const struct count_report *r)
{
	unsigned widest = 12;

	for (size_t i = 0; i < r->n; i++)
		if (!r->figures[i].why[0] && strlen(r->events[i].text) > widest)
			widest = (unsigned)strlen(r->events[i].text);
	return widest;
}

/* What stands behind a figure: how sure it is, and what follows from it. */
static void put_notes(const struct count_report *r, const double *values, size_t i, unsigned hang, struct page *p)
{
	const struct count_figure *f = &r->figures[i];

	if (!isnan(f->stddev) && f->value > 0) {
		page_tone(p, TONE_DIM);
		page_wrap(p, hang, "± %.1f %% ", 100 * f->stddev / f->value);
		page_tone(p, TONE_PLAIN);
	}
	metrics_of_event(r, values, i, hang, p);
	if (!isnan(f->running_pct) && f->running_pct < 99.95) {
		page_tone(p, TONE_YELLOW);
		if (f->running_pct > 0)
			page_wrap(p, hang, "(scaled from %.0f %% of the time)", f->running_pct);
		else
			page_wrap(p, hang, "(its turn on the PMU never came)");
		page_tone(p, TONE_PLAIN);
	}
}

static void row(const struct count_report *r, const double *values, size_t i, unsigned names, struct page *p)
{
	unsigned hang = 2 + names + VALUE_COLUMNS + 2;
	double value = r->figures[i].value;
	bool below = p->style.width < hang + 24; /* no room for words beside the figure */
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page notes = { .out = &text, .style = p->style };

	page_indent(p, 2);
	page_put(p, "%s", r->events[i].text);
	page_tone(p, TONE_STRONG);
	put_right(p, 2 + names + VALUE_COLUMNS, isnan(value) ? "not counted" : value_text(&r->events[i], value).text);
	page_tone(p, TONE_PLAIN);
	hang = below ? 6 : hang;
	notes.column = hang;
	notes.parted = true;
	put_notes(r, values, i, hang, &notes);
	if (text.n) {
		if (below)
			page_newline(p);
		page_indent(p, hang);
		page_put_safe(p, buf_span(&text), 0);
	}
	p->error = p->error ? p->error : notes.error;
	page_newline(p);
}

/* Events that are not measurable, those of one reason together. */
static void missing(const struct count_report *r, struct page *p)
{
	for (size_t i = 0; i < r->n; i++) {
		const char *why = r->figures[i].why;
		bool told = why[0] == '\0';

		for (size_t k = 0; k < i && !told; k++)
			told = strcmp(r->figures[k].why, why) == 0;
		if (told)
			continue;
		page_tone(p, TONE_YELLOW);
		page_wrap(p, 0, "not measurable: %s:", why);
		page_tone(p, TONE_PLAIN);
		for (size_t k = i; k < r->n; k++)
			if (strcmp(r->figures[k].why, why) == 0)
				page_wrap(p, 0, "%s", r->events[k].text);
		page_newline(p);
	}
}

static void times(const struct count_report *r, struct page *p)
{
	if (isnan(r->user_s))
		return;
	page_wrap(p, 0, "took %s", duration_text(r->elapsed_s).text);
	if (r->runs > 1)
		page_wrap(p, 0, "± %.1f %% over %u runs", 100 * r->elapsed_stddev_s / r->elapsed_s, r->runs);
	page_wrap(p, 0, "(CPU: user %s, system %s)", duration_text(r->user_s).text, duration_text(r->system_s).text);
	page_newline(p);
}

static void next_step(const struct count_report *r, struct page *p)
{
	double cpus = isnan(r->busy_cpus) ? metric_of(r, COUNT_METRIC_cpus_used) : r->busy_cpus;
	double switches = metric_of(r, COUNT_METRIC_context_switches_per_s);
	double major = metric_of(r, COUNT_METRIC_major_faults_per_s);
	char operand[24] = "";

	if (r->is_process && r->pid)
		snprintf(operand, sizeof operand, " %d", r->pid);
	page_tone(p, TONE_DIM);
	page_put(p, "next:");
	page_tone(p, TONE_PLAIN);
	if (major > 10)
		page_wrap(p, 0, "osprey latency disk (it waits for pages from a disk)");
	else if (cpus > 0.5)
		page_wrap(p, 0, "osprey profile%s (where the CPU time goes)", operand);
	else if (switches > 1000)
		page_wrap(p, 0, "osprey latency runq (how long tasks wait for a CPU)");
	else if (r->is_process && r->pid)
		page_wrap(p, 0, "osprey stack%s (it hardly runs: what does it wait for?)", operand);
	else
		page_wrap(p, 0, "osprey doctor (is anything wrong with the host?)");
	page_newline(p);
}

void count_text(const struct count_report *r, struct page *p)
{
	double values[COUNT_MAX_EVENTS];
	unsigned names = name_columns(r);

	figures_of(r, values);
	answer(r, p);
	page_newline(p);
	for (size_t i = 0; i < r->n; i++)
		if (!r->figures[i].why[0])
			row(r, values, i, names, p);
	page_newline(p);
	missing(r, p);
	if (r->only_user) {
		page_wrap(p, 0, "User space alone was counted: the kernel's part needs CAP_PERFMON or perf_event_paranoid < 2.");
		page_newline(p);
	}
	if (r->unsure) {
		page_wrap(p, 0, "%u thread%s started while counters were attached; what they do may be counted twice.", r->unsure,
			  r->unsure == 1 ? "" : "s");
		page_newline(p);
	}
	times(r, p);
	next_step(r, p);
}

/* ---- a series ---- */

#define TIME_COLUMNS 9

static const char *short_name(const struct count_event *e)
{
	static const char *const shorter[][2] = {
		{ "context-switches", "switches" }, { "cpu-migrations", "migrations" }, { "page-faults", "faults" },
		{ "major-faults", "major" }, { "minor-faults", "minor" },
	};

	for (size_t i = 0; i < sizeof shorter / sizeof shorter[0]; i++)
		if (strcmp(e->text, shorter[i][0]) == 0)
			return shorter[i][1];
	return e->text;
}

static unsigned cell_columns(const struct count_event *e)
{
	size_t n = strlen(short_name(e));

	return n < 11 ? 11 : (unsigned)n;
}

static unsigned line_columns(const struct count_report *r)
{
	unsigned n = TIME_COLUMNS + (isnan(metric_of(r, COUNT_METRIC_instructions_per_cycle)) ? 0 : 7);

	for (size_t i = 0; i < r->n; i++)
		n += r->figures[i].why[0] ? 0 : 1 + cell_columns(&r->events[i]);
	return n;
}

static bool narrow(const struct count_report *r, const struct page *p)
{
	return line_columns(r) > p->style.width;
}

void count_line_head(const struct count_report *r, struct page *p)
{
	unsigned at = TIME_COLUMNS;

	if (narrow(r, p))
		return; /* each figure says what it is */
	page_tone(p, TONE_DIM);
	put_right(p, at, "SECONDS");
	for (size_t i = 0; i < r->n; i++)
		if (!r->figures[i].why[0])
			put_right(p, at += 1 + cell_columns(&r->events[i]), short_name(&r->events[i]));
	if (!isnan(metric_of(r, COUNT_METRIC_instructions_per_cycle)))
		put_right(p, at += 7, "IPC");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static void put_cell(struct page *p, bool words, unsigned *at, unsigned columns, const char *name, const char *value)
{
	bool first = *at == TIME_COLUMNS;

	*at += columns;
	if (words)
		page_wrap(p, 4, "%s%s %s", first ? "" : "· ", name, value);
	else
		put_right(p, *at, value);
}

void count_line(const struct count_report *r, struct page *p)
{
	unsigned at = TIME_COLUMNS;
	double ipc = metric_of(r, COUNT_METRIC_instructions_per_cycle);
	bool words = narrow(r, p);
	char text[40];

	snprintf(text, sizeof text, words ? "%.2f s:" : "%.2f", r->at_s);
	if (words)
		page_put(p, "%s", text);
	else
		put_right(p, at, text);
	for (size_t i = 0; i < r->n; i++) {
		const struct count_figure *f = &r->figures[i];
		if (f->why[0])
			continue;
		snprintf(text, sizeof text, "%s%s", f->running_pct < 99.95 ? "~" : "",
			 isnan(f->value) ? "-" : value_text(&r->events[i], f->value).text);
		put_cell(p, words, &at, 1 + cell_columns(&r->events[i]), short_name(&r->events[i]), text);
	}
	if (!isnan(ipc)) {
		snprintf(text, sizeof text, "%.2f", ipc);
		put_cell(p, words, &at, 7, "IPC", text);
	}
	page_newline(p);
}
