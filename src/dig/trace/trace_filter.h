/* What of all calls is wanted: parsed from words, and asked of a record where no BPF program does it.
 * Pure. */
#ifndef OSPREY_DIG_TRACE_TRACE_FILTER_H
#define OSPREY_DIG_TRACE_TRACE_FILTER_H

#include <stdbool.h>

#include "base/note.h"
#include "dig/trace/decode.h"

struct trace_filter {
	struct trace_settings settings; /* those of the filter alone are set here */
	struct trace_call_rule call[TRACE_CALLS];
	bool all_calls; /* no call was chosen: 32-bit ones are shown too */
};

/* Everything is wanted. */
void trace_filter_init(struct trace_filter *f);
/* "openat,%network,!futex": names and %classes; with a first word that begins with '!' all but those. Words of
 * several calls add up. -EINVAL, with the reason and the closest name. */
int trace_filter_calls(struct trace_filter *f, struct span words, struct note *note)
	__attribute__((warn_unused_result));
/* "any", or "ENOENT,EACCES". */
int trace_filter_errors(struct trace_filter *f, struct span words, struct note *note)
	__attribute__((warn_unused_result));
/* "/etc" (and what is below), "*.so", "/usr/lib*.so", "=/etc/hosts" (that alone). */
int trace_filter_path(struct trace_filter *f, struct span pattern, struct note *note)
	__attribute__((warn_unused_result));
int trace_filter_fd(struct trace_filter *f, struct span words, struct note *note)
	__attribute__((warn_unused_result));

/* At the begin of a call: whether the descriptors fit. */
bool trace_filter_fds_fit(const struct trace_filter *f, const struct trace_record *r);
/* Whether it is one that is looked for. */
bool trace_filter_path_fits(const struct trace_filter *f, struct span path);
/* When it has been captured. Of descriptors' paths RECORD_AT_PATH tells. */
bool trace_filter_fits(const struct trace_filter *f, const struct trace_event *e);

#endif
