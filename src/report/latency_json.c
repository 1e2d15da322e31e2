#include <math.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "dig/latency/call_name.h"
#include "report/latency.h"
#include "report/table.h"

static const char *const by_names[] = { "process", "task", "cgroup", "number", "place" };

static void json_moment(struct json *j, const char *key, uint64_t real_ns)
{
	char text[40];

	table_moment(real_ns, text, sizeof text);
	json_string(j, key, text);
}

static void json_histogram(struct json *j, const struct latency_counts *c)
{
	json_array(j, "histogram");
	for (unsigned i = 0; i < LATENCY_SLOTS; i++) {
		if (!c->slot[i])
			continue;
		json_object(j, NULL);
		json_u64(j, "from_ns", histogram_low_ns(i));
		json_u64(j, "count", c->slot[i]);
		json_end(j);
	}
	json_end(j);
}

static void json_counts(struct json *j, const struct latency_report *r, const struct latency_counts *c)
{
	json_u64(j, "count", c->count);
	json_u64(j, "total_ns", c->total_ns);
	json_double(j, "mean_ns", round(histogram_mean(c)));
	json_reading(j, "p50_ns", c->count ? histogram_quantile(c, 0.5) : READING_ABSENT);
	json_reading(j, "p90_ns", c->count ? histogram_quantile(c, 0.9) : READING_ABSENT);
	json_reading(j, "p99_ns", c->count ? histogram_quantile(c, 0.99) : READING_ABSENT);
	json_reading(j, "max_ns", c->count ? c->max_ns : READING_ABSENT);
	if (c->max_at_ns)
		json_moment(j, "max_at", c->max_at_ns + r->real_minus_mono_ns);
	else
		json_null(j, "max_at");
	json_reading(j, "max_pid", c->max_pid ? (reading)c->max_pid : READING_ABSENT);
	json_reading(j, "max_tid", c->max_tid ? (reading)c->max_tid : READING_ABSENT);
	json_string(j, "max_comm", c->max_comm[0] ? c->max_comm : NULL);
	json_histogram(j, c);
}

static void json_row(struct json *j, const struct latency_report *r, const struct latency_row *row)
{
	cleanup(buf_deinit) struct buf name = { 0 };
	bool tasks = r->request->by == LATENCY_BY_PROCESS || r->request->by == LATENCY_BY_TASK;
	bool futex = r->request->kind == LATENCY_FUTEX && r->request->by == LATENCY_BY_PLACE;

	json_object(j, NULL);
	if (tasks)
		json_string(j, "name", row->counts.name);
	else if (latency_row_name(r, row, &name) < 0)
		j->error = -12;
	else
		json_span(j, "name", buf_span(&name));
	json_reading(j, "pid", (tasks || futex) && row->counts.pid ? (reading)row->counts.pid : READING_ABSENT);
	json_reading(j, "tid", r->request->by == LATENCY_BY_TASK && row->counts.tid ? (reading)row->counts.tid : READING_ABSENT);
	if (futex)
		json_u64(j, "address", row->key.b);
	json_bool(j, "waits_by_trade", latency_row_waits(r->request, row));
	json_counts(j, r, &row->counts);
	json_end(j);
}

static void json_slow(struct json *j, const struct latency_request *q, const struct latency_slow *s, uint64_t real_minus_mono_ns)
{
	json_moment(j, "at", s->at_ns + real_minus_mono_ns);
	json_u64(j, "took_ns", s->took_ns);
	json_reading(j, "pid", s->pid ? (reading)s->pid : READING_ABSENT);
	json_reading(j, "tid", s->tid ? (reading)s->tid : READING_ABSENT);
	json_string(j, "comm", s->comm);
	json_u64(j, "cpu", s->cpu);
	if (q->kind == LATENCY_RUNQ) {
		json_reading(j, "behind_pid", s->other_pid ? (reading)s->other_pid : READING_ABSENT);
		json_string(j, "behind_comm", s->other_pid ? s->other_comm : NULL);
	} else if (q->kind == LATENCY_DISK) {
		json_string(j, "disk", s->name[0] ? s->name : NULL);
		json_string(j, "operation", latency_operation_name(s->operation));
	} else if (q->kind == LATENCY_SYSCALL) {
		json_string(j, "call", call_name(s->number));
		json_u64(j, "number", s->number);
	} else if (q->kind == LATENCY_SOFTIRQ) {
		json_string(j, "vector", latency_vector_name(s->number));
	} else {
		json_u64(j, "address", s->place);
	}
}

int latency_slow_json(const struct latency_request *q, const struct latency_slow *s, uint64_t real_minus_mono_ns, struct buf *ret)
{
	struct json j = { .out = ret, .compact = true };

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.latency.slow/1");
	json_string(&j, "kind", latency_kind_names[q->kind]);
	json_slow(&j, q, s, real_minus_mono_ns);
	json_end(&j);
	return json_finish(&j);
}

int latency_json(const struct latency_report *r, bool compact, struct buf *ret)
{
	struct json j = { .out = ret, .compact = compact };

	latency_rows_sort(r);
	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.latency/1");
	json_string(&j, "kind", latency_kind_names[r->request->kind]);
	json_string(&j, "by", by_names[r->request->by]);
	json_double(&j, "at_s", round(r->at_s * 1e6) / 1e6);
	json_double(&j, "elapsed_s", round(r->elapsed_s * 1e6) / 1e6);
	json_object(&j, "total");
	json_counts(&j, r, &r->result->total);
	json_end(&j);
	json_object(&j, "queued");
	json_counts(&j, r, &r->result->queued);
	json_end(&j);
	json_array(&j, "rows");
	for (size_t i = 0; i < r->result->rows.n && i < r->max_rows; i++)
		json_row(&j, r, &r->result->rows.v[i]);
	json_end(&j);
	json_u64(&j, "rows_left_out", r->result->rows.n > r->max_rows ? r->result->rows.n - r->max_rows : 0);
	json_u64(&j, "events_without_row", r->result->keys_lost);
	json_u64(&j, "slow", r->nslow);
	json_u64(&j, "slow_lost", r->result->slow_lost);
	json_array(&j, "worst");
	for (size_t i = 0; i < r->nworst; i++) {
		json_object(&j, NULL);
		json_slow(&j, r->request, &r->worst[i], r->real_minus_mono_ns);
		json_end(&j);
	}
	json_end(&j);
	json_end(&j);
	return json_finish(&j);
}
