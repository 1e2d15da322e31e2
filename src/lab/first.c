/* The first process of a scenario: pid 1 of its pid namespace. */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/file.h"
#include "lab/tree.h"
#include "source/storage/mountinfo.h"

/* The guardian may have died before the kernel was told to kill us with it. */
static void die_with_guardian(const struct lab *lab)
{
	struct pollfd fd = { .fd = lab->guardian };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&fd, 1, 0) > 0 && (fd.revents & POLLHUP))
		_exit(1);
}

static void default_signals(void)
{
	for (int i = 1; i < NSIG; i++)
		if (i != SIGKILL && i != SIGSTOP)
			signal(i, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
}

static int loopback_up(struct note *note)
{
	cleanup(close_fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return note_set(note, -errno, "loopback interface: %s", strerror(errno));
	return 0;
}

static int own_network(struct note *note)
{
	if (unshare(CLONE_NEWNET) < 0)
		return note_set(note, -errno, "a network namespace: %s", strerror(errno));
	return loopback_up(note);
}

/* Our copies of other labs' mounts go: where the host's mounts are private, no unmounting of
 * theirs would reach the copy, and their filesystem stay busy as long as we live. */
static int leave_other_labs(const struct lab *lab, struct note *note)
{
	static char text[1 << 20];
	ssize_t n = file_read("/proc/self/mountinfo", text, sizeof text);
	struct span rest = span_from(text), line;
	char path[320], own[64];

	if (n < 0)
		return note_set(note, (int)n, "/proc/self/mountinfo: %s", strerror(-(int)n));
	snprintf(own, sizeof own, "/%s/", lab->id);
	while (span_line(&rest, &line)) {
		struct mountinfo m;

		if (mountinfo_line_parse(line, &m) < 0 || m.mount.n >= sizeof path)
			continue;
		mountinfo_unescape(m.mount, path, sizeof path);
		if (strstr(path, "/osprey-lab-") && !strstr(path, own) &&
		    umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
			return note_set(note, -errno, "unmount the copy of %s: %s", path, strerror(errno));
	}
	return 0;
}

/* Changes of the host's mounts come in (else a filesystem that the guardian unmounts would
 * stay busy here); ours do not get out. */
static int own_mounts(struct lab *lab, struct note *note)
{
	if (unshare(CLONE_NEWNS) < 0)
		return note_set(note, -errno, "a mount namespace: %s", strerror(errno));
	if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return note_set(note, -errno, "mount --make-rslave /: %s", strerror(errno));
	int r = leave_other_labs(lab, note);
	if (r < 0)
		return r;
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return note_set(note, -errno, "/proc of the scenario: %s", strerror(errno));
	lab->own_mounts = true;
	return 0;
}

static int prepare(struct lab *lab, const struct groups *bounds, struct note *note)
{
	int r = groups_enter(bounds, lab->id, "work", note);

	if (r == 0 && (lab->scenario->needs & LAB_NET_NS))
		r = own_network(note);
	if (r == 0)
		bounds_limit_self(lab->scenario);
	return r;
}

static int play(struct lab *lab, const struct groups *bounds, struct note *note)
{
	const struct scenario *s = lab->scenario;
	int r = prepare(lab, bounds, note);

	if (r == 0 && s->set_up)
		r = s->set_up(lab, note);
	if (r == 0)
		r = own_mounts(lab, note);
	if (r == 0)
		r = s->run(lab, note);
	if (r == 0 && !lab->readied)
		r = note_set(note, -EPROTO, "scenario %s returned without lab_ready", s->name);
	return r;
}

/* Orphans of the namespace come to us. SIGCHLD wakes us when it has a handler. */
static void on_child(int signal_number)
{
	(void)signal_number;
}

static _Noreturn void reap_until_killed(void)
{
	sigset_t child, none;

	sigemptyset(&none);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	signal(SIGCHLD, on_child);
	for (;;) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		sigsuspend(&none);
	}
}

_Noreturn void first_main(struct lab *lab, const struct groups *bounds)
{
	struct message failure = { .kind = MESSAGE_FAILED };

	prctl(PR_SET_NAME, "osprey-lab");
	default_signals();
	die_with_guardian(lab);
	failure.code = play(lab, bounds, &failure.note);
	if (failure.code < 0) {
		if (!failure.note.text[0])
			note_set(&failure.note, 0, "%s", strerror(-failure.code));
		(void)!message_send(lab->guardian, &failure);
	}
	reap_until_killed();
}
