/* The pure parts of scoring: the plan, the judgement, the sums. */
#include "lab/score.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/healthy.h"

#define HEALTHY_TIMES 2

/* ---- the plan ---- */

/* xorshift64*; the same order for the same seed everywhere. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state ? *state : 0x9e3779b97f4a7c15;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1d;
}

static void shuffle(struct score_case *v, size_t n, uint64_t *state)
{
	for (size_t i = n; i > 1; i--) {
		size_t k = next_random(state) % i;
		struct score_case t = v[i - 1];

		v[i - 1] = v[k];
		v[k] = t;
	}
}

static bool wanted(const struct score_options *o, const struct condition *c)
{
	if (!c->scenario || !o->only)
		return c->scenario;
	for (size_t i = 0; i < o->nonly; i++)
		if (strcmp(o->only[i], c->id) == 0)
			return true;
	return false;
}

static struct score_case *add(score_case_vec *cases, enum score_kind kind, enum strength strength, size_t background)
{
	struct score_case *c = vec_push(cases);
	size_t n;

	if (!c)
		return NULL;
	c->kind = kind;
	c->strength = strength;
	/* Idle is the absence of a background. */
	c->background = background ? healthy_all(&n)[background] : NULL;
	return c;
}

static void add_fault(struct score_case *c, const struct condition *condition)
{
	c->fault[c->nfaults++] = (struct score_fault){ .condition = condition, .named_after_s = NAN };
}

static int plan_faults(const struct score_options *o, enum strength strength, size_t background,
		       score_case_vec *ret)
{
	for (size_t i = 0; i < o->nconditions; i++) {
		if (!wanted(o, o->conditions[i]))
			continue;
		struct score_case *c = add(ret, SCORE_FAULT, strength, background);

		if (!c)
			return -ENOMEM;
		add_fault(c, o->conditions[i]);
	}
	return 0;
}

static int plan_all_pairs(const struct score_options *o, enum strength strength, size_t background,
			  score_case_vec *ret)
{
	for (size_t i = 0; i < o->nconditions; i++)
		for (size_t k = i + 1; k < o->nconditions; k++) {
			if (!wanted(o, o->conditions[i]) || !wanted(o, o->conditions[k]))
				continue;
			struct score_case *c = add(ret, SCORE_PAIR, strength, background);

			if (!c)
				return -ENOMEM;
			add_fault(c, o->conditions[i]);
			add_fault(c, o->conditions[k]);
		}
	return 0;
}

static int plan_healthy(const struct score_options *o, size_t background, score_case_vec *ret)
{
	for (int i = 0; i < (o->quick ? 1 : HEALTHY_TIMES); i++)
		if (!add(ret, SCORE_HEALTHY, STRENGTH_MEDIUM, background))
			return -ENOMEM;
	return 0;
}

int score_plan(const struct score_options *o, score_case_vec *ret)
{
	uint64_t state = o->seed;
	size_t nbackgrounds;
	int r = 0;

	(void)healthy_all(&nbackgrounds);
	for (size_t b = 0; r == 0 && b < nbackgrounds; b++) {
		for (unsigned s = 0; r == 0 && (o->backgrounds & 1u << b) && s <= STRENGTH_STRONG; s++)
			if (o->strengths & 1u << s)
				r = o->pairs ? plan_all_pairs(o, (enum strength)s, b, ret) :
					       plan_faults(o, (enum strength)s, b, ret);
		/* Negatives on every background, whichever the faults have. */
		if (r == 0 && !o->pairs)
			r = plan_healthy(o, b, ret);
	}
	shuffle(ret->v, ret->n, &state);
	return r;
}

/* ---- the judgement ---- */

static bool names(const struct lab_label *l, const struct actor *a)
{
	if (!a->kind)
		return false;
	if (l->pid)
		return a->pid == l->pid;
	return strcmp(l->kind, a->kind) == 0 && strcmp(l->name, a->name) == 0;
}

static void describe_actor(const struct actor *a, char *ret, size_t size)
{
	if (!a->kind)
		ret[0] = '\0';
	else if (a->pid)
		snprintf(ret, size, "%s %d (%s)%s%.100s", a->kind, (int)a->pid, a->comm, a->name[0] ? " " : "",
			 a->name);
	else
		snprintf(ret, size, "%s %.140s", a->kind, a->name);
}

static void describe_label(const struct lab_label *labels, size_t n, char *ret, size_t size)
{
	if (n == 0)
		snprintf(ret, size, "nobody");
	else if (labels[0].pid)
		snprintf(ret, size, "%s %d (%s)%s", labels[0].kind, (int)labels[0].pid, labels[0].comm,
			 n > 1 ? " and others" : "");
	else
		snprintf(ret, size, "%s %.90s%s", labels[0].kind, labels[0].name, n > 1 ? " and others" : "");
}

/* 1 + the number of other conditions before finding `at`. */
static unsigned rank_of(const struct diagnosis *d, size_t at)
{
	unsigned rank = 1;

	for (size_t i = 0; i < at; i++) {
		bool seen = false;

		for (size_t k = 0; k < i; k++)
			seen |= d->findings.v[k].condition == d->findings.v[i].condition;
		rank += !seen;
	}
	return rank;
}

void score_judge(const struct diagnosis *d, const struct lab_label *labels, size_t n, struct score_fault *f)
{
	describe_label(labels, n, f->label, sizeof f->label);
	f->rank = 0;
	f->absorbed = f->culprit_right = false;
	f->named_after_s = NAN;
	f->culprit[0] = '\0';
	for (size_t i = 0; i < d->findings.n; i++) {
		const struct finding *found = &d->findings.v[i];

		if (found->condition != f->condition || found->severity <= SEVERITY_NOTE)
			continue;
		f->absorbed = i >= d->nroots;
		f->rank = f->absorbed ? 0 : rank_of(d, i);
		f->named_after_s = found->named_after_s;
		describe_actor(&found->culprit, f->culprit, sizeof f->culprit);
		for (size_t k = 0; k < n; k++)
			f->culprit_right |= names(&labels[k], &found->culprit);
		return;
	}
}

unsigned score_count_alarms(const struct diagnosis *d, char *ret_names, size_t size)
{
	unsigned count = 0;
	size_t at = 0;

	ret_names[0] = '\0';
	vec_each(f, &d->findings) {
		if (f->severity <= SEVERITY_NOTE)
			continue;
		count++;
		if (at < size)
			at += (size_t)snprintf(ret_names + at, size - at, "%s%s", at ? ", " : "", f->condition->id);
	}
	return count;
}

/* ---- the sums ---- */

static int double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
	if (n == 0)
		return NAN;
	qsort(v, n, sizeof *v, double_compare);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static bool same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static void sum_fault(const struct score_case *c, struct score_summary *s)
{
	const struct score_fault *f = &c->fault[0];

	s->faults++;
	s->at1 += f->rank == 1;
	s->at3 += f->rank >= 1 && f->rank <= 3;
	s->culprits += f->culprit_right;
	/* Looks come once a second, a few ms late. */
	s->within_3s += f->rank == 1 && f->named_after_s <= 3.1;
	s->resource_at1 += c->first && same(c->first->resource, f->condition->resource);
	s->pressure_at1 += same(c->pressure, f->condition->resource);
	s->deviation_judged += c->deviation_judged;
	s->deviation_at1 += c->deviation_judged && same(c->deviation, f->condition->resource);
	s->after += c->after_judged;
	s->after_false += c->after_judged && c->after_findings > 0;
}

static bool both_named(const struct score_case *c)
{
	for (size_t i = 0; i < c->nfaults; i++)
		if (!c->fault[i].rank && !c->fault[i].absorbed)
			return false;
	return true;
}

static void sum_case(const struct score_case *c, struct score_summary *s)
{
	if (c->kind == SCORE_FAULT) {
		sum_fault(c, s);
	} else if (c->kind == SCORE_PAIR) {
		s->pairs++;
		s->pairs_both += both_named(c);
	} else {
		s->healthy++;
		s->healthy_false += c->false_findings > 0;
	}
}

void score_summarise(const score_case_vec *cases, const struct condition *only, struct score_summary *ret)
{
	double *named = calloc(cases->n + 1, sizeof *named), cpu_ms = 0, seconds = 0;
	size_t nnamed = 0;

	*ret = (struct score_summary){ 0 };
	vec_each(c, cases) {
		if (only && (c->kind != SCORE_FAULT || c->fault[0].condition != only))
			continue;
		if (c->state != SCORE_COUNTED) {
			ret->rejected += c->state != SCORE_PLANNED;
			continue;
		}
		sum_case(c, ret);
		cpu_ms += c->cpu_ms;
		seconds += c->window_s;
		if (named && c->kind == SCORE_FAULT && !isnan(c->fault[0].named_after_s))
			named[nnamed++] = c->fault[0].named_after_s;
	}
	ret->named_after_s = median(named, nnamed);
	ret->cpu_pct = seconds > 0 ? cpu_ms / seconds / 10 : NAN;
	free(named);
}
