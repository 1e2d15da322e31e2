/* What running a program has cost: as text for people and as JSON, schema osprey.run/1. One table of
 * metrics (run_metric.c) is behind both, and behind the statistics of repeats. */
#ifndef OSPREY_REPORT_RUN_H
#define OSPREY_REPORT_RUN_H

#include "act/run.h"
#include "act/run_statistics.h"
#include "base/buf.h"
#include "base/vec.h"
#include "report/page.h"

enum run_unit { RUN_SECONDS, RUN_BYTES, RUN_COUNT };

struct run_metric {
	const char *id;	   /* in JSON, with its unit: "wall_s" */
	const char *label; /* in tables: "wall" */
	enum run_unit unit;
};

#define RUN_METRICS 23
const struct run_metric *run_metric(size_t i);
/* NaN where there is no such figure. */
double run_metric_value(const struct run_result *r, size_t metric);
struct units_text run_metric_text(size_t metric, double value);

/* One of many: what is kept of each. */
struct run_line {
	char *command; /* of a job; NULL of a repeat */
	int exit_code, signal;
	enum run_timeout timeout;
	bool failed_to_start, peak_is_bound;
	double value[RUN_METRICS];
};
typedef VEC(struct run_line) run_line_vec;

struct run_report {
	char *const *argv; /* NULL for jobs */
	uint64_t elapsed_ns;
	/* one of: */
	const struct run_result *result; /* a single run */
	const run_line_vec *repeats;
	const run_line_vec *jobs;
};

/* "exit 0", "killed by SEGV (core dumped)", "stopped after its timeout" */
void run_text(const struct run_report *report, struct page *p);
int run_json(const struct run_report *report, struct buf *ret) __attribute__((warn_unused_result));

/* A line of a run's outcome into a line of many. */
void run_line_fill(const struct run_result *r, struct run_line *ret);

#endif
