#include "report/trace_summary.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/units.h"

/* Seven columns at most: "12.3us". */
static const char *short_time(double ns, char *ret, size_t size)
{
	if (ns < 1000)
		snprintf(ret, size, "%.0fns", ns);
	else if (ns < 1e6)
		snprintf(ret, size, "%.*fus", ns < 1e5 ? 1 : 0, ns / 1e3);
	else if (ns < 1e9)
		snprintf(ret, size, "%.*fms", ns < 1e8 ? 1 : 0, ns / 1e6);
	else
		snprintf(ret, size, "%.*fs", ns < 1e11 ? 1 : 0, ns / 1e9);
	return ret;
}

static const char *row_name(const struct trace_summary_row *row, char *ret, size_t size)
{
	if (row->call)
		snprintf(ret, size, "%s", row->call->name);
	else
		snprintf(ret, size, "syscall_0x%x", row->number);
	return ret;
}

/* What a line holds of a call, in order. `leave` says which goes first where the page is narrow; 0: it stays. */
enum cell { SHARE, TOTAL, CALLS, ERRORS, MEAN, P50, P99, MOST, CELLS };
static const struct {
	const char *head;
	unsigned width, leave;
} cells[CELLS] = {
	[SHARE] = { "time", 6, 0 }, [TOTAL] = { "total", 7, 5 }, [CALLS] = { "calls", 5, 0 }, [ERRORS] = { "errors", 6, 0 },
	[MEAN] = { "mean", 7, 1 },  [P50] = { "p50", 7, 2 },	 [P99] = { "p99", 7, 4 },     [MOST] = { "max", 7, 3 },
};
#define CELLS_THAT_LEAVE 5

/* The table as it fits the page. */
struct layout {
	unsigned width[CELLS]; /* 0: left out */
};

static void widen(unsigned *width, uint64_t number)
{
	int n = snprintf(NULL, 0, "%llu", (unsigned long long)number);

	*width = (unsigned)n > *width ? (unsigned)n : *width;
}

static struct layout lay_out(const struct trace_summary_report *r, unsigned width)
{
	struct layout l;
	unsigned name_width = 4, needed = 1;
	char name[32];

	for (enum cell c = 0; c < CELLS; c++)
		l.width[c] = cells[c].width;
	for (size_t i = 0; i < r->nrows; i++) {
		unsigned n = (unsigned)strlen(row_name(&r->row[i], name, sizeof name));

		name_width = n > name_width ? n : name_width;
		widen(&l.width[CALLS], r->row[i].sum.count);
		widen(&l.width[ERRORS], r->row[i].sum.errors);
	}
	for (enum cell c = 0; c < CELLS; c++)
		needed += l.width[c] + 1;
	for (unsigned leaving = 1; needed + name_width > width && leaving <= CELLS_THAT_LEAVE; leaving++)
		for (enum cell c = 0; c < CELLS; c++)
			if (cells[c].leave == leaving) {
				needed -= l.width[c] + 1;
				l.width[c] = 0;
			}
	return l;
}

static void put_head(const struct layout *l, struct page *p)
{
	page_tone(p, TONE_DIM);
	for (enum cell c = 0; c < CELLS; c++)
		if (l->width[c])
			page_put(p, "%*s ", (int)l->width[c], cells[c].head);
	page_put(p, " call");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static void put_row(const struct trace_summary_row *row, double all_ns, const struct layout *l, struct page *p)
{
	const struct trace_sum *s = &row->sum;
	char text[CELLS][24], name[32];

	snprintf(text[SHARE], sizeof text[0], "%.1f%%", all_ns > 0 ? 100 * (double)s->total_ns / all_ns : 0.0);
	snprintf(text[CALLS], sizeof text[0], "%llu", (unsigned long long)s->count);
	snprintf(text[ERRORS], sizeof text[0], "%llu", (unsigned long long)s->errors);
	short_time((double)s->total_ns, text[TOTAL], sizeof text[0]);
	short_time((double)s->total_ns / (double)s->count, text[MEAN], sizeof text[0]);
	short_time(trace_percentile_ns(s, 0.5), text[P50], sizeof text[0]);
	short_time(trace_percentile_ns(s, 0.99), text[P99], sizeof text[0]);
	short_time((double)s->max_ns, text[MOST], sizeof text[0]);
	for (enum cell c = 0; c < CELLS; c++)
		if (l->width[c])
			page_put(p, "%*s ", (int)l->width[c], text[c]);
	page_put(p, " %s", row_name(row, name, sizeof name));
	page_newline(p);
}

/* A line for each doubling. */
static void put_histogram(const struct trace_summary_row *row, struct page *p)
{
	uint64_t most = 1, n;
	char name[32], from[16];
	unsigned width = p->style.width > 32 ? p->style.width - 22 : 10;

	page_newline(p);
	page_tone(p, TONE_STRONG);
	page_put(p, "%s", row_name(row, name, sizeof name));
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < TRACE_BUCKETS; i += i ? 4 : 1) {
			n = 0;
			for (unsigned k = i; k < (i ? i + 4 : 1) && k < TRACE_BUCKETS; k++)
				n += row->sum.bucket[k];
			if (pass == 0)
				most = n > most ? n : most;
			if (pass == 0 || n == 0)
				continue;
			page_put(p, "%9s.. %9llu ", short_time((double)trace_bucket_start_ns(i), from, sizeof from),
				 (unsigned long long)n);
			for (uint64_t bar = (n * (width > 60 ? 60 : width) + most - 1) / most; bar; bar--)
				page_put(p, "#");
			page_newline(p);
		}
}

static double total_of(const struct trace_summary_report *r, int32_t task, uint64_t *ret_calls)
{
	double all = 0;

	*ret_calls = 0;
	for (size_t i = 0; i < r->nrows; i++)
		if (r->row[i].task == task) {
			all += (double)r->row[i].sum.total_ns;
			*ret_calls += r->row[i].sum.count;
		}
	return all;
}

static void put_task(const struct trace_summary_report *r, size_t first, size_t end, struct page *p)
{
	struct layout l = lay_out(r, p->style.width);
	uint64_t calls;
	double all = total_of(r, r->row[first].task, &calls);
	char total[16];

	if (r->by != TRACE_BY_ALL) {
		page_tone(p, TONE_STRONG);
		page_put(p, "%s %d: %s calls, %s in them", r->by == TRACE_BY_THREAD ? "Thread" : "Process", r->row[first].task,
			 number_text((double)calls).text, short_time(all, total, sizeof total));
		page_tone(p, TONE_PLAIN);
		page_newline(p);
	}
	put_head(&l, p);
	for (size_t i = first; i < end; i++)
		put_row(&r->row[i], all, &l, p);
	for (size_t i = first; r->histogram && i < end; i++)
		put_histogram(&r->row[i], p);
}

void trace_summary_text(const struct trace_summary_report *r, struct page *p)
{
	uint64_t calls = 0, errors = 0;

	for (size_t i = 0; i < r->nrows; i++) {
		calls += r->row[i].sum.count;
		errors += r->row[i].sum.errors;
	}
	for (size_t i = 0, end; i < r->nrows; i = end) {
		for (end = i; end < r->nrows && r->row[end].task == r->row[i].task; end++)
			;
		if (i)
			page_newline(p);
		put_task(r, i, end, p);
	}
	page_wrap(p, 0, "%s calls in %s, %s of them failed, %s lost; %s.", number_text((double)calls).text,
		  duration_text(r->seconds).text, number_text((double)errors).text, number_text((double)r->lost).text, r->ended_by);
	page_newline(p);
}

static void json_row(struct json *j, const struct trace_summary_row *row)
{
	const struct trace_sum *s = &row->sum;
	char name[32];

	json_object(j, NULL);
	if (row->task)
		json_i64(j, "task", row->task);
	json_string(j, "call", row_name(row, name, sizeof name));
	json_u64(j, "count", s->count);
	json_u64(j, "errors", s->errors);
	json_u64(j, "total_ns", s->total_ns);
	json_double(j, "mean_ns", (double)s->total_ns / (double)s->count);
	json_double(j, "p50_ns", trace_percentile_ns(s, 0.5));
	json_double(j, "p99_ns", trace_percentile_ns(s, 0.99));
	json_u64(j, "max_ns", s->max_ns);
	json_array(j, "histogram");
	for (unsigned i = 0; i < TRACE_BUCKETS; i++) {
		if (!s->bucket[i])
			continue;
		json_object(j, NULL);
		json_u64(j, "from_ns", trace_bucket_start_ns(i));
		json_u64(j, "count", s->bucket[i]);
		json_end(j);
	}
	json_end(j);
	json_end(j);
}

int trace_summary_json(const struct trace_summary_report *r, struct buf *ret)
{
	static const char *const by[] = { "all", "process", "thread" };
	struct json j = { .out = ret };

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.trace-summary/1");
	json_string(&j, "by", by[r->by]);
	json_double(&j, "seconds", r->seconds);
	json_string(&j, "ended_by", r->ended_by);
	json_u64(&j, "lost", r->lost);
	json_array(&j, "calls");
	for (size_t i = 0; i < r->nrows; i++)
		json_row(&j, &r->row[i]);
	json_end(&j);
	json_end(&j);
	return json_finish(&j);
}
