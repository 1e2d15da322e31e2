#include "diagnose/memory_evidence.h"

#include <math.h>
#include <string.h>

#define AT_LIMIT 0.95	   /* of the limit: as near as reclaim in batches lets it come */
#define REFAULTS_PER_S 10.0 /* fewer are the noise of a program that starts */
#define STALLED 0.02
#define SAME_STORY 0.5 /* of the outer group's figures are the inner's */

#define CGROUP_RATE(w, before, after, member) window_rate(w, reading_delta((before)->member, (after)->member))

static double limit_or_none(reading limit)
{
	return reading_ok(limit) && limit < CGROUP_UNLIMITED ? (double)limit : INFINITY;
}

bool cgroup_memory_want(const struct window *w, const struct cgroup *c, struct memory_want *ret)
{
	double hard = limit_or_none(c->memory_limit_bytes), high = limit_or_none(c->memory_high_bytes);
	const struct cgroup *before = sample_cgroup(w->first, c);

	if (!(c->controllers & CGROUP_MEMORY) || isinf(fmin(hard, high)) || !before)
		return false;
	double hits = number_or(CGROUP_RATE(w, before, c, memory_limit_hits), 0) +
		      number_or(CGROUP_RATE(w, before, c, memory_high_events), 0);
	*ret = (struct memory_want){
		.cgroup = c,
		.limit_bytes = fmin(hard, high),
		.high = high < hard,
		.at_limit = hits > 0 || reading_value(c->memory_bytes) >= AT_LIMIT * fmin(hard, high),
		.refault_anon = CGROUP_RATE(w, before, c, memory_refault_anon),
		.refault_file = CGROUP_RATE(w, before, c, memory_refault_file),
		.major_faults = CGROUP_RATE(w, before, c, memory_major_faults),
		.stalled = CGROUP_RATE(w, before, c, memory_stall.some_ns) / 1e9,
	};
	return true;
}

double memory_want_refaults(const struct memory_want *m)
{
	/* v1 groups of older kernels do not count refaults; their major faults are the best there is. */
	if (isnan(m->refault_anon) && isnan(m->refault_file))
		return number_or(m->major_faults, 0);
	return number_or(m->refault_anon, 0) + number_or(m->refault_file, 0);
}

static bool wants(const struct memory_want *m)
{
	return m->at_limit && (memory_want_refaults(m) > REFAULTS_PER_S || m->stalled > STALLED);
}

/* Figures of v2 (and the totals of v1) hold those of all groups below. */
static bool tells_the_same(const struct memory_want *outer, const struct memory_want *inner)
{
	return outer->cgroup != inner->cgroup && cgroup_holds(outer->cgroup, inner->cgroup) &&
	       memory_want_refaults(inner) >= SAME_STORY * memory_want_refaults(outer) &&
	       !(inner->stalled < SAME_STORY * outer->stalled);
}

static size_t without_outer(struct memory_want *v, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		bool outer = false;

		for (size_t j = 0; j < n && !outer; j++)
			outer = tells_the_same(&v[i], &v[j]);
		if (!outer)
			v[kept++] = v[i];
	}
	return kept;
}

size_t window_memory_wants(const struct window *w, struct memory_want ret[MEMORY_WANTS_MAX])
{
	struct memory_want all[2 * MEMORY_WANTS_MAX];
	size_t n = 0;

	vec_each(c, &w->last->cgroups)
		if (n < 2 * MEMORY_WANTS_MAX && cgroup_memory_want(w, c, &all[n]) && wants(&all[n]))
			n++;
	n = without_outer(all, n);
	n = n < MEMORY_WANTS_MAX ? n : MEMORY_WANTS_MAX;
	memcpy(ret, all, n * sizeof *ret);
	return n;
}

double window_refaults(const struct window *w)
{
	double anon = window_rate(w, WINDOW_DELTA(w, vmstat.refault_anon));
	double file = window_rate(w, WINDOW_DELTA(w, vmstat.refault_file));

	return isnan(anon) ? file : anon + number_or(file, 0);
}

double window_read_latency(const struct window *w)
{
	double ns = 0, reads = 0;

	vec_each(d, &w->last->disks) {
		const struct disk *before = sample_disk(w->first, d->major, d->minor);

		if (d->stacked || !before)
			continue;
		ns += number_or(reading_value(reading_delta(before->read_ns, d->read_ns)), 0);
		reads += number_or(reading_value(reading_delta(before->reads, d->reads)), 0);
	}
	return reads > 0 ? ns / reads / 1e9 : NAN;
}

double memory_since(const struct window *w, reading (*value)(const struct counters *c), double step)
{
	double onset = window_onset(w, value, step);
	double first_tick = w->nticks > 1 ? (double)(w->ticks[1].at.mono_ns - w->from.mono_ns) / 1e9 : 0;

	return onset > first_tick ? onset : NAN;
}

double process_major_faults(const struct process_span *p)
{
	return number_or(reading_value(p->major_faults), 0);
}

double process_read_bytes(const struct process_span *p)
{
	return number_or(reading_value(p->read_bytes), 0);
}

double process_memory(const struct process_span *p)
{
	return number_or(reading_value(p->rss_bytes), 0) + number_or(reading_value(p->swap_bytes), 0);
}

double process_growth(const struct process_span *p)
{
	double before = p->born ? 0 : reading_value(p->rss_before_bytes);

	return fmax(number_or(reading_value(p->rss_bytes) - before, 0), 0);
}

static bool lives_in(const struct window *w, const struct cgroup *c, const struct process_span *p)
{
	const struct cgroup *own = c ? window_cgroup(w, p, TASK_CGROUP_MEMORY) : NULL;

	return !c || (own && cgroup_holds(c, own));
}

const struct process_span *memory_top(const struct window *w, const struct cgroup *c, process_value amount)
{
	const struct process_span *top = NULL;
	double most = 0;

	for (size_t i = 0; i < w->nprocesses; i++) {
		const struct process_span *p = &w->processes[i];
		double v = p->kernel_thread ? 0 : amount(p);

		if (v > most && lives_in(w, c, p)) {
			most = v;
			top = p;
		}
	}
	return top;
}

double memory_blocked(const struct window *w, const struct cgroup *c)
{
	double blocked = 0;

	for (size_t i = 0; i < w->nprocesses; i++) {
		const struct process_span *p = &w->processes[i];

		if (p->blocked && process_major_faults(p) > 0 && lives_in(w, c, p))
			blocked += p->blocked;
	}
	return w->task_looks ? blocked / w->task_looks : 0;
}

const struct cgroup *window_memory_cgroup(const struct window *w, const char *path)
{
	vec_each(c, &w->last->cgroups)
		if ((c->controllers & CGROUP_MEMORY) && strcmp(c->path, path) == 0)
			return c;
	return NULL;
}

static bool actor_lives_in(const struct window *w, const struct cgroup *c, const struct actor *a)
{
	const struct process_span *p = a->pid ? window_process(w, a->pid) : NULL;

	if (p)
		return lives_in(w, c, p);
	return a->kind && strcmp(a->kind, ACTOR_CGROUP) == 0 && strcmp(a->name, c->path) == 0;
}

bool memory_same_place(const struct window *w, const struct finding *cause, const struct finding *symptom)
{
	const struct actor *by = &cause->culprit;

	if (!by->kind || strcmp(by->kind, ACTOR_CGROUP) != 0)
		return true;
	const struct cgroup *c = window_memory_cgroup(w, by->name);
	return c && (actor_lives_in(w, c, &symptom->culprit) ||
		     (!symptom->culprit.kind && actor_lives_in(w, c, &symptom->victim)));
}

const char *cgroup_subpath(const struct cgroup *c)
{
	return strcmp(c->path, "/") == 0 ? "" : c->path;
}

void memory_mend_limit(struct finding *f, const struct cgroup *c, double wanted_bytes, const char *effect)
{
	double hard = limit_or_none(c->memory_limit_bytes), high = limit_or_none(c->memory_high_bytes);
	const char *file = !c->v2 ? "memory.limit_in_bytes" : high < hard ? "memory.high" : "memory.max";
	double mib = ceil(wanted_bytes / (1 << 20));

	finding_mend(f, "echo %.0fM > '%s%s/%s'   # %s (now: %.0fM%s)", mib, c->mount, cgroup_subpath(c), file, effect,
		     fmin(hard, high) / (1 << 20),
		     c->v2 ? "" : "; memory.memsw.limit_in_bytes first, where it is set");
}
