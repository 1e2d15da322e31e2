/* From a record to what people read: openat(AT_FDCWD, "/etc/hosts", O_RDONLY) = 3.
 *
 * Pure, but for the two questions that the caller answers (which file a descriptor is, whether it is one of ours).
 * The notation is strace's, for people know it: names of flags joined by |, structs in braces, strings in C's escapes, so that all output
 * is printable ASCII. What was not captured is shown as its address. Any bytes are taken. */
#ifndef OSPREY_DIG_TRACE_DECODE_H
#define OSPREY_DIG_TRACE_DECODE_H

#include <stdbool.h>

#include "base/buf.h"
#include "dig/trace/syscall_table.h"

#define TRACE_PARTS_MAX 96

struct trace_event {
	const struct trace_record *record;
	const struct syscall_entry *call; /* NULL: RECORD_COMPAT, or a number without an entry */
	unsigned nparts;
	struct event_part {
		uint8_t argument, piece;
		bool at_exit;
		struct span bytes;
	} part[TRACE_PARTS_MAX];
};

struct decode_options {
	unsigned excerpt_bytes; /* that were captured at most of data */
	/* The file behind a descriptor of a process, or an empty span. NULL: descriptors are bare numbers. */
	struct span (*fd_path)(void *arg, int pid, int fd);
	void *arg;
};

/* Bytes of one record with its parts, aligned to 8. -EBADMSG: they are none. *ret points into them. */
int trace_event_parse(struct span bytes, struct trace_event *ret) __attribute__((warn_unused_result));

/* The name of the call: "openat", "syscall_0x1ff", "32-bit:5". */
int decode_name(const struct trace_event *e, struct buf *ret) __attribute__((warn_unused_result));
/* All arguments, ", " between them. `ret_end`, nullable: where each ends in *ret; TRACE_ARGUMENTS; *ret_n of them. */
int decode_arguments(const struct trace_event *e, const struct decode_options *o, struct buf *ret, size_t *ret_end,
		     unsigned *ret_n) __attribute__((warn_unused_result));
/* "3", "-1 ENOENT (No such file or directory)", "?". */
int decode_result(const struct trace_event *e, const struct decode_options *o, struct buf *ret)
	__attribute__((warn_unused_result));
/* "SIGCHLD {si_signo=SIGCHLD, …}" of a RECORD_SIGNAL; "exited with 0", "killed by SIGTERM" of a RECORD_EXIT. */
int decode_signal_record(const struct trace_event *e, struct buf *ret) __attribute__((warn_unused_result));
int decode_exit(const struct trace_event *e, struct buf *ret) __attribute__((warn_unused_result));
/* The error of the result, 0: it succeeded or has none. */
int trace_event_error(const struct trace_event *e);

#endif
