#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "report/probe.h"

void probe_stack_frames(const struct probe_report *r, const struct probe_field *f, const char *at, bool key,
			const struct probe_record *record, struct event_frames *ret, int *ret_pid)
{
	const struct probe_stack *s = (const void *)at;
	bool user = !f->value.kernel_stack;
	size_t n = 0;

	*ret_pid = !user ? 0 : key ? (int)s->head : (int)record->pid;
	if (record)
		event_stacks_until(r->stacks, record->mono_ns);
	if (f->value.copied_stack) {
		event_stacks_user(r->stacks, *ret_pid, (struct span){ at, f->size }, ret);
		return;
	}
	size_t max = key || s->head / 8 > PROBE_FRAMES ? PROBE_FRAMES : s->head / 8;
	while (n < max && s->address[n])
		n++;
	*ret = (struct event_frames){ .why = user ? "no user stack" : NULL };
	if (n && (!user || *ret_pid))
		event_stacks_addresses(r->stacks, *ret_pid, s->address, n, ret);
	if (n == PROBE_FRAMES)
		ret->why = "deeper frames are cut off";
}

void probe_frame_text(const struct event_frame *f, char *ret, size_t size)
{
	if (!f->function[0] && !f->module[0])
		snprintf(ret, size, "0x%" PRIx64, f->address);
	else if (!f->function[0])
		snprintf(ret, size, "0x%" PRIx64 " (%s)", f->kernel ? f->address : f->offset, f->module);
	else
		snprintf(ret, size, "%.400s+0x%" PRIx64 "%s%.60s%s", f->function, f->offset, f->kernel ? "" : " (",
			 f->kernel ? "" : f->module, f->kernel ? "" : ")");
}

bool probe_key_has_user_stack(const struct probe_layout *l)
{
	for (size_t i = 0; i < l->nfields; i++)
		if (l->field[i].value.kind == VALUE_STACK && !l->field[i].value.kernel_stack)
			return true;
	return false;
}
