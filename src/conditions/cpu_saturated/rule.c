#include <math.h>
#include <string.h>

#include "conditions/conditions.h"
#include "diagnose/evidence.h"

#define IDLE_SHARE 0.1	   /* of the CPUs: more than this is no saturation, whatever waits */
#define WAIT_RATIO 1.5	   /* waiting to running: two builds side by side stay below */
#define RUNNABLE_PER_CPU 2.0 /* procs_running must agree */
#define MOST_LOST 0.7	   /* of run + wait: two tasks wait for each that runs, and more */
#define POLITE_NICE 10	   /* who asks for the CPU's leisure loses nothing by waiting */
#define SCHED_POLICY_IDLE 5
#define NEVER_SLEEPS 0.8   /* of its life on a CPU or waiting for one… */
#define SLEEPS_PER_S 50.0  /* … and hardly a voluntary switch */

struct queue {
	double cpus, busy, idle, runnable;
	double waiting;	    /* task-seconds a second of run-queue delay, the next two left out */
	double polite;	    /* … of tasks at nice >= 10 or of SCHED_IDLE */
	double held;	    /* … of tasks in throttled cgroups */
	double pressure;    /* share of the time in which some task waited; NaN without PSI */
	bool estimated;	    /* waiting is taken from procs_running */
	struct held_back held_back;
	struct process_group takers;
	double taker_cpus;
	const struct process_span *victim;
};

static bool polite(const struct task_span *t)
{
	return t->last.nice >= POLITE_NICE || t->last.policy == SCHED_POLICY_IDLE;
}

/* Run-queue delay of one process in task-seconds a second; the part of polite threads apart. */
static double process_wait(const struct window *w, const struct process_span *p, double *ret_polite)
{
	double wait = 0;

	*ret_polite = 0;
	for (const struct task_span *t = process_threads(w, p); t < process_threads_end(w, p); t++) {
		double v = number_or(window_rate(w, TASK_DELTA(t, wait_ns)) / 1e9, 0);

		*(polite(t) ? ret_polite : &wait) += v;
	}
	return wait;
}

static double thread_lived_ns(const struct window *w, const struct task_span *t)
{
	double window_ns = w->seconds * 1e9;

	return t->last.start_ns > w->to.boot_ns ? window_ns :
						  fmin(window_ns, (double)(w->to.boot_ns - t->last.start_ns));
}

/* Who makes the queue long: threads that never sleep stand in it all the time, so they count
 * with their waiting. Those who sleep and wake are pushed back by the queue; they count with what
 * they ran. */
static double share_of_queue(const struct window *w, const struct process_span *p)
{
	double share = process_cpu_ns(p);

	for (const struct task_span *t = process_threads(w, p); t < process_threads_end(w, p); t++) {
		double run = reading_value(reading_sum(TASK_DELTA(t, user_ns), TASK_DELTA(t, system_ns)));
		double wait = reading_value(TASK_DELTA(t, wait_ns));

		double sleeps = number_or(window_rate(w, TASK_DELTA(t, voluntary_switches)), 0);

		if (run + wait >= NEVER_SLEEPS * thread_lived_ns(w, t) && sleeps < SLEEPS_PER_S && !polite(t))
			share += wait;
	}
	return share;
}

static bool waits_are_told(const struct window *w)
{
	for (size_t i = 0; i < w->ntasks; i++)
		if (reading_ok(w->tasks[i].last.wait_ns))
			return true;
	return false;
}

static bool among_takers(const struct queue *q, const struct process_span *p)
{
	return q->takers.top && strncmp(q->takers.top->comm, p->comm, sizeof p->comm) == 0;
}

static void add_waits(const struct window *w, struct queue *q)
{
	double most = 0;

	for (size_t i = 0; i < w->nprocesses; i++) {
		const struct process_span *p = &w->processes[i];
		double courteous, wait = process_wait(w, p, &courteous);

		if (wait + courteous > 0 && held_back_by(&q->held_back, w, p)) {
			q->held += wait + courteous;
			continue;
		}
		q->waiting += wait;
		q->polite += courteous;
		if (wait > most && !p->kernel_thread && !among_takers(q, p)) {
			most = wait;
			q->victim = p;
		}
	}
}

static void measure(const struct window *w, struct queue *q)
{
	*q = (struct queue){
		.cpus = w->topology->cpus,
		.busy = window_busy_cpus(w),
		.idle = window_idle_cpus(w),
		.runnable = window_mean_runnable(w),
		.pressure = window_rate(w, WINDOW_DELTA(w, psi.cpu.some_ns)) / 1e9,
	};
	window_held_back(w, &q->held_back);
	q->takers = window_top_group_in(w, share_of_queue, &q->held_back);
	if (q->takers.top)
		q->taker_cpus = window_group_sum(w, q->takers.top, process_cpu_ns) / 1e9 / w->seconds;
	add_waits(w, q);
	if (!waits_are_told(w)) {
		q->waiting = fmax(q->runnable - q->busy, 0);
		q->estimated = true;
	}
}

static bool saturated(const struct queue *q)
{
	return q->idle < IDLE_SHARE * q->cpus && q->waiting > WAIT_RATIO * q->busy &&
	       q->runnable > RUNNABLE_PER_CPU * q->cpus;
}

static void exonerate(const struct queue *q, struct verdict *v)
{
	if (q->idle >= IDLE_SHARE * q->cpus)
		verdict_clear(v, "%.1f of %.0f CPUs were idle; run-queue delay %.2f task-s/s%s", q->idle, q->cpus,
			      q->waiting, q->held > q->waiting ? ", without that of throttled cgroups" : "");
	else
		verdict_clear(v, "%.2f task-s/s waited for a CPU while %.2f ran (> %.1f times is saturation)%s",
			      q->waiting, q->busy, WAIT_RATIO,
			      q->polite > q->waiting ? "; more waited at low priority, as they asked to" : "");
}

static double onset(const struct window *w)
{
	double enough = RUNNABLE_PER_CPU * w->topology->cpus + 1;

	for (size_t i = 0; i < w->nticks; i++)
		if (reading_value(w->ticks[i].cpu.running) > enough)
			return i == 0 ? NAN : (double)(w->ticks[i].at.mono_ns - w->from.mono_ns) / 1e9;
	return NAN;
}

static void add_evidence(const struct queue *q, struct finding *f)
{
	finding_evidence(f, q->estimated ? "procs_running beyond what ran" : "run-queue delay of all tasks",
			 q->waiting, "task-s/s", "> 1.5 times the busy CPUs",
			 q->estimated ? "/proc/stat" : "/proc/PID/task/TID/schedstat field 2");
	finding_evidence(f, "busy CPUs", q->busy, "CPUs", "", "/proc/stat");
	finding_evidence(f, "idle + iowait", q->idle, "CPUs", "< 10 % of the CPUs", "/proc/stat");
	finding_evidence(f, "procs_running, mean", q->runnable, "tasks", "> 2 a CPU", "/proc/stat");
	finding_evidence(f, "some", 100 * q->pressure, "% of the time", "", "/proc/pressure/cpu");
	if (q->takers.top)
		finding_evidence(f, "CPU time of the culprit and its namesakes", q->taker_cpus,
				 "CPUs", "", "/proc/%d/stat", q->takers.top->pid);
	if (q->held > 0)
		finding_evidence(f, "run-queue delay in throttled cgroups", q->held, "task-s/s",
				 "left out: see cpu_throttled", "/proc/PID/task/TID/schedstat field 2");
	if (q->polite > 0.05)
		finding_evidence(f, "run-queue delay at nice >= 10", q->polite, "task-s/s",
				 "left out: they asked for leisure", "/proc/PID/task/TID/schedstat field 2");
}

static void add_advice(const struct queue *q, struct finding *f)
{
	const struct process_span *top = q->takers.top;

	finding_confirm(f, "vmstat 1   # column r stays above %.0f, id near 0", q->cpus);
	finding_confirm(f, "pidstat -u 1   # who runs (%%CPU) and who waits (%%wait)");
	if (!top)
		return;
	if (q->takers.processes > 1)
		finding_mend(f, "renice -n 19 -p $(ps -L -o lwp= -C '%s')   # all their threads; the others should run at "
				"once; undo: renice -n 0", top->comm);
	else
		finding_mend(f, "renice -n 19 -p $(ls /proc/%d/task)   # all its threads; the others should run at once; "
				"undo: renice -n 0", top->pid);
	finding_mend(f, "echo 19 > /proc/%d/autogroup   # where sysctl kernel.sched_autogroup_enabled is 1: nice then counts "
			"within its session alone; undo: echo 0", top->pid);
	finding_mend(f, "taskset -a -p -c 0 %d   # leaves the other CPUs to the rest; undo: taskset -a -p -c 0-%.0f %d",
		     top->pid, q->cpus - 1, top->pid);
	finding_mend(f, "lower its number of workers, or add CPUs: %.1f would have run all that wanted to",
		     ceil(q->waiting + q->busy));
}

static void name_actors(const struct queue *q, struct finding *f)
{
	if (q->takers.top)
		actor_process(&f->culprit, q->takers.top->pid, q->takers.top->comm);
	if (q->victim)
		actor_process(&f->victim, q->victim->pid, q->victim->comm);
	else
		actor_host(&f->victim);
}

static void tell(const struct queue *q, struct finding *f)
{
	const struct process_group *g = &q->takers;

	finding_title(f, "The CPUs are saturated: for each task that runs, %.1f wait", q->waiting / q->busy);
	if (!g->top)
		finding_summary(f, "%.1f tasks wanted to run on %.0f CPUs at any time.", q->waiting + q->busy, q->cpus);
	else if (g->processes > 1)
		finding_summary(f,
				"%.1f tasks wanted to run on %.0f CPUs at any time. %u processes named %s took "
				"%.2f CPUs, pid %d foremost; every task waits its turn behind them.",
				q->waiting + q->busy, q->cpus, g->processes, g->top->comm,
				q->taker_cpus, g->top->pid);
	else
		finding_summary(f,
				"%.1f tasks wanted to run on %.0f CPUs at any time. %s (pid %d, %u threads) took "
				"%.2f CPUs; every task waits its turn behind it.",
				q->waiting + q->busy, q->cpus, g->top->comm, g->top->pid, g->top->threads,
				q->taker_cpus);
}

static void rule(const struct window *w, struct verdict *v)
{
	struct queue q;

	if (w->topology->cpus == 0 || !reading_ok(window_last_tick(w)->cpu.total.user_ns)) {
		verdict_unmeasured(v, "needs /proc/stat");
		return;
	}
	measure(w, &q);
	if (!saturated(&q)) {
		exonerate(&q, v);
		return;
	}
	bool most = q.waiting > MOST_LOST * (q.waiting + q.busy);
	struct finding *f = verdict_find(v, most ? SEVERITY_CRITICAL : SEVERITY_WARNING,
					 q.estimated ? 0.7 : q.pressure > 0.5 ? 0.95 : 0.85);
	tell(&q, f);
	finding_lost(f, q.waiting, q.estimated);
	f->since_s = onset(w);
	name_actors(&q, f);
	add_evidence(&q, f);
	add_advice(&q, f);
}

const struct condition_rule cpu_saturated_rule = {
	.title = "More tasks want to run than there are CPUs",
	.resource = "cpu",
	.rule = rule,
};
