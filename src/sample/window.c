#include "sample/window.h"

/* Both tables are ordered by pid, tasks within a process by tid with the leader first where
 * it has the lowest tid, which the kernel does not promise: hence the linear search within. */
const struct process_span *window_process(const struct window *w, int32_t pid)
{
	size_t low = 0, high = w->nprocesses;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (w->processes[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < w->nprocesses && w->processes[low].pid == pid ? &w->processes[low] : NULL;
}

const struct task_span *window_task(const struct window *w, int32_t tid)
{
	for (size_t i = 0; i < w->ntasks; i++)
		if (w->tasks[i].last.tid == tid && !w->tasks[i].gone)
			return &w->tasks[i];
	return NULL;
}

const struct process_span *window_top(const struct window *w, double (*value)(const struct process_span *p))
{
	const struct process_span *top = NULL;
	double most = 0;

	for (size_t i = 0; i < w->nprocesses; i++) {
		double v = value(&w->processes[i]);

		if (v > most) { /* false for NaN */
			most = v;
			top = &w->processes[i];
		}
	}
	return top;
}

static const unsigned controller_bit[TASK_CGROUP_COUNT] = {
	[TASK_CGROUP_CPU] = CGROUP_CPU,
	[TASK_CGROUP_MEMORY] = CGROUP_MEMORY,
	[TASK_CGROUP_IO] = CGROUP_IO,
	[TASK_CGROUP_PIDS] = CGROUP_PIDS,
};

bool window_in_cgroup(const struct process_span *p, const struct cgroup *c)
{
	for (int i = 0; i < TASK_CGROUP_COUNT; i++)
		if ((c->controllers & controller_bit[i]) && p->cgroup[i] == c->id && c->id)
			return true;
	return false;
}

const struct cgroup *window_cgroup(const struct window *w, const struct process_span *p,
				   enum task_cgroup controller)
{
	vec_each(c, &w->last->cgroups)
		if ((c->controllers & controller_bit[controller]) && p->cgroup[controller] == c->id)
			return c;
	return NULL;
}

double window_onset(const struct window *w, reading (*value)(const struct counters *c), double step)
{
	for (size_t i = 1; i < w->nticks; i++) {
		double grown = reading_value(reading_delta(value(&w->ticks[i - 1]), value(&w->ticks[i])));

		if (grown > step)
			return (double)(w->ticks[i].at.mono_ns - w->from.mono_ns) / 1e9;
	}
	return NAN;
}
