/* The keeper: see act/run.h. All signals are blocked and taken one at a time, so nothing happens
 * between two steps but what the steps do. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "act/run.h"
#include "act/run_group.h"
#include "act/run_tree.h"
#include "base/clock.h"
#include "base/urgent.h"

#define FOREVER UINT64_MAX
/* A process that waits in the kernel for a dead disk does not die: then it is told and left. */
#define KILL_PATIENCE_NS (10 * NS_PER_S)
#define KILL_TRIES 20
#define KILL_PAUSE_NS (NS_PER_MS)
#define GROUP_KILL_NS (50 * NS_PER_MS)
#define CPU_LOOK_LEAST_NS (20 * NS_PER_MS)
#define CPU_LOOK_MOST_NS NS_PER_S
/* A look takes at most a 200th of the time. */
#define CPU_LOOK_SHARE 200

enum phase {
	RUNNING,  /* the program, or what it left and is waited for */
	ASKED,	  /* the end signal was sent to all; SIGKILL follows at `end_ns` */
	KILLING,
	GONE,	  /* nothing is left, or it may be left, or it does not die */
};

struct keeper {
	const struct run_spec *spec;
	struct run_result *result;
	pid_t front, pid, front_group;
	enum phase phase;
	bool has_children;
	bool stopped_front;
	bool end_without_wait; /* the front is dead */
	uint64_t floor_bytes;
	uint64_t start_ns, end_ns, kill_from_ns, cpu_look_ns;
	struct tree tree;
	struct tree_clock clock;
	struct run_group group;
};

/* ---- reaping ---- */

static void program_ended(struct keeper *k, const siginfo_t *info)
{
	struct run_result *result = k->result;

	result->wall_ns = clock_mono_ns() - k->start_ns;
	result->exit_code = info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
	result->signal = info->si_code == CLD_EXITED ? 0 : info->si_status;
	result->dumped_core = info->si_code == CLD_DUMPED;
	result->program_ended = true;
}

/* The shell sees the front stop, as it would the program. */
static void program_stopped(struct keeper *k, bool stopped)
{
	if (!k->spec->stops_caller || k->end_without_wait || k->stopped_front == stopped)
		return;
	k->stopped_front = stopped;
	kill(k->front, stopped ? SIGSTOP : SIGCONT);
}

static void reap_one(struct keeper *k, const siginfo_t *info)
{
	siginfo_t taken;

	if (info->si_code == CLD_STOPPED || info->si_code == CLD_TRAPPED || info->si_code == CLD_CONTINUED) {
		/* It may have moved on since. */
		taken.si_pid = 0;
		if (waitid(P_PID, (id_t)info->si_pid, &taken, WSTOPPED | WCONTINUED | WNOHANG) == 0 &&
		    taken.si_pid == k->pid && taken.si_code != CLD_TRAPPED)
			program_stopped(k, taken.si_code == CLD_STOPPED);
		return;
	}
	if (info->si_pid == k->pid)
		program_ended(k, info);
	(void)!waitid(P_PID, (id_t)info->si_pid, &taken, WEXITED | WNOHANG);
}

/* Also looks whether anybody is left: ECHILD says that there is no descendant, since whoever
 * loses its parent becomes ours before the parent can be waited for. */
static void reap(struct keeper *k)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG | WNOWAIT) < 0) {
			k->has_children = errno != ECHILD;
			return;
		}
		if (info.si_pid == 0)
			return;
		reap_one(k, &info);
	}
}

/* ---- ending ---- */

static void signal_tree(struct keeper *k, int number)
{
	int error = 0;

	if (tree_read(&k->tree, getpid(), NULL) < 0) {
		/* Without /proc the program is the only one that is known. */
		if (!k->result->program_ended)
			kill(k->pid, number);
		return;
	}
	vec_each(p, &k->tree.member) {
		int r = p->state == 'Z' ? 0 : tree_signal(p, p->direct, number);

		if (r == -EPERM && !error)
			error = note_set(&k->result->warning, r, "process %d (%s) may not be signalled: %s", p->pid,
					 p->comm, strerror(EPERM));
	}
}

/* A process group is signalled as one: no fork slips through. A session that is not ours can only
 * have been made by a descendant, and has no other members. */
static void kill_own_sessions(struct keeper *k)
{
	pid_t ours = getsid(0), last = 0;

	vec_each(p, &k->tree.member) {
		if (p->session == ours || p->session <= 1 || p->group <= 1 || p->group == last)
			continue;
		last = p->group;
		kill(-p->group, SIGKILL);
	}
}

static void kill_round(struct keeper *k)
{
	if (k->group.n)
		run_group_kill(&k->group);
	/* Again and again, since a tree takes longer to be read than to change. */
	for (int i = 0; i < KILL_TRIES && k->has_children && tree_kill_children(NULL) >= 0; i++)
		reap(k);
	signal_tree(k, SIGKILL);
	kill_own_sessions(k);
}

static void ask(struct keeper *k)
{
	uint64_t now = clock_mono_ns();

	if (k->phase >= ASKED)
		return;
	if (k->spec->grace_ns == 0 || k->end_without_wait) {
		k->phase = KILLING;
		k->kill_from_ns = now;
		return;
	}
	k->phase = ASKED;
	k->end_ns = now + k->spec->grace_ns;
	signal_tree(k, k->spec->end_signal);
	/* Who is stopped cannot hear. */
	signal_tree(k, SIGCONT);
}

static void time_out(struct keeper *k, enum run_timeout which)
{
	if (k->phase != RUNNING)
		return;
	k->result->timeout = which;
	ask(k);
}

/* ---- CPU time ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t waited_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_CHILDREN, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * NS_PER_S +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * NS_PER_US;
}

static uint64_t cpu_used_ns(struct keeper *k)
{
	uint64_t tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK), waited = waited_ns();
	reading of_group = run_group_cpu_ns(&k->group);

	if (reading_ok(of_group))
		return of_group;
	if (tree_read(&k->tree, getpid(), NULL) < 0)
		return waited;
	return tree_clock_advance(&k->clock, &k->tree, waited / tick_ns) * tick_ns;
}

/* The next look is at the latest when all CPUs together could have used the rest. */
static void watch_cpu(struct keeper *k, uint64_t now)
{
	uint64_t used = cpu_used_ns(k), limit = k->spec->cpu_timeout_ns, pause;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (used > k->result->cpu_seen_ns)
		k->result->cpu_seen_ns = used;
	if (used >= limit) {
		time_out(k, RUN_CPU_TIMEOUT);
		return;
	}
	/* Earlier when that is cheap: what is born and dies unwaited between two looks is never seen. */
	pause = earlier((limit - used) / (uint64_t)(cpus > 0 ? cpus : 1), (clock_mono_ns() - now) * CPU_LOOK_SHARE);
	if (pause < CPU_LOOK_LEAST_NS)
		pause = CPU_LOOK_LEAST_NS;
	k->cpu_look_ns = now + earlier(pause, CPU_LOOK_MOST_NS);
}

/* ---- the loop ---- */

static uint64_t next_ns(const struct keeper *k)
{
	uint64_t next = FOREVER;

	if (k->phase == KILLING)
		return clock_mono_ns() + KILL_PAUSE_NS;
	if (k->phase == ASKED)
		return k->end_ns;
	if (k->spec->timeout_ns)
		next = earlier(next, k->start_ns + k->spec->timeout_ns);
	if (k->spec->cpu_timeout_ns)
		next = earlier(next, k->cpu_look_ns);
	return next;
}

static int next_signal(const struct keeper *k, siginfo_t *ret)
{
	uint64_t next = next_ns(k), now = clock_mono_ns(), left;
	struct timespec pause;
	sigset_t all;

	sigfillset(&all);
	if (next == FOREVER)
		return sigwaitinfo(&all, ret);
	left = next > now ? next - now : 0;
	pause = (struct timespec){ (time_t)(left / NS_PER_S), (long)(left % NS_PER_S) };
	return sigtimedwait(&all, ret, &pause);
}

static void end_leftovers(struct keeper *k)
{
	if (k->phase != RUNNING)
		return;
	if (tree_read(&k->tree, getpid(), NULL) == 0)
		vec_each(p, &k->tree.member)
			k->result->nended += p->state != 'Z';
	ask(k);
}

static void take_signal(struct keeper *k, int number, const siginfo_t *info)
{
	if (number == RUN_SIGNAL_ALONE) {
		/* Sent by the kernel; but anybody may send it. */
		k->end_without_wait = getppid() != k->front;
		if (k->end_without_wait) {
			k->phase = k->phase < KILLING ? RUNNING : k->phase;
			ask(k);
		}
	} else if (number == RUN_SIGNAL_END && info->si_pid == k->front) {
		ask(k);
	} else if (number == SIGCHLD || number == SIGPIPE) {
		return;
	} else if (!k->result->program_ended) {
		/* Not waited for yet: the number is its own. */
		kill(k->pid, number);
	} else if (run_asks_to_end(number)) {
		/* Only what it left is waited for, and who that is nobody but us knows. */
		end_leftovers(k);
	}
}

/* Whoever kills a whole group by KILL kills the program and the front, one shortly after the other. */
static bool front_dies_too(struct keeper *k)
{
	const struct timespec shortly = { .tv_nsec = (long)GROUP_KILL_NS };
	sigset_t alone;
	siginfo_t info;

	sigemptyset(&alone);
	sigaddset(&alone, RUN_SIGNAL_ALONE);
	if (getppid() == k->front && k->result->signal == SIGKILL)
		(void)!sigtimedwait(&alone, &info, &shortly);
	return getppid() != k->front;
}

static void program_left_others(struct keeper *k)
{
	if (front_dies_too(k)) {
		take_signal(k, RUN_SIGNAL_ALONE, NULL);
		return;
	}
	if (k->spec->leftover == RUN_WAIT || k->phase != RUNNING)
		return;
	if (k->spec->leftover == RUN_LEAVE) {
		k->phase = GONE;
		return;
	}
	end_leftovers(k);
}

static void look_at_clocks(struct keeper *k)
{
	uint64_t now = clock_mono_ns();

	if (k->phase == RUNNING && k->spec->timeout_ns && now >= k->start_ns + k->spec->timeout_ns)
		time_out(k, RUN_WALL_TIMEOUT);
	if (k->phase == RUNNING && k->spec->cpu_timeout_ns && now >= k->cpu_look_ns)
		watch_cpu(k, now);
	if (k->phase == ASKED && now >= k->end_ns) {
		k->phase = KILLING;
		k->kill_from_ns = now;
	}
	if (k->phase == KILLING && now > k->kill_from_ns + KILL_PATIENCE_NS)
		k->phase = GONE;
}

static void keep(struct keeper *k)
{
	struct urgent urgent = { 0 };
	bool others_told = false;

	while (k->phase != GONE) {
		siginfo_t info;
		int number = next_signal(k, &info);

		if (number > 0)
			take_signal(k, number, &info);
		reap(k);
		if (!k->has_children) {
			k->phase = GONE;
			break;
		}
		if (k->result->program_ended && !others_told) {
			others_told = true;
			program_left_others(k);
		}
		if (k->phase != GONE)
			look_at_clocks(k);
		if (k->phase == KILLING) {
			if (!urgent.able)
				urgent_begin(&urgent);
			urgent_check(&urgent);
			kill_round(k);
			reap(k);
			if (!k->has_children)
				k->phase = GONE;
		}
	}
	urgent_end(&urgent);
}

/* ---- the end ---- */

static void name_those_left(struct keeper *k)
{
	struct run_result *result = k->result;

	if (!k->has_children || tree_read(&k->tree, getpid(), NULL) < 0)
		return;
	vec_each(p, &k->tree.member) {
		if (p->state == 'Z')
			continue;
		if (result->nleft < RUN_MAX_NAMED) {
			struct run_named *n = &result->named[result->nleft];

			n->pid = p->pid;
			memcpy(n->comm, p->comm, sizeof n->comm);
		}
		result->nleft++;
	}
}

static void measure(struct keeper *k)
{
	struct run_result *result = k->result;
	struct tree_io io;
	struct rusage u;

	tree_io_of_children(&io);
	result->read_bytes = io.read_bytes;
	result->written_bytes = io.written_bytes;
	result->read_call_bytes = io.read_call_bytes;
	result->write_call_bytes = io.write_call_bytes;
	getrusage(RUSAGE_CHILDREN, &u);
	result->user_ns = (uint64_t)u.ru_utime.tv_sec * NS_PER_S + (uint64_t)u.ru_utime.tv_usec * NS_PER_US;
	result->system_ns = (uint64_t)u.ru_stime.tv_sec * NS_PER_S + (uint64_t)u.ru_stime.tv_usec * NS_PER_US;
	result->peak_bytes = (uint64_t)u.ru_maxrss * 1024;
	result->peak_is_bound = result->peak_bytes <= k->floor_bytes;
	result->minor_faults = (uint64_t)u.ru_minflt;
	result->major_faults = (uint64_t)u.ru_majflt;
	result->voluntary_switches = (uint64_t)u.ru_nvcsw;
	result->involuntary_switches = (uint64_t)u.ru_nivcsw;
}

static void finish_group(struct keeper *k)
{
	struct note note = { "" };

	if (!k->group.n)
		return;
	run_group_read(&k->group, k->result);
	if (run_group_remove(&k->group, &note) < 0 && !k->result->warning.text[0])
		k->result->warning = note;
}

static void finish(struct keeper *k)
{
	struct run_result *result = k->result;

	result->watched_ns = clock_mono_ns() - k->start_ns;
	if (!result->program_ended) {
		/* It does not die. */
		result->wall_ns = result->watched_ns;
		result->exit_code = 128 + SIGKILL;
	}
	if (result->timeout)
		result->exit_code = RUN_TIMED_OUT;
	name_those_left(k);
	measure(k);
	finish_group(k);
	if (k->stopped_front)
		kill(k->front, SIGCONT);
	result->ended = true;
}

/* ---- the beginning ---- */

static int start(struct keeper *k)
{
	struct run_result *result = k->result;
	int fds[RUN_GROUP_MAX], r = 0;

	result->exit_code = RUN_FAILED;
	if (k->spec->group.wanted) {
		r = run_group_make(&k->spec->group, &k->group, &result->failed);
		if (r == 0)
			r = run_group_open(&k->group, fds, &result->failed);
		if (r < 0)
			return r;
		if (k->group.swept[0])
			note_set(&result->warning, 0, "removed %s, which a killed osprey run had left", k->group.swept);
	}
	k->start_ns = clock_mono_ns();
	k->cpu_look_ns = k->start_ns + CPU_LOOK_LEAST_NS;
	k->pid = run_start(k->spec, fds, k->group.n, k->front_group, &k->floor_bytes,
			   &result->exit_code, &result->failed);
	for (size_t i = 0; i < k->group.n; i++)
		close(fds[i]);
	if (k->pid < 0)
		return k->pid;
	result->pid = k->pid;
	k->has_children = true;
	return 0;
}

static void become_keeper(struct keeper *k)
{
	prctl(PR_SET_NAME, "osprey-keeper");
	/* Not in the group that kill -9 -GROUP reaches; the program goes back there. */
	k->front_group = getpgrp();
	(void)!setpgid(0, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, RUN_SIGNAL_ALONE);
}

_Noreturn void run_keeper(const struct run_spec *spec, struct run_result *result, pid_t front)
{
	struct keeper k = { .spec = spec, .result = result, .front = front };

	become_keeper(&k);
	/* It died before PDEATHSIG was in force. */
	if (getppid() != front)
		_exit(RUN_FAILED);
	if (start(&k) == 0) {
		keep(&k);
		finish(&k);
	} else {
		struct note note = { "" };

		if (k.group.n)
			(void)!run_group_remove(&k.group, &note);
		result->ended = true;
	}
	_exit(result->exit_code);
}
