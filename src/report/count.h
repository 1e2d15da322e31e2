/* Counts of events as text, JSON (schema osprey.count/1) and CSV; a series of looks as lines of each.
 *
 * JSON: one document, or with an interval one a line. "value" is scaled and null where it is not measurable,
 * with "why"; "running_pct" says for how much of the time the event was counted. With repeats "value" is the mean,
 * "stddev" the standard deviation over runs. */
#ifndef OSPREY_REPORT_COUNT_H
#define OSPREY_REPORT_COUNT_H

#include "base/buf.h"
#include "dig/count/count_metric.h"
#include "dig/count/count_set.h"
#include "report/page.h"

struct count_figure {
	double value;	    /* scaled; mean of repeats; NaN: not measurable */
	double stddev;	    /* NaN: there was one run */
	double running_pct; /* NaN: was never counted */
	char why[200];	    /* empty: measurable */
};

struct count_report {
	const char *subject; /* "nginx (1234)", "the host", "cgroup /a", the command line */
	const struct count_event *events;
	const struct count_figure *figures;
	size_t n;
	double at_s;	  /* end of the look since the start */
	double elapsed_s; /* of the look; mean of repeats */
	double elapsed_stddev_s;
	double user_s, system_s; /* of a command; NaN: none */
	double busy_cpus;	/* of the host, from /proc/stat; NaN: not asked */
	unsigned runs;	  /* 1: no repeats */
	unsigned unsure;  /* threads that may be counted twice */
	bool only_user, of_host, is_process;
	int pid;
};

void count_text(const struct count_report *report, struct page *p);
int count_json(const struct count_report *report, bool compact, struct buf *ret) __attribute__((warn_unused_result));

/* A series. Heads stand above the first line (and again after a screen of text). */
void count_line_head(const struct count_report *report, struct page *p);
void count_line(const struct count_report *report, struct page *p);
int count_csv_head(const struct count_report *report, struct buf *ret) __attribute__((warn_unused_result));
int count_csv(const struct count_report *report, struct buf *ret) __attribute__((warn_unused_result));

#endif
