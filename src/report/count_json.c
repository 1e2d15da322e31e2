#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "report/count.h"

static double rounded(double v)
{
	return isnan(v) ? v : round(v * 1e6) / 1e6;
}

static void json_event(struct json *j, const struct count_event *e, const struct count_figure *f, bool repeats)
{
	json_object(j, NULL);
	json_string(j, "name", e->text);
	json_string(j, "unit", count_event_unit(e) == COUNT_NS ? "ns" : "count");
	if (repeats || isnan(f->value))
		json_double(j, "value", f->value);
	else
		json_u64(j, "value", (uint64_t)(f->value + 0.5));
	if (repeats)
		json_double(j, "stddev", f->stddev);
	json_double(j, "running_pct", isnan(f->running_pct) ? NAN : round(f->running_pct * 100) / 100);
	json_string(j, "why", f->why[0] ? f->why : NULL);
	json_end(j);
}

static void json_metrics(struct json *j, const struct count_report *r)
{
	double values[COUNT_MAX_EVENTS];

	for (size_t i = 0; i < r->n; i++)
		values[i] = r->figures[i].value;
	json_object(j, "metrics");
	for (unsigned id = 0; id < COUNT_METRICS; id++) {
		double v = count_metric_first(id, r->events, values, r->n, r->elapsed_s);
		if (id == COUNT_METRIC_cpus_used && !isnan(r->busy_cpus))
			v = r->busy_cpus;
		json_double(j, count_metrics[id].id, rounded(v));
	}
	json_end(j);
}

int count_json(const struct count_report *r, bool compact, struct buf *ret)
{
	struct json j = { .out = ret, .compact = compact };

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.count/1");
	json_string(&j, "subject", r->subject);
	json_double(&j, "at_s", rounded(r->at_s));
	json_double(&j, "elapsed_s", rounded(r->elapsed_s));
	if (r->runs > 1) {
		json_u64(&j, "runs", r->runs);
		json_double(&j, "elapsed_stddev_s", rounded(r->elapsed_stddev_s));
	}
	json_double(&j, "user_s", rounded(r->user_s));
	json_double(&j, "system_s", rounded(r->system_s));
	json_bool(&j, "only_user_space", r->only_user);
	json_u64(&j, "threads_perhaps_counted_twice", r->unsure);
	json_array(&j, "events");
	for (size_t i = 0; i < r->n; i++)
		json_event(&j, &r->events[i], &r->figures[i], r->runs > 1);
	json_end(&j);
	json_metrics(&j, r);
	json_end(&j);
	return json_finish(&j);
}

int count_csv_head(const struct count_report *r, struct buf *ret)
{
	int res = buf_printf(ret, "at_s,elapsed_s");

	for (size_t i = 0; i < r->n && res == 0; i++)
		res = buf_printf(ret, ",%s%s,%s.running_pct", r->events[i].text, count_event_unit(&r->events[i]) == COUNT_NS ? ".ns" : "",
				 r->events[i].text);
	return res < 0 ? res : buf_append(ret, "\n", 1);
}

int count_csv(const struct count_report *r, struct buf *ret)
{
	int res = buf_printf(ret, "%.6f,%.6f", r->at_s, r->elapsed_s);

	for (size_t i = 0; i < r->n && res == 0; i++) {
		const struct count_figure *f = &r->figures[i];

		res = isnan(f->value) ? buf_append(ret, ",", 1) : buf_printf(ret, ",%.0f", f->value);
		if (res == 0)
			res = isnan(f->running_pct) ? buf_append(ret, ",", 1) : buf_printf(ret, ",%.2f", f->running_pct);
	}
	return res < 0 ? res : buf_append(ret, "\n", 1);
}
