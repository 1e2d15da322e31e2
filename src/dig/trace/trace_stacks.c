#include "dig/trace/trace_stacks.h"

void trace_stacks_frames(struct event_stacks *s, const struct trace_event *e, struct event_frames *ret)
{
	const struct trace_record *r = e->record;

	*ret = (struct event_frames){ 0 };
	event_stacks_until(s, r->start_ns + r->duration_ns);
	if (r->type == RECORD_EXIT && (r->flags & RECORD_LAST))
		event_stacks_forget(s, r->pid);
	if (r->type != RECORD_CALL)
		return;
	/* At its end the new program is there, and has no stack yet that would tell anything. */
	bool executed = e->call && (syscall_capture(r->call).flags & CALL_EXECUTES) && r->result == 0;
	if (executed && !event_stacks_follows(s))
		event_stacks_forget(s, r->pid);
	for (unsigned i = 0; i < e->nparts; i++)
		if (e->part[i].argument == PART_USER_STACK)
			event_stacks_user(s, r->pid, e->part[i].bytes, ret);
}
