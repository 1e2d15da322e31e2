#include "dig/count/count_event.h"

#include <errno.h>
#include <linux/perf_event.h>

#include "base/check.h"
#include "dig/count/count_metric.h"
#include "dig/count/count_set.h"

static int parse(const char *text, count_event_vec *v, struct note *note)
{
	v->n = 0;
	return count_events_parse(span_from(text), v, note);
}

static void names_and_modifiers(void)
{
	count_event_vec v = { 0 };
	struct note note = { "" };

	CHECK(parse("cycles:u, cs ,LLC-load-misses:k,task-clock:uk", &v, &note) == 0);
	CHECK_U64(v.n, 4);
	CHECK_STR(v.v[0].text, "cycles:u");
	CHECK(v.v[0].only_user && !v.v[0].only_kernel);
	CHECK_STR(v.v[1].name->name, "context-switches");
	CHECK(v.v[2].only_kernel && v.v[2].kind == COUNT_CACHE);
	CHECK_U64(v.v[2].config, PERF_COUNT_HW_CACHE_LL | PERF_COUNT_HW_CACHE_RESULT_MISS << 16);
	CHECK(!v.v[3].only_user && !v.v[3].only_kernel);
	CHECK(count_event_unit(&v.v[3]) == COUNT_NS);
	CHECK(v.v[0].group != v.v[1].group);
	vec_free(&v);
}

static void groups_raw_and_tracepoints(void)
{
	count_event_vec v = { 0 };
	struct note note = { "" };

	CHECK(parse("{cycles,instructions},{branches,branch-misses:u},r1a8,sched:sched_switch:k", &v, &note) == 0);
	CHECK_U64(v.n, 6);
	CHECK(v.v[0].group == v.v[1].group && v.v[2].group == v.v[3].group && v.v[1].group != v.v[2].group);
	CHECK(v.v[3].group != v.v[4].group && v.v[4].group != v.v[5].group);
	CHECK(v.v[4].kind == COUNT_RAW);
	CHECK_U64(v.v[4].config, 0x1a8);
	CHECK(v.v[5].kind == COUNT_TRACEPOINT && v.v[5].only_kernel);
	/* A second list goes on with groups of its own. */
	CHECK(count_events_parse(SPAN("faults"), &v, &note) == 0);
	CHECK(v.v[6].group != v.v[5].group);
	vec_free(&v);
}

static void mistakes(void)
{
	static const char *const wrong[] = { "", ",", "cycles,", "cyclse", "cycles:", "cycles:x", "{cycles", "cycles}", "{cycles}x",
					     "{}", "r", "rxyz", "a:../b", "sched:", ":u", "sched:sched_switch:z", "{{cycles}}" };
	count_event_vec v = { 0 };

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct note note = { "" };
		CHECK(count_events_parse(SPAN("cs"), &v, &note) == 0);
		size_t before = v.n;
		CHECK(count_events_parse(span_from(wrong[i]), &v, &note) == -EINVAL);
		CHECK(note.text[0] != '\0');
		CHECK_U64(v.n, before);
	}
	struct note note = { "" };
	CHECK(parse("cyclse", &v, &note) == -EINVAL && strstr(note.text, "closest: cycles "));
	vec_free(&v);
}

static void scaling(void)
{
	struct count_value v = { 1000, 4000, 1000 };

	CHECK_NEAR(count_value_scaled(&v), 4000, 1e-9);
	CHECK_NEAR(count_value_running_pct(&v), 25, 1e-9);
	v = (struct count_value){ 1000, 4000, 4000 };
	CHECK_NEAR(count_value_scaled(&v), 1000, 1e-9);
	v = (struct count_value){ 0, 4000, 0 }; /* its turn never came: that is not zero */
	CHECK(isnan(count_value_scaled(&v)));
	CHECK_NEAR(count_value_running_pct(&v), 0, 0);
	v = (struct count_value){ 0, 0, 0 }; /* a task that never ran */
	CHECK_NEAR(count_value_scaled(&v), 0, 0);
	v.count = READING_ABSENT;
	CHECK(isnan(count_value_scaled(&v)) && isnan(count_value_running_pct(&v)));
	struct count_value before = { 100, 10, 5 }, after = { 150, 30, 15 };
	v = count_value_delta(&before, &after);
	CHECK(v.count == 50 && v.enabled_ns == 20 && v.running_ns == 10);
}

static void metrics(void)
{
	count_event_vec v = { 0 };
	struct note note = { "" };
	double value[6] = { 2e9, 8e9, 4e9, 1e6, 1e9, 3e9 };

	CHECK(parse("task-clock,instructions,cycles,branch-misses,cycles:u,instructions:u", &v, &note) == 0);
	CHECK_NEAR(count_metric_first(COUNT_METRIC_cpus_used, v.v, value, 6, 4), 0.5, 1e-9);
	CHECK_NEAR(count_metric_first(COUNT_METRIC_instructions_per_cycle, v.v, value, 6, 4), 2, 1e-9);
	CHECK_NEAR(count_metric_first(COUNT_METRIC_clock_ghz, v.v, value, 6, 4), 2, 1e-9);
	CHECK_NEAR(count_metric_first(COUNT_METRIC_branch_misses_per_kinstruction, v.v, value, 6, 4), 0.125, 1e-9);
	CHECK(isnan(count_metric_first(COUNT_METRIC_branch_miss_pct, v.v, value, 6, 4)));
	/* User space by user space, never by the whole; and no clock of a part. */
	CHECK_NEAR(count_metric_value(COUNT_METRIC_instructions_per_cycle, v.v, value, 6, 5, 4), 3, 1e-9);
	CHECK(isnan(count_metric_value(COUNT_METRIC_clock_ghz, v.v, value, 6, 4, 4)));
	value[2] = NAN;
	CHECK(isnan(count_metric_value(COUNT_METRIC_instructions_per_cycle, v.v, value, 6, 1, 4)));
	value[2] = 0;
	CHECK(isnan(count_metric_value(COUNT_METRIC_instructions_per_cycle, v.v, value, 6, 1, 4)));
	vec_free(&v);
}

int main(void)
{
	names_and_modifiers();
	groups_raw_and_tracepoints();
	mistakes();
	scaling();
	metrics();
	return check_exit();
}
