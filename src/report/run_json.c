#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "report/run.h"

static const char *timeout_name(enum run_timeout t)
{
	return t == RUN_WALL_TIMEOUT ? "wall" : t == RUN_CPU_TIMEOUT ? "cpu" : NULL;
}

static void command(struct json *j, char *const *argv)
{
	json_array(j, "command");
	for (; *argv; argv++)
		json_string(j, NULL, *argv);
	json_end(j);
}

static void outcome(struct json *j, bool started, int exit_code, int number, enum run_timeout timeout)
{
	json_bool(j, "started", started);
	json_i64(j, "exit_code", exit_code);
	json_string(j, "signal", number ? signal_text(number).text : NULL);
	json_string(j, "timeout", timeout_name(timeout));
}

/* A count of bytes is a whole number and stays one. */
static void number(struct json *j, const char *key, double value)
{
	if (!isnan(value) && value == floor(value) && value >= 0 && value < 9e15)
		json_u64(j, key, (uint64_t)value);
	else
		json_double(j, key, value);
}

static void single(struct json *j, const struct run_result *r)
{
	outcome(j, r->pid != 0, r->exit_code, r->signal, r->timeout);
	json_string(j, "error", r->failed.text[0] ? r->failed.text : NULL);
	json_string(j, "warning", r->warning.text[0] ? r->warning.text : NULL);
	json_bool(j, "core_dumped", r->dumped_core);
	json_bool(j, "peak_resident_is_upper_bound", r->peak_is_bound);
	json_string(j, "cgroup", r->group_path[0] ? r->group_path : NULL);
	json_u64(j, "left_running", r->nleft);
	json_u64(j, "ended_after_it", r->nended);
	json_object(j, "figures");
	for (size_t i = 0; i < RUN_METRICS; i++)
		number(j, run_metric(i)->id, r->pid ? run_metric_value(r, i) : NAN);
	json_end(j);
}

static void lines(struct json *j, const char *key, const run_line_vec *all)
{
	json_array(j, key);
	vec_each(l, all) {
		json_object(j, NULL);
		if (l->command)
			json_string(j, "command", l->command);
		outcome(j, !l->failed_to_start, l->exit_code, l->signal, l->timeout);
		json_bool(j, "peak_resident_is_upper_bound", l->peak_is_bound);
		json_object(j, "figures");
		for (size_t i = 0; i < RUN_METRICS; i++)
			number(j, run_metric(i)->id, l->value[i]);
		json_end(j);
		json_end(j);
	}
	json_end(j);
}

static int statistics(struct json *j, const run_line_vec *all)
{
	double *values = calloc(all->n + 1, sizeof *values);

	if (!values)
		return -ENOMEM;
	json_object(j, "statistics");
	for (size_t i = 0; i < RUN_METRICS; i++) {
		struct statistics s;
		size_t n = 0;

		vec_each(l, all)
			values[n++] = l->value[i];
		statistics_of(values, n, &s);
		json_object(j, run_metric(i)->id);
		json_u64(j, "count", s.n);
		json_double(j, "min", s.minimum);
		json_double(j, "median", s.median);
		json_double(j, "max", s.maximum);
		json_double(j, "mean", s.mean);
		json_double(j, "stddev", s.deviation);
		json_end(j);
	}
	json_end(j);
	free(values);
	return 0;
}

int run_json(const struct run_report *report, struct buf *ret)
{
	struct json j = { .out = ret };
	int r = 0;

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.run/1");
	if (report->argv)
		command(&j, report->argv);
	json_double(&j, "elapsed_s", (double)report->elapsed_ns / 1e9);
	if (report->result)
		single(&j, report->result);
	if (report->repeats) {
		r = statistics(&j, report->repeats);
		lines(&j, "runs", report->repeats);
	}
	if (report->jobs)
		lines(&j, "jobs", report->jobs);
	json_end(&j);
	int finished = json_finish(&j);

	return r < 0 ? r : finished;
}
