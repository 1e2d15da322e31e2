/* The front: the process that the user started. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "act/run_front.h"
#include "act/run_group.h"
#include "act/run_tree.h"
#include "base/clock.h"

#define ORPHAN_PATIENCE_NS (5 * NS_PER_S)

/* Signals that a fault of our own raises are not kept back. */
static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGXCPU, SIGXFSZ };

void run_front_begin(struct run_inherited *inherited)
{
	struct sigaction child;
	sigset_t blocked;

	sigfillset(&blocked);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
		sigdelset(&blocked, faults[i]);
	sigprocmask(SIG_SETMASK, &blocked, &inherited->mask);
	/* Ignored, it would reap for us. */
	inherited->ignored_child = sigaction(SIGCHLD, NULL, &child) == 0 && child.sa_handler == SIG_IGN;
	signal(SIGCHLD, SIG_DFL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* ---- keepers ---- */

int run_job_init(struct run_job *job, struct note *note)
{
	void *shared = mmap(NULL, sizeof *job->result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*job = (struct run_job){ 0 };
	if (shared == MAP_FAILED)
		return note_set(note, -errno, "no memory for the result: %s", strerror(errno));
	job->result = shared;
	return 0;
}

void run_job_deinit(struct run_job *job)
{
	if (job->result)
		munmap(job->result, sizeof *job->result);
	*job = (struct run_job){ 0 };
}

int run_job_start(struct run_job *job, const struct run_spec *spec, struct note *note)
{
	pid_t self = getpid();

	memset(job->result, 0, sizeof *job->result);
	job->spec = spec;
	job->keeper = fork();
	if (job->keeper == 0)
		run_keeper(spec, job->result, self);
	if (job->keeper < 0) {
		job->keeper = 0;
		return note_set(note, -errno, "cannot make a process: %s", strerror(errno));
	}
	return 0;
}

/* ---- after a keeper that was killed ---- */

struct orphans {
	const struct run_job *jobs;
	size_t njobs;
	uint64_t since_ticks; /* start of the oldest that may be ours */
};

/* Who was our child before we started anything, of a shell that became us by exec, is not ours to
 * kill: it is older than the keeper. */
static bool is_ours(const struct orphans *o, const struct tree_process *p)
{
	return p->state != 'Z' && p->start_ticks >= o->since_ticks;
}

/* One round. How many were there. */
static size_t kill_orphans(const struct orphans *o, struct tree *tree)
{
	pid_t keepers[RUN_MAX_JOBS + 1];
	size_t n = 0, found = 0;

	for (size_t i = 0; i < o->njobs && n < RUN_MAX_JOBS; i++)
		if (o->jobs[i].keeper)
			keepers[n++] = o->jobs[i].keeper;
	keepers[n] = 0;
	if (tree_read(tree, getpid(), keepers) < 0)
		return 0;
	vec_each(p, &tree->member)
		if (is_ours(o, p)) {
			found++;
			(void)!tree_signal(p, p->direct, SIGKILL);
		}
	return found;
}

static void reap_orphans(const struct tree *tree)
{
	vec_each(p, &tree->member)
		if (p->direct)
			(void)!waitpid(p->pid, NULL, WNOHANG);
}

/* Its program has died with it; what that left is ours now. Until two rounds find nothing. */
static void end_orphans(const struct orphans *o)
{
	uint64_t end = clock_mono_ns() + ORPHAN_PATIENCE_NS;
	struct tree tree = { 0 };
	unsigned quiet = 0;

	while (quiet < 2 && clock_mono_ns() < end) {
		quiet = kill_orphans(o, &tree) ? 0 : quiet + 1;
		reap_orphans(&tree);
		(void)!clock_sleep_until(clock_mono_ns() + NS_PER_MS);
	}
	tree_deinit(&tree);
}

static void keeper_was_killed(struct run_job *job, struct run_job *jobs, size_t njobs, int number)
{
	struct orphans o = { .jobs = jobs, .njobs = njobs, .since_ticks = job->keeper_ticks };
	char swept[192];

	end_orphans(&o);
	(void)run_group_sweep(swept);
	job->result->ended = true;
	job->result->exit_code = 128 + number;
	job->result->signal = number;
	note_set(&job->result->warning, 0,
		 "the process that kept it was killed by %s; the program and all below it were killed",
		 signal_text(number).text);
}

static uint64_t start_ticks_of(pid_t pid)
{
	char path[32], text[1024];
	struct tree_process p = { 0 };
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (f) {
		size_t n = fread(text, 1, sizeof text, f);

		(void)!tree_stat_parse((struct span){ text, n }, &p);
		fclose(f);
	}
	return p.start_ticks;
}

/* ---- waiting ---- */

struct run_job *run_jobs_reap(struct run_job *jobs, size_t njobs)
{
	for (;;) {
		siginfo_t info = { 0 };
		struct run_job *job = NULL;

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
			return NULL;
		for (size_t i = 0; i < njobs && !job; i++)
			if (jobs[i].keeper == info.si_pid)
				job = &jobs[i];
		if (job && !job->result->ended)
			job->keeper_ticks = start_ticks_of(job->keeper);
		(void)!waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
		if (!job)
			continue;
		job->keeper = 0;
		if (!job->result->ended)
			keeper_was_killed(job, jobs, njobs, info.si_status);
		return job;
	}
}

static bool asks_to_end(int number)
{
	return number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
}

void run_job_signal(const struct run_job *job, int number)
{
	if (job->keeper)
		kill(job->keeper, number);
}

int run_jobs_forward(struct run_job *jobs, size_t njobs, const siginfo_t *info)
{
	int number = info->si_signo;

	if (number == SIGCHLD || number == SIGPIPE || number == RUN_SIGNAL_END || number == RUN_SIGNAL_ALONE)
		return 0;
	/* What the terminal sends it sends to the whole group in the foreground, the programs among
	 * it. But when it hangs up, the leader of the session may be the only one to hear. */
	if (info->si_code != SI_KERNEL || number == SIGHUP)
		for (size_t i = 0; i < njobs; i++)
			run_job_signal(&jobs[i], number);
	return asks_to_end(number) ? number : 0;
}

int run_wait_signal(siginfo_t *ret, uint64_t until_ns)
{
	sigset_t all;
	int number;

	sigfillset(&all);
	if (until_ns == UINT64_MAX) {
		number = sigwaitinfo(&all, ret);
	} else {
		uint64_t now = clock_mono_ns(), left = until_ns > now ? until_ns - now : 0;
		struct timespec pause = { (time_t)(left / NS_PER_S), (long)(left % NS_PER_S) };

		number = sigtimedwait(&all, ret, &pause);
	}
	return number < 0 ? 0 : number;
}

int run_program(const struct run_spec *spec, struct run_result *ret, int *ret_interrupted, struct note *note)
{
	struct run_job job;
	int r = run_job_init(&job, note);

	if (r == 0)
		r = run_job_start(&job, spec, note);
	while (r == 0 && !run_jobs_reap(&job, 1)) {
		siginfo_t info;

		if (run_wait_signal(&info, UINT64_MAX) > 0) {
			int asked = run_jobs_forward(&job, 1, &info);

			if (asked)
				*ret_interrupted = asked;
		}
	}
	if (r == 0)
		*ret = *job.result;
	run_job_deinit(&job);
	return r;
}
