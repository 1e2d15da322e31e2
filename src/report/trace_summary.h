/* The calls of a while, summed: a row each, what they are made of, how they are spread. */
#ifndef OSPREY_REPORT_TRACE_SUMMARY_H
#define OSPREY_REPORT_TRACE_SUMMARY_H

#include "dig/trace/trace_summary.h"
#include "report/page.h"

struct trace_summary_report {
	const struct trace_summary_row *row;
	size_t nrows;
	enum trace_by by;
	bool histogram;
	uint64_t lost;
	double seconds;
	const char *ended_by;
};

void trace_summary_text(const struct trace_summary_report *r, struct page *p);
/* One document, schema osprey.trace-summary/1; times in ns, buckets that hold something with where they begin. */
int trace_summary_json(const struct trace_summary_report *r, struct buf *ret) __attribute__((warn_unused_result));

#endif
