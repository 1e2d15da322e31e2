#include "diagnose/engine.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void diagnosis_deinit(struct diagnosis *d)
{
	vec_free(&d->findings);
	vec_free(&d->cleared);
	vec_free(&d->unmeasured);
}

static int remark(remark_vec *remarks, const struct condition *c, const char *text)
{
	struct remark *r = vec_push(remarks);

	if (!r)
		return -ENOMEM;
	r->condition = c;
	snprintf(r->text, sizeof r->text, "%s", text);
	return 0;
}

static int examine(const struct condition *c, const struct window *w, struct diagnosis *d)
{
	struct verdict v = { .condition = c, .findings = &d->findings };

	c->rule(w, &v);
	if (v.out_of_memory)
		return -ENOMEM;
	switch (v.outcome) {
	case OUTCOME_FOUND:
		return 0;
	case OUTCOME_CLEARED:
		return remark(&d->cleared, c, v.reason);
	case OUTCOME_UNMEASURED:
		return remark(&d->unmeasured, c, v.reason);
	case OUTCOME_NONE:
		break;
	}
	return remark(&d->unmeasured, c, "its rule came to no verdict: a defect of osprey");
}

/* -1, 0, 1 with the larger first; NaN counts as the least. */
static int larger_first(double a, double b)
{
	if (isnan(a) || isnan(b))
		return (int)isnan(a) - (int)isnan(b);
	return (a < b) - (a > b);
}

int finding_compare(const struct finding *a, const struct finding *b)
{
	int order = (int)b->severity - (int)a->severity;

	if (order == 0)
		order = larger_first(a->lost_task_s_per_s, b->lost_task_s_per_s);
	if (order == 0)
		order = larger_first(-a->exhausted_in_s, -b->exhausted_in_s);
	if (order == 0)
		order = larger_first(a->confidence, b->confidence);
	return order;
}

static int compare_findings(const void *a, const void *b)
{
	int order = finding_compare(a, b);
	const struct finding *fa = a, *fb = b;

	/* A total order: equal findings would otherwise change places between runs. */
	if (order == 0)
		order = strcmp(fa->condition->id, fb->condition->id);
	if (order == 0)
		order = (fa->culprit.pid > fb->culprit.pid) - (fa->culprit.pid < fb->culprit.pid);
	return order ? order : strcmp(fa->culprit.name, fb->culprit.name);
}

static bool explains(const struct condition *cause, const struct condition *symptom)
{
	for (const char *const *id = cause->explains; id && *id; id++)
		if (strcmp(*id, symptom->id) == 0)
			return true;
	return false;
}

static bool same_actor(const struct actor *a, const struct actor *b)
{
	if (!a->kind || !b->kind)
		return false;
	if (a->pid && a->pid == b->pid)
		return true;
	return a->name[0] && strcmp(a->kind, b->kind) == 0 && strcmp(a->name, b->name) == 0;
}

static bool share_actor(const struct finding *a, const struct finding *b)
{
	return same_actor(&a->culprit, &b->culprit) || same_actor(&a->culprit, &b->victim) ||
	       same_actor(&a->victim, &b->culprit) || same_actor(&a->victim, &b->victim);
}

static bool absorbs(const struct window *w, const struct finding *cause, const struct finding *symptom)
{
	if (cause->condition == symptom->condition || !explains(cause->condition, symptom->condition))
		return false;
	if (cause->condition->absorbs)
		return cause->condition->absorbs(w, cause, symptom);
	return share_actor(cause, symptom) ||
	       (symptom->victim.kind && strcmp(symptom->victim.kind, ACTOR_HOST) == 0);
}

/* Whether making `cause` the cause of `symptom` would close a circle. */
static bool circular(const finding_vec *findings, size_t cause, size_t symptom)
{
	for (int32_t at = (int32_t)cause; at >= 0; at = findings->v[at].absorbed_by)
		if ((size_t)at == symptom)
			return true;
	return false;
}

/* Each symptom goes under the first (worst) finding that explains it. A note explains nothing:
 * it is no fault. */
static void absorb(const struct window *w, finding_vec *findings)
{
	for (size_t s = 0; s < findings->n; s++)
		for (size_t c = 0; c < findings->n && findings->v[s].absorbed_by < 0; c++)
			if (c != s && findings->v[c].severity > SEVERITY_NOTE &&
			    !circular(findings, c, s) && absorbs(w, &findings->v[c], &findings->v[s]))
				findings->v[s].absorbed_by = (int32_t)c;
}

/* The finding at the end of the chain of causes: what is listed. */
static int32_t root_of(const finding_vec *findings, int32_t at)
{
	while (findings->v[at].absorbed_by >= 0)
		at = findings->v[at].absorbed_by;
	return at;
}

/* A cause is at least as bad as what it explains: a throttled cgroup whose symptom is
 * critical stands where that symptom would have stood. */
static void inherit_severity(finding_vec *findings)
{
	for (size_t i = 0; i < findings->n; i++) {
		struct finding *root = &findings->v[root_of(findings, (int32_t)i)];

		if (findings->v[i].severity > root->severity)
			root->severity = findings->v[i].severity;
	}
}

/* Gives every finding its root as `absorbed_by`, so that the chains between may be forgotten. */
static void flatten(finding_vec *findings)
{
	for (size_t i = 0; i < findings->n; i++)
		if (findings->v[i].absorbed_by >= 0)
			findings->v[i].absorbed_by = root_of(findings, (int32_t)i);
}

static int compare_places(const void *a, const void *b, void *findings)
{
	const struct finding *f = findings;
	const struct finding *fa = &f[*(const uint32_t *)a], *fb = &f[*(const uint32_t *)b];
	bool symptom_a = fa->absorbed_by >= 0, symptom_b = fb->absorbed_by >= 0;

	return symptom_a != symptom_b ? symptom_a - symptom_b : compare_findings(fa, fb);
}

/* Roots first, worst first; symptoms behind them, pointing at the new place of their root. */
static int arrange(finding_vec *f)
{
	VEC(uint32_t) order = { 0 }, place = { 0 };
	finding_vec arranged = { 0 };
	int r = -ENOMEM;

	if (vec_reserve(&order, f->n) < 0 || vec_reserve(&place, f->n) < 0 || vec_reserve(&arranged, f->n) < 0)
		goto end;
	for (size_t i = 0; i < f->n; i++)
		order.v[i] = (uint32_t)i;
	qsort_r(order.v, f->n, sizeof order.v[0], compare_places, f->v);
	for (size_t i = 0; i < f->n; i++)
		place.v[order.v[i]] = (uint32_t)i;
	for (size_t i = 0; i < f->n; i++) {
		struct finding *moved = &arranged.v[i];

		*moved = f->v[order.v[i]];
		if (moved->absorbed_by >= 0)
			moved->absorbed_by = (int32_t)place.v[moved->absorbed_by];
	}
	memcpy(f->v, arranged.v, f->n * sizeof *f->v);
	r = 0;
end:
	vec_free(&order);
	vec_free(&place);
	vec_free(&arranged);
	return r;
}

static size_t count_roots(const finding_vec *findings)
{
	size_t n = 0;

	vec_each(f, findings)
		n += f->absorbed_by < 0;
	return n;
}

int diagnose(const struct condition *const *conditions, size_t n, const struct window *w,
	     struct diagnosis *ret)
{
	ret->findings.n = ret->cleared.n = ret->unmeasured.n = ret->nroots = 0;
	for (size_t i = 0; i < n; i++) {
		int r = examine(conditions[i], w, ret);
		if (r < 0)
			return r;
	}
	if (ret->findings.n == 0)
		return 0;
	qsort(ret->findings.v, ret->findings.n, sizeof ret->findings.v[0], compare_findings);
	absorb(w, &ret->findings);
	inherit_severity(&ret->findings);
	flatten(&ret->findings);
	ret->nroots = count_roots(&ret->findings);
	return arrange(&ret->findings);
}
