#include <math.h>
#include <string.h>

#include "conditions/conditions.h"
#include "diagnose/evidence.h"

/* What is written here was measured, but not what it is worth: below this nobody notices. */
#define NOTICEABLE 0.05 /* task-seconds a second */
#define MOST_LOST 0.5	/* of the time its tasks wanted to run */

struct held_cgroup {
	const struct cgroup *cgroup;
	struct throttling throttling;
	struct cgroup_work work; /* of the processes that can be seen */
	double use;	   /* CPUs */
	bool use_of_tasks; /* … summed over processes: the group itself does not tell */
	double lost;	   /* task-seconds a second */
};

/* "/sys/fs/cgroup/cpu" + "/" is the mount itself. */
static const char *path_of(const struct cgroup *c)
{
	return strcmp(c->path, "/") == 0 ? "" : c->path;
}

/* The kernel counts throttled time for each CPU, however many tasks wait there; the run-queue
 * delay of the tasks counts each of them, while throttled too. Where few tasks can be seen
 * (they end soon, or belong to others) the first is the larger. */
static void measure_loss(const struct window *w, struct held_cgroup *h)
{
	h->work = cgroup_work(w, h->cgroup);
	h->lost = fmax(h->work.wait, number_or(h->throttling.throttled_cpus, 0));
	/* cgroup v1 counts use in the cpuacct controller, which may be mounted elsewhere. */
	h->use_of_tasks = isnan(h->throttling.usage_cpus);
	h->use = h->use_of_tasks ? h->work.run : h->throttling.usage_cpus;
}

static enum severity severity_of(const struct held_cgroup *h)
{
	if (h->lost < NOTICEABLE)
		return SEVERITY_NOTE;
	return h->lost > MOST_LOST * (h->lost + h->use) ? SEVERITY_CRITICAL : SEVERITY_WARNING;
}

static double quota_cpus(const struct cgroup *c)
{
	return reading_value(c->cpu_quota_ns) / reading_value(c->cpu_period_ns);
}

/* CPUs its tasks would have used: what they ran and what they waited, within the machine. */
static double wanted_cpus(const struct window *w, const struct held_cgroup *h)
{
	return fmin(fmax(h->use, quota_cpus(h->cgroup)) + h->lost, w->topology->cpus);
}

static void add_evidence(const struct held_cgroup *h, struct finding *f)
{
	const struct cgroup *c = h->cgroup;
	const struct throttling *t = &h->throttling;

	finding_evidence(f, "nr_throttled", t->throttled, "periods", "> 25 % of the periods, >= 3",
			 "%s%s/cpu.stat", c->mount, path_of(c));
	finding_evidence(f, "nr_periods", t->periods, "periods", "", "%s%s/cpu.stat", c->mount, path_of(c));
	finding_evidence(f, c->v2 ? "throttled_usec" : "throttled_time", t->throttled_cpus, "CPU-s/s", "",
			 "%s%s/cpu.stat", c->mount, path_of(c));
	finding_evidence(f, c->v2 ? "cpu.max" : "cpu.cfs_quota_us / cpu.cfs_period_us", quota_cpus(c), "CPUs", "",
			 "%s%s", c->mount, path_of(c));
	if (h->use_of_tasks)
		finding_evidence(f, "CPU time of its processes", h->use, "CPUs", "", "/proc/PID/stat");
	else
		finding_evidence(f, c->v2 ? "usage_usec" : "usage", h->use, "CPUs", "",
				 c->v2 ? "%s%s/cpu.stat" : "%s%s/cpuacct.usage", c->mount, path_of(c));
	if (h->work.waiter)
		finding_evidence(f, "run-queue delay (field 2)",
				 reading_value(h->work.waiter->wait_ns) / 1e9, "s in the window", "",
				 "/proc/%d/task/*/schedstat", h->work.waiter->pid);
}

static void add_advice(const struct window *w, const struct held_cgroup *h, struct finding *f)
{
	const struct cgroup *c = h->cgroup;
	double period_us = reading_value(c->cpu_period_ns) / 1e3;
	double quota_us = reading_value(c->cpu_quota_ns) / 1e3;
	double enough = ceil(wanted_cpus(w, h) * 10) / 10;

	finding_confirm(f, "cat '%s%s/cpu.stat'; sleep 5; cat '%s%s/cpu.stat'   # nr_throttled grows with nr_periods",
			c->mount, path_of(c), c->mount, path_of(c));
	if (h->work.waiter)
		finding_confirm(f, "pidstat -u -p %d 1   # %%wait is high while the CPUs are idle", h->work.waiter->pid);
	if (c->v2)
		finding_mend(f, "echo '%.0f %.0f' > '%s%s/cpu.max'   # %.1f CPUs: throttling should stop (now: %.0f %.0f)",
			     enough * period_us, period_us, c->mount, path_of(c), enough, quota_us, period_us);
	else
		finding_mend(f, "echo %.0f > '%s%s/cpu.cfs_quota_us'   # %.1f CPUs: throttling should stop (now: %.0f)",
			     enough * period_us, c->mount, path_of(c), enough, quota_us);
	finding_mend(f, "run no more threads than the quota has CPUs (GOMAXPROCS, -XX:ActiveProcessorCount, "
			"worker counts): the quota then lasts the whole period");
}

static void report(const struct window *w, const struct held_cgroup *h, struct verdict *v)
{
	const struct throttling *t = &h->throttling;
	const struct cgroup *c = h->cgroup;
	struct finding *f = verdict_find(v, severity_of(h), t->throttled >= 10 ? 0.98 : 0.9);

	finding_title(f, "cgroup %s is held back by its CPU quota", c->path);
	finding_summary(f,
			"The quota of %.2f CPUs ran out in %.0f of %.0f periods (%.0f %%); its tasks then stood still "
			"until the next period and lost %.2f task-seconds a second, while %.1f CPUs of the host were idle.",
			quota_cpus(c), t->throttled, t->periods, 100 * t->share, h->lost,
			number_or(window_idle_cpus(w), 0));
	finding_lost(f, h->lost, false);
	if (h->work.waiter)
		actor_process(&f->victim, h->work.waiter->pid, h->work.waiter->comm);
	else
		actor_named(&f->victim, ACTOR_CGROUP, "%s", c->path);
	actor_named(&f->culprit, ACTOR_CGROUP, "%s", c->path);
	add_evidence(h, f);
	add_advice(w, h, f);
}

/* What there was to look at when no cgroup is held back. */
struct survey {
	size_t with_cpu, with_quota, measured;
	double highest_share;
	const struct cgroup *highest;
};

static void exonerate(const struct window *w, const struct survey *s, struct verdict *v)
{
	if (s->with_cpu == 0)
		verdict_unmeasured(v, "needs the cpu controller of cgroups, mounted below /sys/fs/cgroup");
	else if (s->with_quota == 0)
		verdict_clear(v, "none of %zu cgroups has a CPU quota%s", s->with_cpu,
			      w->last->cgroups_truncated ? " (there are more)" : "");
	else if (s->measured == 0)
		verdict_unmeasured(v, "needs nr_throttled in cpu.stat of the %zu cgroups with a CPU quota",
				   s->with_quota);
	else if (!s->highest)
		verdict_clear(v, "no period of %zu cgroups with a CPU quota was cut short", s->measured);
	else
		verdict_clear(v, "at most %.0f %% of the periods were cut short (%s), of %zu cgroups with a quota",
			      100 * s->highest_share, s->highest->path, s->measured);
}

static void look_at(const struct window *w, const struct cgroup *c, struct survey *s, struct verdict *v)
{
	struct held_cgroup h = { .cgroup = c };

	s->with_cpu += (c->controllers & CGROUP_CPU) != 0;
	if (!cgroup_throttling(w, c, &h.throttling))
		return;
	s->with_quota++;
	s->measured += !isnan(h.throttling.throttled);
	if (h.throttling.throttled > 0 && h.throttling.share > s->highest_share) {
		s->highest_share = h.throttling.share;
		s->highest = c;
	}
	if (throttling_held_back(&h.throttling)) {
		measure_loss(w, &h);
		report(w, &h, v);
	}
}

static void rule(const struct window *w, struct verdict *v)
{
	struct survey s = { 0 };

	vec_each(c, &w->last->cgroups)
		look_at(w, c, &s, v);
	if (v->outcome == OUTCOME_NONE)
		exonerate(w, &s, v);
}

/* The default looks for a shared actor; the tasks of the cgroup share it by living there. */
static bool absorbs(const struct window *w, const struct finding *cause, const struct finding *symptom)
{
	const struct process_span *p = symptom->culprit.pid ? window_process(w, symptom->culprit.pid) : NULL;
	struct held_back held;

	window_held_back(w, &held);
	const struct cgroup *by = p ? held_back_by(&held, w, p) : NULL;
	return by && strcmp(by->path, cause->culprit.name) == 0;
}

static const char *const explains[] = { "cpu_saturated", "lock_contention", NULL };

const struct condition_rule cpu_throttled_rule = {
	.title = "A cgroup is held back by its CPU quota",
	.resource = "cpu",
	.rule = rule,
	.explains = explains,
	.absorbs = absorbs,
};
