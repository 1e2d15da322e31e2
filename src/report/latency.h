/* Latencies as text for people and as JSON, schema osprey.latency/1 (with an interval a document a line).
 * Durations in JSON are ns; quantiles are told within an eighth. */
#ifndef OSPREY_REPORT_LATENCY_H
#define OSPREY_REPORT_LATENCY_H

#include "base/buf.h"
#include "dig/latency/cgroup_id.h"
#include "dig/latency/latency.h"
#include "report/page.h"

struct latency_report {
	const struct latency_request *request;
	struct latency_result *result;	   /* its rows are put in order */
	const struct cgroup_ids *cgroups; /* nullable */
	double at_s, elapsed_s;
	uint64_t real_minus_mono_ns;
	unsigned max_rows;
	const struct latency_slow *worst; /* of those above the threshold, the worst first */
	size_t nworst;
	uint64_t nslow;
};

extern const char *const latency_kind_names[];

void latency_text(const struct latency_report *report, struct page *p);
int latency_json(const struct latency_report *report, bool compact, struct buf *ret) __attribute__((warn_unused_result));

/* A series: one line for each look. */
void latency_line_head(struct page *p);
void latency_line(const struct latency_report *report, struct page *p);

/* One slow event, as it comes. */
void latency_slow_line(const struct latency_request *request, const struct latency_slow *slow, uint64_t real_minus_mono_ns,
		       struct page *p);
int latency_slow_json(const struct latency_request *request, const struct latency_slow *slow, uint64_t real_minus_mono_ns,
		      struct buf *ret) __attribute__((warn_unused_result));

/* ---- shared by both forms ---- */

/* "nginx (812)", "vda", "openat", "net_rx", "/system.slice/x", "0x7f… (99) redis". */
int latency_row_name(const struct latency_report *report, const struct latency_row *row, struct buf *ret)
	__attribute__((warn_unused_result));
/* Its trade is to wait: it stands below the others, and the answer does not count it. */
bool latency_row_waits(const struct latency_request *request, const struct latency_row *row);
/* Most time first, those that wait by trade last. */
void latency_rows_sort(const struct latency_report *report);
/* The total without rows that wait by trade. */
void latency_sum(const struct latency_report *report, struct latency_counts *ret);
const char *latency_operation_name(uint32_t operation);
const char *latency_vector_name(uint64_t number);

#endif
