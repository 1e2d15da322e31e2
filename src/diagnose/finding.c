#include "diagnose/finding.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Where the words of a rule go when there is no memory for its finding. */
static struct finding discarded;

struct finding *verdict_find(struct verdict *v, enum severity severity, double confidence)
{
	struct finding *f = vec_push(v->findings);

	v->outcome = OUTCOME_FOUND;
	if (!f) {
		v->out_of_memory = true;
		f = &discarded;
	}
	*f = (struct finding){
		.condition = v->condition,
		.severity = severity,
		.confidence = confidence,
		.lost_task_s_per_s = NAN,
		.exhausted_in_s = NAN,
		.since_s = NAN,
		.named_after_s = NAN,
		.absorbed_by = -1,
	};
	return f;
}

#define FORMAT_INTO(array, format)                              \
	do {                                                    \
		va_list args;                                   \
		va_start(args, format);                         \
		vsnprintf(array, sizeof(array), format, args);  \
		va_end(args);                                   \
	} while (0)

void verdict_clear(struct verdict *v, const char *reason, ...)
{
	v->outcome = OUTCOME_CLEARED;
	FORMAT_INTO(v->reason, reason);
}

void verdict_unmeasured(struct verdict *v, const char *needs, ...)
{
	v->outcome = OUTCOME_UNMEASURED;
	FORMAT_INTO(v->reason, needs);
}

void finding_title(struct finding *f, const char *format, ...)
{
	FORMAT_INTO(f->title, format);
}

void finding_summary(struct finding *f, const char *format, ...)
{
	FORMAT_INTO(f->summary, format);
}

void finding_lost(struct finding *f, double task_s_per_s, bool estimated)
{
	f->lost_task_s_per_s = task_s_per_s;
	f->lost_estimated = estimated;
}

void finding_evidence(struct finding *f, const char *field, double value, const char *unit,
		      const char *threshold, const char *source, ...)
{
	if (f->nevidence == FINDING_MAX_EVIDENCE)
		return;
	struct evidence *e = &f->evidence[f->nevidence++];
	e->value = value;
	snprintf(e->field, sizeof e->field, "%s", field);
	snprintf(e->unit, sizeof e->unit, "%s", unit);
	snprintf(e->threshold, sizeof e->threshold, "%s", threshold);
	FORMAT_INTO(e->source, source);
}

void finding_proof(struct finding *f, const char *format, ...)
{
	if (f->nproof < FINDING_MAX_PROOF)
		FORMAT_INTO(f->proof[f->nproof++], format);
}

void finding_confirm(struct finding *f, const char *format, ...)
{
	if (f->nconfirm < FINDING_MAX_LINES)
		FORMAT_INTO(f->confirm[f->nconfirm++], format);
}

void finding_mend(struct finding *f, const char *format, ...)
{
	if (f->nmend < FINDING_MAX_LINES)
		FORMAT_INTO(f->mend[f->nmend++], format);
}

void actor_host(struct actor *a)
{
	*a = (struct actor){ .kind = ACTOR_HOST };
}

void actor_process(struct actor *a, int32_t pid, const char *comm)
{
	*a = (struct actor){ .kind = ACTOR_PROCESS, .pid = pid };
	snprintf(a->comm, sizeof a->comm, "%s", comm);
}

void actor_thread(struct actor *a, int32_t pid, int32_t tid, const char *comm)
{
	*a = (struct actor){ .kind = ACTOR_THREAD, .pid = pid, .tid = tid };
	snprintf(a->comm, sizeof a->comm, "%s", comm);
}

void actor_named(struct actor *a, const char *kind, const char *name, ...)
{
	*a = (struct actor){ .kind = kind };
	FORMAT_INTO(a->name, name);
}

const char *severity_name(enum severity s)
{
	static const char *const names[] = {
		[SEVERITY_NOTE] = "note",
		[SEVERITY_RISK] = "risk",
		[SEVERITY_WARNING] = "warning",
		[SEVERITY_CRITICAL] = "critical",
	};
	return names[s];
}
