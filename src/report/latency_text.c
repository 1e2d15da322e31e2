#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "dig/latency/call_name.h"
#include "report/latency.h"

#define MAX_BARS 24

struct short_text {
	char text[24];
};

/* "850ns", "12.5us", "1.02ms", "34ms", "1.5s": three digits. */
static struct short_text took(double ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	struct short_text t;
	unsigned unit = 0;

	while (ns >= 999.5 && unit < 3) {
		ns /= 1000;
		unit++;
	}
	const char *format = ns >= 99.95 || unit == 0 ? "%.0f%s" : ns >= 9.995 ? "%.1f%s" : "%.2f%s";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(t.text, sizeof t.text, format, ns, units[unit]);
#pragma GCC diagnostic pop
	return t;
}

static struct short_text clock_of(uint64_t real_ns, bool fine)
{
	struct short_text t;
	time_t s = (time_t)(real_ns / NS_PER_S);
	struct tm tm;

	localtime_r(&s, &tm);
	size_t n = strftime(t.text, sizeof t.text, "%H:%M:%S", &tm);
	if (fine)
		snprintf(t.text + n, sizeof t.text - n, ".%03u", (unsigned)(real_ns % NS_PER_S / NS_PER_MS));
	return t;
}

/* ---- the answer in a sentence ---- */

static const char *const sentences[] = {
	[LATENCY_RUNQ] = "tasks waited %s at p99 for a CPU",
	[LATENCY_DISK] = "disks took %s at p99 for a request",
	[LATENCY_SYSCALL] = "system calls took %s at p99",
	[LATENCY_SOFTIRQ] = "soft interrupts ran for %s at p99",
	[LATENCY_FUTEX] = "threads waited %s at p99 for futexes",
};

static const char *const nothing[] = {
	[LATENCY_RUNQ] = "no task that could run had a turn on a CPU",
	[LATENCY_DISK] = "no disk had a request",
	[LATENCY_SYSCALL] = "no system call was made, but those that wait",
	[LATENCY_SOFTIRQ] = "no soft interrupt ran",
	[LATENCY_FUTEX] = "no thread waited for a futex",
};

static const char *const events[] = { "waits", "requests", "calls", "interrupts", "waits" };

static void queued(const struct latency_report *r, struct page *p)
{
	const struct latency_counts *q = &r->result->queued;

	if (q->count)
		page_wrap(p, 0, "%s before it began: %s at p99, %s at worst.",
			  r->request->kind == LATENCY_DISK ? "In the queue" : "Raised", took((double)histogram_quantile(q, 0.99)).text,
			  took((double)q->max_ns).text);
}

/* Where the worst was, when rows are of places and not of tasks. */
static int worst_place(const struct latency_report *r, const struct latency_counts *sum, struct buf *ret)
{
	if (r->request->by != LATENCY_BY_NUMBER && r->request->by != LATENCY_BY_PLACE)
		return 0;
	vec_each(row, &r->result->rows)
		if (row->counts.max_ns == sum->max_ns && !latency_row_waits(r->request, row))
			return latency_row_name(r, row, ret);
	return 0;
}

static void worst(const struct latency_report *r, const struct latency_counts *sum, struct page *p)
{
	cleanup(buf_deinit) struct buf place = { 0 };

	page_tone(p, TONE_STRONG);
	page_wrap(p, 0, "worst: %s", took((double)sum->max_ns).text);
	page_tone(p, TONE_PLAIN);
	if (worst_place(r, sum, &place) < 0)
		p->error = p->error ? p->error : -12;
	if (place.n)
		page_wrap(p, 0, r->request->kind == LATENCY_FUTEX ? "at %s" : "(%s)", place.data);
	if (sum->max_pid && r->request->kind != LATENCY_FUTEX)
		page_wrap(p, 0, "%s%s (%d)", r->request->kind == LATENCY_DISK ? "issued by " :
			  r->request->kind == LATENCY_SOFTIRQ ? "on top of " : "", sum->max_comm, sum->max_pid);
	if (sum->max_at_ns)
		page_wrap(p, 0, "at %s", clock_of(sum->max_at_ns + r->real_minus_mono_ns, false).text);
	page_newline(p);
}

static void answer(const struct latency_report *r, const struct latency_counts *sum, struct page *p)
{
	char text[120];

	if (!sum->count) {
		page_wrap(p, 0, "%s in %s", nothing[r->request->kind], duration_text(r->elapsed_s).text);
		page_newline(p);
		return;
	}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof text, sentences[r->request->kind], took((double)histogram_quantile(sum, 0.99)).text);
#pragma GCC diagnostic pop
	page_tone(p, TONE_STRONG);
	page_wrap(p, 0, "%s", text);
	page_tone(p, TONE_PLAIN);
	page_wrap(p, 0, "(%s %s in %s, %s at the median);", number_text((double)sum->count).text, events[r->request->kind],
		  duration_text(r->elapsed_s).text, took((double)histogram_quantile(sum, 0.5)).text);
	worst(r, sum, p);
	if (r->result->queued.count) {
		queued(r, p);
		page_newline(p);
	}
}

/* ---- the histogram ---- */

static void put_right(struct page *p, unsigned to, const char *text)
{
	unsigned columns = text_columns(span_from(text), p->style.unicode);

	page_indent(p, to > columns ? to - columns : 0);
	page_put(p, "%s", text);
}

/* Longer than the quantile: worth a colour. */
static enum page_tone tone_of(const struct histogram_row *row, uint64_t p99)
{
	return row->low_ns > p99 ? TONE_YELLOW : TONE_CYAN;
}

static void bar(struct page *p, double share, unsigned columns)
{
	unsigned n = (unsigned)(share * columns + 0.5);

	for (unsigned i = 0; i < (n ? n : 1); i++)
		page_put(p, p->style.unicode ? "█" : "#");
}

/* Where the parts of a line of the histogram stand; narrow ones leave the upper bound out. */
struct bar_place {
	unsigned low, high, count, bar, room;
};

static struct bar_place bar_place(unsigned width)
{
	struct bar_place b = { 10, 21, 33, 35, width > 120 ? 80 : width - 40 };

	if (width < 60)
		b = (struct bar_place){ 8, 10, 19, 21, width > 31 ? width - 23 : 8 };
	return b;
}

static void bar_line(struct page *p, uint64_t count, uint64_t most, enum page_tone tone, const struct bar_place *b)
{
	put_right(p, b->count, number_text((double)count).text);
	if (count) {
		page_indent(p, b->bar);
		page_tone(p, tone);
		bar(p, (double)count / (double)most, b->room);
		page_tone(p, TONE_PLAIN);
	}
	page_newline(p);
}

/* The scheduler looks at its clock once when a wakeup puts a task straight onto a CPU: that wait, some microseconds, is
 * none to it. */
static uint64_t take_at_once(enum latency_kind kind, struct latency_counts *sum)
{
	uint64_t n = 0;

	for (unsigned i = 0; kind == LATENCY_RUNQ && i < 4; i++) {
		n += sum->slot[i];
		sum->slot[i] = 0;
	}
	return n;
}

static void bars(enum latency_kind kind, const struct latency_counts *all, struct page *p)
{
	struct latency_counts rest = *all, *sum = &rest;
	uint64_t at_once = take_at_once(kind, sum);
	struct histogram_row row[HISTOGRAM_MAX_ROWS];
	struct bar_place b = bar_place(p->style.width);
	unsigned n = histogram_rows(sum, MAX_BARS, row);
	uint64_t most = at_once ? at_once : 1, p99 = histogram_quantile(all, 0.99);

	for (unsigned i = 0; i < n; i++)
		most = row[i].count > most ? row[i].count : most;
	if (at_once) {
		put_right(p, b.high, "at once");
		bar_line(p, at_once, most, TONE_CYAN, &b);
	}
	for (unsigned i = 0; i < n; i++) {
		put_right(p, b.low, took((double)row[i].low_ns).text);
		page_put(p, " …");
		if (b.high > b.low + 2)
			put_right(p, b.high, row[i].high_ns == UINT64_MAX ? "" : took((double)row[i].high_ns).text);
		bar_line(p, row[i].count, most, tone_of(&row[i], p99), &b);
	}
}

/* ---- rows ---- */

static const char *heading(const struct latency_request *q)
{
	switch (q->by) {
	case LATENCY_BY_PROCESS: return "PROCESS";
	case LATENCY_BY_TASK: return "TASK (PID/TID)";
	case LATENCY_BY_CGROUP: return "CGROUP";
	case LATENCY_BY_PLACE: return q->kind == LATENCY_DISK ? "DISK" : "ADDRESS";
	default: return q->kind == LATENCY_RUNQ ? "CPU" : q->kind == LATENCY_SOFTIRQ ? "VECTOR" : "CALL";
	}
}

enum { COUNT, TOTAL, MEAN, P50, P99, MAX, FIGURES };
static const char *const figure_heads[FIGURES] = { "COUNT", "TOTAL", "MEAN", "P50", "P99", "MAX" };
static const unsigned figure_columns[FIGURES] = { 9, 7, 7, 7, 7, 7 };
#define ALL_FIGURES 44

/* Figures stand behind the name, or, where there is no room, on a line below it. */
struct row_place {
	unsigned from;
	bool below;
	bool mean; /* the one to go first: it is total / count */
};

static struct row_place row_place(const struct page *p)
{
	unsigned width = p->style.width;

	if (width >= 80)
		return (struct row_place){ width - ALL_FIGURES < 50 ? width - ALL_FIGURES : 50, false, true };
	if (width >= 26 + ALL_FIGURES)
		return (struct row_place){ 26, false, true };
	return (struct row_place){ 0, true, width >= ALL_FIGURES };
}

static void put_figures(struct page *p, const struct row_place *at, const struct short_text *text)
{
	unsigned to = at->from;

	for (unsigned i = 0; i < FIGURES; i++)
		if (i != MEAN || at->mean)
			put_right(p, to += figure_columns[i], text[i].text);
	page_newline(p);
}

static void row_line(const struct latency_report *r, const struct latency_row *row, struct page *p)
{
	cleanup(buf_deinit) struct buf name = { 0 };
	const struct latency_counts *c = &row->counts;
	struct short_text text[FIGURES] = {
		[TOTAL] = took((double)c->total_ns), [MEAN] = took(histogram_mean(c)),
		[P50] = took((double)histogram_quantile(c, 0.5)), [P99] = took((double)histogram_quantile(c, 0.99)),
		[MAX] = took((double)c->max_ns),
	};
	struct row_place at = row_place(p);
	size_t room = at.below ? p->style.width - 2 : at.from - 3;
	int res = latency_row_name(r, row, &name);

	if (res < 0)
		p->error = p->error ? p->error : res;
	snprintf(text[COUNT].text, sizeof text[COUNT].text, "%.23s", number_text((double)c->count).text);
	page_put(p, "  %.*s", (int)(room < name.n ? room : name.n), name.n ? name.data : "");
	if (at.below)
		page_newline(p);
	put_figures(p, &at, text);
}

static void heads(const struct latency_report *r, struct page *p)
{
	struct row_place at = row_place(p);
	struct short_text text[FIGURES];

	for (unsigned i = 0; i < FIGURES; i++)
		snprintf(text[i].text, sizeof text[i].text, "%s", figure_heads[i]);
	page_newline(p);
	page_tone(p, TONE_DIM);
	page_put(p, "  %s", heading(r->request));
	if (at.below)
		page_newline(p);
	put_figures(p, &at, text);
	page_tone(p, TONE_PLAIN);
}

static void rows(const struct latency_report *r, struct page *p)
{
	size_t shown = r->result->rows.n < r->max_rows ? r->result->rows.n : r->max_rows;
	bool waiting = false;

	if (!shown)
		return;
	heads(r, p);
	for (size_t i = 0; i < shown; i++) {
		if (!waiting && latency_row_waits(r->request, &r->result->rows.v[i])) {
			waiting = true;
			page_tone(p, TONE_DIM);
			page_put(p, "  waiting is what these are for:");
			page_tone(p, TONE_PLAIN);
			page_newline(p);
		}
		row_line(r, &r->result->rows.v[i], p);
	}
	if (shown < r->result->rows.n) {
		page_tone(p, TONE_DIM);
		page_put(p, "  … %zu more (--top)", r->result->rows.n - shown);
		page_tone(p, TONE_PLAIN);
		page_newline(p);
	}
}

/* ---- slow ones ---- */

static void slow_words(const struct latency_request *q, const struct latency_slow *s, struct page *p)
{
	const char *name = call_name(s->number);
	char number[24];

	switch (q->kind) {
	case LATENCY_RUNQ:
		page_wrap(p, 4, "waited %s for CPU %u", took((double)s->took_ns).text, s->cpu);
		if (s->other_pid)
			page_wrap(p, 4, "behind %s (%d)", s->other_comm, s->other_pid);
		break;
	case LATENCY_DISK:
		page_wrap(p, 4, "%s of %s took %s", latency_operation_name(s->operation), s->name[0] ? s->name : "a disk",
			  took((double)s->took_ns).text);
		break;
	case LATENCY_SYSCALL:
		snprintf(number, sizeof number, "call %" PRIu64, s->number);
		page_wrap(p, 4, "%s took %s", name ? name : number, took((double)s->took_ns).text);
		break;
	case LATENCY_SOFTIRQ:
		page_wrap(p, 4, "was held up by %s for %s on CPU %u", latency_vector_name(s->number), took((double)s->took_ns).text, s->cpu);
		break;
	default: page_wrap(p, 4, "waited %s at 0x%" PRIx64, took((double)s->took_ns).text, s->place);
	}
}

void latency_slow_line(const struct latency_request *q, const struct latency_slow *s, uint64_t real_minus_mono_ns, struct page *p)
{
	page_put(p, "%s ", clock_of(s->at_ns + real_minus_mono_ns, true).text);
	page_tone(p, TONE_STRONG);
	page_wrap(p, 4, s->tid != s->pid ? "%s (%d/%d)" : "%s (%d)", s->comm, s->pid, s->tid);
	page_tone(p, TONE_PLAIN);
	slow_words(q, s, p);
	page_newline(p);
}

static void slow_ones(const struct latency_report *r, struct page *p)
{
	if (!r->request->slow_ns)
		return;
	page_newline(p);
	page_wrap(p, 0, "%s took longer than %s%s", r->nslow ? number_text((double)r->nslow).text : "none",
		  took((double)r->request->slow_ns).text, r->nworst ? "; the worst:" : "");
	if (r->result->slow_lost)
		page_wrap(p, 0, "(%s more came too fast to be told)", number_text((double)r->result->slow_lost).text);
	page_newline(p);
	for (size_t i = 0; i < r->nworst; i++) {
		page_put(p, "  ");
		latency_slow_line(r->request, &r->worst[i], r->real_minus_mono_ns, p);
	}
}

/* ---- what to do next ---- */

static void next_step(const struct latency_report *r, const struct latency_counts *sum, struct page *p)
{
	double p99 = (double)histogram_quantile(sum, 0.99);
	const struct latency_row *first = r->result->rows.n ? &r->result->rows.v[0] : NULL;
	int pid = first && first->counts.pid ? first->counts.pid : sum->max_pid;

	page_tone(p, TONE_DIM);
	page_put(p, "next:");
	page_tone(p, TONE_PLAIN);
	if (r->request->kind == LATENCY_RUNQ && p99 >= 5e6)
		page_wrap(p, 2, "osprey top (who has the CPUs), osprey latency runq --slower 10ms (who waits behind whom)");
	else if (r->request->kind == LATENCY_DISK && p99 >= 2e7)
		page_wrap(p, 2, "osprey disk (how busy each is), osprey latency disk --by process (who asks)");
	else if (r->request->kind == LATENCY_SYSCALL && pid)
		page_wrap(p, 2, "osprey trace %d (its calls, one by one)", pid);
	else if (r->request->kind == LATENCY_FUTEX && pid)
		page_wrap(p, 2, "osprey locks %d (who holds what they wait for)", pid);
	else if (r->request->kind == LATENCY_SOFTIRQ)
		page_wrap(p, 2, "osprey irq (rates by CPU), osprey net (drops)");
	else
		page_wrap(p, 2, "osprey doctor (this looks well; is something else wrong?)");
	page_newline(p);
}

void latency_text(const struct latency_report *r, struct page *p)
{
	struct latency_counts sum;

	latency_rows_sort(r);
	latency_sum(r, &sum);
	answer(r, &sum, p);
	if (sum.count) {
		page_newline(p);
		bars(r->request->kind, &sum, p);
	}
	rows(r, p);
	if (r->result->keys_lost) {
		page_wrap(p, 0, "%s events are in the histogram alone: more than %d keys.",
			  number_text((double)r->result->keys_lost).text, LATENCY_KEYS);
		page_newline(p);
	}
	slow_ones(r, p);
	page_newline(p);
	next_step(r, &sum, p);
}

/* ---- a series ---- */

enum { LINE_SECONDS, LINE_COUNT, LINE_MEAN, LINE_P50, LINE_P90, LINE_P99, LINE_MAX, LINE_CELLS };
static const unsigned line_columns[LINE_CELLS] = { 9, 10, 9, 9, 9, 9, 10 };

/* On a narrow terminal the ends of the distribution stay: they are what one looks for. */
static void put_cells(struct page *p, const struct short_text *text)
{
	bool all = p->style.width >= 66;
	unsigned at = 0;

	for (unsigned i = 0; i < LINE_CELLS; i++)
		if (all || i < LINE_MEAN || i > LINE_P90)
			put_right(p, at += line_columns[i], text[i].text);
}

/* What is left of the line for a name. */
static unsigned most_room(const struct page *p)
{
	unsigned left = p->style.width > p->column + 2 ? p->style.width - p->column - 2 : 0;

	return left < 40 ? left : 40;
}

void latency_line_head(struct page *p)
{
	static const struct short_text heads_of_line[LINE_CELLS] = { { "SECONDS" }, { "COUNT" }, { "MEAN" }, { "P50" }, { "P90" },
								     { "P99" }, { "MAX" } };

	page_tone(p, TONE_DIM);
	put_cells(p, heads_of_line);
	if (most_room(p) >= 4)
		page_put(p, "  MOST");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

void latency_line(const struct latency_report *r, struct page *p)
{
	cleanup(buf_deinit) struct buf name = { 0 };
	struct short_text text[LINE_CELLS];
	struct latency_counts sum;

	latency_rows_sort(r);
	latency_sum(r, &sum);
	const double values[LINE_CELLS] = {
		[LINE_MEAN] = histogram_mean(&sum), [LINE_P50] = (double)histogram_quantile(&sum, 0.5),
		[LINE_P90] = (double)histogram_quantile(&sum, 0.9), [LINE_P99] = (double)histogram_quantile(&sum, 0.99),
		[LINE_MAX] = (double)sum.max_ns,
	};
	snprintf(text[LINE_SECONDS].text, sizeof text->text, "%.2f", r->at_s);
	snprintf(text[LINE_COUNT].text, sizeof text->text, "%.23s", number_text((double)sum.count).text);
	for (unsigned i = LINE_MEAN; i < LINE_CELLS; i++)
		text[i] = sum.count ? took(values[i]) : (struct short_text){ "-" };
	put_cells(p, text);
	unsigned room = most_room(p);
	if (room >= 4 && r->result->rows.n && latency_row_name(r, &r->result->rows.v[0], &name) == 0)
		page_put(p, "  %.*s", (int)(name.n < room ? name.n : room), name.data);
	page_newline(p);
}
