#include <math.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/json.h"
#include "report/score.h"

static const char *const kinds[] = { [SCORE_FAULT] = "fault", [SCORE_PAIR] = "pair", [SCORE_HEALTHY] = "healthy" };
static const char *const states[] = {
	[SCORE_PLANNED] = "not_played", [SCORE_COUNTED] = "counted", [SCORE_IMPOSSIBLE] = "impossible",
	[SCORE_FAILED] = "failed",	[SCORE_UNMOVED] = "unmoved",
	[SCORE_DISTURBED] = "disturbed",
};

static void fault(struct json *j, const struct score_fault *f)
{
	json_object(j, NULL);
	json_string(j, "condition", f->condition->id);
	json_bool(j, "moved", f->moved);
	json_string(j, "seen", f->seen[0] ? f->seen : NULL);
	if (f->rank)
		json_u64(j, "rank", f->rank);
	else
		json_null(j, "rank");
	json_bool(j, "absorbed", f->absorbed);
	json_double(j, "named_after_s", f->named_after_s);
	json_bool(j, "culprit_right", f->culprit_right);
	json_string(j, "culprit", f->culprit[0] ? f->culprit : NULL);
	json_string(j, "label", f->label);
	json_end(j);
}

static void one_case(struct json *j, const struct score_case *c)
{
	json_object(j, NULL);
	json_string(j, "kind", kinds[c->kind]);
	json_string(j, "strength", score_strength_name(c->strength));
	json_string(j, "background", c->background ? c->background->name : "healthy_idle");
	json_string(j, "state", states[c->state]);
	json_string(j, "why", c->state == SCORE_COUNTED ? NULL : c->why);
	json_array(j, "faults");
	for (size_t i = 0; i < c->nfaults; i++)
		fault(j, &c->fault[i]);
	json_end(j);
	json_string(j, "first", c->first ? c->first->id : NULL);
	json_u64(j, "false_findings", c->false_findings);
	json_string(j, "false_conditions", c->false_findings ? c->false_names : NULL);
	if (c->after_judged)
		json_u64(j, "findings_after_undo", c->after_findings);
	else
		json_null(j, "findings_after_undo");
	json_string(j, "conditions_after_undo", c->after_findings ? c->after_names : NULL);
	json_string(j, "largest_pressure", c->pressure);
	json_string(j, "largest_deviation", c->deviation);
	json_double(j, "doctor_cpu_ms", c->cpu_ms);
	json_double(j, "window_s", c->window_s);
	json_double(j, "foreign_cpus", c->foreign_cpus);
	json_end(j);
}

static void summary(struct json *j, const struct score_summary *s)
{
	json_u64(j, "faults", s->faults);
	json_u64(j, "rejected", s->rejected);
	json_u64(j, "right_first", s->at1);
	json_u64(j, "right_in_three", s->at3);
	json_u64(j, "right_culprit", s->culprits);
	json_u64(j, "right_within_3s", s->within_3s);
	json_double(j, "median_named_after_s", s->named_after_s);
}

static void whole(struct json *j, const struct score_summary *s)
{
	json_object(j, "summary");
	summary(j, s);
	json_u64(j, "right_resource", s->resource_at1);
	json_u64(j, "right_resource_largest_pressure", s->pressure_at1);
	json_u64(j, "right_resource_largest_deviation", s->deviation_at1);
	json_u64(j, "judged_largest_deviation", s->deviation_judged);
	json_u64(j, "healthy", s->healthy);
	json_u64(j, "healthy_with_false_findings", s->healthy_false);
	json_u64(j, "after_undo", s->after);
	json_u64(j, "after_undo_with_findings", s->after_false);
	json_u64(j, "pairs", s->pairs);
	json_u64(j, "pairs_both_named", s->pairs_both);
	json_double(j, "doctor_cpu_pct", s->cpu_pct);
	json_end(j);
}

static unsigned confused(const struct score_view *v, const struct condition *injected, const struct condition *named)
{
	unsigned n = 0;

	vec_each(c, v->cases)
		n += c->kind == SCORE_FAULT && c->state == SCORE_COUNTED && c->fault[0].condition == injected &&
		     c->first == named;
	return n;
}

/* Only cells that are not zero. */
static void confusion(struct json *j, const struct score_view *v)
{
	const struct score_options *o = v->options;

	json_array(j, "confusion");
	for (size_t i = 0; i < o->nconditions; i++)
		for (size_t k = 0; k <= o->nconditions; k++) {
			const struct condition *named = k < o->nconditions ? o->conditions[k] : NULL;
			unsigned n = confused(v, o->conditions[i], named);

			if (!n)
				continue;
			json_object(j, NULL);
			json_string(j, "injected", o->conditions[i]->id);
			json_string(j, "named_first", named ? named->id : NULL);
			json_u64(j, "cases", n);
			json_end(j);
		}
	json_end(j);
}

static void classes(struct json *j, const struct score_view *v)
{
	json_array(j, "conditions");
	for (size_t i = 0; i < v->options->nconditions; i++) {
		struct score_summary s;

		score_summarise(v->cases, v->options->conditions[i], &s);
		if (s.faults + s.rejected == 0)
			continue;
		json_object(j, NULL);
		json_string(j, "condition", v->options->conditions[i]->id);
		summary(j, &s);
		json_end(j);
	}
	json_end(j);
}

static void host(struct json *j)
{
	struct utsname name = { 0 };

	(void)!uname(&name);
	json_object(j, "host");
	json_string(j, "kernel", name.release);
	json_i64(j, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
	json_end(j);
}

static void residue(struct json *j, struct span lines)
{
	struct span line;

	json_array(j, "residue");
	while (span_line(&lines, &line))
		json_span(j, NULL, line);
	json_end(j);
}

int score_json(struct buf *ret, const struct score_view *v)
{
	struct json j = { .out = ret };
	struct score_summary s;

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.lab_score/1");
	host(&j);
	json_u64(&j, "seed", v->options->seed);
	json_double(&j, "window_s", (double)v->options->window_ns / 1e9);
	json_bool(&j, "interrupted", v->interrupted);
	score_summarise(v->cases, NULL, &s);
	whole(&j, &s);
	classes(&j, v);
	confusion(&j, v);
	json_array(&j, "cases");
	vec_each(c, v->cases)
		if (c->state != SCORE_PLANNED)
			one_case(&j, c);
	json_end(&j);
	residue(&j, v->residue);
	json_end(&j);
	return json_finish(&j);
}
