/* From the log's clock to the time of day.
 *
 * Records carry the scheduler's clock (local_clock): it starts with the kernel, stands still while the
 * machine sleeps, and runs some ppm apart from the others, which makes seconds in weeks. So times are
 * counted back from now: now in both clocks is known exactly (a perf event tells the scheduler's; where
 * none can be had, CLOCK_MONOTONIC stands in), and steps of the time of day since then do no harm. How
 * long the machine slept between a record and now is taken from the records of the sleeps themselves where
 * the kernel tells it ("Timekeeping suspended for …"), and from the difference of CLOCK_BOOTTIME and
 * CLOCK_MONOTONIC where there is only one sleep to give it to. */
#ifndef OSPREY_SOURCE_KERNEL_LOG_LOG_CLOCK_H
#define OSPREY_SOURCE_KERNEL_LOG_LOG_CLOCK_H

#include "base/vec.h"
#include "kernel/host.h"
#include "source/kernel_log/record.h"

struct log_sleep {
	uint64_t log_ns;   /* its end */
	uint64_t slept_ns;
	bool told;	   /* the kernel told how long; else 0 until it is found out */
};

struct log_clock {
	uint64_t real_ns, log_ns; /* now */
	uint64_t slept_ns;	  /* all sleeps since boot */
	uint64_t unknown_ns;	  /* of these, what cannot be given to a sleep that the log tells of */
	uint64_t unsure_before_ns; /* records before it may be told too late by unknown_ns; 0: none */
	bool exact;		  /* the scheduler's clock was asked */
	VEC(struct log_sleep) sleeps;
};

void log_clock_deinit(struct log_clock *c);
/* Takes what is now; keeps the sleeps. Asks under the key "kmsg:clock". */
void log_clock_now(struct log_clock *c, struct host *h, struct buf *scratch);
/* Notes the sleeps of which records tell, in their order. 0 or -ENOMEM. */
int log_clock_learn(struct log_clock *c, const struct log_record *record) __attribute__((warn_unused_result));
/* When all records were learned from. */
void log_clock_settle(struct log_clock *c);
/* CLOCK_REALTIME at that time of the log; absent when there is none. */
reading log_clock_real(const struct log_clock *c, reading log_ns);

#endif
