#include <math.h>
#include <string.h>

#include "conditions/conditions.h"
#include "diagnose/memory_evidence.h"

#define STALLED 0.02	  /* of the time some task waits for memory */
#define NOTICEABLE 0.05
#define MOST_STALLED 0.6  /* some … */
#define ALL_STALLED 0.3	  /* … or full: nobody gets on */
#define REFAULTS_PER_S 10.0
#define RECLAIM_PER_S 100.0 /* pages, by the tasks that allocate */

struct pressure {
	double some, full; /* of the host; NaN without PSI */
	double refaults;   /* pages a second */
	double direct;	   /* pages reclaimed by allocating tasks, a second, for want on the host */
	double read_latency;
	double available, total; /* bytes */
};

/* One place that is short: a cgroup, or (cgroup NULL) the host. */
struct shortage {
	const struct memory_want *want; /* NULL: the host */
	double stalled;			/* share of the time in which some task waits */
	double lost;			/* task-seconds a second */
	bool estimated;
	const struct process_span *victim, *taker;
};

static void measure(const struct window *w, struct pressure *p)
{
	*p = (struct pressure){
		.some = window_rate(w, WINDOW_DELTA(w, psi.memory.some_ns)) / 1e9,
		.full = window_rate(w, WINDOW_DELTA(w, psi.memory.full_ns)) / 1e9,
		.refaults = window_refaults(w),
		.direct = window_rate(w, WINDOW_DELTA(w, vmstat.steal_direct)),
		.read_latency = window_read_latency(w),
		.available = reading_value(window_last_tick(w)->memory.available_bytes),
		.total = reading_value(window_last_tick(w)->memory.total_bytes),
	};
}

/* Without PSI: threads seen blocked, of processes that had pages read back for them; or those
 * reads, each for as long as a read took. */
static double guess_stalled(const struct window *w, const struct pressure *p, const struct cgroup *c, double faults)
{
	return fmax(memory_blocked(w, c), number_or(faults * p->read_latency, 0));
}

static void price(const struct window *w, const struct pressure *p, struct shortage *s)
{
	const struct memory_want *m = s->want;
	const struct cgroup *c = m ? m->cgroup : NULL;

	if (m && !isnan(m->stalled)) {
		s->stalled = m->stalled;
	} else if (!isnan(p->some) && m) {
		/* cgroup v1 has no PSI of its own: the host's, by its part in what came back. */
		s->stalled = p->some * fmin(memory_want_refaults(m) / fmax(p->refaults, 1), 1);
		s->estimated = true;
	} else if (!isnan(p->some)) {
		s->stalled = p->some;
	} else {
		s->stalled = guess_stalled(w, p, c,
					   m ? number_or(m->major_faults, 0) :
					       number_or(window_rate(w, WINDOW_DELTA(w, vmstat.major_faults)), 0));
		s->estimated = true;
	}
	/* PSI counts the time in which anybody waits, however many do. */
	double blocked = m ? memory_blocked(w, c) : 0;
	s->lost = fmax(s->stalled, blocked);
	s->estimated |= blocked > s->stalled;
	s->victim = memory_top(w, c, process_major_faults);
	if (!s->victim && m) /* who reads files, and maps none, faults nowhere */
		s->victim = memory_top(w, c, process_read_bytes);
	s->taker = memory_top(w, c, process_growth);
	if (!s->taker || process_growth(s->taker) < 0.05 * process_memory(s->taker))
		s->taker = memory_top(w, c, process_memory);
}

static enum severity severity_of(const struct pressure *p, const struct shortage *s)
{
	bool whole_host = !s->want;

	if (s->stalled < NOTICEABLE)
		return SEVERITY_NOTE;
	return s->stalled > MOST_STALLED || (whole_host && p->full > ALL_STALLED) ? SEVERITY_CRITICAL :
										    SEVERITY_WARNING;
}

static void add_cgroup_evidence(const struct memory_want *m, struct finding *f)
{
	const struct cgroup *c = m->cgroup;
	const char *at = cgroup_subpath(c);

	finding_evidence(f, "workingset_refault_file", m->refault_file, "pages/s", "> 10/s", "%s%s/memory.stat", c->mount, at);
	if (m->refault_anon > 0)
		finding_evidence(f, "workingset_refault_anon", m->refault_anon, "pages/s", "", "%s%s/memory.stat", c->mount, at);
	finding_evidence(f, "use", reading_value(c->memory_bytes), "bytes", "at the limit",
			 c->v2 ? "%s%s/memory.current" : "%s%s/memory.usage_in_bytes", c->mount, at);
	finding_evidence(f, "limit", m->limit_bytes, "bytes", "",
			 c->v2 ? (m->high ? "%s%s/memory.high" : "%s%s/memory.max") : "%s%s/memory.limit_in_bytes", c->mount, at);
	if (c->v2)
		finding_evidence(f, "some", 100 * m->stalled, "% of the time", "> 2 %", "%s%s/memory.pressure", c->mount, at);
}

static void add_host_evidence(const struct window *w, const struct pressure *p, struct finding *f)
{
	finding_evidence(f, "workingset_refault_file + _anon", p->refaults, "pages/s", "> 10/s", "/proc/vmstat");
	finding_evidence(f, "pgsteal_direct", p->direct, "pages/s", "> 100/s", "/proc/vmstat");
	finding_evidence(f, "allocstall", window_rate(w, reading_sum(WINDOW_DELTA(w, vmstat.alloc_stall_normal),
								      WINDOW_DELTA(w, vmstat.alloc_stall_movable))),
			 "1/s", "", "/proc/vmstat");
	finding_evidence(f, "MemAvailable", 100 * p->available / p->total, "% of memory", "", "/proc/meminfo");
}

static void add_evidence(const struct window *w, const struct pressure *p, const struct shortage *s, struct finding *f)
{
	finding_evidence(f, "some", 100 * p->some, "% of the time", "> 2 %", "/proc/pressure/memory");
	finding_evidence(f, "full", 100 * p->full, "% of the time", "", "/proc/pressure/memory");
	if (s->want)
		add_cgroup_evidence(s->want, f);
	else
		add_host_evidence(w, p, f);
	if (s->victim && process_major_faults(s->victim) > 0)
		finding_evidence(f, "major faults of the victim", process_major_faults(s->victim) / w->seconds, "1/s", "",
				 "/proc/%d/stat", s->victim->pid);
	else if (s->victim)
		finding_evidence(f, "read_bytes of the victim", process_read_bytes(s->victim) / w->seconds, "bytes/s", "",
				 "/proc/%d/io", s->victim->pid);
}

static void tell_cgroup(const struct pressure *p, const struct shortage *s, struct finding *f)
{
	const struct memory_want *m = s->want;
	const struct cgroup *c = m->cgroup;
	double mib = m->limit_bytes / (1 << 20);

	finding_title(f, "cgroup %s works on more memory than its limit of %.0f MiB", c->path, mib);
	finding_summary(f,
			"At its limit of %.0f MiB the kernel takes pages from %s that it wants back at once: %.0f a second "
			"are read again%s%s. Its tasks wait for memory %.0f %% of the time, while %.0f %% of the host's memory "
			"is available.",
			mib, c->path, memory_want_refaults(m), s->victim ? ", most of all for " : "",
			s->victim ? s->victim->comm : "", 100 * fmin(s->stalled, 1), 100 * p->available / p->total);
	actor_named(&f->culprit, ACTOR_CGROUP, "%s", c->path);
	finding_confirm(f, "grep refault '%s%s/memory.stat'; sleep 5; grep refault '%s%s/memory.stat'   # grows", c->mount,
			cgroup_subpath(c), c->mount, cgroup_subpath(c));
	finding_confirm(f, "cat /proc/pressure/memory   # total of `some` grows by microseconds of waiting");
	if (s->victim && process_major_faults(s->victim) > 0)
		finding_confirm(f, "pidstat -r -p %d 1   # majflt/s stays high", s->victim->pid);
	else if (s->victim)
		finding_confirm(f, "pidstat -d -p %d 1   # kB_rd/s: the same file, again and again", s->victim->pid);
	memory_mend_limit(f, c, 1.5 * m->limit_bytes, "refaults and waiting should fall; raise until they stop");
	finding_mend(f, "make its working set smaller: fewer workers, smaller caches, or the part of the file that is needed");
}

static void tell_host(const struct window *w, const struct pressure *p, const struct shortage *s, struct finding *f)
{
	finding_title(f, "The host is short of memory: tasks wait for it %.0f %% of the time", 100 * fmin(s->stalled, 1));
	finding_summary(f,
			"%.0f pages a second are read again soon after they were let go, and allocating tasks have to free "
			"%.0f pages a second themselves. %s%s%s %.1f %% of memory is available.",
			number_or(p->refaults, 0), number_or(p->direct, 0), s->taker ? "Most memory is with " : "",
			s->taker ? s->taker->comm : "", s->taker ? "." : "", 100 * p->available / p->total);
	if (s->taker)
		actor_process(&f->culprit, s->taker->pid, s->taker->comm);
	finding_confirm(f, "vmstat 1   # free stays low, bi high, and id falls while wa rises");
	finding_confirm(f, "grep -E 'refault|pgsteal_direct|allocstall' /proc/vmstat   # twice: they grow");
	finding_confirm(f, "ps -eo pid,comm,rss --sort=-rss | head   # who holds it");
	if (s->taker) {
		const struct cgroup *c = window_cgroup(w, s->taker, TASK_CGROUP_MEMORY);

		if (c && c->v2 && strcmp(c->path, "/") != 0)
			finding_mend(f, "echo %.0fM > '%s%s/memory.high'   # slows %s and leaves memory to the others; undo: echo max",
				     0.75 * process_memory(s->taker) / (1 << 20), c->mount, c->path, s->taker->comm);
		finding_mend(f, "stop or restart %s (pid %d): frees %.0f MiB", s->taker->comm, s->taker->pid,
			     process_memory(s->taker) / (1 << 20));
	}
	finding_mend(f, "add memory, or move work elsewhere: what is missing is what is read again and again");
}

static reading some_ns(const struct counters *c)
{
	return c->psi.memory.some_ns;
}

static void report(const struct window *w, const struct pressure *p, const struct shortage *s, struct verdict *v)
{
	struct finding *f = verdict_find(v, severity_of(p, s), isnan(p->some) ? 0.6 : s->want ? 0.95 : 0.85);

	if (s->want)
		tell_cgroup(p, s, f);
	else
		tell_host(w, p, s, f);
	finding_lost(f, s->lost, s->estimated);
	f->since_s = memory_since(w, some_ns, 1e6);
	if (s->victim)
		actor_process(&f->victim, s->victim->pid, s->victim->comm);
	else
		actor_host(&f->victim);
	add_evidence(w, p, s, f);
}

/* The groups that are short, each by itself; returns what of the host's stalls they explain. */
static double judge_cgroups(const struct window *w, const struct pressure *p, struct verdict *v)
{
	struct memory_want wants[MEMORY_WANTS_MAX];
	size_t n = window_memory_wants(w, wants);
	double explained = 0;

	for (size_t i = 0; i < n; i++) {
		struct shortage s = { .want = &wants[i] };

		price(w, p, &s);
		explained += s.stalled;
		if (s.stalled > STALLED)
			report(w, p, &s, v);
	}
	return explained;
}

/* That the host has pages come back, or tasks that must reclaim before they go on. */
static bool host_reclaims(const struct pressure *p)
{
	return p->direct > RECLAIM_PER_S || p->refaults > REFAULTS_PER_S;
}

static void judge_host(const struct window *w, const struct pressure *p, double explained, struct verdict *v)
{
	struct shortage s = { 0 };

	price(w, p, &s);
	s.stalled -= explained;
	s.lost -= explained;
	if (s.stalled > STALLED && s.stalled > explained && host_reclaims(p))
		report(w, p, &s, v);
}

static void exonerate(const struct pressure *p, struct verdict *v)
{
	if (isnan(p->some) && isnan(p->refaults))
		verdict_unmeasured(v, "needs /proc/pressure/memory (CONFIG_PSI, psi=1) or refaults in /proc/vmstat");
	else if (isnan(p->some))
		verdict_clear(v, "%.0f pages a second came back after they were let go, %.0f %% of memory is available "
				 "(no PSI here to price it)", p->refaults, 100 * p->available / p->total);
	else
		verdict_clear(v, "tasks waited for memory %.1f %% of the time (> 2 %% is pressure); %.0f %% of memory is "
				 "available, page cache included", 100 * p->some, 100 * p->available / p->total);
}

static void rule(const struct window *w, struct verdict *v)
{
	struct pressure p;

	measure(w, &p);
	double explained = judge_cgroups(w, &p, v);
	judge_host(w, &p, explained, v);
	if (v->outcome == OUTCOME_NONE)
		exonerate(&p, v);
}

static const char *const explains[] = { "disk_saturated", "io_throttled", NULL };

const struct condition_rule memory_pressure_rule = {
	.title = "Tasks wait because memory is short",
	.resource = "memory",
	.rule = rule,
	.explains = explains,
	.absorbs = memory_same_place,
};
