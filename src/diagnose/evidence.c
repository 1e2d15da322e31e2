#include "diagnose/evidence.h"

#include <math.h>
#include <string.h>

static double cpus_over(const struct window *w, reading before, reading after)
{
	return window_rate(w, reading_delta(before, after)) / 1e9;
}

double window_busy_cpus(const struct window *w)
{
	return cpus_over(w, cpu_times_busy_ns(&window_first_tick(w)->cpu.total),
			 cpu_times_busy_ns(&window_last_tick(w)->cpu.total));
}

double window_system_cpus(const struct window *w)
{
	return window_rate(w, WINDOW_DELTA(w, cpu.total.system_ns)) / 1e9;
}

static reading unused_ns(const struct cpu_times *t)
{
	return reading_sum(t->idle_ns, reading_or(t->iowait_ns, 0));
}

double window_idle_cpus(const struct window *w)
{
	/* iowait runs backwards at times: CPUs share the count of waiters. */
	reading before = unused_ns(&window_first_tick(w)->cpu.total);
	reading after = unused_ns(&window_last_tick(w)->cpu.total);

	if (reading_ok(before) && reading_ok(after) && after < before)
		return 0;
	return cpus_over(w, before, after);
}

double window_mean_runnable(const struct window *w)
{
	double sum = 0;

	for (size_t i = 0; i < w->nticks; i++)
		sum += reading_value(w->ticks[i].cpu.running) - 1;
	return sum / (double)w->nticks;
}

double number_or(double value, double otherwise)
{
	return isnan(value) ? otherwise : value;
}

const struct task_span *window_thread(const struct window *w, int32_t pid, int32_t tid)
{
	const struct process_span *p = window_process(w, pid);

	if (p)
		for (const struct task_span *t = process_threads(w, p); t < process_threads_end(w, p); t++)
			if (t->last.tid == tid && !t->gone)
				return t;
	return window_task(w, tid);
}

bool cgroup_throttling(const struct window *w, const struct cgroup *c, struct throttling *ret)
{
	if (!(c->controllers & CGROUP_CPU) || !reading_ok(c->cpu_quota_ns) ||
	    c->cpu_quota_ns == CGROUP_UNLIMITED)
		return false;
	const struct cgroup *before = sample_cgroup(w->first, c);
	if (!before)
		return false;
	double periods = reading_value(reading_delta(before->cpu_periods, c->cpu_periods));
	double throttled = reading_value(reading_delta(before->cpu_throttled_periods, c->cpu_throttled_periods));
	*ret = (struct throttling){
		.periods = periods,
		.throttled = throttled,
		.throttled_cpus = cpus_over(w, before->cpu_throttled_ns, c->cpu_throttled_ns),
		.usage_cpus = cpus_over(w, before->cpu_usage_ns, c->cpu_usage_ns),
		.share = periods > 0 ? throttled / periods : NAN,
	};
	return true;
}

bool throttling_held_back(const struct throttling *t)
{
	return t->throttled >= THROTTLED_PERIODS && t->share > THROTTLED_SHARE;
}

bool cgroup_holds(const struct cgroup *outer, const struct cgroup *inner)
{
	size_t n = strlen(outer->path);

	if (strcmp(outer->mount, inner->mount) != 0)
		return false;
	if (n == 1 && outer->path[0] == '/')
		return true;
	return strncmp(inner->path, outer->path, n) == 0 && (inner->path[n] == '\0' || inner->path[n] == '/');
}

void window_held_back(const struct window *w, struct held_back *ret)
{
	ret->n = 0;
	vec_each(c, &w->last->cgroups) {
		struct throttling t;

		if (ret->n < HELD_BACK_MAX && cgroup_throttling(w, c, &t) && throttling_held_back(&t))
			ret->v[ret->n++] = c;
	}
}

const struct cgroup *held_back_by(const struct held_back *held, const struct window *w,
				  const struct process_span *p)
{
	const struct cgroup *own = held->n ? window_cgroup(w, p, TASK_CGROUP_CPU) : NULL;

	for (size_t i = 0; own && i < held->n; i++)
		if (cgroup_holds(held->v[i], own))
			return held->v[i];
	return NULL;
}

struct cgroup_work cgroup_work(const struct window *w, const struct cgroup *c)
{
	const struct held_back one = { { c }, 1 };
	struct cgroup_work work = { 0 };
	double most = 0;

	for (size_t i = 0; i < w->nprocesses; i++) {
		const struct process_span *p = &w->processes[i];
		double wait = number_or(window_rate(w, p->wait_ns) / 1e9, 0);
		double run = number_or(window_rate(w, p->cpu_ns) / 1e9, 0);

		/* The search for a cgroup is for those who did anything at all. */
		if (wait + run <= 0 || !held_back_by(&one, w, p))
			continue;
		work.wait += wait;
		work.run += run;
		if (wait > most) {
			most = wait;
			work.waiter = p;
		}
	}
	return work;
}

double process_cpu_ns(const struct process_span *p)
{
	return number_or(reading_value(p->cpu_ns), 0);
}

double process_switches(const struct process_span *p)
{
	return number_or(reading_value(p->voluntary_switches), 0) +
	       number_or(reading_value(p->involuntary_switches), 0);
}

/* One of the two. */
struct measure {
	process_value plain;
	process_value_in in_window;
};

static double measured(const struct measure *m, const struct window *w, const struct process_span *p)
{
	return number_or(m->plain ? m->plain(p) : m->in_window(w, p), 0);
}

static bool namesakes(const struct process_span *a, const struct process_span *b)
{
	return strncmp(a->comm, b->comm, sizeof a->comm) == 0;
}

static struct process_group group_of(const struct window *w, const struct process_span *like,
				     const struct measure *m)
{
	struct process_group group = { .top = like };

	for (size_t i = 0; i < w->nprocesses; i++) {
		const struct process_span *p = &w->processes[i];
		/* The number first: it is mostly nothing, and cheaper than the name. */
		double v = measured(m, w, p);

		if (v <= 0 || !namesakes(p, like))
			continue;
		group.value += v;
		group.processes++;
	}
	return group;
}

double window_group_sum(const struct window *w, const struct process_span *like, process_value value)
{
	return group_of(w, like, &(struct measure){ value, NULL }).value;
}

enum { CANDIDATES = 16 };

struct candidates {
	const struct process_span *v[CANDIDATES];
	double value[CANDIDATES];
	size_t n;
};

/* Keeps the largest values, largest first. */
static void candidates_add(struct candidates *c, const struct process_span *p, double value)
{
	size_t at = c->n;

	while (at > 0 && c->value[at - 1] < value)
		at--;
	if (at == CANDIDATES)
		return;
	if (c->n < CANDIDATES)
		c->n++;
	for (size_t i = c->n - 1; i > at; i--) {
		c->v[i] = c->v[i - 1];
		c->value[i] = c->value[i - 1];
	}
	c->v[at] = p;
	c->value[at] = value;
}

/* One group for each name among the candidates, empty; the largest member stands for it. */
static size_t groups_of(const struct candidates *c, struct process_group *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		size_t at = 0;

		while (at < n && !namesakes(ret[at].top, c->v[i]))
			at++;
		if (at == n)
			ret[n++] = (struct process_group){ .top = c->v[i] };
	}
	return n;
}

static void sum_groups(const struct window *w, const struct measure *m, struct process_group *groups, size_t n)
{
	for (size_t i = 0; i < w->nprocesses; i++) {
		const struct process_span *p = &w->processes[i];
		double v = measured(m, w, p);

		for (size_t at = 0; v > 0 && at < n; at++)
			if (namesakes(groups[at].top, p)) {
				groups[at].value += v;
				groups[at].processes++;
				break;
			}
	}
}

static struct process_group top_group(const struct window *w, const struct measure *m,
				      const struct held_back *leave_out)
{
	struct process_group groups[CANDIDATES], top = { 0 };
	struct candidates c = { .n = 0 };

	for (size_t i = 0; i < w->nprocesses; i++) {
		double v = measured(m, w, &w->processes[i]);

		if (v > 0 && !(leave_out && held_back_by(leave_out, w, &w->processes[i])))
			candidates_add(&c, &w->processes[i], v);
	}
	size_t n = groups_of(&c, groups);
	sum_groups(w, m, groups, n);
	for (size_t i = 0; i < n; i++)
		if (groups[i].value > top.value)
			top = groups[i];
	return top;
}

struct process_group window_top_group(const struct window *w, process_value value,
				      const struct held_back *leave_out)
{
	return top_group(w, &(struct measure){ value, NULL }, leave_out);
}

struct process_group window_top_group_in(const struct window *w, process_value_in value,
					 const struct held_back *leave_out)
{
	return top_group(w, &(struct measure){ NULL, value }, leave_out);
}
