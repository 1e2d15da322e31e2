#include <inttypes.h>
#include <math.h>

#include "conditions/conditions.h"
#include "diagnose/evidence.h"
#include "diagnose/lock_graph.h"

/* Task-seconds a second that a thread has lost by standing still. */
static double stood_still(const struct window *w, const struct task_span *t)
{
	return fmin((double)t->mutex_looks / w->task_looks, 1);
}

static const char *comm_of(const struct window *w, const struct task_span *t)
{
	const struct process_span *p = window_process(w, t->last.pid);

	return p ? p->comm : t->last.comm;
}

static void prove(const struct lock_cycle *c, struct finding *f)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct task_span *t = c->v[i], *owner = c->v[(i + 1) % c->n];

		finding_proof(f, "thread %d (%s) waits for lock 0x%" PRIx64 ", held by thread %d (%s)%s", t->last.tid,
			      t->last.comm, t->mutex.address, owner->last.tid, owner->last.comm,
			      owner == t ? ": itself" : "");
	}
}

/* Threads behind the cycle, and what all of them lose. */
struct toll {
	uint32_t behind;
	double lost;
};

static void take_toll(const struct window *w, const struct lock_cycle *c, struct toll *ret)
{
	*ret = (struct toll){ 0 };
	for (size_t i = 0; i < w->ntasks; i++) {
		struct lock_cycle other;

		if (!lock_cycle_of(w, &w->tasks[i], &other) || other.v[0] != c->v[0])
			continue;
		ret->lost += stood_still(w, &w->tasks[i]);
		ret->behind++;
	}
	ret->behind -= (uint32_t)c->n;
}

static void add_evidence(const struct window *w, const struct task_span *t, struct finding *f)
{
	finding_evidence(f, "looks at which it waited for this lock", t->mutex_looks, "looks", ">= 2",
			 "memory of pid %d at 0x%" PRIx64 " (pthread_mutex_t)", t->last.pid, t->mutex.address);
	finding_evidence(f, "looks without a context switch", t->stuck_looks, "looks", ">= 2",
			 "/proc/%d/task/%d/status", t->last.pid, t->last.tid);
	finding_evidence(f, "looks in the window", w->task_looks, "looks", "", "/proc/%d/task/%d/syscall",
			 t->last.pid, t->last.tid);
}

static void add_advice(const struct task_span *t, struct finding *f)
{
	int pid = t->last.pid;

	finding_confirm(f, "cat /proc/%d/task/%d/syscall   # 202 (futex), then the lock's address: the same each time",
			pid, t->last.tid);
	finding_confirm(f, "gdb -p %d -batch -ex 'thread apply all bt 6'   # stops it for a moment; pthread_mutex_lock "
			   "stands near the top of each thread named here", pid);
	finding_mend(f, "gcore %d   # changes nothing: keeps the proof before the restart", pid);
	finding_mend(f, "restart %d: the threads run again until they meet in the same order; nothing else frees them",
		     pid);
	finding_mend(f, "in the program: take these locks in one order everywhere, or pthread_mutex_trylock and back off");
}

static void report_cycle(const struct window *w, const struct lock_cycle *c, struct verdict *v)
{
	const struct task_span *t = c->v[0];
	struct finding *f = verdict_find(v, SEVERITY_CRITICAL, 0.99);
	struct toll toll;

	take_toll(w, c, &toll);
	if (c->n == 1) {
		finding_title(f, "%s (pid %d) waits for a lock that it holds itself", comm_of(w, t), t->last.pid);
		finding_summary(f,
				"Thread %d took lock 0x%" PRIx64 " a second time. It will never run again, and %u "
				"threads wait behind it.",
				t->last.tid, t->mutex.address, toll.behind);
	} else {
		finding_title(f, "Deadlock in %s (pid %d): %zu threads wait for each other", comm_of(w, t),
			      t->last.pid, c->n);
		finding_summary(f,
				"%zu threads of %s each hold a lock that the next one waits for. None of them "
				"has run between %u looks, none will, and %u more threads wait behind them.",
				c->n, comm_of(w, t), t->mutex_looks, toll.behind);
	}
	finding_lost(f, toll.lost, true);
	actor_process(&f->culprit, t->last.pid, comm_of(w, t));
	actor_thread(&f->victim, t->last.pid, t->last.tid, t->last.comm);
	prove(c, f);
	add_evidence(w, t, f);
	add_advice(t, f);
}

/* A thread of the process that ended within the window. */
static bool has_ended(const struct window *w, int32_t pid, int32_t tid)
{
	const struct process_span *p = window_process(w, pid);

	if (p)
		for (const struct task_span *t = process_threads(w, p); t < process_threads_end(w, p); t++)
			if (t->last.tid == tid && t->gone)
				return true;
	return false;
}

/* It stands still, and the thread that the lock names as its owner is no more. An owner that was
 * never seen proves nothing: the memory may not be a mutex at all. */
static bool abandoned(const struct window *w, const struct task_span *t)
{
	return lock_stuck(t) && t->mutex.owner_tid > 0 && !lock_owner(w, t) &&
	       has_ended(w, t->last.pid, t->mutex.owner_tid);
}

static bool same_lock(const struct task_span *a, const struct task_span *b)
{
	return a->last.pid == b->last.pid && a->mutex.address == b->mutex.address;
}

static void report_abandoned(const struct window *w, const struct task_span *t, struct verdict *v)
{
	double lost = 0;
	uint32_t waiters = 0;

	for (size_t i = 0; i < w->ntasks; i++) {
		const struct task_span *other = &w->tasks[i];

		if (!abandoned(w, other) || !same_lock(t, other))
			continue;
		if (other < t)
			return; /* told with that one */
		lost += stood_still(w, other);
		waiters++;
	}
	struct finding *f = verdict_find(v, SEVERITY_CRITICAL, 0.85);
	finding_title(f, "%s (pid %d) waits for a lock whose owner has ended", comm_of(w, t), t->last.pid);
	finding_summary(f,
			"Thread %d ended without giving back lock 0x%" PRIx64 ". %u threads wait for it and "
			"will never run again.",
			t->mutex.owner_tid, t->mutex.address, waiters);
	finding_proof(f, "thread %d (%s) waits for lock 0x%" PRIx64 ", held by thread %d, which has ended",
		      t->last.tid, t->last.comm, t->mutex.address, t->mutex.owner_tid);
	finding_lost(f, lost, true);
	actor_process(&f->culprit, t->last.pid, comm_of(w, t));
	actor_thread(&f->victim, t->last.pid, t->last.tid, t->last.comm);
	add_evidence(w, t, f);
	add_advice(t, f);
}

static void exonerate(const struct window *w, uint32_t waiting, uint32_t stuck, struct verdict *v)
{
	if (w->abilities->tasks != PRESENT)
		verdict_unmeasured(v, "needs the task table (/proc/PID/task)");
	else if (!w->abilities->root)
		verdict_unmeasured(v, "needs CAP_SYS_PTRACE: the locks of other users' processes cannot be read");
	else if (waiting == 0)
		verdict_clear(v, "no thread waited for a mutex at the last look");
	else
		verdict_clear(v, "%u threads waited for a mutex, %u of them without moving; no cycle", waiting, stuck);
}

static void rule(const struct window *w, struct verdict *v)
{
	uint32_t waiting = 0, stuck = 0;

	for (size_t i = 0; i < w->ntasks; i++) {
		const struct task_span *t = &w->tasks[i];
		struct lock_cycle c;

		waiting += t->mutex.address != 0 && !t->gone;
		stuck += lock_stuck(t);
		if (lock_cycle_of(w, t, &c)) {
			if (c.v[0] == t)
				report_cycle(w, &c, v);
		} else if (abandoned(w, t)) {
			report_abandoned(w, t, v);
		}
	}
	if (v->outcome == OUTCOME_NONE)
		exonerate(w, waiting, stuck, v);
}

static const char *const explains[] = { "lock_contention", NULL };

const struct condition_rule deadlock_rule = {
	.title = "Threads wait for each other in a circle",
	.resource = "lock",
	.rule = rule,
	.explains = explains,
};
