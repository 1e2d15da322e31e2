/* The kernel's tracepoints: which there are, and what their records hold.
 *
 * Source: tracefs, events/GROUP/EVENT/{id,format} (Documentation/trace/events.rst). Where it is not mounted (at
 * /sys/kernel/tracing, /sys/kernel/debug/tracing) it is mounted detached, by fsmount: no namespace shows it, and it goes
 * with the descriptor. Privilege: root (files of tracefs), CAP_SYS_ADMIN for the mount. Kernel: 5.2 for the latter.
 * Raw tracepoints by BTF: types named btf_trace_*, with the arguments that the kernel's code hands over. */
#ifndef OSPREY_DIG_PROBE_TRACEPOINT_H
#define OSPREY_DIG_PROBE_TRACEPOINT_H

#include "dig/probe/scope.h"

/* A descriptor of tracefs' root, or -errno with the note. */
int tracefs_open(struct note *note) __attribute__((warn_unused_result));

/* Pure. What a format file says, without the common fields (BPF does not see them). -EBADMSG, -ENOMEM. */
int tracepoint_format_parse(struct span text, uint64_t *ret_id, probe_argument_vec *ret)
	__attribute__((warn_unused_result));
/* -ENOENT: no such event. */
int tracepoint_read(int tracefs, const char *group, const char *event, uint64_t *ret_id, probe_argument_vec *ret)
	__attribute__((warn_unused_result));

/* Calls `each` for all events whose group and name match. A nonzero answer ends it and is returned. */
int tracepoints_each(int tracefs, struct span group, struct span name,
		     int (*each)(void *arg, const char *group, const char *name), void *arg)
	__attribute__((warn_unused_result));
int raw_tracepoints_each(struct kernel_types *t, struct span name, int (*each)(void *arg, const char *name), void *arg)
	__attribute__((warn_unused_result));
int raw_tracepoint_read(struct kernel_types *t, const char *name, probe_argument_vec *ret)
	__attribute__((warn_unused_result));

/* Functions that kprobes take: available_filter_functions, else the text symbols of /proc/kallsyms. */
int kernel_functions_each(int tracefs, struct span name, int (*each)(void *arg, const char *name), void *arg)
	__attribute__((warn_unused_result));
/* 0, or -EOPNOTSUPP with the note: this kernel has no kprobes. *ret_type: of perf events. */
int kprobes_there(uint32_t *ret_type, struct note *note) __attribute__((warn_unused_result));

#endif
