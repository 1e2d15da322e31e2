/* Time namespaces (5.6, CONFIG_TIME_NS): a process's CLOCK_MONOTONIC may be another than ours.
 *
 * /proc/PID/timens_offsets, format: time_namespaces(7). It tells the offsets of the namespace that children are put in, which is the
 * process's own but for one that has called unshare itself. Privilege: the links /proc/PID/ns/… need the same user or CAP_SYS_PTRACE. */
#ifndef OSPREY_SOURCE_PROCESS_TIME_NAMESPACE_H
#define OSPREY_SOURCE_PROCESS_TIME_NAMESPACE_H

#include "kernel/host.h"

/* Pure: the offset of CLOCK_MONOTONIC, which may be below 0. False: it is not told, or is none. */
bool time_offsets_parse(struct span text, int64_t *ret_monotonic_ns);
/* How far the CLOCK_MONOTONIC of a process is ahead of ours: 0 in the same namespace, and where the kernel has none. -ENODATA: its
 * offsets are not told; others of the reads. */
int time_namespace_ahead(struct host *h, int pid, int64_t *ret_ns) __attribute__((warn_unused_result));

#endif
