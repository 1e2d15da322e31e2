/* The guardian: starts the first process, watches the runner, the bounds and the clock, and
 * undoes. It holds nothing of the runner's but the message socket, so that nobody waits for
 * an end of file that it would keep open. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/urgent.h"
#include "lab/file.h"
#include "lab/tree.h"

#define WATCH_MS 100
#define REAP_NS (10 * NS_PER_S)
/* Progress lines are dropped when the runner has not read this much. */
#define SAY_BACKLOG (64 * 1024)

struct guardian {
	const struct scenario *scenario;
	int runner, runner_pid; /* message end; pidfd or -1 */
	int scene;		/* message end of the scenario's processes */
	pid_t first;
	struct journal journal;
	struct groups bounds;
	uint64_t end_ns;
	unsigned limit_s;
	bool ready, failed;
};

static void tell(struct guardian *g, const struct message *m)
{
	int backlog = 0;

	if (m->kind == MESSAGE_SAY && ioctl(g->runner, TIOCOUTQ, &backlog) == 0 && backlog > SAY_BACKLOG)
		return;
	(void)!message_send_now(g->runner, m);
}

static void tell_failure(struct guardian *g, int code, const struct note *note)
{
	struct message m = { .kind = MESSAGE_FAILED, .code = code, .note = *note };

	if (!g->failed)
		tell(g, &m);
	g->failed = true;
}

/* ---- becoming ---- */

static void close_all_but(int keep)
{
	int null;

	if (keep > 3)
		(void)!syscall(SYS_close_range, 3, keep - 1, 0);
	if (syscall(SYS_close_range, keep + 1, ~0U, 0) < 0 && errno == ENOSYS)
		for (int fd = 3; fd < 65536; fd++)
			if (fd != keep)
				close(fd);
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

/* Only SIGKILL ends a guardian before it has undone. */
static void ignore_signals(void)
{
	static const int ignored[] = { SIGINT, SIGHUP, SIGTERM, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2,
				       SIGALRM, SIGTSTP, SIGTTIN, SIGTTOU };
	sigset_t none;

	for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Must act on a host that its own scenario has made slow. */
static void become_urgent(void)
{
	struct urgent until_exit;

	urgent_begin(&until_exit);
	(void)!file_write("/proc/self/oom_score_adj", "-1000");
}

static void become_guardian(int runner)
{
	setsid();
	prctl(PR_SET_NAME, "osprey-guard");
	ignore_signals();
	close_all_but(runner);
	(void)!chdir("/");
	umask(022);
}

/* ---- starting ---- */

static int start_first(struct guardian *g, const struct lab_options *options, struct note *note)
{
	struct lab lab = { .scenario = g->scenario, .strength = options->strength,
			   .journal = -1, .at_work = -1 };
	int pair[2];
	int r = message_pair(pair);

	if (r == 0)
		r = message_translate_pids(pair[0]);
	if (r < 0)
		return note_set(note, r, "socket pair: %s", strerror(-r));
	if (unshare(CLONE_NEWPID) < 0)
		return note_set(note, -errno, "a pid namespace: %s", strerror(errno));
	r = journal_open(&g->journal, &lab.journal, note);
	if (r < 0)
		return r;
	memcpy(lab.id, g->journal.id, sizeof lab.id);
	lab.guardian = pair[1];
	g->scene = pair[0];
	g->first = fork();
	if (g->first == 0) {
		close(pair[0]);
		close(g->runner);
		close(g->journal.fd);
		if (g->runner_pid >= 0)
			close(g->runner_pid);
		first_main(&lab, &g->bounds);
	}
	close(pair[1]);
	close(lab.journal);
	return g->first < 0 ? note_set(note, -errno, "fork: %s", strerror(errno)) : 0;
}

static int start(struct guardian *g, const struct lab_options *options, struct note *note)
{
	struct message m = { .kind = MESSAGE_ID };
	int r = journal_create(&g->journal, note);

	if (r < 0)
		return r;
	snprintf(m.note.text, sizeof m.note.text, "%s", g->journal.id);
	tell(g, &m);
	r = bounds_make(g->scenario, g->journal.id, g->journal.fd, &g->bounds, note);
	return r < 0 ? r : start_first(g, options, note);
}

/* ---- watching ---- */

static void take_from_scene(struct guardian *g)
{
	struct message m;

	while (message_receive(g->scene, &m) > 0) {
		if (m.kind == MESSAGE_READY && g->ready)
			continue;
		g->ready |= m.kind == MESSAGE_READY;
		if (m.kind == MESSAGE_FAILED)
			tell_failure(g, m.code, &m.note);
		else
			tell(g, &m);
	}
}

/* Whether to go on. */
static bool look(struct guardian *g, const struct pollfd *fds)
{
	struct note note = { 0 };
	struct message m;

	if (fds[0].revents || fds[2].revents) {
		int r = message_receive(g->runner, &m);

		if (fds[2].revents || r < 0 || (r > 0 && m.kind == MESSAGE_STOP))
			return false;
	}
	if (fds[1].revents)
		take_from_scene(g);
	if (fds[1].revents & (POLLHUP | POLLERR))
		tell_failure(g, note_set(&note, -ECHILD, "its first process has ended"), &note);
	else if (clock_mono_ns() > g->end_ns)
		tell_failure(g, note_set(&note, -ETIME, "its time limit of %u s has passed", g->limit_s), &note);
	else if (bounds_broken(&g->bounds, g->scenario, g->journal.id, &note))
		tell_failure(g, -EDQUOT, &note);
	return !g->failed;
}

static void watch(struct guardian *g)
{
	struct pollfd fds[] = { { .fd = g->runner, .events = POLLIN },
				{ .fd = g->scene, .events = POLLIN },
				{ .fd = g->runner_pid, .events = POLLIN } };

	do
		if (poll(fds, 3, WATCH_MS) < 0)
			fds[0].revents = fds[1].revents = fds[2].revents = 0;
	while (look(g, fds));
}

/* ---- ending ---- */

/* The death of the first process is reported when all others of its namespace are gone. */
static int end_processes(struct guardian *g, struct note *note)
{
	uint64_t end = clock_mono_ns() + REAP_NS;
	pid_t r = 0;

	if (g->first <= 0)
		return 0;
	kill(g->first, SIGKILL);
	while ((r = waitpid(g->first, NULL, WNOHANG)) == 0 && clock_mono_ns() < end)
		(void)!clock_sleep_until(clock_mono_ns() + 2 * NS_PER_MS);
	if (r == 0)
		return note_set(note, -ETIMEDOUT, "processes of %s do not die: they wait in the kernel",
				g->journal.id);
	return 0;
}

static void finish(struct guardian *g)
{
	struct message m = { .kind = MESSAGE_DONE };
	unsigned undone = 0;

	m.code = end_processes(g, &m.note);
	if (g->journal.fd >= 0) {
		int r = journal_undo(&g->journal, &undone, m.code < 0 ? NULL : &m.note);

		if (m.code == 0)
			m.code = r;
	}
	(void)!message_send_now(g->runner, &m);
}

_Noreturn void guardian_main(const struct scenario *s, const struct lab_options *options, int runner,
			     pid_t runner_pid)
{
	struct guardian g = { .scenario = s, .runner = runner, .scene = -1, .journal = { .fd = -1 } };
	struct note note = { 0 };
	int r;

	become_guardian(runner);
	g.limit_s = options->limit_s ? options->limit_s : LAB_LIMIT_S;
	g.end_ns = clock_mono_ns() + g.limit_s * NS_PER_S;
	g.runner_pid = (int)syscall(SYS_pidfd_open, runner_pid, 0);
	if (g.runner_pid >= 0)
		fcntl(g.runner_pid, F_SETFD, FD_CLOEXEC);
	r = start(&g, options, &note);
	become_urgent();
	if (r < 0)
		tell_failure(&g, r, &note);
	else
		watch(&g);
	finish(&g);
	_exit(0);
}
