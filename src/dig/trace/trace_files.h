/* Which file a descriptor is: learned from the calls that go by, else asked of /proc/PID/fd. Later calls may have
 * closed it by the time it is asked for: a descriptor that is not known any more has no name. ~2 us for the first sight of one. */
#ifndef OSPREY_DIG_TRACE_TRACE_FILES_H
#define OSPREY_DIG_TRACE_TRACE_FILES_H

#include "dig/trace/decode.h"

struct trace_files;
int trace_files_new(struct trace_files **ret) __attribute__((warn_unused_result));
void trace_files_free(struct trace_files *f);
/* For decode_options.fd_path, with the files as its arg. The span lives until the next call. */
struct span trace_files_path(void *files, int pid, int fd);
/* Learns from a record: before it is decoded, and after. */
void trace_files_before(struct trace_files *f, const struct trace_event *e);
void trace_files_after(struct trace_files *f, const struct trace_event *e);

#endif
