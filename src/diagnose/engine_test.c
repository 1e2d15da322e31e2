#include "diagnose/engine.h"

#include "base/check.h"

/* Hand-made conditions: the engine must know none by name. */

static void find_cause(const struct window *w, struct verdict *v)
{
	(void)w;
	struct finding *f = verdict_find(v, SEVERITY_WARNING, 0.9);
	finding_lost(f, 0.5, false);
	actor_named(&f->culprit, ACTOR_CGROUP, "/limited");
}

static void find_symptoms(const struct window *w, struct verdict *v)
{
	(void)w;
	struct finding *f = verdict_find(v, SEVERITY_CRITICAL, 0.8); /* shares the cgroup */
	finding_lost(f, 2, false);
	actor_named(&f->victim, ACTOR_CGROUP, "/limited");
	f = verdict_find(v, SEVERITY_WARNING, 0.8); /* another cgroup: stands alone */
	finding_lost(f, 1, true);
	actor_named(&f->victim, ACTOR_CGROUP, "/other");
}

static void find_consequence(const struct window *w, struct verdict *v)
{
	(void)w;
	struct finding *f = verdict_find(v, SEVERITY_NOTE, 0.5);
	actor_host(&f->victim);
}

static void clear(const struct window *w, struct verdict *v)
{
	(void)w;
	verdict_clear(v, "%d of %d", 1, 2);
}

static void unmeasured(const struct window *w, struct verdict *v)
{
	(void)w;
	verdict_unmeasured(v, "root");
}

static void silent(const struct window *w, struct verdict *v)
{
	(void)w;
	(void)v;
}

static const char *const cause_explains[] = { "symptom", NULL };
static const char *const symptom_explains[] = { "consequence", "cause", NULL };

static const struct condition cause = { .id = "cause", .rule = find_cause, .explains = cause_explains };
static const struct condition symptom = { .id = "symptom", .rule = find_symptoms, .explains = symptom_explains };
static const struct condition consequence = { .id = "consequence", .rule = find_consequence };
static const struct condition cleared = { .id = "cleared", .rule = clear };
static const struct condition missing = { .id = "missing", .rule = unmeasured };
static const struct condition null = { .id = "null", .rule = silent };

static void absorbs_chains_and_ranks(void)
{
	const struct condition *all[] = { &null, &consequence, &symptom, &cleared, &cause, &missing };
	const struct window w = { 0 };
	struct diagnosis d = { 0 };

	CHECK(diagnose(all, 6, &w, &d) == 0);
	CHECK_U64(d.findings.n, 4);
	/* The critical symptom explains its cause's condition too (a circle): the worse finding
	 * was asked first, so the cause goes under it only if the symptom may explain it. */
	CHECK_U64(d.nroots, 2);
	for (size_t i = 0; i < d.nroots; i++)
		CHECK(d.findings.v[i].absorbed_by == -1);
	for (size_t i = d.nroots; i < d.findings.n; i++)
		CHECK(d.findings.v[i].absorbed_by >= 0 && d.findings.v[i].absorbed_by < (int32_t)d.nroots);
	CHECK(d.findings.v[0].severity == SEVERITY_CRITICAL);
	CHECK_STR(d.findings.v[1].victim.name, "/other");
	CHECK_U64(d.cleared.n, 1);
	CHECK_STR(d.cleared.v[0].text, "1 of 2");
	CHECK_U64(d.unmeasured.n, 2);
	diagnosis_deinit(&d);
}

static const char *const only_symptom[] = { "plain", NULL };
static const struct condition plain = { .id = "plain", .rule = find_symptoms };
static const struct condition root = { .id = "root", .rule = find_cause, .explains = only_symptom };

static void a_cause_inherits_the_rank_of_its_symptom(void)
{
	const struct condition *all[] = { &plain, &root };
	const struct window w = { 0 };
	struct diagnosis d = { 0 };

	CHECK(diagnose(all, 2, &w, &d) == 0);
	CHECK_U64(d.nroots, 2);
	CHECK_STR(d.findings.v[0].condition->id, "root");
	CHECK(d.findings.v[0].severity == SEVERITY_CRITICAL);
	CHECK_STR(d.findings.v[2].condition->id, "plain");
	CHECK(d.findings.v[2].absorbed_by == 0);
	/* The same storage again: nothing of the last run may stay. */
	const struct condition *none[] = { &cleared };
	CHECK(diagnose(none, 1, &w, &d) == 0);
	CHECK_U64(d.findings.n, 0);
	CHECK_U64(d.nroots, 0);
	diagnosis_deinit(&d);
}

static struct finding graded(enum severity severity, double lost, double exhausted, double confidence)
{
	return (struct finding){ .severity = severity,
				 .lost_task_s_per_s = lost,
				 .exhausted_in_s = exhausted,
				 .confidence = confidence };
}

static void order_is_severity_then_loss_then_time_left(void)
{
	struct finding critical = graded(SEVERITY_CRITICAL, NAN, NAN, 0.1);
	struct finding dear = graded(SEVERITY_WARNING, 3, NAN, 0.5), cheap = graded(SEVERITY_WARNING, 1, NAN, 0.9);
	struct finding unpriced = graded(SEVERITY_WARNING, NAN, NAN, 1);
	struct finding soon = graded(SEVERITY_RISK, NAN, 60, 0.5), late = graded(SEVERITY_RISK, NAN, 3600, 0.5);

	CHECK(finding_compare(&critical, &dear) < 0);
	CHECK(finding_compare(&dear, &cheap) < 0);
	CHECK(finding_compare(&cheap, &unpriced) < 0);
	CHECK(finding_compare(&unpriced, &cheap) > 0);
	CHECK(finding_compare(&soon, &late) < 0);
	CHECK(finding_compare(&late, &late) == 0);
}

int main(void)
{
	absorbs_chains_and_ranks();
	a_cause_inherits_the_rank_of_its_symptom();
	order_is_severity_then_loss_then_time_left();
	return check_exit();
}
