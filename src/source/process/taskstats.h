/* Delay totals of one task: where its time went while it could not run.
 *
 * Reads: generic netlink, family TASKSTATS (CONFIG_TASKSTATS, 2.6.18), one request a task,
 * ~20 us. Needs CAP_NET_ADMIN in the first network namespace and the first pid namespace:
 * elsewhere -EPERM or -ENOENT. For few tasks, when a finding names them.
 *
 * The trap: delay accounting is off by default since 5.14 (kernel.task_delayacct, or
 * "delayacct" on the command line), and once switched on it covers only tasks started
 * later. The wait for a CPU is kept all the same; of the others, a task that is not
 * covered answers zeros. So when not one of the others was ever counted, they are all
 * READING_ABSENT: nearly every covered task of 6.0+ has at least copied a page on write.
 *
 * Versions: reclaim 7+, thrashing 9+ (4.19), compact 11+ (5.17), copy 13+ (6.0). Version 15
 * (6.14) moved the members of others before 16 put them back: its answer is -EOPNOTSUPP. */
#ifndef OSPREY_SOURCE_PROCESS_TASKSTATS_H
#define OSPREY_SOURCE_PROCESS_TASKSTATS_H

#include "base/reading.h"
#include "base/span.h"
#include "kernel/host.h"

/* DELAY(name, first version, count, total): members of struct taskstats. */
#define TASKSTATS_DELAYS(DELAY)                                                                     \
	DELAY(cpu, 1, cpu_count, cpu_delay_total)		    /* runnable, waiting for a CPU */ \
	DELAY(block, 1, blkio_count, blkio_delay_total)		    /* synchronous block I/O */     \
	DELAY(swapin, 1, swapin_count, swapin_delay_total)	    /* pages coming back from swap */ \
	DELAY(reclaim, 7, freepages_count, freepages_delay_total)   /* direct reclaim */            \
	DELAY(thrashing, 9, thrashing_count, thrashing_delay_total) /* pages evicted too early */   \
	DELAY(compact, 11, compact_count, compact_delay_total)	    /* compaction for huge pages */ \
	DELAY(copy, 13, wpcopy_count, wpcopy_delay_total)	    /* copying on write */

struct taskstats_delays {
#define TASKSTATS_MEMBERS(name, version, count, total) reading name##_count, name##_ns;
	TASKSTATS_DELAYS(TASKSTATS_MEMBERS)
#undef TASKSTATS_MEMBERS
};

/* 0, -ESRCH, -EPERM, -ENOENT (this kernel has no taskstats), -EOPNOTSUPP, -EBADMSG,
 * -ETIMEDOUT. */
int taskstats_read(struct host *h, int tid, struct taskstats_delays *ret) __attribute__((warn_unused_result));

/* Pure. The answer to TASKSTATS_CMD_GET: netlink messages. */
int taskstats_parse(struct span answer, struct taskstats_delays *ret) __attribute__((warn_unused_result));
/* The answer to CTRL_CMD_GETFAMILY. */
int taskstats_family_parse(struct span answer, uint16_t *ret) __attribute__((warn_unused_result));
/* What a capture holds: a count and a total for each delay, "-" where there is none. */
int taskstats_text_parse(struct span text, struct taskstats_delays *ret) __attribute__((warn_unused_result));

#endif
