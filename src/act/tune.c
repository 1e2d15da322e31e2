#include "act/tune.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static void say(struct tune_advice *a, enum tune_verdict verdict, const char *value, const char *format,
		va_list args) __attribute__((format(printf, 4, 0)));
static void say(struct tune_advice *a, enum tune_verdict verdict, const char *value, const char *format,
		va_list args)
{
	a->verdict = verdict;
	snprintf(a->value, sizeof a->value, "%s", value);
	vsnprintf(a->because, sizeof a->because, format, args);
}

#define SAY(a, verdict, value, format)                  \
	do {                                            \
		va_list args;                           \
		va_start(args, format);                 \
		say(a, verdict, value, format, args);   \
		va_end(args);                           \
	} while (0)

void tune_keep(struct tune_advice *a, const char *because, ...)
{
	SAY(a, TUNE_KEEP, "", because);
}

void tune_elsewhere(struct tune_advice *a, const char *because, ...)
{
	SAY(a, TUNE_ELSEWHERE, "", because);
}

void tune_change(struct tune_advice *a, const char *value, const char *because, ...)
{
	SAY(a, TUNE_CHANGE, value, because);
}

void tune_danger(struct tune_advice *a, const char *value, const char *because, ...)
{
	SAY(a, TUNE_DANGER, value, because);
}

void tune_effect(struct tune_advice *a, const char *effect, ...)
{
	va_list args;

	va_start(args, effect);
	vsnprintf(a->effect, sizeof a->effect, effect, args);
	va_end(args);
}

void tune_proof(struct tune_advice *a, const char *field, double value, const char *unit,
		const char *threshold, const char *source, ...)
{
	va_list args;

	if (isnan(value) || a->nproof == TUNE_MAX_PROOF)
		return;
	struct evidence *e = &a->proof[a->nproof++];
	e->value = value;
	snprintf(e->field, sizeof e->field, "%s", field);
	snprintf(e->unit, sizeof e->unit, "%s", unit);
	snprintf(e->threshold, sizeof e->threshold, "%s", threshold);
	va_start(args, source);
	vsnprintf(e->source, sizeof e->source, source, args);
	va_end(args);
}

double tune_rate(const struct tune_case *c, struct tune_count count)
{
	return reading_value(count.grown) / c->seen->seconds;
}

double tune_number(const struct tune_value *v)
{
	if (v->error)
		return NAN;
	return v->negative ? -1 : (double)v->number[0];
}

const char *tune_power(double n, char ret[24])
{
	uint64_t power = 1;

	while ((double)power < n && power < UINT64_C(1) << 62)
		power *= 2;
	snprintf(ret, 24, "%llu", (unsigned long long)power);
	return ret;
}

const char *tune_whole(double n, char ret[24])
{
	snprintf(ret, 24, "%.0f", n);
	return ret;
}

static void tell_unread(const struct tune_case *c, struct tune_advice *ret)
{
	ret->verdict = TUNE_UNREAD;
	switch (c->value->error) {
	case -ENOENT:
		snprintf(ret->because, sizeof ret->because, "not here: this kernel or namespace has none (needs %s)",
			 c->tunable->since);
		break;
	case -EACCES:
	case -EPERM:
		snprintf(ret->because, sizeof ret->because, "needs root to be read");
		break;
	case -EBADMSG:
		snprintf(ret->because, sizeof ret->because, "the kernel's answer makes no sense to osprey");
		break;
	default:
		snprintf(ret->because, sizeof ret->because, "cannot be read: %s", strerror(-c->value->error));
	}
}

void tune_advise(const struct tune_case *c, struct tune_advice *ret)
{
	memset(ret, 0, sizeof *ret);
	if (c->value->error)
		tell_unread(c, ret);
	else
		c->tunable->advise(c, ret);
}
