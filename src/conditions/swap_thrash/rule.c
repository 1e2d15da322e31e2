#include <math.h>
#include <string.h>

#include "conditions/conditions.h"
#include "diagnose/memory_evidence.h"

#define PAGES_PER_S 5.0	   /* both ways: one way alone is memory that goes to rest, or returns */
#define BUSY_INTERVALS 0.25 /* … and in this part of the window at least */
#define COSTLY 0.01	   /* task-seconds a second: below it nobody notices */
#define NOTICEABLE 0.05
#define MOST_LOST 0.5
#define MEMORY_PAGE_S 20e-6 /* to bring in a page that is compressed in memory: a fault and its expansion */

struct swapping {
	double in, out;	  /* pages a second */
	double intervals; /* share of the ticks in which pages came in */
	double refault_anon, refault_file;
	double stalled, full; /* PSI of memory; NaN without */
	double used, total;   /* bytes of swap */
	double lost;
	bool estimated;
	const struct memory_want *want; /* the cgroup whose limit it is; NULL: the host's memory */
	const struct process_span *victim, *taker;
};

static double intervals_with_swap_in(const struct window *w)
{
	size_t with = 0;

	for (size_t i = 1; i < w->nticks; i++)
		with += reading_value(reading_delta(w->ticks[i - 1].vmstat.swap_in, w->ticks[i].vmstat.swap_in)) > 0;
	return w->nticks > 1 ? (double)with / (double)(w->nticks - 1) : 0;
}

static void measure(const struct window *w, struct swapping *s)
{
	const struct meminfo *m = &window_last_tick(w)->memory;

	*s = (struct swapping){
		.in = window_rate(w, WINDOW_DELTA(w, vmstat.swap_in)),
		.out = window_rate(w, WINDOW_DELTA(w, vmstat.swap_out)),
		.intervals = intervals_with_swap_in(w),
		.refault_anon = window_rate(w, WINDOW_DELTA(w, vmstat.refault_anon)),
		.refault_file = window_rate(w, WINDOW_DELTA(w, vmstat.refault_file)),
		.stalled = window_rate(w, WINDOW_DELTA(w, psi.memory.some_ns)) / 1e9,
		.full = window_rate(w, WINDOW_DELTA(w, psi.memory.full_ns)) / 1e9,
		.total = reading_value(m->swap_total_bytes),
		.used = reading_value(m->swap_total_bytes) - reading_value(m->swap_free_bytes),
	};
}

static bool thrashes(const struct swapping *s)
{
	return s->in >= PAGES_PER_S && s->out >= PAGES_PER_S && s->intervals >= BUSY_INTERVALS;
}

/* Pages of files that come back wait too; swap's part is that of the anonymous ones. */
static double anonymous_share(const struct swapping *s)
{
	double anon = isnan(s->refault_anon) ? s->in : s->refault_anon;

	return anon / (anon + number_or(s->refault_file, 0));
}

static void price(const struct window *w, struct swapping *s)
{
	double latency = window_read_latency(w);

	if (!isnan(s->stalled)) {
		s->lost = s->stalled * anonymous_share(s);
		s->estimated = anonymous_share(s) < 0.9;
		return;
	}
	/* No PSI. Where the disks did not read, the pages came from compressed memory. */
	s->lost = s->in * number_or(latency, MEMORY_PAGE_S);
	s->estimated = true;
}

static double anon_refaults(const struct memory_want *m)
{
	return isnan(m->refault_anon) ? number_or(m->major_faults, 0) : m->refault_anon;
}

/* The cgroup whose limit pushes pages out: most of what comes back is its own. */
static const struct memory_want *find_cgroup(const struct swapping *s, const struct memory_want *wants, size_t n)
{
	const struct memory_want *found = NULL;

	for (size_t i = 0; i < n; i++)
		if (anon_refaults(&wants[i]) >= 0.5 * s->in && (!found || anon_refaults(&wants[i]) > anon_refaults(found)))
			found = &wants[i];
	return found;
}

static enum severity severity_of(const struct swapping *s)
{
	if (s->lost < NOTICEABLE)
		return SEVERITY_NOTE;
	return s->lost > MOST_LOST ? SEVERITY_CRITICAL : SEVERITY_WARNING;
}

static void add_evidence(const struct window *w, const struct swapping *s, struct finding *f)
{
	finding_evidence(f, "pswpin", s->in, "pages/s", ">= 5/s", "/proc/vmstat");
	finding_evidence(f, "pswpout", s->out, "pages/s", ">= 5/s", "/proc/vmstat");
	finding_evidence(f, "workingset_refault_anon", s->refault_anon, "pages/s", "", "/proc/vmstat");
	finding_evidence(f, "some", 100 * s->stalled, "% of the time", "> 1 %", "/proc/pressure/memory");
	finding_evidence(f, "SwapTotal - SwapFree", s->used, "bytes", "", "/proc/meminfo");
	if (s->want) {
		const struct cgroup *c = s->want->cgroup;

		finding_evidence(f, "workingset_refault_anon", s->want->refault_anon, "pages/s", ">= half of pswpin",
				 "%s%s/memory.stat", c->mount, cgroup_subpath(c));
		finding_evidence(f, "limit", s->want->limit_bytes, "bytes", "",
				 c->v2 ? (s->want->high ? "%s%s/memory.high" : "%s%s/memory.max") :
					 "%s%s/memory.limit_in_bytes",
				 c->mount, cgroup_subpath(c));
		finding_evidence(f, "swap", reading_value(c->memory_swap_bytes), "bytes", "",
				 c->v2 ? "%s%s/memory.swap.current" : "%s%s/memory.stat", c->mount, cgroup_subpath(c));
	}
	if (s->victim)
		finding_evidence(f, "major faults of the victim", process_major_faults(s->victim) / w->seconds, "1/s", "",
				 "/proc/%d/stat", s->victim->pid);
}

static void tell_cgroup(const struct swapping *s, struct finding *f)
{
	const struct cgroup *c = s->want->cgroup;
	double swapped = number_or(reading_value(c->memory_swap_bytes), 0);

	finding_title(f, "cgroup %s swaps in and out without end: its limit of %.0f MiB is too small", c->path,
		      s->want->limit_bytes / (1 << 20));
	finding_summary(f,
			"%.0f pages a second come in from swap and %.0f go out: at the limit of %s each page that is "
			"wanted pushes out another that is wanted next. %.0f MiB of it %s in swap; its tasks lose %.2f "
			"task-seconds a second.",
			s->in, s->out, c->path, swapped / (1 << 20), swapped > 1.5 * (1 << 20) ? "are" : "is", s->lost);
	actor_named(&f->culprit, ACTOR_CGROUP, "%s", c->path);
	finding_confirm(f, "vmstat 1   # si and so both stay above 0");
	finding_confirm(f, "grep refault_anon '%s%s/memory.stat'   # twice: it grows with si", c->mount, cgroup_subpath(c));
	memory_mend_limit(f, c, s->want->limit_bytes + 1.25 * fmax(swapped, 4 << 20), "si and so should fall to 0");
	finding_mend(f, "make it need less: fewer workers, smaller heap or cache, until it fits into %.0f MiB",
		     s->want->limit_bytes / (1 << 20));
}

static void tell_host(const struct window *w, const struct swapping *s, struct finding *f)
{
	finding_title(f, "The host swaps in and out without end: memory is overcommitted");
	finding_summary(f,
			"%.0f pages a second come in from swap and %.0f go out, so what is in use does not fit into memory. "
			"%s%s%s tasks lose %.2f task-seconds a second.",
			s->in, s->out, s->taker ? "Most memory is with " : "", s->taker ? s->taker->comm : "",
			s->taker ? ";" : "", s->lost);
	if (s->taker)
		actor_process(&f->culprit, s->taker->pid, s->taker->comm);
	finding_confirm(f, "vmstat 1   # si and so both stay above 0, free is low");
	finding_confirm(f, "grep -E '^(Name|VmSwap|VmRSS)' /proc/[0-9]*/status   # who is in swap");
	if (s->taker) {
		const struct cgroup *c = window_cgroup(w, s->taker, TASK_CGROUP_MEMORY);

		if (c && c->v2 && strcmp(c->path, "/") != 0)
			finding_mend(f, "echo %.0fM > '%s%s/memory.high'   # %s alone swaps then, not its victims; undo: echo max",
				     0.75 * process_memory(s->taker) / (1 << 20), c->mount, c->path, s->taker->comm);
		finding_mend(f, "stop or restart %s (pid %d): frees %.0f MiB, si and so should fall to 0", s->taker->comm,
			     s->taker->pid, process_memory(s->taker) / (1 << 20));
	}
	finding_mend(f, "add memory, or move work elsewhere; more swap only makes room for more waiting");
}

static reading swap_in(const struct counters *c)
{
	return c->vmstat.swap_in;
}

static void report(const struct window *w, struct swapping *s, struct verdict *v)
{
	const struct cgroup *c = s->want ? s->want->cgroup : NULL;
	struct finding *f;

	s->victim = memory_top(w, c, process_major_faults);
	s->taker = memory_top(w, c, process_memory);
	f = verdict_find(v, severity_of(s), isnan(s->stalled) ? 0.8 : 0.95);
	if (c)
		tell_cgroup(s, f);
	else
		tell_host(w, s, f);
	finding_lost(f, s->lost, s->estimated);
	f->since_s = memory_since(w, swap_in, PAGES_PER_S);
	if (s->victim)
		actor_process(&f->victim, s->victim->pid, s->victim->comm);
	else
		actor_host(&f->victim);
	add_evidence(w, s, f);
}

static void exonerate(const struct swapping *s, struct verdict *v)
{
	if (s->total == 0)
		verdict_clear(v, "there is no swap");
	else if (thrashes(s))
		verdict_clear(v, "%.0f pages/s came in and %.0f went out, which cost %.1f %% of the time (> 1 %% is a fault)",
			      s->in, s->out, 100 * s->lost);
	else
		verdict_clear(v, "%.0f pages/s came in and %.0f went out (>= 5/s both ways is thrashing); %.0f MiB of swap "
				 "are used, which by itself is no fault", s->in, s->out, number_or(s->used, 0) / (1 << 20));
}

static void rule(const struct window *w, struct verdict *v)
{
	struct memory_want wants[MEMORY_WANTS_MAX];
	struct swapping s;

	measure(w, &s);
	if (isnan(s.in) || isnan(s.out)) {
		verdict_unmeasured(v, "needs pswpin and pswpout in /proc/vmstat (CONFIG_VM_EVENT_COUNTERS, CONFIG_SWAP)");
		return;
	}
	price(w, &s);
	if (!thrashes(&s) || s.lost < COSTLY) {
		exonerate(&s, v);
		return;
	}
	s.want = find_cgroup(&s, wants, window_memory_wants(w, wants));
	report(w, &s, v);
}

static const char *const explains[] = { "memory_pressure", "disk_saturated", "io_throttled", NULL };

/* Of want of memory, when it is for anonymous pages; of disk load, when swap is what is read. */
static bool absorbs(const struct window *w, const struct finding *cause, const struct finding *symptom)
{
	struct swapping s;

	measure(w, &s);
	return anonymous_share(&s) >= 0.5 && memory_same_place(w, cause, symptom);
}

const struct condition_rule swap_thrash_rule = {
	.title = "Memory in use is swapped out and in without end",
	.resource = "memory",
	.rule = rule,
	.explains = explains,
	.absorbs = absorbs,
};
