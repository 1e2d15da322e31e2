#include "diagnose/network_evidence.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "diagnose/evidence.h"

static void describe_namespace(const struct window *w, const struct net_ns *ns, struct net_span *ret)
{
	const struct process_span *p = ns->pid ? window_process(w, ns->pid) : NULL;

	snprintf(ret->proc, sizeof ret->proc, "/proc");
	ret->enter[0] = ret->where[0] = '\0';
	if (ns->pid == 0)
		return;
	snprintf(ret->proc, sizeof ret->proc, "/proc/%d", ns->pid);
	snprintf(ret->enter, sizeof ret->enter, "nsenter -t %d -n ", ns->pid);
	snprintf(ret->where, sizeof ret->where, " in the network namespace of pid %d (%s)", ns->pid,
		 p ? p->comm : "?");
}

bool net_span(const struct window *w, size_t i, struct net_span *ret)
{
	const struct net_ns *last = &w->last->net_ns[i];
	const struct net_ns *first = sample_net_ns(w->first, last->inode);

	if (!first || first->counters.presence != PRESENT || last->counters.presence != PRESENT)
		return false;
	ret->first = first;
	ret->last = last;
	describe_namespace(w, last, ret);
	return true;
}

double window_net_most(const struct window *w, reading (*counter)(const struct net_counters *c))
{
	double most = 0;

	for (size_t i = 0; i < w->last->nnet_ns; i++) {
		struct net_span ns;
		double grown = net_span(w, i, &ns) ? reading_value(reading_delta(counter(&ns.first->counters),
										 counter(&ns.last->counters))) : 0;
		if (grown > most)
			most = grown;
	}
	return most;
}

/* The socket in the first sample, sought from where the last one was found. */
static const struct socket *earlier(const struct net_ns *first, uint64_t cookie, size_t *at)
{
	for (size_t i = 0; i < first->sockets.n; i++) {
		size_t where = (*at + i) % first->sockets.n;

		if (first->sockets.v[where].cookie == cookie) {
			*at = where + 1;
			return &first->sockets.v[where];
		}
	}
	return NULL;
}

bool net_span_socket(const struct net_span *ns, enum socket_kind kind, struct socket_walk *walk,
		     struct socket_span *ret)
{
	while (walk->last < ns->last->sockets.n) {
		const struct socket *s = &ns->last->sockets.v[walk->last++];

		if (s->kind != kind)
			continue;
		ret->last = s;
		ret->first = earlier(ns->first, s->cookie, &walk->first);
		return true;
	}
	return false;
}

double socket_grown(const struct net_span *ns, reading before, reading after, const struct socket *first)
{
	if (!first && (ns->first->sockets_presence != PRESENT || ns->first->sockets_skipped))
		return NAN;
	return reading_value(reading_delta(before, after));
}

void actor_socket(struct actor *a, const struct socket *s)
{
	if (s->kind == SOCKET_TCP)
		actor_named(a, ACTOR_SOCKET, "%s -> %s", s->local, s->remote);
	else
		actor_named(a, ACTOR_SOCKET, "%s", s->local);
	a->pid = s->owner_pid;
	snprintf(a->comm, sizeof a->comm, "%s", s->owner_comm);
}

void socket_owner_name(const struct socket *s, char *ret, size_t size)
{
	if (s->owner_pid)
		snprintf(ret, size, "%s (pid %d)", s->owner_comm, s->owner_pid);
	else
		snprintf(ret, size, "a process that could not be named");
}

/* ---- what holds the owner up ---- */

#define BUSY_SHARE 0.8	  /* of one CPU, by one thread */
#define QUEUE_SHARE 0.5	  /* of the time, waiting for a CPU */
#define SLOW_CPUS 0.02	  /* less is as good as asleep */

static const char *syscall_name(int32_t number)
{
	switch (number) {
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
		return "nanosleep: it lets time pass";
	case SYS_futex:
		return "futex: a lock or a condition variable";
	case SYS_read:
	case SYS_readv:
	case SYS_pread64:
		return "read";
	case SYS_write:
	case SYS_writev:
	case SYS_pwrite64:
		return "write";
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
		return "recv on a socket";
	case SYS_sendto:
	case SYS_sendmsg:
		return "send on a socket: its peer does not read";
	case SYS_connect:
		return "connect to somebody else";
	case SYS_fsync:
	case SYS_fdatasync:
		return "fsync";
	case SYS_flock:
	case SYS_fcntl:
		return "a file lock";
	case SYS_wait4:
	case SYS_waitid:
		return "wait for a child process";
	case SYS_rt_sigsuspend:
	case SYS_rt_sigtimedwait:
#ifdef SYS_pause
	case SYS_pause:
#endif
		return "wait for a signal";
	case SYS_epoll_pwait:
	case SYS_ppoll:
	case SYS_pselect6:
#ifdef SYS_epoll_wait
	case SYS_epoll_wait:
	case SYS_poll:
	case SYS_select:
#endif
		return "poll, for other events";
	}
	return NULL;
}

/* The owner and its workers: children that carry its name share the socket. */
static bool of_family(const struct process_span *p, const struct process_span *owner)
{
	return p->pid == owner->pid ||
	       (p->ppid == owner->pid && strncmp(p->comm, owner->comm, sizeof p->comm) == 0);
}

static double cpus_of(const struct window *w, const struct process_span *p)
{
	return number_or(window_rate(w, p->cpu_ns) / 1e9, 0);
}

static const struct process_span *busiest_of_family(const struct window *w, const struct process_span *owner,
						    double *ret_cpus)
{
	const struct process_span *busiest = owner;
	double most = cpus_of(w, owner);

	*ret_cpus = 0;
	for (size_t i = 0; i < w->nprocesses; i++) {
		const struct process_span *p = &w->processes[i];

		if (!of_family(p, owner))
			continue;
		*ret_cpus += cpus_of(w, p);
		if (cpus_of(w, p) > most) {
			most = cpus_of(w, p);
			busiest = p;
		}
	}
	return busiest;
}

static double thread_cpus(const struct window *w, const struct task_span *t)
{
	reading user = TASK_DELTA(t, user_ns), system = TASK_DELTA(t, system_ns);

	return number_or(window_rate(w, reading_sum(user, system)) / 1e9, 0);
}

/* The thread whose state explains most: the busiest, or without a busy one the leader. */
static const struct task_span *telling_thread(const struct window *w, const struct process_span *p)
{
	const struct task_span *telling = process_threads(w, p);
	double most = SLOW_CPUS;

	for (const struct task_span *t = process_threads(w, p); t < process_threads_end(w, p); t++) {
		if (thread_cpus(w, t) > most) {
			most = thread_cpus(w, t);
			telling = t;
		} else if (most <= SLOW_CPUS && (t->last.flags & TASK_IS_LEADER)) {
			telling = t;
		}
	}
	return telling;
}

static void tell_asleep(const struct task_span *t, struct hold_up_story *ret)
{
	const char *in = t->last.syscall >= 0 ? syscall_name(t->last.syscall) : NULL;

	ret->why = HOLD_UP_ASLEEP;
	/* A name for the call tells of the moment of the last look; that it slept, of all of them. */
	if (t->last.state == 'R')
		in = NULL;
	if (in)
		snprintf(ret->text, sizeof ret->text, "sleeps in %s, and used %.2f CPUs", in, ret->cpus);
	else
		snprintf(ret->text, sizeof ret->text, "slept nearly all the time, and used %.2f CPUs", ret->cpus);
}

/* Facts that leave no doubt; false: none of them. */
static bool tell_obstacle(const struct window *w, const struct process_span *p, const struct task_span *t,
			  struct hold_up_story *ret)
{
	struct held_back held;

	window_held_back(w, &held);
	const struct cgroup *quota = held_back_by(&held, w, p);
	if (t->looks && t->stopped == t->looks) {
		ret->why = HOLD_UP_STOPPED;
		snprintf(ret->text, sizeof ret->text, "is stopped (state %c)", t->last.state);
	} else if (reading_ok(p->fd_count) && reading_ok(p->fd_limit) && p->fd_count >= p->fd_limit) {
		ret->why = HOLD_UP_NO_FD;
		snprintf(ret->text, sizeof ret->text, "has no file descriptor left (%llu of %llu)",
			 (unsigned long long)p->fd_count, (unsigned long long)p->fd_limit);
	} else if (quota) {
		ret->why = HOLD_UP_QUOTA;
		snprintf(ret->text, sizeof ret->text, "is held back by the CPU quota of cgroup %.90s", quota->path);
	} else if (t->mutex.address && t->mutex_looks >= 2) {
		ret->why = HOLD_UP_LOCK;
		snprintf(ret->text, sizeof ret->text, "waits for the lock at %#llx, which thread %d holds",
			 (unsigned long long)t->mutex.address, t->mutex.owner_tid);
	} else if (t->looks && t->blocked * 2 > t->looks) {
		ret->why = HOLD_UP_BLOCKED;
		snprintf(ret->text, sizeof ret->text, "was in uninterruptible sleep (D) at %u of %u looks",
			 t->blocked, t->looks);
	}
	return ret->why != HOLD_UP_UNKNOWN;
}

static void tell_pace(const struct window *w, const struct task_span *t, struct hold_up_story *ret)
{
	double cpus = thread_cpus(w, t);
	double waited = number_or(window_rate(w, TASK_DELTA(t, wait_ns)) / 1e9, 0);

	if (cpus > BUSY_SHARE) {
		ret->why = HOLD_UP_BUSY;
		snprintf(ret->text, sizeof ret->text, "is busy: thread %d alone used %.2f CPUs", t->last.tid, cpus);
	} else if (waited > QUEUE_SHARE) {
		ret->why = HOLD_UP_CPU_QUEUE;
		snprintf(ret->text, sizeof ret->text, "waited for a CPU %.0f %% of the time", 100 * waited);
	} else if (ret->cpus > SLOW_CPUS) {
		ret->why = HOLD_UP_SLOW;
		snprintf(ret->text, sizeof ret->text, "does not come to it often enough: it used %.2f CPUs", ret->cpus);
	} else {
		tell_asleep(t, ret);
	}
}

/* Where the whole family sleeps, the one that cannot wake tells why: the master only waits for
 * its children. */
static bool tell_idle_worker(const struct window *w, const struct process_span *owner, struct hold_up_story *ret)
{
	struct hold_up_story of_worker = { .why = HOLD_UP_UNKNOWN };

	for (size_t i = 0; i < w->nprocesses; i++) {
		const struct process_span *p = &w->processes[i];

		if (p == owner || p->threads == 0 || p->gone || !of_family(p, owner) ||
		    !tell_obstacle(w, p, telling_thread(w, p), &of_worker))
			continue;
		ret->why = of_worker.why;
		ret->process = p;
		snprintf(ret->text, sizeof ret->text, "has a worker (pid %d) that %.120s", p->pid, of_worker.text);
		return true;
	}
	return false;
}

void socket_hold_up(const struct window *w, const struct socket *s, struct hold_up_story *ret)
{
	const struct process_span *owner = s->owner_pid ? window_process(w, s->owner_pid) : NULL;

	*ret = (struct hold_up_story){ .why = HOLD_UP_UNKNOWN };
	if (!owner || owner->threads == 0) {
		snprintf(ret->text, sizeof ret->text, "could not be looked at");
		return;
	}
	ret->process = busiest_of_family(w, owner, &ret->cpus);
	if (ret->cpus <= SLOW_CPUS && tell_idle_worker(w, owner, ret))
		return;
	const struct task_span *t = telling_thread(w, ret->process);
	if (!tell_obstacle(w, ret->process, t, ret))
		tell_pace(w, t, ret);
}
