#include <math.h>
#include <string.h>

#include "conditions/conditions.h"
#include "diagnose/evidence.h"

#define GROUP_RATE 40000.0 /* switches a second, of the processes of one name */
#define RUN_US 8.0	   /* of work between two switches: less is a storm */
#define GROUP_SHARE 0.5	   /* of the switches of the host */
#define SWITCH_S 1.5e-6	   /* a switch to another task and back, cold caches left out */
#define HALF_THE_HOST 0.5

struct storm {
	double rate;	     /* switches a second, host */
	double seen_rate;    /* … of all processes that can be seen */
	struct process_group group;
	double group_rate;   /* … of the group */
	double group_cpus;
	double run_us;	     /* what a task of the group computes between two switches */
	double lost;
};

static void measure(const struct window *w, struct storm *s)
{
	*s = (struct storm){
		.rate = window_rate(w, WINDOW_DELTA(w, cpu.context_switches)),
		.group = window_top_group(w, process_switches, NULL),
	};
	if (!s->group.top)
		return;
	for (size_t i = 0; i < w->nprocesses; i++)
		s->seen_rate += process_switches(&w->processes[i]) / w->seconds;
	s->group_rate = s->group.value / w->seconds;
	s->group_cpus = window_group_sum(w, s->group.top, process_cpu_ns) / 1e9 / w->seconds;
	s->run_us = s->group_cpus / s->group_rate * 1e6;
	s->lost = fmin(s->group_rate * SWITCH_S, s->group_cpus);
}

/* The host's counter and those of the tasks are kept in different places: they must agree. */
static bool agrees(const struct storm *s)
{
	return s->rate > GROUP_RATE && s->group_rate > GROUP_SHARE * s->rate;
}

static bool storm(const struct storm *s)
{
	return s->group_rate > GROUP_RATE && s->run_us < RUN_US && agrees(s);
}

static void exonerate(const struct window *w, const struct storm *s, struct verdict *v)
{
	if (s->rate <= GROUP_RATE)
		verdict_clear(v, "%.0f context switches a second on %u CPUs (> %.0f/s counts)", s->rate,
			      w->topology->cpus, GROUP_RATE);
	else if (!s->group.top)
		verdict_unmeasured(v, "needs /proc/PID/status: %.0f switches a second, and no process is known",
				   s->rate);
	else if (s->seen_rate < GROUP_SHARE * s->rate)
		verdict_clear(v, "%.0f context switches a second, most of them by tasks that ended within the window",
			      s->rate);
	else
		verdict_clear(v, "%.0f context switches a second; %s does the most, and works %.0f us between two "
				 "(< %.0f us is a storm)", s->rate, s->group.top->comm, s->run_us, RUN_US);
}

static reading switches_of(const struct counters *c)
{
	return c->cpu.context_switches;
}

static double onset(const struct window *w, const struct storm *s)
{
	double tick_s = w->seconds / (double)(w->nticks - 1);
	double at = window_onset(w, switches_of, s->rate / 2 * tick_s);

	return at > 2 * tick_s ? at : NAN;
}

static void add_evidence(const struct window *w, const struct storm *s, struct finding *f)
{
	const struct process_span *p = s->group.top;

	finding_evidence(f, "ctxt", s->rate, "switches/s", "> 40000/s", "/proc/stat");
	finding_evidence(f, "switches of the culprit and its namesakes", s->group_rate, "switches/s",
			 "> 40000/s, > half of all", "/proc/%d/task/*/status", p->pid);
	finding_evidence(f, "CPU time between two switches", s->run_us, "us", "< 8 us", "/proc/%d/stat, status", p->pid);
	finding_evidence(f, "voluntary_ctxt_switches of the culprit", window_rate(w, p->voluntary_switches),
			 "switches/s", "", "/proc/%d/task/*/status", p->pid);
	finding_evidence(f, "nonvoluntary_ctxt_switches of the culprit", window_rate(w, p->involuntary_switches),
			 "switches/s", "", "/proc/%d/task/*/status", p->pid);
	finding_evidence(f, "CPU time of the culprit and its namesakes", s->group_cpus, "CPUs", "", "/proc/%d/stat",
			 p->pid);
	finding_evidence(f, "system", window_system_cpus(w), "CPUs", "", "/proc/stat");
}

static void add_advice(const struct storm *s, struct finding *f)
{
	const struct process_span *p = s->group.top;

	finding_confirm(f, "vmstat 1   # column cs");
	finding_confirm(f, "pidstat -w -t 1   # cswch/s: it slept; nvcswch/s: it was interrupted");
	finding_confirm(f, "strace -c -f -p %d   # for a second: the call it sleeps in (read, futex, epoll_wait); slows it "
			   "meanwhile", p->pid);
	finding_mend(f, "kill -STOP %d   # the switches should end at once; undo: kill -CONT %d", p->pid, p->pid);
	finding_mend(f, "chrt -b -p 0 %d   # where it is interrupted, not asleep: longer turns; undo: chrt -o -p 0 %d",
		     p->pid, p->pid);
	finding_mend(f, "in the program: hand over many items at a time (a larger buffer, a ring, sendmmsg/io_uring), "
			"or do the work in the thread that has it");
}

static void report(const struct window *w, const struct storm *s, struct verdict *v)
{
	const struct process_span *p = s->group.top;
	bool half = s->lost > HALF_THE_HOST * w->topology->cpus;
	struct finding *f = verdict_find(v, half ? SEVERITY_CRITICAL : SEVERITY_WARNING,
					 s->run_us < RUN_US / 2 ? 0.95 : 0.85);

	finding_title(f, "%s (pid %d) does little but switch: %.0f times a second", p->comm, p->pid, s->group_rate);
	if (s->group.processes > 1)
		finding_summary(f,
				"%u processes named %s switch %.0f times a second and use %.2f CPUs: %.1f us between two "
				"switches. The host does %.0f in all. At that pace the switch costs about as much as the work.",
				s->group.processes, p->comm, s->group_rate, s->group_cpus, s->run_us, s->rate);
	else
		finding_summary(f,
				"%s (%u threads) switches %.0f times a second and uses %.2f CPUs: %.1f us between two "
				"switches. The host does %.0f in all. At that pace the switch costs about as much as the work.",
				p->comm, p->threads, s->group_rate, s->group_cpus, s->run_us, s->rate);
	finding_lost(f, s->lost, true);
	f->since_s = onset(w, s);
	actor_process(&f->culprit, p->pid, p->comm);
	actor_host(&f->victim);
	add_evidence(w, s, f);
	add_advice(s, f);
}

static void rule(const struct window *w, struct verdict *v)
{
	struct storm s;

	if (!reading_ok(WINDOW_DELTA(w, cpu.context_switches)) || w->nticks < 2) {
		verdict_unmeasured(v, "needs the line \"ctxt\" of /proc/stat");
		return;
	}
	measure(w, &s);
	if (storm(&s))
		report(w, &s, v);
	else
		exonerate(w, &s, v);
}

/* Tasks that hand a token around are all runnable for a moment at each turn. */
static bool absorbs(const struct window *w, const struct finding *cause, const struct finding *symptom)
{
	(void)w;
	return symptom->culprit.pid != 0 &&
	       (symptom->culprit.pid == cause->culprit.pid ||
		strncmp(symptom->culprit.comm, cause->culprit.comm, sizeof cause->culprit.comm) == 0);
}

static const char *const explains[] = { "cpu_saturated", NULL };

const struct condition_rule context_switch_storm_rule = {
	.title = "Tasks switch so often that they get little done",
	.resource = "cpu",
	.rule = rule,
	.explains = explains,
	.absorbs = absorbs,
};
