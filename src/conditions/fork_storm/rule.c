#include <math.h>
#include <string.h>

#include "conditions/conditions.h"
#include "diagnose/evidence.h"

#define RATE 500.0	  /* processes and threads a second */
#define RISE 10.0	  /* times the pace of the start of the window… */
#define RISE_RATE 200.0	  /* … when that is more than a trickle */
#define ONE_PARENT 0.8	  /* of the forks: a loop */
#define HIGH_RATE 2000.0  /* no build keeps this up; then few parents are enough */
#define FEW_PARENTS 0.6
#define FEW 8
#define ONE_NAME 0.8	  /* of the forks by parents of one name, each gone after a few: then no parent
			   * stands out, as where shells fork for each substitution, or in a bomb */
#define CHAIN 0.8	  /* of the births make one in their turn: a chain, whatever its pace */
#define NAME_RATE_PER_CPU 500.0 /* … and no crowd of honest scripts makes as many on so few CPUs */
#define HALF_THE_HOST 0.5 /* of the CPUs */
#define THREADS_SEEN 2	  /* at the looks, and a multiple of the children seen: the births are threads */
#define THREADS_TO_CHILDREN 4
#define THREAD_S 30e-6	  /* to make and end a thread; what it does besides is work */
#define THREADS_COSTLY 0.05 /* of the CPUs: a server that starts one for each request stays below */
#define PIDS_HERE 0.1	  /* of the forks took a pid of our namespace: else they are not made here */

struct storm {
	double rate, rate_before; /* forks a second: of the window, of its first quarter */
	bool exact;
	double pids; /* given out in our pid namespace, a second; NaN: unknown */
	const struct fork_count *parent; /* NULL: nobody could be named */
	double one_share, few_share;	 /* of the counted forks */
	bool threads;			 /* the parent's births are its threads, not processes */
	bool by_name;			 /* only its namesakes together stand out */
	double name_share;
	double cpus;	   /* CPU time of the named parents and the children they waited for */
	double system_cpus;
};

static double pace(const struct window *w, size_t from, size_t to)
{
	const struct counters *a = &w->ticks[from], *b = &w->ticks[to];
	double seconds = (double)(b->at.mono_ns - a->at.mono_ns) / 1e9;

	return reading_value(reading_delta(a->cpu.forks, b->cpu.forks)) / seconds;
}

/* What a process and its children, as far as it has waited for them, computed. */
static double family_cpus(const struct window *w, int32_t pid)
{
	const struct process_span *p = window_process(w, pid);
	double ns = 0;

	if (!p)
		return 0;
	ns = number_or(reading_value(p->cpu_ns), 0);
	for (const struct task_span *t = process_threads(w, p); t < process_threads_end(w, p); t++)
		if (t->last.flags & TASK_IS_LEADER)
			ns += number_or(reading_value(TASK_DELTA(t, children_user_ns)), 0) +
			      number_or(reading_value(TASK_DELTA(t, children_system_ns)), 0);
	return ns / 1e9 / w->seconds;
}

/* The newest pid runs ahead by one for each fork in our pid namespace, and begins anew at the
 * largest pid: the tick of that is left out. */
static double pids_given(const struct window *w)
{
	double sum = 0;

	for (size_t i = 1; i < w->nticks; i++) {
		reading before = w->ticks[i - 1].load.last_pid, after = w->ticks[i].load.last_pid;

		if (!reading_ok(before) || !reading_ok(after))
			return NAN;
		sum += after > before ? (double)(after - before) : 0;
	}
	return sum / w->seconds;
}

/* /proc/stat counts the forks of the whole host, from within a container too; where parents are
 * known by samples, these are of our own namespace alone. */
static bool made_elsewhere(const struct storm *s)
{
	return !s->exact && s->pids < PIDS_HERE * s->rate;
}

static bool same_name(const struct fork_count *a, const struct fork_count *b)
{
	return strncmp(a->comm, b->comm, sizeof a->comm) == 0;
}

/* The busiest parent of the name that has more than half of the forks, when there is one: the
 * others have voted it down otherwise (Boyer and Moore). */
static const struct fork_count *foremost_of_name(const struct window *w)
{
	const struct fork_count *name = NULL;
	double votes = 0;

	for (size_t i = 0; i < w->nforks; i++) {
		double forks = (double)w->forks[i].forks;

		if (name && same_name(name, &w->forks[i]))
			votes += forks;
		else if (votes > forks)
			votes -= forks;
		else {
			name = &w->forks[i];
			votes = forks - votes;
		}
	}
	for (size_t i = 0; name && i < w->nforks; i++)
		if (same_name(name, &w->forks[i]))
			return &w->forks[i];
	return NULL;
}

struct name_births {
	double forks, parents;
};

static struct name_births births_by_name(const struct window *w, const struct fork_count *like)
{
	struct name_births n = { 0 };

	for (size_t i = 0; like && i < w->nforks; i++)
		if (same_name(like, &w->forks[i])) {
			n.forks += (double)w->forks[i].forks;
			n.parents++;
		}
	return n;
}

static bool from_few(const struct storm *s)
{
	return s->one_share >= ONE_PARENT || (s->rate > HIGH_RATE && s->few_share >= FEW_PARENTS);
}

/* The parents are gone with what they and their children computed: what the kernel does is left. */
static void share_out_by_name(const struct window *w, double all, struct storm *s)
{
	const struct fork_count *foremost = foremost_of_name(w);
	struct name_births births = births_by_name(w, foremost);
	bool chain = births.parents >= CHAIN * births.forks;

	if (births.forks < ONE_NAME * all || !foremost->comm[0] ||
	    s->rate <= (chain ? RATE : fmax(HIGH_RATE, NAME_RATE_PER_CPU * w->topology->cpus)))
		return;
	s->by_name = true;
	s->name_share = births.forks / all;
	s->parent = foremost;
	s->cpus = fmax(s->cpus, s->system_cpus);
}

/* Births of both kinds are counted as one; a few of them are alive at each look. */
static bool births_are_threads(const struct window *w, int32_t pid)
{
	const struct process_span *p = window_process(w, pid);
	uint32_t threads = 0, children = 0;

	if (!p)
		return false;
	for (const struct task_span *t = process_threads(w, p); t < process_threads_end(w, p); t++)
		threads += t->born && !(t->last.flags & TASK_IS_LEADER);
	for (size_t i = 0; i < w->nprocesses; i++)
		children += w->processes[i].born && w->processes[i].ppid == pid;
	return threads >= THREADS_SEEN && threads > THREADS_TO_CHILDREN * children;
}

static void share_out(const struct window *w, struct storm *s)
{
	double all = 0, few = 0;

	for (size_t i = 0; i < w->nforks; i++)
		all += (double)w->forks[i].forks;
	if (all <= 0)
		return;
	for (size_t i = 0; i < w->nforks && i < FEW; i++) {
		few += (double)w->forks[i].forks;
		s->cpus += family_cpus(w, w->forks[i].pid);
	}
	s->parent = &w->forks[0];
	s->one_share = (double)w->forks[0].forks / all;
	s->few_share = few / all;
	s->threads = births_are_threads(w, s->parent->pid);
	if (s->threads)
		s->cpus = fmin(s->cpus, s->rate * s->few_share * THREAD_S);
	if (!from_few(s))
		share_out_by_name(w, all, s);
}

static void measure(const struct window *w, struct storm *s)
{
	*s = (struct storm){
		.rate = window_rate(w, WINDOW_DELTA(w, cpu.forks)),
		.rate_before = pace(w, 0, w->nticks / 4),
		.exact = w->abilities->forks_exact,
		.pids = pids_given(w),
		.system_cpus = window_system_cpus(w),
	};
	if (!made_elsewhere(s))
		share_out(w, s);
}

static bool risen(const struct storm *s)
{
	return s->rate > RISE_RATE && s->rate > RISE * s->rate_before;
}

/* Forks from everywhere are what builds and scripts do. */
static enum severity severity_of(const struct window *w, const struct storm *s)
{
	/* Without a count of parents, a pace that no build keeps up must be enough. */
	bool storm = s->parent ? from_few(s) || s->by_name : s->rate > HIGH_RATE;

	if (!storm || made_elsewhere(s))
		return SEVERITY_NOTE;
	if (s->threads && s->cpus <= THREADS_COSTLY * w->topology->cpus)
		return SEVERITY_NOTE;
	/* At a lower pace what the children cost is their own work as much as their birth. */
	return s->rate > HIGH_RATE && s->cpus > HALF_THE_HOST * w->topology->cpus ? SEVERITY_CRITICAL :
										    SEVERITY_WARNING;
}

static reading forks_of(const struct counters *c)
{
	return c->cpu.forks;
}

static double onset(const struct window *w, const struct storm *s)
{
	double tick_s = w->seconds / (double)(w->nticks - 1);
	double at = window_onset(w, forks_of, fmin(s->rate / 2, RATE) * tick_s);

	return at > 2 * tick_s ? at : NAN; /* under way from the start */
}

static void add_evidence(const struct storm *s, struct finding *f)
{
	finding_evidence(f, "processes", s->rate, "forks/s", "> 500/s, or 10 times the pace before", "/proc/stat");
	finding_evidence(f, "processes, first quarter of the window", s->rate_before, "forks/s", "", "/proc/stat");
	if (s->parent) {
		finding_evidence(f, "share of the parent named", 100 * s->one_share, "% of the forks",
				 ">= 80 %, or few parents at > 2000/s",
				 s->exact ? "tracepoint sched:sched_process_fork" : "/proc/loadavg (newest pid, sampled)");
		finding_evidence(f, "share of the 8 busiest parents", 100 * s->few_share, "% of the forks",
				 ">= 60 % at > 2000/s",
				 s->exact ? "tracepoint sched:sched_process_fork" : "/proc/loadavg (newest pid, sampled)");
		if (s->by_name)
			finding_evidence(f, "share of all parents of that name", 100 * s->name_share, "% of the forks",
					 ">= 80 % at > 2000/s and > 500/s a CPU, or in a chain",
					 s->exact ? "tracepoint sched:sched_process_fork" :
						    "/proc/loadavg (newest pid, sampled)");
		finding_evidence(f, s->threads ? "births of threads, 30 us each" : "utime + stime + cutime + cstime of these parents",
				 s->cpus, "CPUs", "", "/proc/%d/stat", s->parent->pid);
	} else if (made_elsewhere(s)) {
		finding_evidence(f, "newest pid, advance", s->pids, "pids/s", "< 10 % of the forks: not made here",
				 "/proc/loadavg");
	}
	finding_evidence(f, "system", s->system_cpus, "CPUs", "", "/proc/stat");
}

static void add_advice(const struct storm *s, struct finding *f)
{
	finding_confirm(f, "vmstat -f; sleep 1; vmstat -f   # forks since boot, twice");
	if (!s->parent) {
		finding_confirm(f, "execsnoop-bpfcc   # which programs start, and their parents");
		finding_mend(f, "find the parent (ps -e -o ppid= | sort | uniq -c | sort -n), then stop it");
		return;
	}
	finding_confirm(f, "ps --ppid %d -o pid,stat,args   # its children at this moment; they change at each look",
			s->parent->pid);
	finding_confirm(f, "strace -f -c -e trace=process -p %d   # clone, vfork, wait4 counted; slows it meanwhile",
			s->parent->pid);
	finding_mend(f, "kill -STOP %d   # the forks should end at once; undo: kill -CONT %d", s->parent->pid,
		     s->parent->pid);
	finding_mend(f, "echo 100 > /sys/fs/cgroup/GROUP/pids.max   # bounds its living children, where it piles them up; "
			"undo: echo max");
	finding_mend(f, "in the program: keep the helper running and talk to it, use a pool of threads, or a builtin "
			"of the shell in place of a program");
}

static void tell_parent(const struct window *w, const struct storm *s, struct finding *f)
{
	const char *what = s->threads ? "threads" : "processes or threads";

	finding_title(f, "%s (pid %d) starts %.0f %s a second", s->parent->comm, s->parent->pid,
		      s->rate * s->one_share, what);
	finding_summary(f,
			"%.0f processes or threads start each second, %.0f %% of them by %s (pid %d)%s%s. Making and "
			"ending them costs %.2f of %u CPUs.",
			s->rate, 100 * s->one_share, s->parent->comm, s->parent->pid, s->threads ? ": its threads" : "",
			s->exact ? "" : ", judging by samples", s->cpus, w->topology->cpus);
}

static void tell_name(const struct window *w, const struct storm *s, struct finding *f)
{
	finding_title(f, "Processes named %s start %.0f processes or threads a second", s->parent->comm,
		      s->rate * s->name_share);
	finding_summary(f,
			"%.0f processes or threads start each second, %.0f %% of them by processes named %s%s, which soon "
			"end themselves; pid %d made most. Making and ending them costs about %.2f of %u CPUs.",
			s->rate, 100 * s->name_share, s->parent->comm, s->exact ? "" : ", judging by samples",
			s->parent->pid, s->cpus, w->topology->cpus);
}

static void tell(const struct window *w, const struct storm *s, struct finding *f)
{
	if (!s->parent) {
		finding_title(f, "%.0f processes or threads start each second", s->rate);
		if (made_elsewhere(s))
			finding_summary(f,
					"They are started outside this pid namespace, where only %.0f pids were given "
					"out a second: by the host around this container, or a neighbour.",
					s->pids);
		else
			finding_summary(f, "Who starts them is not known here; the kernel spends %.2f of %u CPUs.",
					s->system_cpus, w->topology->cpus);
		actor_host(&f->victim);
		return;
	}
	if (s->by_name)
		tell_name(w, s, f);
	else
		tell_parent(w, s, f);
	actor_process(&f->culprit, s->parent->pid, s->parent->comm);
	actor_host(&f->victim);
}
static void rule(const struct window *w, struct verdict *v)
{
	struct storm s;

	if (!reading_ok(WINDOW_DELTA(w, cpu.forks)) || w->nticks < 2) {
		verdict_unmeasured(v, "needs the line \"processes\" of /proc/stat");
		return;
	}
	measure(w, &s);
	if (!(s.rate > RATE) && !risen(&s)) {
		verdict_clear(v, "%.0f processes and threads started each second (> %.0f/s is a storm)", s.rate, RATE);
		return;
	}
	struct finding *f = verdict_find(v, severity_of(w, &s), s.parent ? (s.exact ? 0.95 : 0.75) : 0.6);
	tell(w, &s, f);
	finding_lost(f, s.parent ? s.cpus : s.system_cpus, true);
	f->since_s = onset(w, &s);
	add_evidence(&s, f);
	add_advice(&s, f);
}

/* Its own children keep the CPUs busy, and each of them is switched to and from. What others
 * do beside it stands for itself. */
static bool absorbs(const struct window *w, const struct finding *cause, const struct finding *symptom)
{
	const struct process_span *p = symptom->culprit.pid ? window_process(w, symptom->culprit.pid) : NULL;

	if (symptom->culprit.pid == 0 || symptom->culprit.pid == cause->culprit.pid)
		return true;
	/* Children of its children carry its name until they run another program. */
	return p && (p->ppid == cause->culprit.pid ||
		     (p->born && strncmp(p->comm, cause->culprit.comm, sizeof p->comm) == 0));
}

static const char *const explains[] = { "context_switch_storm", "cpu_saturated", NULL };

const struct condition_rule fork_storm_rule = {
	.title = "Processes or threads are started without end",
	.resource = "cpu",
	.rule = rule,
	.explains = explains,
	.absorbs = absorbs,
};
