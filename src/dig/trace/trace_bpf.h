/* What the programs of the trace and of the summary are given alike. */
#ifndef OSPREY_DIG_TRACE_TRACE_BPF_H
#define OSPREY_DIG_TRACE_TRACE_BPF_H

#include "dig/trace/trace_source.h"

int trace_bpf_settings(const struct trace_request *q, struct trace_settings *ret, struct note *note)
	__attribute__((warn_unused_result));
/* Marks all threads of these processes: fills the map, and reads the iterator once (~1 us a thread of the host). */
int trace_bpf_find_targets(int targets_map, int iterator_link, const int32_t *pid, size_t n)
	__attribute__((warn_unused_result));
/* Starts the command with its thread marked. -ENOENT…: it cannot be run, and has been reaped. */
int trace_bpf_start(const struct trace_request *q, int targets_map, int iterator_link, int32_t *ret_pid, struct note *note)
	__attribute__((warn_unused_result));

#endif
