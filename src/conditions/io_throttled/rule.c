#include <math.h>
#include <stdio.h>
#include <string.h>

#include "conditions/conditions.h"
#include "diagnose/storage_evidence.h"

#define NOTICEABLE 0.2 /* task-seconds a second spent waiting: below it the limit binds and hurts nobody */
#define MOST_LOST 0.5  /* of the time its tasks wanted to work */
#define DISK_FREE 0.7  /* busy share below which the disk itself is no explanation */

struct held_group {
	struct io_throttling limit;
	char disk[32];
	double disk_busy; /* share of the window; NaN: unknown */
	double stalled;	  /* io.pressure some of the group, share of the window; NaN: v1, or no PSI */
	double waiting, cpu; /* of its tasks, task-seconds a second */
	double lost;
	const struct process_span *victim; /* who waits most */
};

static const char *path_of(const struct cgroup *c)
{
	return strcmp(c->path, "/") == 0 ? "" : c->path;
}

static double disk_busy(const struct window *w, uint32_t major, uint32_t minor)
{
	const struct disk *after = sample_disk(w->last, major, minor);
	const struct disk *before = sample_disk(w->first, major, minor);

	return after && before ? window_rate(w, reading_delta(before->busy_ns, after->busy_ns)) / 1e9 : NAN;
}

static double stalled(const struct window *w, const struct cgroup *c)
{
	const struct cgroup *before = sample_cgroup(w->first, c);

	return before ? window_rate(w, reading_delta(before->io_stall.some_ns, c->io_stall.some_ns)) / 1e9 : NAN;
}

static void measure_tasks(const struct window *w, struct held_group *g)
{
	struct io_held_back one = { { g->limit }, 1 };
	double most = 0;

	for (size_t i = 0; i < w->nprocesses; i++) {
		const struct process_span *p = &w->processes[i];
		double wait = process_disk_wait(w, p);

		if ((wait <= 0 && process_cpu_ns(p) <= 0) || !io_held_back_by(&one, w, p))
			continue;
		g->waiting += wait;
		g->cpu += process_cpu_ns(p) / 1e9 / w->seconds;
		if (wait > most) {
			most = wait;
			g->victim = p;
		}
	}
}

static void measure(const struct window *w, const struct io_throttling *limit, struct held_group *g)
{
	*g = (struct held_group){
		.limit = *limit,
		.disk_busy = disk_busy(w, limit->major, limit->minor),
		.stalled = stalled(w, limit->cgroup),
	};
	window_disk_name(w, limit->major, limit->minor, g->disk, sizeof g->disk);
	measure_tasks(w, g);
	/* PSI counts the time in which any task stalled: the least that was lost. */
	g->lost = fmax(g->waiting, number_or(g->stalled, 0));
}

static enum severity severity_of(const struct held_group *g)
{
	if (g->lost < NOTICEABLE)
		return SEVERITY_NOTE;
	return g->lost > MOST_LOST * (g->lost + g->cpu) ? SEVERITY_CRITICAL : SEVERITY_WARNING;
}

/* Near its limit, tasks that wait, and a disk that has time: the three together leave nothing
 * else. A busy disk may be what they wait for. */
static double confidence_of(const struct window *w, const struct held_group *g)
{
	bool agrees = g->stalled > 0.1 || window_io_pressure(w) > 0.1;

	if (!(g->disk_busy < DISK_FREE))
		return 0.7;
	return agrees ? 0.97 : 0.85;
}

static void add_evidence(const struct window *w, const struct held_group *g, struct finding *f)
{
	const struct io_throttling *t = &g->limit;
	const struct cgroup *c = t->cgroup;
	char field[64];

	snprintf(field, sizeof field, "%s of %s that passed", t->what, g->disk);
	finding_evidence(f, field, t->rate, t->unit, "> 80 % of the limit", "%s%s/%s", c->mount, path_of(c),
			 c->v2 ? "io.stat" :
			 strcmp(t->unit, "bytes/s") == 0 ? "blkio.throttle.io_service_bytes" :
							   "blkio.throttle.io_serviced");
	snprintf(field, sizeof field, "limit for %u:%u%s%s", t->major, t->minor, t->key ? " " : "",
		 t->key ? t->key : "");
	finding_evidence(f, field, t->limit, t->unit, "", "%s%s/%s", c->mount, path_of(c), t->file);
	finding_evidence(f, "tasks of the cgroup in disk wait", g->waiting, "tasks", "> 0.2", "/proc/*/stat");
	if (!isnan(g->stalled))
		finding_evidence(f, "some total", 100 * g->stalled, "% of the time", "", "%s%s/io.pressure", c->mount,
				 path_of(c));
	finding_evidence(f, "some total", 100 * window_io_pressure(w), "% of the time", "", "/proc/pressure/io");
	finding_evidence(f, "busy time of the disk", 100 * g->disk_busy, "% of the time", "< 70 %: it is not the disk",
			 "/proc/diskstats %s", g->disk);
}

static void add_advice(const struct held_group *g, struct finding *f)
{
	const struct io_throttling *t = &g->limit;
	const struct cgroup *c = t->cgroup;

	finding_confirm(f, "cat '%s%s/%s'   # the limit", c->mount, path_of(c), t->file);
	finding_confirm(f, "iostat -x %s 1   # the disk has time to spare while the tasks wait", g->disk);
	if (g->victim)
		finding_confirm(f, "cat /proc/%d/wchan /proc/%d/stack   # waits in the block layer, request not yet sent",
				g->victim->pid, g->victim->pid);
	if (c->v2)
		finding_mend(f, "echo '%u:%u %s=%.0f' > '%s%s/io.max'   # twice the limit: waiting should about halve (now: "
				"%s=%.0f)", t->major, t->minor, t->key, 2 * t->limit, c->mount, path_of(c), t->key, t->limit);
	else
		finding_mend(f, "echo '%u:%u %.0f' > '%s%s/%s'   # twice the limit: waiting should about halve (now: %.0f)",
			     t->major, t->minor, 2 * t->limit, c->mount, path_of(c), t->file, t->limit);
	finding_mend(f, "in place of a hard limit: io.weight or io.latency of the groups (cgroup v2), which hold back only "
			"while others need the disk");
}

/* "4.19 MB" or "120 requests" */
static const char *amount(const struct io_throttling *t, double value, char *ret, size_t size)
{
	if (strcmp(t->unit, "bytes/s") == 0)
		snprintf(ret, size, "%.2f MB", value / 1e6);
	else
		snprintf(ret, size, "%.0f requests", value);
	return ret;
}

static void report(const struct window *w, const struct held_group *g, struct verdict *v)
{
	const struct io_throttling *t = &g->limit;
	struct finding *f = verdict_find(v, severity_of(g), confidence_of(w, g));
	char limit[32], rate[32], disk[128];

	if (g->disk_busy < DISK_FREE)
		snprintf(disk, sizeof disk, "The disk is busy only %.0f %% of the time: the limit sets the pace, not the disk.",
			 100 * g->disk_busy);
	else
		snprintf(disk, sizeof disk, "The disk is busy too: lifting the limit may help less than it seems.");
	finding_title(f, "cgroup %s is held back by its I/O limit on %s", t->cgroup->path, g->disk);
	finding_summary(f, "It may %s %s a second on %s and does %s; %.1f of its tasks stand waiting at any moment. %s",
			t->what, amount(t, t->limit, limit, sizeof limit), g->disk,
			amount(t, t->rate, rate, sizeof rate), g->waiting, disk);
	finding_lost(f, g->lost, true);
	if (g->victim)
		actor_process(&f->victim, g->victim->pid, g->victim->comm);
	else
		actor_named(&f->victim, ACTOR_CGROUP, "%s", t->cgroup->path);
	actor_named(&f->culprit, ACTOR_CGROUP, "%s", t->cgroup->path);
	add_evidence(w, g, f);
	add_advice(g, f);
}

/* What there was to look at when no group is held back. */
struct survey {
	size_t with_io, limited;
	double nearest; /* rate / limit */
	const struct cgroup *nearest_group;
	double waiting; /* of its tasks, when at its limit */
};

static void exonerate(const struct window *w, const struct survey *s, struct verdict *v)
{
	if (s->with_io == 0)
		verdict_unmeasured(v, "needs the io (blkio) controller of cgroups, mounted below /sys/fs/cgroup");
	else if (s->limited == 0)
		verdict_clear(v, "no cgroup has an I/O limit that could be held against its I/O (%zu looked at%s)", s->with_io,
			      w->last->cgroups_truncated ? "; there are more" : "");
	else if (s->nearest >= IO_LIMIT_SHARE)
		verdict_clear(v, "%s runs at %.0f %% of its I/O limit, and %.1f of its tasks wait (> 0 counts)",
			      s->nearest_group->path, 100 * s->nearest, s->waiting);
	else
		verdict_clear(v, "the nearest of %zu limited cgroups (%s) does %.0f %% of its I/O limit (> 80 %% counts)",
			      s->limited, s->nearest_group->path, 100 * s->nearest);
}

static void look_at(const struct window *w, const struct cgroup *c, struct survey *s, struct verdict *v)
{
	struct io_throttling t;
	struct held_group g = { .waiting = 0 };

	s->with_io += (c->controllers & CGROUP_IO) != 0;
	if (!cgroup_io_throttling(w, c, &t))
		return;
	s->limited++;
	if (io_throttling_near(&t)) {
		measure(w, &t, &g);
		if (g.lost > 0)
			report(w, &g, v);
	}
	if (!s->nearest_group || t.rate / t.limit > s->nearest) {
		s->nearest = t.rate / t.limit;
		s->nearest_group = c;
		s->waiting = g.waiting;
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

/* What befalls a process of the cgroup, or the disk as a whole by these processes. */
static bool absorbs(const struct window *w, const struct finding *cause, const struct finding *symptom)
{
	const int32_t pids[] = { symptom->culprit.pid, symptom->victim.pid };
	struct io_held_back held;

	window_io_held_back(w, &held);
	for (size_t i = 0; i < 2; i++) {
		const struct process_span *p = pids[i] ? window_process(w, pids[i]) : NULL;
		const struct io_throttling *by = p ? io_held_back_by(&held, w, p) : NULL;

		if (by && strcmp(by->cgroup->path, cause->culprit.name) == 0)
			return true;
	}
	return false;
}

static const char *const explains[] = { "disk_saturated", "lock_contention", NULL };

const struct condition_rule io_throttled_rule = {
	.title = "A cgroup is held back by its I/O limit",
	.resource = "disk",
	.rule = rule,
	.explains = explains,
	.absorbs = absorbs,
};
