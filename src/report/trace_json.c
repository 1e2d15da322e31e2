#include <string.h>

#include "base/json.h"
#include "dig/trace/flag_names.h"
#include "report/trace.h"

static void json_call(struct json *j, const struct trace_line *l)
{
	struct buf *scratch = l->scratch;
	const struct trace_event *e = l->event;
	const struct trace_record *r = e->record;
	int error = trace_event_error(e);
	size_t end[TRACE_ARGUMENTS];
	unsigned n = 0;

	buf_clear(scratch);
	j->error = j->error ? j->error : decode_name(e, scratch);
	json_span(j, "call", buf_span(scratch));
	if (r->flags & RECORD_COMPAT)
		json_bool(j, "compat", true);
	buf_clear(scratch);
	int failed = decode_arguments(e, l->decode, scratch, end, &n);
	j->error = j->error ? j->error : failed;
	json_array(j, "arguments");
	for (size_t i = 0, from = 0; i < n && !j->error; from = end[i] + 2, i++)
		json_span(j, NULL, (struct span){ scratch->data + from, end[i] - from });
	json_end(j);
	if (r->flags & RECORD_UNFINISHED) {
		json_null(j, "result");
		json_bool(j, "unfinished", true);
		return;
	}
	json_i64(j, "result", error ? -1 : r->result);
	json_string(j, "error", error ? errno_name(error) : NULL);
	if (r->flags & RECORD_BEGUN_BEFORE)
		json_null(j, "duration_ns");
	else
		json_u64(j, "duration_ns", r->duration_ns);
}

static void json_frames(struct json *j, const struct trace_line *l)
{
	json_array(j, "stack");
	for (size_t i = 0; i < l->stack.n; i++) {
		const struct event_frame *f = &l->stack.frame[i];

		json_object(j, NULL);
		json_string(j, "function", f->function[0] ? f->function : NULL);
		json_string(j, "module", f->module);
		json_u64(j, "offset", f->offset);
		json_u64(j, "address", f->address);
		json_bool(j, "inlined", f->inlined);
		json_bool(j, "guessed", f->guessed);
		json_end(j);
	}
	json_end(j);
	json_string(j, "stack_ends", l->stack.why);
}

int trace_json(const struct trace_line *l, struct buf *ret)
{
	static const char *const types[] = { "call", "signal", "exit" };
	const struct trace_record *r = l->event->record;
	struct json j = { .out = ret, .compact = true };

	json_object(&j, NULL);
	json_string(&j, "type", types[r->type]);
	json_i64(&j, "time_ns", (int64_t)r->start_ns + l->real_minus_mono_ns);
	json_i64(&j, "pid", r->pid);
	json_i64(&j, "tid", r->tid);
	json_span(&j, "name", (struct span){ r->comm, strnlen(r->comm, sizeof r->comm) });
	if (r->type == RECORD_CALL) {
		json_call(&j, l);
	} else {
		buf_clear(l->scratch);
		int e = r->type == RECORD_SIGNAL ? decode_signal_record(l->event, l->scratch) : decode_exit(l->event, l->scratch);
		j.error = j.error ? j.error : e;
		json_span(&j, "text", buf_span(l->scratch));
	}
	if (l->stack.n || l->stack.why)
		json_frames(&j, l);
	json_end(&j);
	return json_finish(&j);
}

int trace_end_json(const struct trace_totals *t, struct buf *ret)
{
	struct json j = { .out = ret, .compact = true };

	json_object(&j, NULL);
	json_string(&j, "type", "end");
	json_string(&j, "schema", "osprey.trace/1");
	json_u64(&j, "events", t->events);
	json_u64(&j, "lost", t->lost);
	json_double(&j, "seconds", t->seconds);
	json_string(&j, "ended_by", t->ended_by);
	json_end(&j);
	return json_finish(&j);
}
