/* One record of the kernel log, as /dev/kmsg gives it:
 * "priority,sequence,usec,flags[,caller=T123];text\n KEY=value\n …"
 * (Documentation/ABI/testing/dev-kmsg; caller since 5.1 with CONFIG_PRINTK_CALLER). Text and
 * values hold other bytes than printable ASCII as \xNN, newlines of text of several lines among
 * them. Pure. */
#ifndef OSPREY_SOURCE_KERNEL_LOG_RECORD_H
#define OSPREY_SOURCE_KERNEL_LOG_RECORD_H

#include "base/reading.h"
#include "base/span.h"

enum log_level {
	LEVEL_EMERG,
	LEVEL_ALERT,
	LEVEL_CRIT,
	LEVEL_ERR,
	LEVEL_WARNING,
	LEVEL_NOTICE,
	LEVEL_INFO,
	LEVEL_DEBUG,
};

struct log_record {
	uint64_t sequence;
	reading log_ns; /* the log's clock; absent: printk.time was off and only syslog(2) answers */
	uint8_t level;	/* enum log_level */
	uint8_t facility;
	bool fragment;	    /* flag 'c' or '+': part of a line that the kernel did not join */
	struct span caller; /* "T123", "C0"; empty: not told */
	struct span text;   /* still escaped */
	struct span dictionary; /* the lines " KEY=value" behind it, still escaped */
};

/* False: no record. The spans point into `record`. */
bool log_record_parse(struct span record, struct log_record *ret) __attribute__((warn_unused_result));

/* The value of KEY in the dictionary ("DEVICE": "b8:0"). */
bool log_record_value(const struct log_record *record, const char *key, struct span *ret)
	__attribute__((warn_unused_result));

#define LOG_LEVELS 8
#define LOG_FACILITIES 24
extern const char *const log_level_names[LOG_LEVELS + 1]; /* "emerg" … "debug", NULL */
const char *log_facility_name(unsigned facility);	  /* "kern", "user", … "local7"; "?" */

#endif
