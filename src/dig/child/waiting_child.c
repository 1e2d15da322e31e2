#include "dig/child/waiting_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/span.h"

/* As execvp would find it. */
static int resolve(const char *name, char *ret, size_t size)
{
	const char *path = getenv("PATH");
	struct span left = span_from(path ? path : "/usr/local/bin:/usr/bin:/bin"), directory;
	int error = -ENOENT;

	if (strchr(name, '/')) {
		if ((size_t)snprintf(ret, size, "%s", name) >= size)
			return -ENAMETOOLONG;
		return access(ret, F_OK) < 0 ? -errno : 0;
	}
	for (bool more = true; more;) {
		struct stat st;

		more = span_until(&left, ':', &directory);
		if (!more)
			directory = left;
		if ((size_t)snprintf(ret, size, "%.*s%s%s", (int)directory.n, directory.p,
				     directory.n ? "/" : "", name) >= size)
			continue;
		if (stat(ret, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (access(ret, X_OK) == 0)
			return 0;
		error = -EACCES;
	}
	return error;
}

static void run_child(const struct waiting_child_request *q, const char *path, int go, int failed)
{
	sigset_t none;
	char byte;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (q->restore)
		q->restore();
	if (read(go, &byte, 1) != 1)
		_exit(127); /* osprey has given up */
	int error = q->last ? -q->last(q->arg) : 0;
	if (!error) {
		execv(path, (char *const *)(uintptr_t)q->argv);
		error = errno;
	}
	(void)!write(failed, &error, sizeof error);
	_exit(127);
}

static int failed_to(struct note *note, int negative_errno, const char *what, const char *name)
{
	return note_set(note, negative_errno, "cannot run '%.200s': %s%s", name, what, strerror(-negative_errno));
}

int waiting_child_start(const struct waiting_child_request *q, struct waiting_child *ret, struct note *note)
{
	char path[4096];
	int go[2], failed[2];
	int r = resolve(q->argv[0], path, sizeof path);

	if (r < 0)
		return failed_to(note, r, "", q->argv[0]);
	if (pipe2(go, O_CLOEXEC) < 0)
		return failed_to(note, -errno, "no pipe: ", q->argv[0]);
	if (pipe2(failed, O_CLOEXEC) < 0) {
		r = -errno;
		close(go[0]), close(go[1]);
		return failed_to(note, r, "no pipe: ", q->argv[0]);
	}
	pid_t pid = fork();
	if (pid == 0) {
		close(go[1]), close(failed[0]);
		run_child(q, path, go[0], failed[1]);
	}
	r = pid < 0 ? -errno : 0;
	close(go[0]), close(failed[1]);
	if (r < 0) {
		close(go[1]), close(failed[0]);
		return failed_to(note, r, "no process: ", q->argv[0]);
	}
	*ret = (struct waiting_child){ pid, go[1], failed[0], q->argv[0] };
	return 0;
}

static void reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void waiting_child_let_go(struct waiting_child *c)
{
	(void)!write(c->go, "", 1); /* killed meanwhile: waiting for it will tell */
	close_end(&c->go);
}

int waiting_child_go(struct waiting_child *c, struct note *note)
{
	int error = 0;
	ssize_t n;

	waiting_child_let_go(c);
	/* exec closes the other end: then there is nothing to read. */
	while ((n = read(c->failed, &error, sizeof error)) < 0 && errno == EINTR)
		;
	close_end(&c->failed);
	if (n != sizeof error)
		return 0;
	reap(c->pid);
	return failed_to(note, -error, "", c->name);
}

void waiting_child_drop(struct waiting_child *c)
{
	bool waits = c->go >= 0 && c->pid > 0;

	if (c->pid <= 0)
		return;
	close_end(&c->go);
	close_end(&c->failed);
	if (waits)
		reap(c->pid);
}

bool waiting_child_ended(struct waiting_child *c, int *ret_status)
{
	return waitpid(c->pid, ret_status, WNOHANG) == c->pid;
}
