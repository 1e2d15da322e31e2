#include <stdio.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "base/utf8.h"
#include "report/doctor.h"

#define LABEL_COLUMN 2
#define VALUE_COLUMN 12
#define NARROW 60 /* below it, values stand under their labels */

size_t finding_root(const struct diagnosis *d, size_t i)
{
	/* As many steps as there are findings: a circle would be a bug, and ends too. */
	for (size_t steps = 0; steps < d->findings.n; steps++) {
		int32_t cause = d->findings.v[i].absorbed_by;

		if (cause < 0 || (size_t)cause >= d->findings.n)
			break;
		i = (size_t)cause;
	}
	return i;
}

bool doctor_alarming(const struct doctor_report *report)
{
	const struct diagnosis *d = &report->diagnosis;

	for (size_t i = 0; i < d->findings.n; i++)
		if (d->findings.v[i].severity > SEVERITY_NOTE)
			return true;
	return false;
}

static unsigned hang_of(const struct page *p)
{
	return p->style.width < NARROW ? LABEL_COLUMN + 2 : VALUE_COLUMN;
}

static void toned(struct page *p, enum page_tone tone, const char *text)
{
	page_tone(p, tone);
	page_wrap(p, 0, "%s", text);
	page_tone(p, TONE_PLAIN);
}

/* "  culprit   ", or the label on a line of its own where it is narrow. */
static void label(struct page *p, const char *text)
{
	page_indent(p, LABEL_COLUMN);
	page_tone(p, TONE_DIM);
	page_put(p, "%s", text);
	page_tone(p, TONE_PLAIN);
	if (p->column >= hang_of(p))
		page_newline(p);
	page_indent(p, hang_of(p));
}

static void labelled(struct page *p, const char *name, const char *value)
{
	label(p, name);
	page_wrap(p, hang_of(p), "%s", value);
	page_newline(p);
}

static enum page_tone severity_tone(enum severity s)
{
	static const enum page_tone tones[] = {
		[SEVERITY_NOTE] = TONE_STRONG,	  [SEVERITY_RISK] = TONE_YELLOW,
		[SEVERITY_WARNING] = TONE_YELLOW, [SEVERITY_CRITICAL] = TONE_RED,
	};
	return tones[s];
}

/* ---- the head ---- */

static void host_line(struct page *p, const struct doctor_view *v)
{
	const struct doctor_report *r = v->report;
	const char *dot = p->style.unicode ? "\xc2\xb7" : "-";
	char line[512];

	snprintf(line, sizeof line, "%s %s Linux %s %s %u CPU%s %s %s %s load %s %s watched %s%s",
		 r->topology.hostname[0] ? r->topology.hostname : "?", dot,
		 r->topology.kernel[0] ? r->topology.kernel : "?", dot, r->topology.cpus,
		 r->topology.cpus == 1 ? "" : "s", dot,
		 bytes_text(reading_value(r->counters.memory.total_bytes)).text, dot,
		 number_text(reading_value(r->counters.load.load1_milli) / 1000).text, dot,
		 duration_text(r->seconds).text, v->replayed ? " (replayed)" : "");
	page_tone(p, TONE_DIM);
	page_wrap(p, 0, "%s", line);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static size_t count_severity(const struct diagnosis *d, enum severity s)
{
	size_t n = 0;

	for (size_t i = 0; i < d->nroots; i++)
		n += d->findings.v[i].severity == s;
	return n;
}

static void count_findings(struct page *p, const struct diagnosis *d)
{
	char line[160];
	int n = snprintf(line, sizeof line, "%zu finding%s:", d->nroots, d->nroots == 1 ? "" : "s");
	bool first = true;

	for (int s = SEVERITY_CRITICAL; s >= SEVERITY_NOTE; s--) {
		size_t count = count_severity(d, (enum severity)s);
		if (count == 0)
			continue;
		n += snprintf(line + n, sizeof line - (size_t)n, "%s %zu %s", first ? "" : ",", count,
			      severity_name((enum severity)s));
		first = false;
	}
	toned(p, d->nroots ? severity_tone(d->findings.v[0].severity) : TONE_STRONG, line);
}

static void answer(struct page *p, const struct doctor_view *v)
{
	const struct diagnosis *d = &v->report->diagnosis;
	char line[160];

	if (v->interrupted) {
		snprintf(line, sizeof line, "interrupted after %s of %s; this is what was seen until then",
			 duration_text(v->report->seconds).text, duration_text(v->asked_s).text);
		toned(p, TONE_YELLOW, line);
		page_newline(p);
	}
	if (d->nroots > 0) {
		count_findings(p, d);
	} else if (d->cleared.n == 0) {
		toned(p, TONE_YELLOW, "nothing could be measured");
	} else if (d->unmeasured.n > 0) {
		snprintf(line, sizeof line, "healthy as far as can be told: %zu cleared, %zu not measurable",
			 d->cleared.n, d->unmeasured.n);
		toned(p, TONE_GREEN, line);
	} else {
		snprintf(line, sizeof line, "healthy: all %zu conditions cleared", d->cleared.n);
		toned(p, TONE_GREEN, line);
	}
	page_newline(p);
}

/* ---- one finding ---- */

static void actor_line(const struct actor *a, char *ret, size_t size)
{
	char who[96] = "";

	if (a->tid > 0 && a->tid != a->pid)
		snprintf(who, sizeof who, "thread %d of process %d (%s)", a->tid, a->pid, a->comm);
	else if (a->pid > 0)
		snprintf(who, sizeof who, "process %d (%s)", a->pid, a->comm);
	if (strcmp(a->kind, ACTOR_HOST) == 0)
		snprintf(ret, size, "the whole host");
	else if (strcmp(a->kind, ACTOR_PROCESS) == 0 || strcmp(a->kind, ACTOR_THREAD) == 0)
		snprintf(ret, size, "%s%s%s", who[0] ? who : a->kind, a->name[0] ? ", " : "", a->name);
	else
		snprintf(ret, size, "%s %s%s%s", a->kind, a->name, who[0] ? " of " : "", who);
}

static void actor(struct page *p, const char *name, const struct actor *a)
{
	char line[512];

	if (!a->kind)
		return;
	actor_line(a, line, sizeof line);
	labelled(p, name, line);
	if (!a->command[0])
		return;
	page_indent(p, hang_of(p));
	page_tone(p, TONE_DIM);
	page_wrap(p, hang_of(p), "%s", a->command);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static void utc_clock(uint64_t real_ns, char *ret, size_t size)
{
	time_t s = (time_t)(real_ns / UINT64_C(1000000000));
	struct tm tm;

	if (gmtime_r(&s, &tm))
		strftime(ret, size, "%H:%M:%S UTC", &tm);
	else
		snprintf(ret, size, "?");
}

static void since(struct page *p, const struct doctor_report *r, const struct finding *f)
{
	char line[96], at[32];

	if (isnan(f->since_s)) {
		utc_clock(r->from.real_ns, at, sizeof at);
		snprintf(line, sizeof line, "before the window began at %s", at);
	} else {
		double s = f->since_s > 0 ? f->since_s : 0;
		utc_clock(r->from.real_ns + (uint64_t)(s * 1e9), at, sizeof at);
		snprintf(line, sizeof line, "%s into the window, at %s", duration_text(s).text, at);
	}
	labelled(p, "since", line);
}

static void price(struct page *p, const struct finding *f)
{
	char line[128];

	if (!isnan(f->lost_task_s_per_s)) {
		snprintf(line, sizeof line, "%s task-seconds each second%s",
			 number_text(f->lost_task_s_per_s).text, f->lost_estimated ? " (an estimate)" : "");
		labelled(p, "lost", line);
	}
	if (!isnan(f->exhausted_in_s)) {
		snprintf(line, sizeof line, "in %s at this pace", duration_text(f->exhausted_in_s).text);
		labelled(p, "exhausted", line);
	}
}

static void value_text(const struct evidence *e, char *ret, size_t size)
{
	if (isnan(e->value))
		snprintf(ret, size, "not measurable");
	else if (strcmp(e->unit, "bytes") == 0)
		snprintf(ret, size, "%s", bytes_text(e->value).text);
	else if (strcmp(e->unit, "bytes/s") == 0)
		snprintf(ret, size, "%s/s", bytes_text(e->value).text);
	else
		snprintf(ret, size, "%s%s%s", number_text(e->value).text, e->unit[0] ? " " : "", e->unit);
}

/* Kept together where a line can hold it. */
static void phrase(struct page *p, unsigned hang, const char *text)
{
	if (hang + text_columns(span_from(text), p->style.unicode) <= p->style.width)
		page_word(p, hang, span_from(text), false);
	else
		page_wrap(p, hang, "%s", text);
}

static void evidence_line(struct page *p, size_t number, const struct evidence *e)
{
	unsigned hang = LABEL_COLUMN + 4;
	char value[80], threshold[128], field[80];

	value_text(e, value, sizeof value);
	snprintf(field, sizeof field, "%s:", e->field);
	page_indent(p, LABEL_COLUMN);
	page_put(p, "%2zu  ", number);
	page_wrap(p, hang, "%s", e->source);
	phrase(p, hang, field);
	page_tone(p, TONE_STRONG);
	phrase(p, hang, value);
	page_tone(p, TONE_PLAIN);
	if (e->threshold[0]) {
		snprintf(threshold, sizeof threshold, "(compared with %s)", e->threshold);
		phrase(p, hang, threshold);
	}
	page_newline(p);
}

static void proof(struct page *p, const struct finding *f)
{
	if (f->nevidence + f->nproof == 0)
		return;
	page_newline(p);
	page_indent(p, LABEL_COLUMN);
	page_tone(p, TONE_DIM);
	page_put(p, "proof");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	for (size_t i = 0; i < f->nevidence; i++)
		evidence_line(p, i + 1, &f->evidence[i]);
	for (size_t i = 0; i < f->nproof; i++) {
		page_indent(p, LABEL_COLUMN + 4);
		page_wrap(p, LABEL_COLUMN + 6, "%s", f->proof[i]);
		page_newline(p);
	}
}

static void where(struct page *p, const struct finding *f)
{
	for (size_t i = 0; i < f->nwhere; i++) {
		if (i == 0)
			label(p, "where");
		else
			page_indent(p, hang_of(p));
		page_wrap(p, hang_of(p) + 2, "%s", f->where[i]);
		page_newline(p);
	}
}

/* "COMMAND   # what it does": the command stays on one line, however long, so that it can be
 * copied. A line without such a remark is advice in words, and is wrapped. */
static void command_line(struct page *p, const char *line)
{
	const char *remark = strstr(line, " # ");
	unsigned hang = hang_of(p);

	page_indent(p, hang);
	if (!remark) {
		page_wrap(p, hang, "%s", line);
		page_newline(p);
		return;
	}
	page_tone(p, TONE_CYAN);
	page_put_span(p, span_trim((struct span){ line, (size_t)(remark - line) }));
	page_tone(p, TONE_PLAIN);
	if (p->column + 2 + utf8_columns(span_from(remark + 1)) > p->style.width) {
		page_newline(p);
		page_indent(p, hang + 2);
	} else {
		page_put(p, "  ");
	}
	page_tone(p, TONE_DIM);
	page_wrap(p, p->column, "%s", remark + 1);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static void commands(struct page *p, const char *name, const char (*lines)[256], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i == 0)
			label(p, name);
		command_line(p, lines[i]);
	}
}

static void symptoms(struct page *p, const struct diagnosis *d, size_t root)
{
	bool first = true;

	for (size_t i = 0; i < d->findings.n; i++) {
		const struct finding *f = &d->findings.v[i];

		if (i == root || finding_root(d, i) != root)
			continue;
		if (first)
			label(p, "symptoms");
		else
			page_indent(p, hang_of(p));
		page_wrap(p, hang_of(p) + 2, "%s: %s", f->condition->id, f->title[0] ? f->title : f->condition->title);
		page_newline(p);
		first = false;
	}
}

static void finding(struct page *p, const struct doctor_view *v, size_t i)
{
	const struct diagnosis *d = &v->report->diagnosis;
	const struct finding *f = &d->findings.v[i];
	char line[96];

	page_newline(p);
	page_tone(p, severity_tone(f->severity));
	page_put(p, "%zu. %s:", i + 1, severity_name(f->severity));
	page_tone(p, TONE_STRONG);
	page_wrap(p, LABEL_COLUMN, "%s", f->title[0] ? f->title : f->condition->title);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	if (f->summary[0]) {
		page_indent(p, LABEL_COLUMN);
		page_wrap(p, LABEL_COLUMN, "%s", f->summary);
		page_newline(p);
	}
	page_newline(p);
	actor(p, "victim", &f->victim);
	labelled(p, "resource", f->condition->resource);
	actor(p, "culprit", &f->culprit);
	since(p, v->report, f);
	price(p, f);
	snprintf(line, sizeof line, "%.0f %%", f->confidence * 100);
	labelled(p, "sure", line);
	symptoms(p, d, i);
	proof(p, f);
	if (f->nwhere) {
		page_newline(p);
		where(p, f);
	}
	page_newline(p);
	commands(p, "confirm", f->confirm, f->nconfirm);
	commands(p, "mend", f->mend, f->nmend);
	snprintf(line, sizeof line, "osprey explain %s", f->condition->id);
	label(p, "guide");
	command_line(p, line);
}

/* ---- the rest ---- */

/* Cut to the line, with an ellipsis. */
static void put_cut(struct page *p, const char *text)
{
	cleanup(buf_deinit) struct buf safe = { 0 };
	unsigned room = p->style.width > p->column ? p->style.width - p->column : 0;
	unsigned ellipsis = p->style.unicode ? 1 : 3, columns = 0;
	uint32_t c;
	int r = text_safe(span_from(text), p->style.unicode, &safe);

	if (r < 0) {
		p->error = r;
		return;
	}
	struct span rest = buf_span(&safe), cut = { rest.p, 0 };
	if (utf8_columns(rest) <= room) {
		page_put_span(p, rest);
		return;
	}
	while (utf8_next(&rest, &c) && columns + utf8_width(c) + ellipsis <= room) {
		columns += utf8_width(c);
		cut.n = (size_t)(rest.p - cut.p);
	}
	page_put_span(p, cut);
	page_put(p, "\xe2\x80\xa6"); /* "..." where the terminal has ASCII alone */
}

static void remarks(struct page *p, const char *title, const remark_vec *list, bool whole)
{
	const unsigned column = 24;

	if (list->n == 0)
		return;
	page_newline(p);
	page_tone(p, TONE_STRONG);
	page_put(p, "%s", title);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	for (size_t i = 0; i < list->n; i++) {
		const struct remark *r = &list->v[i];

		page_indent(p, LABEL_COLUMN);
		page_put(p, "%s", r->condition->id);
		if (p->style.width < NARROW || p->column + 2 > column) {
			page_newline(p);
			page_indent(p, LABEL_COLUMN + 2);
		}
		page_tone(p, TONE_DIM);
		if (p->style.width >= NARROW)
			page_indent(p, column);
		if (whole)
			page_wrap(p, p->column, "%s", r->text);
		else
			put_cut(p, r->text);
		page_tone(p, TONE_PLAIN);
		page_newline(p);
	}
}

static void cost(struct page *p, const struct doctor_view *v)
{
	const struct doctor_report *r = v->report;
	char line[256];
	int n = snprintf(line, sizeof line, "cost of this diagnosis: %s of CPU",
			 duration_text(r->cost.cpu_ms / 1000).text);

	if (r->seconds > 0 && !v->replayed)
		n += snprintf(line + n, sizeof line - (size_t)n, " (%s %% of one CPU)",
			      number_text(r->cost.cpu_ms / r->seconds / 10).text);
	snprintf(line + n, sizeof line - (size_t)n, ", %s of memory at most; %u processes and %u tasks, by %s",
		 bytes_text((double)r->cost.peak_rss_kib * 1024).text, r->processes, r->tasks,
		 r->abilities.bpf_tasks ? "BPF" : "/proc");
	page_newline(p);
	page_tone(p, TONE_DIM);
	page_wrap(p, 0, "%s", line);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static bool has_scrolled(const struct page *p)
{
	size_t lines = 0;

	for (size_t i = 0; i < p->out->n; i++)
		lines += p->out->data[i] == '\n';
	return p->style.rows > 0 && lines >= p->style.rows;
}

/* The answers once more, where the first lines are out of sight. */
static void in_short(struct page *p, const struct diagnosis *d)
{
	page_newline(p);
	for (size_t i = 0; i < d->nroots; i++) {
		const struct finding *f = &d->findings.v[i];
		char line[512];

		page_tone(p, severity_tone(f->severity));
		page_put(p, "%zu. %s:", i + 1, severity_name(f->severity));
		page_tone(p, TONE_STRONG);
		page_wrap(p, LABEL_COLUMN + 1, "%s", f->title[0] ? f->title : f->condition->title);
		page_tone(p, TONE_PLAIN);
		if (f->culprit.kind) {
			actor_line(&f->culprit, line, sizeof line);
			page_wrap(p, LABEL_COLUMN + 1, "- %s", line);
		}
		page_newline(p);
	}
}

void doctor_text(struct page *p, const struct doctor_view *v)
{
	const struct diagnosis *d = &v->report->diagnosis;

	host_line(p, v);
	answer(p, v);
	for (size_t i = 0; i < d->nroots; i++)
		finding(p, v, i);
	remarks(p, "cleared", &d->cleared, v->all);
	remarks(p, "not measured", &d->unmeasured, true);
	cost(p, v);
	if (d->nroots && has_scrolled(p))
		in_short(p, d);
}

void doctor_progress(struct page *p, double left_s, const struct diagnosis *d)
{
	char line[512];
	int n = snprintf(line, sizeof line, "osprey watches, %.0f s to go", left_s > 0 ? ceil(left_s) : 0);

	for (size_t i = 0; d && i < d->nroots && n > 0 && (size_t)n < sizeof line; i++) {
		const struct finding *f = &d->findings.v[i];

		n += snprintf(line + n, sizeof line - (size_t)n, "%s%s", i ? "; " : "; found so far: ",
			      f->title[0] ? f->title : f->condition->title);
	}
	put_cut(p, line);
}
