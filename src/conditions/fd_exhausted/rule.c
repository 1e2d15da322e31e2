#include <math.h>
#include <stdio.h>
#include <string.h>

#include "conditions/conditions.h"
#include "diagnose/evidence.h"

#define NEAR 0.9      /* of the limit */
#define FEW 32	      /* a limit below this was set on purpose, by a sandbox */
#define INHERITED 4   /* descriptors beyond the limit: shells hand down a few of high numbers */
#define MIN_GROWTH 2  /* descriptors within the window: less says nothing of a pace */
#define SPINS 0.5     /* CPUs: a process at its limit that uses so much retries in a loop */

struct table {
	const struct process_span *process;
	double open, limit;
	double growth;	  /* a second; NaN: unknown */
	double full_in_s; /* NaN: not growing */
};

static double open_before(const struct window *w, const struct process_span *p)
{
	for (const struct task_span *t = process_threads(w, p); t < process_threads_end(w, p); t++)
		if ((t->first.flags & TASK_IS_LEADER) && !t->born)
			return reading_value(t->first.fd_count);
	return NAN;
}

static struct table measure(const struct window *w, const struct process_span *p)
{
	struct table t = { p, reading_value(p->fd_count), reading_value(p->fd_limit), NAN, NAN };
	double grown = t.open - open_before(w, p);

	t.growth = grown / w->seconds;
	if (grown >= MIN_GROWTH)
		t.full_in_s = fmax(0, (t.limit - t.open) / t.growth);
	return t;
}

/* Many more open than the limit allows: the limit was lowered afterwards, as sandboxes do so that
 * nothing more can be opened. That is no exhaustion. */
static bool counts(const struct table *t)
{
	return t->limit >= FEW && t->open <= t->limit + INHERITED;
}

static bool is_near(const struct table *t)
{
	return counts(t) && t->open >= NEAR * t->limit;
}

static bool is_full(const struct table *t)
{
	return t->open >= t->limit;
}

/* Of the processes of one name that are near their limits one is reported: the fullest. */
static bool is_reported(const struct window *w, const struct table *t, uint32_t *ret_others)
{
	*ret_others = 0;
	for (size_t i = 0; i < w->nprocesses; i++) {
		const struct process_span *p = &w->processes[i];

		if (p == t->process || p->gone || strncmp(p->comm, t->process->comm, sizeof p->comm) != 0)
			continue;
		struct table other = measure(w, p);
		if (!is_near(&other))
			continue;
		double ahead = other.open / other.limit - t->open / t->limit;
		if (ahead > 0 || (ahead == 0 && p < t->process))
			return false;
		(*ret_others)++;
	}
	return true;
}

static double cpus(const struct window *w, const struct process_span *p)
{
	return number_or(window_rate(w, p->cpu_ns) / 1e9, 0);
}

static void add_evidence(const struct window *w, const struct table *t, struct finding *f)
{
	int pid = t->process->pid;

	finding_evidence(f, "open descriptors", t->open, "descriptors", ">= 90 % of the limit", "/proc/%d/fd", pid);
	finding_evidence(f, "Max open files (soft)", t->limit, "descriptors", "", "/proc/%d/limits", pid);
	if (!isnan(t->growth))
		finding_evidence(f, "growth", t->growth, "descriptors/s", "", "/proc/%d/fd", pid);
	if (is_full(t))
		finding_evidence(f, "CPU time", cpus(w, t->process), "CPUs", "> 0.5: it retries without pause",
				 "/proc/%d/stat", pid);
	finding_evidence(f, "allocated", reading_value(w->last->file_nr.allocated), "files", "",
			 "/proc/sys/fs/file-nr");
}

static void add_advice(const struct table *t, struct finding *f)
{
	int pid = t->process->pid;

	finding_confirm(f, "ls /proc/%d/fd | wc -l; grep 'open files' /proc/%d/limits", pid, pid);
	finding_confirm(f, "ls -l /proc/%d/fd | sed 's/.* -> //' | sed 's/[0-9][0-9]*/N/g' | sort | uniq -c | sort -n | tail   "
			   "# what they are", pid);
	finding_confirm(f, "strace -f -c -e trace=%%desc,%%network -p %d   # for a second: calls that fail with EMFILE", pid);
	finding_mend(f, "prlimit --pid %d --nofile=%.0f   # twice as many, at once; if it leaks, this buys time (undo: %.0f)",
		     pid, 2 * t->limit, t->limit);
	finding_mend(f, "LimitNOFILE= of its unit, or ulimit -n before it starts: lasts beyond a restart");
	finding_mend(f, "if the number only ever grows: a leak. Restart it; close what is opened on error paths");
}

static void summarise(const struct window *w, const struct table *t, uint32_t others, struct finding *f)
{
	const struct process_span *p = t->process;
	char more[64] = "", pace[96] = "";

	if (others)
		snprintf(more, sizeof more, " So have %u more of that name.", others);
	if (!is_full(t) && !isnan(t->full_in_s))
		snprintf(pace, sizeof pace, " It opens %.1f more a second: full in %.0f s.", t->growth, t->full_in_s);
	if (is_full(t) && cpus(w, p) > SPINS)
		finding_summary(f,
				"%s has all %.0f descriptors open that it may have: open, accept and socket fail with EMFILE. It "
				"uses %.2f CPUs meanwhile: most likely it retries without pause.%s", p->comm, t->limit,
				cpus(w, p), more);
	else if (is_full(t))
		finding_summary(f,
				"%s has all %.0f descriptors open that it may have: open, accept and socket fail with EMFILE.%s",
				p->comm, t->limit, more);
	else
		finding_summary(f, "%s has %.0f of the %.0f descriptors open that it may have.%s%s", p->comm, t->open,
				t->limit, pace, more);
}

static void report(const struct window *w, const struct table *t, uint32_t others, struct verdict *v)
{
	const struct process_span *p = t->process;
	struct finding *f = verdict_find(v, is_full(t) ? SEVERITY_CRITICAL : SEVERITY_RISK, is_full(t) ? 0.97 : 0.9);

	finding_title(f, is_full(t) ? "%s (pid %d) has no file descriptors left" :
				      "%s (pid %d) is running out of file descriptors", p->comm, p->pid);
	summarise(w, t, others, f);
	if (is_full(t) && cpus(w, p) > SPINS)
		finding_lost(f, cpus(w, p), true);
	f->exhausted_in_s = is_full(t) ? 0 : t->full_in_s;
	actor_process(&f->victim, p->pid, p->comm);
	actor_process(&f->culprit, p->pid, p->comm);
	add_evidence(w, t, f);
	add_advice(t, f);
}

static double descriptors(const struct process_span *p)
{
	return number_or(reading_value(p->fd_count), 0);
}

static void look_at_host(const struct window *w, struct verdict *v)
{
	const struct file_nr *n = &w->last->file_nr;
	double all = reading_value(n->allocated), limit = reading_value(n->limit);

	if (!(limit > 0 && all >= NEAR * limit))
		return;
	bool full = all >= limit * 0.999;
	const struct process_span *most = window_top_group(w, descriptors, NULL).top;
	struct finding *f = verdict_find(v, full ? SEVERITY_CRITICAL : SEVERITY_RISK, 0.95);

	finding_title(f, full ? "the host has no file handles left" : "the host is running out of file handles");
	finding_summary(f, "%.0f of %.0f file handles of the whole host are open%s%s.", all, limit,
			most ? "; most by processes named " : "", most ? most->comm : "");
	actor_host(&f->victim);
	if (most)
		actor_process(&f->culprit, most->pid, most->comm);
	f->exhausted_in_s = full ? 0 : NAN;
	finding_evidence(f, "allocated", all, "files", ">= 90 % of the limit", "/proc/sys/fs/file-nr");
	finding_evidence(f, "maximum", limit, "files", "", "/proc/sys/fs/file-nr");
	if (most)
		finding_evidence(f, "open descriptors", descriptors(most), "descriptors", "", "/proc/%d/fd", most->pid);
	finding_confirm(f, "cat /proc/sys/fs/file-nr; lsof -n | awk '{n[$1]++} END {for (c in n) print n[c], c}' | sort -n | tail");
	finding_mend(f, "sysctl fs.file-max=%.0f   # twice as many (undo: %.0f)", 2 * limit, limit);
}

struct survey {
	size_t readable, hidden;
	struct table fullest;
};

static void exonerate(const struct window *w, const struct survey *s, struct verdict *v)
{
	const struct file_nr *host = &w->last->file_nr;
	char hidden[64] = "", of_host[64] = "";

	if (reading_ok(host->allocated) && reading_ok(host->limit))
		snprintf(of_host, sizeof of_host, "; host: %.0f of %.0f", reading_value(host->allocated),
			 reading_value(host->limit));
	if (s->hidden)
		snprintf(hidden, sizeof hidden, "; %zu more cannot be read", s->hidden);
	if (w->abilities->hidepid)
		verdict_unmeasured(v, "needs /proc without hidepid, or root: %zu processes are all that is seen",
				   s->readable + s->hidden);
	else if (s->readable == 0)
		verdict_unmeasured(v, "needs to read /proc/PID/fd of the processes: root, or the same user");
	else if (!s->fullest.process)
		verdict_clear(v, "none of %zu processes has a limit that counts%s", s->readable, hidden);
	else
		verdict_clear(v, "nearest to its limit is %s (pid %d): %.0f of %.0f descriptors (>= 90 %% counts)%s%s",
			      s->fullest.process->comm, s->fullest.process->pid, s->fullest.open, s->fullest.limit, of_host,
			      hidden);
}

static void look_at(const struct window *w, const struct process_span *p, struct survey *s, struct verdict *v)
{
	struct table t = measure(w, p);
	uint32_t others;

	if (isnan(t.open) || isnan(t.limit)) {
		s->hidden++;
		return;
	}
	s->readable++;
	if (is_near(&t) && is_reported(w, &t, &others))
		report(w, &t, others, v);
	if (counts(&t) &&
	    (!s->fullest.process || t.open / t.limit > s->fullest.open / s->fullest.limit))
		s->fullest = t;
}

static void rule(const struct window *w, struct verdict *v)
{
	struct survey s = { 0 };

	for (size_t i = 0; i < w->nprocesses; i++)
		if (!w->processes[i].gone && !w->processes[i].kernel_thread)
			look_at(w, &w->processes[i], &s, v);
	look_at_host(w, v);
	if (v->outcome == OUTCOME_NONE)
		exonerate(w, &s, v);
}

/* A server that cannot accept lets its queue overflow, and may spin meanwhile. */
static const char *const explains[] = { "listen_overflow", "cpu_saturated", NULL };

static bool absorbs(const struct window *w, const struct finding *cause, const struct finding *symptom)
{
	(void)w;
	return cause->culprit.pid && (symptom->culprit.pid == cause->culprit.pid || symptom->victim.pid == cause->culprit.pid);
}

const struct condition_rule fd_exhausted_rule = {
	.title = "A process has no file descriptors left",
	.resource = "limit",
	.rule = rule,
	.explains = explains,
	.absorbs = absorbs,
};
