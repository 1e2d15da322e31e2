/* What several rules ask of a window: rates of processes, groups of processes that go by one
 * name, cgroups held back by a quota. Pure; nothing here allocates.
 *
 * Rates are in task-seconds per second unless the name says otherwise; a missing reading
 * makes them NaN. */
#ifndef OSPREY_DIAGNOSE_EVIDENCE_H
#define OSPREY_DIAGNOSE_EVIDENCE_H

#include "sample/window.h"

/* CPUs that were busy, on average over the window; in the kernel alone; idle ones. */
double window_busy_cpus(const struct window *w);
double window_system_cpus(const struct window *w);
double window_idle_cpus(const struct window *w);
/* Mean of procs_running over the ticks, without the one that reads it: osprey. Tasks of
 * throttled cgroups are not in it. */
double window_mean_runnable(const struct window *w);
/* NaN counts as nothing: for sums whose missing parts are told elsewhere. */
double number_or(double value, double otherwise);

/* Growth of one counter of a task over the window; a task born in it started from zero. */
#define TASK_DELTA(t, member) reading_delta((t)->born ? 0 : (t)->first.member, (t)->last.member)

/* Threads of a process: for (const struct task_span *t = process_threads(w, p); t < process_threads_end(w, p); t++) */
static inline const struct task_span *process_threads(const struct window *w, const struct process_span *p)
{
	return w->tasks + p->first_thread;
}
static inline const struct task_span *process_threads_end(const struct window *w, const struct process_span *p)
{
	return process_threads(w, p) + p->threads;
}
/* A thread of `pid` first, any thread of the host then; NULL. */
const struct task_span *window_thread(const struct window *w, int32_t pid, int32_t tid);

/* A cgroup's encounter with its CPU quota over the window. */
struct throttling {
	double periods;	       /* periods in which it had something to run */
	double throttled;      /* of them: cut short by the quota */
	double throttled_cpus; /* throttled time a second, summed over CPUs */
	double usage_cpus;
	double share; /* throttled / periods; NaN without periods */
};
#define THROTTLED_SHARE 0.25 /* of the periods */
#define THROTTLED_PERIODS 3  /* at least: one burst is no fault */

/* False: it has no quota, no CPU controller, or is younger than the window. */
bool cgroup_throttling(const struct window *w, const struct cgroup *c, struct throttling *ret);
/* Whether the quota holds it back: both thresholds are passed. */
bool throttling_held_back(const struct throttling *t);
/* `inner` is `outer` or below it, in the same hierarchy. */
bool cgroup_holds(const struct cgroup *outer, const struct cgroup *inner);
/* The cgroups that their quota holds back; more than fit are left out. */
#define HELD_BACK_MAX 64
struct held_back {
	const struct cgroup *v[HELD_BACK_MAX];
	size_t n;
};
void window_held_back(const struct window *w, struct held_back *ret);
/* Which of them holds the process back: its own cgroup or one above. NULL: none. */
const struct cgroup *held_back_by(const struct held_back *held, const struct window *w,
				  const struct process_span *p);

/* What the processes in a cgroup and below it did, in task-seconds a second. The kernel counts
 * the time in which a task is throttled as run-queue delay. */
struct cgroup_work {
	double run, wait;
	const struct process_span *waiter; /* who waited most; NULL: nobody */
};
struct cgroup_work cgroup_work(const struct window *w, const struct cgroup *c);

/* Processes that do the same work usually share a name: eight workers, one culprit. */
struct process_group {
	const struct process_span *top; /* the one with the largest value; NULL: all values are 0 */
	uint32_t processes;
	double value; /* summed */
};
typedef double (*process_value)(const struct process_span *p);
typedef double (*process_value_in)(const struct window *w, const struct process_span *p);

/* Missing readings count as 0 here. */
double process_cpu_ns(const struct process_span *p);
double process_switches(const struct process_span *p);

/* The group with the largest sum, among the groups of the 16 processes with the largest
 * values. Processes that `leave_out` (nullable) holds back are passed over. */
struct process_group window_top_group(const struct window *w, process_value value,
				      const struct held_back *leave_out);
struct process_group window_top_group_in(const struct window *w, process_value_in value,
					 const struct held_back *leave_out);
/* The sum of `value` over the processes that carry the name of `like`. */
double window_group_sum(const struct window *w, const struct process_span *like, process_value value);

#endif
