/* Traced calls as lines: for people in strace's notation, for programs as one JSON object a line (osprey.trace/1). */
#ifndef OSPREY_REPORT_TRACE_H
#define OSPREY_REPORT_TRACE_H

#include "dig/trace/trace_stacks.h"
#include "report/page.h"

enum trace_time { TRACE_TIME_NONE, TRACE_TIME_RELATIVE, TRACE_TIME_DELTA, TRACE_TIME_ABSOLUTE };

struct trace_line {
	const struct trace_event *event;
	const struct decode_options *decode;
	enum trace_time time;
	uint64_t first_ns, previous_ns; /* CLOCK_MONOTONIC, of the first record and the one before */
	int64_t real_minus_mono_ns;
	bool with_thread; /* whose it is stands in front */
	struct page_style style;
	struct event_frames stack;
	struct buf *scratch; /* kept from line to line */
};

/* Appends a line, and the stack's below it. ~0.2 us for a call without memory. */
int trace_text(const struct trace_line *l, struct buf *ret) __attribute__((warn_unused_result));
int trace_json(const struct trace_line *l, struct buf *ret) __attribute__((warn_unused_result));

struct trace_totals {
	uint64_t events, lost;
	double seconds;
	const char *ended_by; /* "all targets ended"… */
};
/* The last line. */
int trace_end_text(const struct trace_totals *t, const struct page_style *style, struct buf *ret) __attribute__((warn_unused_result));
int trace_end_json(const struct trace_totals *t, struct buf *ret) __attribute__((warn_unused_result));

#endif
