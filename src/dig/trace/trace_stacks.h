/* The stacks of records as names: dig/stack/event_stack.h. */
#ifndef OSPREY_DIG_TRACE_TRACE_STACKS_H
#define OSPREY_DIG_TRACE_TRACE_STACKS_H

#include "dig/stack/event_stack.h"
#include "dig/trace/decode.h"

/* The user stack of a record: what `ret` holds lives until the next call. None of its own (signals, exits): no frames, and no
 * reason. What exec and the end of a process change is followed. */
void trace_stacks_frames(struct event_stacks *s, const struct trace_event *e, struct event_frames *ret);

#endif
