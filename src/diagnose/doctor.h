/* The doctor: watches a host for a window and diagnoses as it goes. */
#ifndef OSPREY_DIAGNOSE_DOCTOR_H
#define OSPREY_DIAGNOSE_DOCTOR_H

#include "diagnose/engine.h"
#include "sample/sampler.h"

struct doctor_options {
	uint64_t window_ns;
	bool no_bpf;
	/* Called after each look with what is known so far; nullable. */
	void (*progress)(void *arg, double elapsed_s, const struct diagnosis *so_far);
	void *progress_arg;
	/* Called with the window of each look, for who judges the same figures otherwise; nullable. */
	void (*observe)(void *arg, const struct window *w);
	void *observe_arg;
	const volatile int *interrupted; /* nonzero: end now with what there is; nullable */
};

struct doctor_cost {
	double cpu_ms;
	uint64_t peak_rss_kib;
};

struct doctor_report {
	struct topology topology;
	struct abilities abilities;
	struct host_time from, to;
	double seconds;
	struct diagnosis diagnosis;
	struct doctor_cost cost;
	/* of the last tick and look, for the header and the guides */
	struct counters counters;
	uint32_t processes, tasks;
};

/* 0, or -errno when the host cannot be read at all. *ret is to be deinitialised in any
 * case. */
int doctor_run(struct host *h, const struct condition *const *conditions, size_t n,
	       const struct doctor_options *options, struct doctor_report *ret, struct note *note)
	__attribute__((warn_unused_result));
void doctor_report_deinit(struct doctor_report *r);

#endif
