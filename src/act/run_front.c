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
#include "base/urgent.h"

#define ORPHAN_PATIENCE_NS (5 * NS_PER_S)

/* Signals that a fault of our own raises are not kept back. */
static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGXCPU, SIGXFSZ };

static bool has_children_of_before;

void run_front_begin(struct run_inherited *inherited)
{
	struct sigaction child;
	siginfo_t info;
	sigset_t blocked;

	sigfillset(&blocked);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
		sigdelset(&blocked, faults[i]);
	sigprocmask(SIG_SETMASK, &blocked, &inherited->mask);
	/* Ignored, it would reap for us. */
	inherited->ignored_child = sigaction(SIGCHLD, NULL, &child) == 0 && child.sa_handler == SIG_IGN;
	signal(SIGCHLD, SIG_DFL);
	/* Who was our child before, of a shell that became us by exec, is not ours to kill; and what it leaves must
	 * not become ours. */
	has_children_of_before = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
	if (!has_children_of_before)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void run_die_of(int number)
{
	const struct rlimit no_core = { 0, 0 };
	sigset_t alone;

	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_DUMPABLE, 0); /* the limit does not count where core_pattern is a pipe */
	signal(number, SIG_DFL);
	sigemptyset(&alone);
	sigaddset(&alone, number);
	kill(getpid(), number);
	sigprocmask(SIG_UNBLOCK, &alone, NULL);
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

static struct run_job *job_of(struct run_job *jobs, size_t njobs, pid_t pid)
{
	for (size_t i = 0; i < njobs; i++)
		if (jobs[i].keeper == pid)
			return &jobs[i];
	return NULL;
}

/* Everybody who has ended. Keepers among them are remembered for run_jobs_reap. False: no child is left. */
static bool reap_all(struct run_job *jobs, size_t njobs)
{
	for (;;) {
		siginfo_t info = { 0 };
		struct run_job *job;

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0)
			return false;
		if (info.si_pid == 0)
			return true;
		job = job_of(jobs, njobs, info.si_pid);
		if (job) {
			job->keeper = 0;
			job->has_ended = true;
			job->status = info.si_status;
		}
	}
}

/* Its program has died with it, and what that left is ours now, for we are a subreaper too. Until two
 * rounds find nobody: every level of a tree becomes ours when the one above has died. */
static void end_orphans(struct run_job *jobs, size_t njobs)
{
	uint64_t end = clock_mono_ns() + ORPHAN_PATIENCE_NS;
	struct urgent urgent;
	unsigned quiet = 0;

	urgent_begin(&urgent);
	while (reap_all(jobs, njobs) && quiet < 2 && clock_mono_ns() < end) {
		pid_t keepers[RUN_MAX_JOBS + 1];
		size_t n = 0;

		for (size_t i = 0; i < njobs; i++)
			if (jobs[i].keeper)
				keepers[n++] = jobs[i].keeper;
		keepers[n] = 0;
		if (tree_kill_children(keepers) > 0) {
			quiet = 0;
		} else {
			quiet++;
			(void)!clock_sleep_until(clock_mono_ns() + NS_PER_MS);
		}
		urgent_check(&urgent);
	}
	urgent_end(&urgent);
}

static void keeper_was_killed(struct run_job *job, struct run_job *jobs, size_t njobs)
{
	char swept[192];

	if (!has_children_of_before)
		end_orphans(jobs, njobs);
	(void)run_group_sweep(swept);
	job->result->ended = true;
	job->result->exit_code = 128 + job->status;
	job->result->signal = job->status;
	if (!job->result->pid) {
		note_set(&job->result->failed, 0, "the process that keeps it was killed by %s before it had started it",
			 signal_text(job->status).text);
		return;
	}
	note_set(&job->result->warning, 0, "the process that kept it was killed by %s; the program %s",
		 signal_text(job->status).text,
		 has_children_of_before ? "died with it, what it had started may live on" :
					  "and all below it were killed");
}

/* ---- waiting ---- */

struct run_job *run_jobs_reap(struct run_job *jobs, size_t njobs)
{
	(void)reap_all(jobs, njobs);
	for (size_t i = 0; i < njobs; i++) {
		struct run_job *job = &jobs[i];

		if (!job->has_ended)
			continue;
		if (!job->result->ended)
			keeper_was_killed(job, jobs, njobs);
		job->has_ended = false;
		return job;
	}
	return NULL;
}

bool run_asks_to_end(int number)
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
	 * it. But when it hangs up, the leader of the session may be the only one to hear; and what a
	 * program left may have gone to another group. */
	for (size_t i = 0; i < njobs; i++)
		if (info->si_code != SI_KERNEL || number == SIGHUP || jobs[i].result->program_ended)
			run_job_signal(&jobs[i], number);
	return run_asks_to_end(number) ? number : 0;
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
