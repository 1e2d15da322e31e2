/* What the BPF program captures, captured from outside: for a thread that is stopped by ptrace, or that sleeps in
 * a call. Reads by process_vm_readv: the same user or CAP_SYS_PTRACE. ~1 us a piece. */
#ifndef OSPREY_DIG_TRACE_TRACE_CAPTURE_H
#define OSPREY_DIG_TRACE_TRACE_CAPTURE_H

#include <stdbool.h>

#include "base/span.h"
#include "dig/trace/trace.bpf.h"

struct trace_capturer {
	struct trace_record record; /* its size grows; the parts stand behind it */
	char payload[TRACE_PAYLOAD_MAX + sizeof(struct trace_part) + TRACE_PIECE_MAX];
};

/* Adds what the rule says for the moment; record.argument and, at the exit, record.result are set. */
void trace_capture(struct trace_capturer *c, int pid, const struct trace_call_rule *rule, bool at_exit, unsigned excerpt_bytes);

static inline struct span trace_captured(const struct trace_capturer *c)
{
	return (struct span){ (const char *)&c->record, sizeof c->record + c->record.size };
}

#endif
