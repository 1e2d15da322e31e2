#include <stdio.h>
#include <string.h>

#include "report/probe.h"

static void put_number(struct json *j, const struct probe_value *v, const char *name, const char *at)
{
	uint64_t n;

	memcpy(&n, at, sizeof n);
	if (v->is_signed)
		json_i64(j, name, (int64_t)n);
	else
		json_u64(j, name, n);
}

static void put_stack(struct json *j, const struct probe_report *r, const struct probe_field *f, const char *at, bool key,
		      const struct probe_record *record)
{
	struct event_frames frames;
	char text[512];
	int pid;

	probe_stack_frames(r, f, at, key, record, &frames, &pid);
	json_array(j, f->name);
	for (size_t i = 0; i < frames.n; i++) {
		probe_frame_text(&frames.frame[i], text, sizeof text);
		json_string(j, NULL, text);
	}
	json_end(j);
	if (f->value.kernel_stack)
		return;
	snprintf(text, sizeof text, "%s_ends", f->name);
	json_string(j, text, frames.why);
}

static void put_field(struct json *j, const struct probe_report *r, const struct probe_field *f, const char *at, bool fault,
		      bool key, const struct probe_record *record)
{
	uint64_t site;

	if (fault) {
		json_null(j, f->name);
	} else if (f->value.kind == VALUE_TEXT) {
		json_span(j, f->name, (struct span){ at, strnlen(at, f->size) });
	} else if (f->value.kind == VALUE_SITE) {
		memcpy(&site, at, sizeof site);
		json_string(j, f->name, probe_session_site_name(r->session, (uint32_t)site));
	} else if (f->value.kind == VALUE_STACK) {
		put_stack(j, r, f, at, key, record);
	} else {
		put_number(j, &f->value, f->name, at);
	}
}

int probe_json_record(struct buf *out, const struct probe_report *r, const struct probe_record *record,
		      const struct probe_layout *l)
{
	struct json j = { .out = out, .compact = true };

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.probe.hit/1");
	json_u64(&j, "time_ns", (uint64_t)((int64_t)record->mono_ns + r->real_minus_mono_ns));
	json_string(&j, "probe", probe_session_site_name(r->session, record->site));
	json_u64(&j, "pid", record->pid);
	json_u64(&j, "tid", record->tid);
	json_span(&j, "name", (struct span){ record->comm, strnlen(record->comm, sizeof record->comm) });
	json_object(&j, "values");
	for (size_t i = 0; i < l->nfields; i++)
		put_field(&j, r, &l->field[i], (const char *)record + l->field[i].offset, record->faults >> i & 1, false, record);
	json_end(&j);
	json_end(&j);
	return json_finish(&j);
}

static void put_row(struct json *j, const struct probe_report *r, const struct probe_action *a, const struct probe_layout *l,
		    const struct probe_row *row)
{
	json_object(j, NULL);
	json_object(j, "key");
	for (size_t i = 0; i < l->nfields; i++)
		put_field(j, r, &l->field[i], row->key + l->field[i].offset, false, true, NULL);
	json_end(j);
	json_u64(j, "count", row->count);
	if (a->kind == ACTION_AVG)
		json_double(j, "avg", row->count ? (double)row->value / (double)row->count : 0);
	else if (a->kind == ACTION_SUM || a->kind == ACTION_MIN || a->kind == ACTION_MAX) {
		if (l->value_unsigned)
			json_u64(j, probe_action_names[a->kind], (uint64_t)row->value);
		else
			json_i64(j, probe_action_names[a->kind], row->value);
	}
	if (a->kind == ACTION_HISTOGRAM) {
		json_array(j, "buckets");
		for (unsigned i = 0; i < PROBE_BUCKETS; i++) {
			if (!row->bucket[i])
				continue;
			json_object(j, NULL);
			if (i == 0)
				json_null(j, "from"); /* below 0 */
			else
				json_u64(j, "from", i == 1 ? 0 : UINT64_C(1) << (i - 2));
			json_u64(j, "count", row->bucket[i]);
			json_end(j);
		}
		json_end(j);
	}
	json_end(j);
}

int probe_json_aggregate(struct buf *out, const struct probe_report *r, size_t clause, size_t action,
			 const probe_row_vec *rows)
{
	struct json j = { .out = out, .compact = true };
	const struct probe_clause *c = &probe_session_program(r->session)->clause[clause];
	const struct probe_action *a = &c->action[action];
	size_t n = 0;

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.probe.aggregate/1");
	json_span(&j, "probe", c->spec.text);
	json_span(&j, "action", a->source);
	json_u64(&j, "keys", rows->n);
	if (probe_key_has_user_stack(probe_session_layout(r->session, 0, clause, action)))
		json_string(&j, "user_stacks", "frame pointers");
	json_array(&j, "rows");
	vec_each(row, rows) {
		if (n++ == r->rows)
			break;
		put_row(&j, r, a, probe_session_layout(r->session, 0, clause, action), row);
	}
	json_end(&j);
	json_end(&j);
	return json_finish(&j);
}

int probe_json_end(struct buf *out, const struct probe_losses *l, uint64_t hits, uint64_t unshown, double seconds)
{
	struct json j = { .out = out, .compact = true };

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.probe.end/1");
	json_double(&j, "seconds", seconds);
	json_u64(&j, "hits_printed", hits);
	json_object(&j, "lost");
	json_u64(&j, "buffer_full", l->records);
	json_u64(&j, "too_many_keys", l->keys);
	json_u64(&j, "unreadable", l->unreadable);
	json_u64(&j, "filter_unreadable", l->filter);
	json_u64(&j, "missed", l->missed);
	json_u64(&j, "over_rate", unshown);
	json_end(&j);
	json_end(&j);
	return json_finish(&j);
}
