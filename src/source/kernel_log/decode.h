/* From lines of the kernel log to events (event.h).
 *
 * What the kernel tells in many lines (an OOM report of hundreds, a stack trace) becomes one event,
 * complete when its last line has come. Lines of several reports may be interleaved: a kernel with
 * CONFIG_PRINTK_CALLER says which is whose; without it, lines that have the form of a report's are
 * taken for those of the open one.
 *
 * Only what the kernel itself wrote (facility 0) is decoded: what processes write to /dev/kmsg is never
 * let through as that. Records of level err and worse that no pattern knows become events of kind
 * OTHER. Noise (the OOM reaper, routine audit records) does not.
 *
 * Pure; any bytes may be fed. Formats: lib/, mm/oom_kill.c, mm/memcontrol.c, kernel/hung_task.c,
 * kernel/watchdog.c, kernel/rcu/tree_stall.h, arch/x86/mm/fault.c, arch/x86/kernel/traps.c and the
 * drivers, 5.10 to 6.18. */
#ifndef OSPREY_SOURCE_KERNEL_LOG_DECODE_H
#define OSPREY_SOURCE_KERNEL_LOG_DECODE_H

#include "source/kernel_log/event.h"
#include "source/kernel_log/record.h"

struct log_decoder;

int log_decoder_new(struct log_decoder **ret) __attribute__((warn_unused_result));
void log_decoder_free(struct log_decoder *d);

/* Appends events that are complete to *ret, in the order in which they became so. 0 or -ENOMEM. */
int log_decoder_feed(struct log_decoder *d, const struct log_record *record, log_event_vec *ret)
	__attribute__((warn_unused_result));
/* Nothing further belongs to what is still open: the end of the log, or a while of silence. */
int log_decoder_flush(struct log_decoder *d, log_event_vec *ret) __attribute__((warn_unused_result));
/* Whether a report has begun that is not complete. */
bool log_decoder_open(const struct log_decoder *d);
/* The position of the last record fed in what it belonged to: the kind of event, or LOG_KINDS when it
 * is part of none. */
enum log_kind log_decoder_last_kind(const struct log_decoder *d);

#endif
