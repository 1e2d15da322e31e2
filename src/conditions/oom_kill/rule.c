#include <math.h>
#include <stdio.h>
#include <string.h>

#include "conditions/conditions.h"
#include "diagnose/memory_evidence.h"

#define MAX_CASES 8
#define HOST_SHORT 0.05 /* of memory available: less is near the end */

/* Kills for want of memory in one place: a cgroup, or the host. */
struct oom_case {
	bool of_cgroup;
	const char *path;	     /* of the cgroup whose limit it was; "": it could not be told */
	const struct cgroup *cgroup; /* NULL: gone, or not in our view */
	double kills;
	const struct kernel_event *event; /* the last; NULL: not in the log, or no log */
	const struct process_span *gone;  /* without a log: who vanished there and was largest */
};

struct oom_cases {
	struct oom_case v[MAX_CASES];
	size_t n;
};

static struct oom_case *case_of(struct oom_cases *cases, bool of_cgroup, const char *path)
{
	for (size_t i = 0; i < cases->n; i++)
		if (cases->v[i].of_cgroup == of_cgroup && strcmp(cases->v[i].path, path) == 0)
			return &cases->v[i];
	if (cases->n == MAX_CASES)
		return NULL;
	struct oom_case *c = &cases->v[cases->n++];
	*c = (struct oom_case){ .of_cgroup = of_cgroup, .path = path };
	return c;
}

/* The log alone knows both the victim and the cgroup whose limit it was. */
static double add_events(const struct window *w, struct oom_cases *cases)
{
	double told = 0;

	for (size_t i = 0; i < w->nevents; i++) {
		const struct kernel_event *e = &w->events[i];
		bool of_cgroup = e->cgroup[0] || strncmp(e->text, "Memory cgroup", strlen("Memory cgroup")) == 0;
		struct oom_case *c = e->kind == KERNEL_OOM_KILL ? case_of(cases, of_cgroup, e->cgroup) : NULL;

		if (!c)
			continue;
		told++;
		c->kills++;
		c->event = e;
		c->cgroup = e->cgroup[0] ? window_memory_cgroup(w, e->cgroup) : NULL;
	}
	return told;
}

static double kills_in(const struct window *w, const struct cgroup *c)
{
	const struct cgroup *before = sample_cgroup(w->first, c);

	if (before)
		return number_or(reading_value(reading_delta(before->memory_oom_kills, c->memory_oom_kills)), 0);
	/* Born in the window: it counted from zero. */
	return w->first->cgroups_truncated ? 0 : (double)reading_or(c->memory_oom_kills, 0);
}

/* The innermost groups: v2 counts kills in the groups above too. */
static bool kills_are_below(const struct window *w, const struct cgroup *outer)
{
	vec_each(c, &w->last->cgroups)
		if (c != outer && (c->controllers & CGROUP_MEMORY) && cgroup_holds(outer, c) && kills_in(w, c) > 0)
			return true;
	return false;
}

static bool has_limit(const struct cgroup *c)
{
	return (c->controllers & CGROUP_MEMORY) && reading_ok(c->memory_limit_bytes) &&
	       c->memory_limit_bytes < CGROUP_UNLIMITED;
}

static bool met_its_limit(const struct window *w, const struct cgroup *c)
{
	struct memory_want m;

	return cgroup_memory_want(w, c, &m) && m.at_limit;
}

/* Memory and swap were as good as gone at some moment: below that the kernel frees, and does
 * not kill. */
static bool host_was_short(const struct window *w)
{
	for (size_t i = 0; i < w->nticks; i++) {
		const struct meminfo *m = &w->ticks[i].memory;

		if (reading_value(m->available_bytes) < HOST_SHORT * reading_value(m->total_bytes))
			return true;
	}
	return false;
}

static bool is_inner(const struct cgroup *c, const struct cgroup *than)
{
	return !than || strlen(c->path) > strlen(than->path);
}

/* Without the log: the group that killed is the victim's own or the nearest above it that met
 * its limit; when none is seen to (the limit was on memory and swap together, or memory is free
 * again) and the host had plenty, the nearest that has one. NULL: the host. The victim's group
 * counts the kill also when it was the host that was short. */
static const struct cgroup *limit_above(const struct window *w, const struct cgroup *of_victim)
{
	const struct cgroup *met = NULL, *nearest = NULL;

	vec_each(c, &w->last->cgroups) {
		if (!has_limit(c) || !cgroup_holds(c, of_victim))
			continue;
		if (is_inner(c, nearest))
			nearest = c;
		if (met_its_limit(w, c) && is_inner(c, met))
			met = c;
	}
	return met || host_was_short(w) ? met : nearest;
}

static const struct process_span *largest_gone(const struct window *w, const struct cgroup *c)
{
	const struct process_span *found = NULL;

	for (size_t i = 0; i < w->nprocesses; i++) {
		const struct process_span *p = &w->processes[i];
		const struct cgroup *own = p->gone ? window_cgroup(w, p, TASK_CGROUP_MEMORY) : NULL;

		if (own && cgroup_holds(c, own) && (!found || process_memory(p) > process_memory(found)))
			found = p;
	}
	return found;
}

/* The case of the log that is of this cgroup, or of one above it. */
static struct oom_case *told_case(struct oom_cases *cases, const struct cgroup *c)
{
	struct oom_case *of_host = NULL;

	for (size_t i = 0; i < cases->n; i++) {
		struct oom_case *o = &cases->v[i];

		if (o->event && o->cgroup && cgroup_holds(o->cgroup, c))
			return o;
		if (o->event && !o->of_cgroup)
			of_host = o;
	}
	return of_host;
}

/* What the log does not tell: it may be denied, and its lines are limited in number. */
static double add_counters(const struct window *w, struct oom_cases *cases)
{
	double sum = 0;

	vec_each(c, &w->last->cgroups) {
		double kills = (c->controllers & CGROUP_MEMORY) ? kills_in(w, c) : 0;
		struct oom_case *o;

		if (kills <= 0 || kills_are_below(w, c))
			continue;
		sum += kills;
		o = told_case(cases, c);
		if (o) {
			o->kills = fmax(o->kills, kills);
			continue;
		}
		const struct cgroup *limit = limit_above(w, c);
		o = case_of(cases, limit != NULL, limit ? limit->path : "");
		if (!o)
			continue;
		o->cgroup = limit;
		o->gone = largest_gone(w, c);
		o->kills += kills;
	}
	return sum;
}

/* A log whose constraint line was left out says "a cgroup" without its name; when the counters
 * name one, the two are one case. */
static void merge_unnamed(struct oom_cases *cases)
{
	struct oom_case *unnamed = NULL, *named = NULL;

	for (size_t i = 0; i < cases->n; i++) {
		struct oom_case *c = &cases->v[i];

		if (c->of_cgroup && !c->path[0])
			unnamed = c;
		else if (c->of_cgroup)
			named = !named || c->kills > named->kills ? c : named;
	}
	if (!unnamed || !named)
		return;
	if (!named->event)
		named->event = unnamed->event;
	named->kills = fmax(named->kills, unnamed->kills);
	*unnamed = cases->v[--cases->n];
}

static void name_victim(const struct oom_case *c, struct finding *f)
{
	if (c->event)
		actor_process(&f->victim, c->event->pid, c->event->comm);
	else if (c->gone)
		actor_process(&f->victim, c->gone->pid, c->gone->comm);
	else if (c->of_cgroup && c->path[0])
		actor_named(&f->victim, ACTOR_CGROUP, "%s", c->path);
	else
		actor_host(&f->victim);
}

static const char *victim_name(const struct oom_case *c)
{
	return c->event ? c->event->comm : c->gone ? c->gone->comm : "a process";
}

static void tell_cgroup(const struct window *w, const struct oom_case *c, struct finding *f)
{
	double available = reading_value(window_last_tick(w)->memory.available_bytes) / (1 << 20);
	char limit[48] = "";

	if (c->cgroup && has_limit(c->cgroup))
		snprintf(limit, sizeof limit, " of %.0f MiB", reading_value(c->cgroup->memory_limit_bytes) / (1 << 20));
	finding_title(f, "%s was killed: %s%s is out of memory", victim_name(c), c->path[0] ? "cgroup " : "its cgroup", c->path);
	finding_summary(f,
			"The kernel killed %.0f process%s in %.1f s because %s met its limit%s and nothing more could be "
			"reclaimed. The host has %.0f MiB available: the limit is short, not the machine.",
			c->kills, c->kills == 1 ? "" : "es", w->seconds, c->path[0] ? c->path : "its cgroup", limit, available);
	if (c->path[0])
		actor_named(&f->culprit, ACTOR_CGROUP, "%s", c->path);
}

static void tell_host(const struct window *w, const struct oom_case *c, const struct process_span *taker, struct finding *f)
{
	finding_title(f, "%s was killed: the host is out of memory", victim_name(c));
	finding_summary(f,
			"The kernel killed %.0f process%s in %.1f s because neither memory nor swap was left. It takes the one "
			"whose end frees most, which is not always the one that grew%s%s%s.",
			c->kills, c->kills == 1 ? "" : "es", w->seconds, taker ? "; most memory is now with " : "",
			taker ? taker->comm : "", "");
	if (c->event)
		actor_process(&f->culprit, c->event->pid, c->event->comm);
	else if (c->gone)
		actor_process(&f->culprit, c->gone->pid, c->gone->comm);
	else if (taker)
		actor_process(&f->culprit, taker->pid, taker->comm);
}

static void add_evidence(const struct window *w, const struct oom_case *c, struct finding *f)
{
	finding_evidence(f, "oom_kill", reading_value(WINDOW_DELTA(w, vmstat.oom_kill)), "kills", "> 0", "/proc/vmstat");
	if (c->cgroup) {
		const char *at = cgroup_subpath(c->cgroup), *mount = c->cgroup->mount;

		finding_evidence(f, "oom_kill", kills_in(w, c->cgroup), "kills", "> 0",
				 c->cgroup->v2 ? "%s%s/memory.events" : "%s%s/memory.oom_control", mount, at);
		finding_evidence(f, "limit", reading_value(c->cgroup->memory_limit_bytes), "bytes", "",
				 c->cgroup->v2 ? "%s%s/memory.max" : "%s%s/memory.limit_in_bytes", mount, at);
	} else if (!c->of_cgroup) {
		finding_evidence(f, "MemAvailable", reading_value(window_last_tick(w)->memory.available_bytes), "bytes", "",
				 "/proc/meminfo");
		finding_evidence(f, "SwapFree", reading_value(window_last_tick(w)->memory.swap_free_bytes), "bytes", "",
				 "/proc/meminfo");
	}
	if (c->event) {
		finding_evidence(f, "anon-rss of the victim", reading_value(c->event->anon_bytes), "bytes", "", "/dev/kmsg");
		finding_proof(f, "%s", c->event->text);
	}
}

static void add_advice(const struct oom_case *c, struct finding *f)
{
	finding_confirm(f, "dmesg | grep -E 'oom-kill:|Killed process'   # who was killed, and whose limit it was");
	if (!c->of_cgroup) {
		finding_confirm(f, "grep oom_kill /proc/vmstat; free -m   # the count grows while nothing is left");
		finding_mend(f, "echo -500 > /proc/PID/oom_score_adj of what must live   # the kernel then takes others first; undo: echo 0");
		finding_mend(f, "find out what grew (ps -eo pid,comm,rss --sort=-rss) and give it a cgroup with a limit of its own");
		return;
	}
	if (!c->cgroup)
		return;
	const char *at = cgroup_subpath(c->cgroup), *mount = c->cgroup->mount;
	finding_confirm(f, c->cgroup->v2 ? "cat '%s%s/memory.events'   # oom_kill" : "cat '%s%s/memory.oom_control'   # oom_kill",
			mount, at);
	memory_mend_limit(f, c->cgroup, 2 * reading_value(c->cgroup->memory_limit_bytes), "the kills should stop; then see what it needs");
	if (c->cgroup->v2)
		finding_mend(f, "echo %.0fM > '%s%s/memory.high'   # it is slowed before it is killed: time to look at it; undo: echo max",
			     0.9 * reading_value(c->cgroup->memory_limit_bytes) / (1 << 20), mount, at);
	finding_mend(f, "make %s need less, or find its leak: a limit that is raised for a leak is only met later", victim_name(c));
}

static reading oom_kills(const struct counters *c)
{
	return c->vmstat.oom_kill;
}

/* What the dead had worked in the window, as far as it was seen, is lost: they will do it again. */
static double work_lost(const struct window *w, const struct oom_case *c)
{
	double ns = 0, seen = 0;

	for (size_t i = 0; i < w->nprocesses; i++) {
		const struct process_span *p = &w->processes[i];
		bool dead = p->gone && (p == c->gone || (c->event && strcmp(p->comm, c->event->comm) == 0));

		ns += dead ? process_cpu_ns(p) : 0;
		seen += dead;
	}
	return ns > 0 ? ns / seen * c->kills / 1e9 / w->seconds : NAN;
}

static void report(const struct window *w, const struct oom_case *c, struct verdict *v)
{
	struct finding *f = verdict_find(v, SEVERITY_CRITICAL, c->event ? 0.99 : c->cgroup ? 0.9 : 0.8);
	double lost = work_lost(w, c);

	if (c->of_cgroup)
		tell_cgroup(w, c, f);
	else
		tell_host(w, c, memory_top(w, NULL, process_memory), f);
	if (!isnan(lost))
		finding_lost(f, lost, true);
	f->since_s = window_onset(w, oom_kills, 0.5);
	name_victim(c, f);
	add_evidence(w, c, f);
	add_advice(c, f);
}

static void exonerate(const struct window *w, struct verdict *v)
{
	reading since_boot = window_last_tick(w)->vmstat.oom_kill;

	if (!reading_ok(since_boot) && w->abilities->kernel_log != PRESENT)
		verdict_unmeasured(v, "needs oom_kill in /proc/vmstat (4.13 or later) or the kernel log (root)");
	else if (reading_ok(since_boot))
		verdict_clear(v, "no process was killed for want of memory in the window (%llu since boot)",
			      (unsigned long long)since_boot);
	else
		verdict_clear(v, "the kernel log tells of no process killed for want of memory in the window");
}

static void rule(const struct window *w, struct verdict *v)
{
	struct oom_cases cases = { .n = 0 };
	double counted = number_or(reading_value(WINDOW_DELTA(w, vmstat.oom_kill)), 0);
	double told = add_events(w, &cases);

	told = fmax(told, add_counters(w, &cases));
	merge_unnamed(&cases);
	/* Counted, but in no log and in no cgroup that is left: it died with its cgroup, or nobody
	 * may look. */
	if (counted > told && cases.n == 0) {
		struct oom_case *c = case_of(&cases, false, "");
		if (c)
			c->kills = counted;
	}
	for (size_t i = 0; i < cases.n; i++)
		report(w, &cases.v[i], v);
	if (cases.n == 0)
		exonerate(w, v);
}

static const char *const explains[] = { "memory_pressure", "swap_thrash", NULL };

const struct condition_rule oom_kill_rule = {
	.title = "The kernel killed a process for want of memory",
	.resource = "memory",
	.rule = rule,
	.explains = explains,
	.absorbs = memory_same_place,
};
