#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "report/run.h"

#define HANG 12

/* ---- one run ---- */

static struct units_text seconds(uint64_t ns)
{
	return duration_text((double)ns / 1e9);
}

static struct units_text bytes_of(reading r)
{
	struct units_text t;

	if (reading_ok(r))
		return bytes_text((double)r);
	snprintf(t.text, sizeof t.text, "- (%s)", reading_reason(r));
	return t;
}

static void outcome(const struct run_result *r, char *ret, size_t size)
{
	if (r->timeout == RUN_WALL_TIMEOUT)
		snprintf(ret, size, "ended by its timeout");
	else if (r->timeout == RUN_CPU_TIMEOUT)
		snprintf(ret, size, "ended by its CPU timeout");
	else if (r->signal)
		snprintf(ret, size, "killed by %s%s", signal_text(r->signal).text, r->dumped_core ? ", core dumped" : "");
	else
		snprintf(ret, size, "exit %d", r->exit_code);
}

#define ROW(p, name, ...) PAGE_ROW(p, HANG, name, __VA_ARGS__)

static void first_line(const struct run_report *report, struct page *p)
{
	const struct run_result *r = report->result;
	char text[64];

	outcome(r, text, sizeof text);
	page_tone(p, r->exit_code ? TONE_RED : TONE_GREEN);
	page_put(p, "%s", text);
	page_tone(p, TONE_PLAIN);
	page_wrap(p, 2, " after %s:", seconds(r->wall_ns).text);
	for (char *const *word = report->argv; *word; word++)
		page_word(p, 2, span_from(*word), false);
	page_newline(p);
}

static void group_rows(const struct run_result *r, struct page *p)
{
	const struct cgroup *g = &r->group;

	if (reading_ok(r->memory_peak_bytes))
		ROW(p, "cgroup", "memory %s at most (all processes, caches)%s%s", bytes_of(r->memory_peak_bytes).text,
		    reading_or(g->memory_limit_hits, 0) ? ", limit reached " : "",
		    reading_or(g->memory_limit_hits, 0) ? number_text((double)g->memory_limit_hits).text : "");
	if (reading_or(g->memory_oom_kills, 0))
		ROW(p, "", "%s killed for want of memory", number_text((double)g->memory_oom_kills).text);
	if (reading_or(g->memory_high_events, 0))
		ROW(p, "", "held up %s times by memory.high", number_text((double)g->memory_high_events).text);
	if (reading_or(g->pids_limit_hits, 0))
		ROW(p, "", "%s forks refused by the pids limit", number_text((double)g->pids_limit_hits).text);
	if (reading_or(g->cpu_periods, 0))
		ROW(p, "throttled", "%s in %s of %s periods", seconds(g->cpu_throttled_ns).text,
		    number_text((double)g->cpu_throttled_periods).text, number_text((double)g->cpu_periods).text);
	if (reading_ok(g->cpu_stall.some_ns) || reading_ok(g->memory_stall.some_ns) || reading_ok(g->io_stall.some_ns))
		ROW(p, "stalled", "CPU %s, memory %s, I/O %s", seconds(g->cpu_stall.some_ns).text,
		    seconds(g->memory_stall.some_ns).text, seconds(g->io_stall.some_ns).text);
	else
		ROW(p, "stalled", "- (%s)", reading_reason(g->cpu_stall.some_ns));
}

static void left_row(const struct run_result *r, struct page *p)
{
	page_row_name(p, HANG, "left");
	page_wrap(p, HANG, "%u still running:", r->nleft);
	for (unsigned i = 0; i < r->nleft && i < RUN_MAX_NAMED; i++)
		page_wrap(p, HANG, " %d (%s)%s", r->named[i].pid, r->named[i].comm,
			  i + 1 < r->nleft && i + 1 < RUN_MAX_NAMED ? "," : "");
	if (r->nleft > RUN_MAX_NAMED)
		page_wrap(p, HANG, ", …");
	page_newline(p);
}

static void single(const struct run_report *report, struct page *p)
{
	const struct run_result *r = report->result;
	char share[64] = "";

	if (r->watched_ns)
		snprintf(share, sizeof share, ", %s %% of one CPU",
			 number_text(round(1000 * (double)(r->user_ns + r->system_ns) / (double)r->watched_ns) / 10).text);
	first_line(report, p);
	ROW(p, "cpu", "user %s, system %s%s", seconds(r->user_ns).text, seconds(r->system_ns).text, share);
	ROW(p, "memory", "%s%s, largest process", r->peak_is_bound ? "no more than " : "",
	    bytes_text((double)r->peak_bytes).text);
	ROW(p, "faults", "%s minor, %s major", number_text((double)r->minor_faults).text,
	    number_text((double)r->major_faults).text);
	ROW(p, "switches", "%s voluntary, %s involuntary", number_text((double)r->voluntary_switches).text,
	    number_text((double)r->involuntary_switches).text);
	ROW(p, "storage", "read %s, written %s", bytes_of(r->read_bytes).text, bytes_of(r->written_bytes).text);
	ROW(p, "calls", "read %s, written %s", bytes_of(r->read_call_bytes).text, bytes_of(r->write_call_bytes).text);
	if (r->group_path[0])
		group_rows(r, p);
	if (r->nended)
		ROW(p, "ended", "%u that outlived it", r->nended);
	if (r->nleft)
		left_row(r, p);
}

/* ---- repeats ---- */

static size_t failures(const run_line_vec *lines)
{
	size_t n = 0;

	vec_each(l, lines)
		n += l->exit_code != 0;
	return n;
}

static void right(struct page *p, unsigned to, const char *text)
{
	unsigned n = text_columns(span_from(text), p->style.unicode);

	page_indent(p, to > n ? to - n : 0);
	page_put(p, "%s", text);
}

/* The figures that at least one run has. */
static bool collect(const run_line_vec *lines, size_t metric, double *values, struct statistics *ret)
{
	size_t n = 0;

	vec_each(l, lines)
		values[n++] = l->value[metric];
	statistics_of(values, n, ret);
	return ret->n > 0;
}

static void repeats(const struct run_report *report, struct page *p)
{
	static const char *const heads[] = { "min", "median", "max", "mean", "stddev" };
	const run_line_vec *lines = report->repeats;
	size_t failed = failures(lines);
	double *values = calloc(lines->n + 1, sizeof *values);
	/* A narrow terminal loses columns from the right. */
	unsigned name = 21, wide = 12, first, columns = (p->style.width - (p->style.width > name ? name : 0)) / wide;

	if (!values) {
		p->error = -ENOMEM;
		return;
	}
	page_tone(p, failed ? TONE_RED : TONE_GREEN);
	page_put(p, "%zu runs, %zu failed", lines->n, failed);
	page_tone(p, TONE_PLAIN);
	page_wrap(p, 2, " in %s:", seconds(report->elapsed_ns).text);
	for (char *const *word = report->argv; *word; word++)
		page_word(p, 2, span_from(*word), false);
	page_newline(p);
	columns = columns < 1 ? 1 : columns > 5 ? 5 : columns;
	/* Of one alone the median says most. */
	first = columns == 1;
	page_tone(p, TONE_DIM);
	for (unsigned i = 0; i < columns; i++)
		right(p, name + wide * (i + 1), heads[i + first]);
	page_newline(p);
	for (size_t m = 0; m < RUN_METRICS; m++) {
		struct statistics s;

		page_tone(p, TONE_PLAIN);
		if (!collect(lines, m, values, &s))
			continue;
		double shown[] = { s.minimum, s.median, s.maximum, s.mean, s.deviation };

		page_put(p, "%s", run_metric(m)->label);
		for (unsigned i = 0; i < columns; i++)
			right(p, name + wide * (i + 1), isnan(shown[i + first]) ? "-" : run_metric_text(m, shown[i + first]).text);
		page_newline(p);
	}
	free(values);
	vec_each(l, lines)
		if (l->peak_is_bound) {
			page_wrap(p, 2, "peak memory: no more than that; what is smaller than osprey cannot be told apart");
			page_newline(p);
			break;
		}
}

/* ---- jobs ---- */

static void job_outcome(const struct run_line *l, char *ret, size_t size)
{
	if (l->failed_to_start)
		snprintf(ret, size, "not started");
	else if (l->timeout)
		snprintf(ret, size, "timeout");
	else if (l->signal)
		snprintf(ret, size, "%s", signal_text(l->signal).text);
	else
		snprintf(ret, size, "exit %d", l->exit_code);
}

static void job_row(struct page *p, size_t number, const struct run_line *l)
{
	char text[32];

	snprintf(text, sizeof text, "%zu", number);
	right(p, 5, text);
	page_tone(p, l->exit_code ? TONE_RED : TONE_GREEN);
	page_indent(p, 7);
	job_outcome(l, text, sizeof text);
	page_put(p, "%s", text);
	page_tone(p, TONE_PLAIN);
	right(p, 28, isnan(l->value[0]) ? "-" : duration_text(l->value[0]).text);
	if (p->style.width >= 72) {
		right(p, 39, isnan(l->value[1]) ? "-" : duration_text(l->value[1] + l->value[2]).text);
		right(p, 50, isnan(l->value[3]) ? "-" : bytes_text(l->value[3]).text);
	}
	page_put(p, "  ");
	unsigned room = p->style.width > p->column + 8 ? p->style.width - p->column : 8;

	page_put_span(p, (struct span){ l->command, strnlen(l->command, room) });
	page_newline(p);
}

static void jobs(const struct run_report *report, struct page *p)
{
	const run_line_vec *lines = report->jobs;
	size_t failed = failures(lines), number = 0;

	page_tone(p, failed ? TONE_RED : TONE_GREEN);
	page_put(p, "%zu jobs, %zu failed", lines->n, failed);
	page_tone(p, TONE_PLAIN);
	page_put(p, " in %s", seconds(report->elapsed_ns).text);
	page_newline(p);
	if (!lines->n)
		return;
	page_tone(p, TONE_DIM);
	right(p, 5, "job");
	page_indent(p, 7);
	page_put(p, "outcome");
	right(p, 28, "wall");
	if (p->style.width >= 72) {
		right(p, 39, "cpu");
		right(p, 50, "peak");
	}
	page_put(p, "  command");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	vec_each(l, lines)
		job_row(p, ++number, l);
}

void run_text(const struct run_report *report, struct page *p)
{
	if (report->result)
		single(report, p);
	else if (report->repeats)
		repeats(report, p);
	else
		jobs(report, p);
}
