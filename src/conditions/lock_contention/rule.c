#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "conditions/conditions.h"
#include "diagnose/evidence.h"
#include "diagnose/lock_graph.h"

#define LOST 1.0    /* task-seconds a second: a whole thread stands in front of locks */
#define WAITERS 2   /* threads that were found at one lock */
#define LASTING 2   /* threads that were found waiting at two looks or more */
#define LOST_BADLY 3.0 /* … and that is more than MOST times what the process computes */
#define MOST 3.0

#define SERVING_MAX 8  /* locks of waiting servers, of one crew */

/* Those who share locks: the threads of one process, or the processes of one name that have a
 * single thread each. Such a process waits for a mutex only where it shares it with others. */
struct contention {
	const struct process_span *process; /* the first of them */
	bool processes;			    /* the second kind */
	uint32_t crew;	  /* how many they are */
	double lost;	  /* threads that waited, on average over the looks */
	uint32_t lasting; /* threads that waited at two looks or more */
	uint32_t waiting; /* at the last look */
	/* the lock that most threads were last found waiting for */
	uint64_t address;
	uint32_t waiters; /* these threads */
	uint32_t stuck;	  /* … that have not moved since the look before the last */
	const struct task_span *owner; /* at the last look; NULL: could not be named */
	uint32_t locks;		       /* addresses waited for */
	uint64_t serving[SERVING_MAX]; /* locks under which a server waits for its clients */
	size_t nserving;
};

static bool single(const struct process_span *p)
{
	return p->threads == 1 && !p->kernel_thread;
}

/* A single-threaded process of the name that was found at a lock. */
static bool is_member(const struct window *w, const struct contention *c, const struct task_span *t)
{
	const struct process_span *p;

	if (t->lock_looks == 0 || strncmp(t->last.comm, c->process->comm, sizeof c->process->comm) != 0)
		return false;
	p = window_process(w, t->last.pid);
	return p && single(p);
}

/* The crew's threads, in the order of the table; `after` NULL: the first. NULL: no more. */
static const struct task_span *next_member(const struct window *w, const struct contention *c,
					   const struct task_span *after)
{
	const struct task_span *t = after ? after + 1 : process_threads(w, c->process);

	if (!c->processes)
		return t < process_threads_end(w, c->process) ? t : NULL;
	while (t < w->tasks + w->ntasks && !is_member(w, c, t))
		t++;
	return t < w->tasks + w->ntasks ? t : NULL;
}

static bool under_serving_lock(const struct contention *c, const struct task_span *t)
{
	for (size_t i = 0; i < c->nserving; i++)
		if (c->serving[i] == t->lock_address)
			return true;
	return false;
}

/* Leader and followers: one sleeps in accept under the lock, the others wait to be the next. They
 * have nothing to do. */
static bool waits_for_clients(const struct task_span *owner)
{
	if (owner->last.state != 'S' || !(owner->last.flags & TASK_HAS_SYSCALL))
		return false;
	switch (owner->last.syscall) {
	case SYS_accept4:
	case SYS_epoll_pwait:
#ifdef SYS_accept
	case SYS_accept:
#endif
#ifdef SYS_epoll_wait
	case SYS_epoll_wait:
#endif
		return true;
	}
	return false;
}

static void note_serving_locks(const struct window *w, struct contention *c)
{
	for (const struct task_span *t = next_member(w, c, NULL); t; t = next_member(w, c, t)) {
		const struct task_span *owner = t->gone || under_serving_lock(c, t) ? NULL : lock_owner(w, t);

		if (owner && waits_for_clients(owner) && c->nserving < SERVING_MAX)
			c->serving[c->nserving++] = t->mutex.address;
	}
}

/* Threads of a deadlock wait too, but not for their turn. */
static bool counts(const struct window *w, const struct contention *in, const struct task_span *t)
{
	struct lock_cycle c;

	return t->lock_looks > 0 && !under_serving_lock(in, t) && !lock_cycle_of(w, t, &c);
}

static bool waits_now(const struct task_span *t)
{
	return t->mutex.address != 0 && !t->gone;
}

/* The lock that `like` was last found waiting for, unless an earlier thread was, too. */
static void count_waiters(const struct window *w, const struct task_span *like, struct contention *c)
{
	uint32_t waiters = 0, stuck = 0;
	const struct task_span *owner = NULL;

	for (const struct task_span *t = next_member(w, c, NULL); t; t = next_member(w, c, t)) {
		if (t->lock_address != like->lock_address || !counts(w, c, t))
			continue;
		if (t < like)
			return;
		waiters++;
		stuck += lock_stuck(t);
		if (!owner)
			owner = lock_owner(w, t);
	}
	c->locks++;
	if (waiters > c->waiters) {
		c->address = like->lock_address;
		c->waiters = waiters;
		c->stuck = stuck;
		c->owner = owner;
	}
}

static double one(const struct process_span *p)
{
	return single(p);
}

static void measure(const struct window *w, const struct process_span *p, struct contention *ret)
{
	*ret = (struct contention){ .process = p, .processes = single(p) };
	ret->crew = ret->processes ? (uint32_t)window_group_sum(w, p, one) : p->threads;
	note_serving_locks(w, ret);
	for (const struct task_span *t = next_member(w, ret, NULL); t; t = next_member(w, ret, t)) {
		if (!counts(w, ret, t))
			continue;
		ret->lost += (double)t->lock_looks / w->task_looks;
		ret->lasting += t->lock_looks >= 2;
		ret->waiting += waits_now(t);
		count_waiters(w, t, ret);
	}
}

static bool contended(const struct contention *c)
{
	return c->lost >= LOST && c->waiters >= WAITERS && c->lasting >= LASTING;
}

static double cpus(const struct window *w, const struct contention *c)
{
	if (c->processes)
		return window_group_sum(w, c->process, process_cpu_ns) / 1e9 / w->seconds;
	return number_or(window_rate(w, c->process->cpu_ns) / 1e9, 0);
}

static void tell_owner(const struct window *w, const struct contention *c, struct finding *f)
{
	const struct task_span *o = c->owner;

	if (!o)
		finding_proof(f, "lock 0x%" PRIx64 " has no owner at this moment: it changes hands", c->address);
	else
		finding_proof(f, "lock 0x%" PRIx64 " is held by thread %d (%s), state %c", c->address, o->last.tid,
			      o->last.comm, o->last.state);
	for (const struct task_span *t = next_member(w, c, NULL); t; t = next_member(w, c, t))
		if (t->lock_address == c->address && counts(w, c, t))
			finding_proof(f, "thread %d (%s) waited for it at %u of %u looks", t->last.tid, t->last.comm,
				      t->lock_looks, t->looks);
}

static void add_evidence(const struct window *w, const struct contention *c, struct finding *f)
{
	const struct process_span *p = c->process;

	finding_evidence(f, "threads waiting for a mutex, mean of the looks", c->lost, "threads", ">= 1",
			 "/proc/%d/task/*/syscall (futex)", p->pid);
	finding_evidence(f, "threads found at this lock", c->waiters, "threads", ">= 2",
			 "memory of pid %d at 0x%" PRIx64 " (pthread_mutex_t)", p->pid, c->address);
	finding_evidence(f, "threads that waited at two looks or more", c->lasting, "threads", ">= 2",
			 "/proc/%d/task/*/syscall (futex)", p->pid);
	finding_evidence(f, "voluntary_ctxt_switches", window_rate(w, p->voluntary_switches), "/s", "",
			 "/proc/%d/task/*/status", p->pid);
	finding_evidence(f, c->processes ? "CPU time of the processes of that name" : "CPU time of the process", cpus(w, c),
			 "CPUs", "", "/proc/%d/stat", p->pid);
	if (c->locks > 1)
		finding_evidence(f, "locks with waiters", c->locks, "locks", "", "/proc/%d/task/*/syscall (futex)",
				 p->pid);
}

static void add_advice(const struct contention *c, struct finding *f)
{
	int pid = c->process->pid;

	finding_confirm(f, "grep -h '^202 ' /proc/%d/task/*/syscall | cut -d' ' -f2 | sort | uniq -c   # futex waits by lock address", pid);
	finding_confirm(f, "pidstat -w -t -p %d 1   # voluntary switches of its threads", pid);
	finding_confirm(f, "perf trace -s -p %d -- sleep 5   # time in futex, by thread", pid);
	if (c->owner)
		finding_confirm(f, "gdb -p %d -batch -ex 'thread find %d' -ex 'thread apply all bt 6'   # what the owner does; "
				   "stops it for a moment", pid, c->owner->last.tid);
	finding_mend(f, "run it with fewer %s: those that only wait add switches, not work",
		     c->processes ? "processes" : "threads");
	finding_mend(f, "in the program: hold the lock for less (no I/O, no allocation, no logging under it), split it, "
			"or give each thread its own part");
}

static void tell(const struct window *w, const struct contention *c, struct finding *f)
{
	const struct process_span *p = c->process;
	bool held_long = c->stuck == c->waiters;

	if (c->processes)
		finding_title(f, "%.1f of %u processes named %s wait for a lock that they share", c->lost, c->crew, p->comm);
	else
		finding_title(f, "%s (pid %d): %.1f of %u threads wait for a lock", p->comm, p->pid, c->lost, c->crew);
	if (held_long && c->owner)
		finding_summary(f,
				"Lock 0x%" PRIx64 " is held without a pause by thread %d (%s, state %c); %u threads "
				"have waited for it between two looks and more.",
				c->address, c->owner->last.tid, c->owner->last.comm, c->owner->last.state, c->waiters);
	else
		finding_summary(f,
				"At any moment %.1f threads of %s wait for a lock; %u threads were found at 0x%" PRIx64
				". Meanwhile they compute on %.2f CPUs. The lock changes hands, so nothing "
				"hangs, but the threads run one after the other.",
				c->lost, p->comm, c->waiters, c->address, cpus(w, c));
}

static void report(const struct window *w, const struct contention *c, struct verdict *v)
{
	bool badly = c->lost >= LOST_BADLY && c->lost > MOST * cpus(w, c);
	struct finding *f = verdict_find(v, badly ? SEVERITY_CRITICAL : SEVERITY_WARNING,
					 c->lasting >= 4 ? 0.95 : 0.85);

	tell(w, c, f);
	finding_lost(f, c->lost, true);
	actor_named(&f->culprit, ACTOR_PROCESS, "lock 0x%" PRIx64, c->address);
	f->culprit.pid = c->process->pid;
	snprintf(f->culprit.comm, sizeof f->culprit.comm, "%s", c->process->comm);
	actor_process(&f->victim, c->process->pid, c->process->comm);
	tell_owner(w, c, f);
	add_evidence(w, c, f);
	add_advice(c, f);
}

/* Threads that sleep beside others of their process, and whose system call nobody told. */
static bool calls_are_hidden(const struct window *w)
{
	uint32_t asleep = 0, told = 0;

	for (size_t i = 0; i < w->nprocesses; i++) {
		const struct process_span *p = &w->processes[i];

		if (p->kernel_thread || p->threads < 2)
			continue;
		for (const struct task_span *t = process_threads(w, p); t < process_threads_end(w, p); t++) {
			asleep += t->last.state == 'S';
			told += (t->last.flags & TASK_HAS_SYSCALL) != 0;
		}
	}
	return asleep > 0 && told == 0;
}

static void exonerate(const struct window *w, double most, uint32_t waiting, struct verdict *v)
{
	if (w->abilities->tasks != PRESENT || calls_are_hidden(w))
		verdict_unmeasured(v, "needs the system calls that threads sleep in (/proc/PID/task/TID/syscall): root, "
				      "and a kernel that tells them");
	else if (!w->abilities->root)
		verdict_unmeasured(v, "needs CAP_SYS_PTRACE: the locks of other users' processes cannot be read");
	else
		verdict_clear(v, "%u threads waited for a mutex at the last look; at most %.1f threads of one process, "
				 "on average (>= %.0f counts)", waiting, most, LOST);
}

/* Of a crew of processes, the first in the table stands for all. */
static bool stands_for_crew(const struct window *w, const struct process_span *p)
{
	struct contention c = { .process = p, .processes = true };

	if (p->threads == 0 || !single(p))
		return p->threads > 1;
	if (process_threads(w, p)->lock_looks == 0)
		return false;
	for (const struct task_span *t = w->tasks; t < process_threads(w, p); t++)
		if (is_member(w, &c, t))
			return false;
	return true;
}

static void rule(const struct window *w, struct verdict *v)
{
	double most = 0;
	uint32_t waiting = 0;

	for (size_t i = 0; i < w->nprocesses; i++) {
		struct contention c;

		if (!stands_for_crew(w, &w->processes[i]))
			continue;
		measure(w, &w->processes[i], &c);
		most = fmax(most, c.lost);
		waiting += c.waiting;
		if (contended(&c))
			report(w, &c, v);
	}
	if (v->outcome == OUTCOME_NONE)
		exonerate(w, most, waiting, v);
}

/* Threads that were woken for the lock stand in the run queue; hand-overs are switches. What other
 * processes do stands for itself. */
static bool absorbs(const struct window *w, const struct finding *cause, const struct finding *symptom)
{
	(void)w;
	return symptom->culprit.pid == cause->culprit.pid;
}

static const char *const explains[] = { "context_switch_storm", "cpu_saturated", NULL };

const struct condition_rule lock_contention_rule = {
	.title = "Threads wait for one lock and run one after the other",
	.resource = "lock",
	.rule = rule,
	.explains = explains,
	.absorbs = absorbs,
};
