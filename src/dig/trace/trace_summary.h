/* Calls summed in the kernel: how often, how long, how they are spread.
 *
 * By BPF alone (see trace_source.h for what it needs). Cost: a call of a target 0.28 us where an empty pair of programs costs 0.14
 * and a pair that reads the clock 0.27 (a guest with kvm-clock); ~70 ns a call of all others, most of which is the raw_syscalls
 * tracepoints'. Durations fall into buckets: four for each doubling from 64 ns on, so that a percentile is right to 12 percent;
 * the maximum is exact. The sums of all together take 272 KiB a CPU. */
#ifndef OSPREY_DIG_TRACE_TRACE_SUMMARY_H
#define OSPREY_DIG_TRACE_TRACE_SUMMARY_H

#include "dig/trace/trace_source.h"

enum trace_by { TRACE_BY_ALL, TRACE_BY_PROCESS, TRACE_BY_THREAD };

struct trace_summary_row {
	int32_t task; /* 0: all */
	const struct syscall_entry *call; /* NULL: a number without an entry */
	unsigned number;
	struct trace_sum sum;
};
typedef VEC(struct trace_summary_row) trace_summary_rows;

struct trace_summary;
int trace_summary_new(struct host *h, const struct trace_request *q, enum trace_by by, struct trace_summary **ret,
		      struct note *note) __attribute__((warn_unused_result));
void trace_summary_free(struct trace_summary *s);
/* Whether a target is left. */
bool trace_summary_living(struct trace_summary *s);
/* The sums so far, the most time first. 0 or -errno. */
int trace_summary_read(struct trace_summary *s, trace_summary_rows *ret) __attribute__((warn_unused_result));
uint64_t trace_summary_lost(const struct trace_summary *s);
/* Of a command that has ended: as wait() gives it; -1: it runs. */
int trace_summary_status(struct trace_summary *s);
/* Leaves a command to itself: sends it TERM. */
void trace_summary_stop(struct trace_summary *s);

/* ---- pure ---- */

unsigned trace_bucket(uint64_t ns);
/* The first duration of a bucket. */
uint64_t trace_bucket_start_ns(unsigned bucket);
/* The duration that `share` (0 to 1) of the calls stay below, by the middle of its bucket and never above the maximum. */
double trace_percentile_ns(const struct trace_sum *s, double share);

#endif
