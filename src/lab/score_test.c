#include "lab/score.h"

#include <math.h>

#include "base/check.h"

static int nothing(struct lab *lab, struct note *note)
{
	(void)lab;
	(void)note;
	return 0;
}

static const struct scenario scenario = { .name = "any", .run = nothing };
static const struct condition a = { .id = "a", .resource = "cpu", .scenario = &scenario };
static const struct condition b = { .id = "b", .resource = "disk", .scenario = &scenario };
static const struct condition c = { .id = "c", .resource = "lock", .scenario = &scenario };
static const struct condition *const all[] = { &a, &b, &c };

static struct finding *find(struct diagnosis *d, const struct condition *condition, enum severity severity,
			    int32_t pid)
{
	struct finding *f = vec_push(&d->findings);

	f->condition = condition;
	f->severity = severity;
	f->culprit = (struct actor){ .kind = ACTOR_PROCESS, .pid = pid };
	f->named_after_s = 1;
	f->absorbed_by = -1;
	return f;
}

static struct score_fault judged(const struct diagnosis *d, const struct condition *condition,
				 const struct lab_label *labels, size_t n)
{
	struct score_fault f = { .condition = condition };

	score_judge(d, labels, n, &f);
	return f;
}

static void test_judge(void)
{
	struct diagnosis d = { 0 };
	const struct lab_label labels[] = { { .kind = "cgroup", .name = "/x/fault" },
					    { .kind = "process", .pid = 7, .comm = "hog" } };

	CHECK_U64(judged(&d, &a, labels, 2).rank, 0);
	find(&d, &b, SEVERITY_CRITICAL, 3);
	find(&d, &b, SEVERITY_CRITICAL, 4);
	find(&d, &a, SEVERITY_WARNING, 7);
	d.nroots = 3;
	find(&d, &c, SEVERITY_WARNING, 9)->absorbed_by = 2;

	struct score_fault f = judged(&d, &a, labels, 2);
	CHECK_U64(f.rank, 2); /* two findings of one condition are one place */
	CHECK(f.culprit_right);
	CHECK_NEAR(f.named_after_s, 1, 0);
	CHECK(!judged(&d, &b, labels, 2).culprit_right);
	CHECK_U64(judged(&d, &b, labels, 2).rank, 1);
	f = judged(&d, &c, labels, 2);
	CHECK_U64(f.rank, 0);
	CHECK(f.absorbed);

	d.findings.v[2].culprit = (struct actor){ .kind = ACTOR_CGROUP, .name = "/x/fault" };
	CHECK(judged(&d, &a, labels, 2).culprit_right);
	d.findings.v[2].culprit = (struct actor){ .kind = ACTOR_DISK, .name = "/x/fault" };
	CHECK(!judged(&d, &a, labels, 2).culprit_right);
	d.findings.v[2].culprit.kind = NULL;
	CHECK(!judged(&d, &a, labels, 2).culprit_right);
	d.findings.v[2].severity = SEVERITY_NOTE;
	CHECK_U64(judged(&d, &a, labels, 2).rank, 0);
	CHECK(isnan(judged(&d, &a, labels, 2).named_after_s));

	char names[64];
	CHECK_U64(score_count_alarms(&d, names, sizeof names), 3);
	CHECK_STR(names, "b, b, c");
	char small[4];
	CHECK_U64(score_count_alarms(&d, small, sizeof small), 3);
	diagnosis_deinit(&d);
}

static void test_plan(void)
{
	struct score_options o = { .conditions = all, .nconditions = 3, .strengths = 7, .backgrounds = 1, .seed = 5 };
	score_case_vec one = { 0 }, two = { 0 };
	unsigned healthy = 0;

	CHECK(score_plan(&o, &one) == 0);
	CHECK(score_plan(&o, &two) == 0);
	vec_each(k, &one)
		healthy += k->kind == SCORE_HEALTHY;
	CHECK_U64(one.n, 3 * 3 + healthy);
	CHECK(healthy >= 5);
	bool same = one.n == two.n;
	for (size_t i = 0; same && i < one.n; i++)
		same = one.v[i].kind == two.v[i].kind && one.v[i].fault[0].condition == two.v[i].fault[0].condition;
	CHECK(same); /* the seed decides */
	vec_free(&one);
	vec_free(&two);

	const char *const only[] = { "c" };
	o.only = only;
	o.nonly = 1;
	o.strengths = 2;
	o.quick = true;
	CHECK(score_plan(&o, &one) == 0);
	CHECK_U64(one.n, 1 + 5);
	vec_free(&one);
	o.only = NULL;
	o.pairs = 10;
	CHECK(score_plan(&o, &one) == 0);
	CHECK_U64(one.n, 3);
	vec_each(k, &one)
		CHECK(k->nfaults == 2 && k->fault[0].condition != k->fault[1].condition);
	vec_free(&one);
}

static struct score_case *played(score_case_vec *cases, enum score_kind kind, const struct condition *condition)
{
	struct score_case *k = vec_push(cases);

	*k = (struct score_case){ .kind = kind, .state = SCORE_COUNTED, .cpu_ms = 50, .window_s = 5 };
	if (condition)
		k->fault[k->nfaults++] = (struct score_fault){ .condition = condition, .named_after_s = NAN };
	return k;
}

static void test_summary(void)
{
	score_case_vec cases = { 0 };
	struct score_summary s;
	struct score_case *k = played(&cases, SCORE_FAULT, &a);

	k->fault[0].rank = 1;
	k->fault[0].culprit_right = true;
	k->fault[0].named_after_s = 1;
	k->first = &a;
	k->pressure = "cpu";
	k->deviation_judged = true;
	k->deviation = "disk";
	k->after_judged = true;
	k->after_findings = 1;
	k = played(&cases, SCORE_FAULT, &b);
	k->fault[0].rank = 3;
	k->fault[0].named_after_s = 4;
	k->first = &a;
	k = played(&cases, SCORE_FAULT, &b);
	k->state = SCORE_UNMOVED;
	k = played(&cases, SCORE_HEALTHY, NULL);
	k->false_findings = 2;
	played(&cases, SCORE_HEALTHY, NULL);
	k = played(&cases, SCORE_PAIR, &a);
	k->fault[k->nfaults++] = (struct score_fault){ .condition = &b, .absorbed = true };
	k->fault[0].rank = 1;
	played(&cases, SCORE_PAIR, &a);

	score_summarise(&cases, NULL, &s);
	CHECK_U64(s.faults, 2);
	CHECK_U64(s.rejected, 1);
	CHECK_U64(s.at1, 1);
	CHECK_U64(s.at3, 2);
	CHECK_U64(s.culprits, 1);
	CHECK_U64(s.within_3s, 1);
	CHECK_NEAR(s.named_after_s, 2.5, 0);
	CHECK_U64(s.resource_at1, 1);
	CHECK_U64(s.pressure_at1, 1);
	CHECK_U64(s.deviation_at1, 0);
	CHECK_U64(s.deviation_judged, 1);
	CHECK_U64(s.healthy, 2);
	CHECK_U64(s.healthy_false, 1);
	CHECK_U64(s.after, 1);
	CHECK_U64(s.after_false, 1);
	CHECK_U64(s.pairs, 2);
	CHECK_U64(s.pairs_both, 1);
	CHECK_NEAR(s.cpu_pct, 1.0, 1e-9);
	score_summarise(&cases, &b, &s);
	CHECK_U64(s.faults, 1);
	CHECK_U64(s.rejected, 1);
	CHECK_U64(s.pairs + s.healthy, 0);
	vec_free(&cases);
	score_summarise(&cases, NULL, &s);
	CHECK(isnan(s.cpu_pct) && isnan(s.named_after_s));
}

int main(void)
{
	test_judge();
	test_plan();
	test_summary();
	return check_exit();
}
