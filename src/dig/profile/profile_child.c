#include "dig/profile/profile_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void child(char *const argv[], void (*prepare)(void), int go, int failed)
{
	char word;

	prepare();
	if (read(go, &word, 1) != 1)
		_exit(127); /* osprey has given up */
	execvp(argv[0], argv);
	int error = errno;
	(void)!write(failed, &error, sizeof error);
	_exit(127);
}

int profile_child_start(char *const argv[], void (*prepare)(void), struct profile_child *ret, struct note *note)
{
	int go[2], failed[2];

	if (pipe2(go, O_CLOEXEC) < 0)
		return note_set(note, -errno, "pipe: %s", strerror(errno));
	if (pipe2(failed, O_CLOEXEC) < 0) {
		int r = note_set(note, -errno, "pipe: %s", strerror(errno));
		close(go[0]), close(go[1]);
		return r;
	}
	pid_t pid = fork();
	if (pid == 0) {
		close(go[1]), close(failed[0]);
		child(argv, prepare, go[0], failed[1]);
	}
	int r = pid < 0 ? note_set(note, -errno, "fork: %s", strerror(errno)) : 0;
	close(go[0]), close(failed[1]);
	if (r < 0) {
		close(go[1]), close(failed[0]);
		return r;
	}
	*ret = (struct profile_child){ pid, go[1], failed[0] };
	return 0;
}

static void reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int profile_child_go(struct profile_child *c, struct note *note)
{
	int error = 0;
	ssize_t n;

	(void)!write(c->go, "", 1);
	/* exec closes the other end: then there is nothing to read. */
	while ((n = read(c->failed, &error, sizeof error)) < 0 && errno == EINTR)
		;
	close(c->go), close(c->failed);
	c->go = c->failed = -1;
	if (n != sizeof error)
		return 0;
	reap(c->pid);
	return note_set(note, -error, "%s", strerror(error));
}

void profile_child_drop(struct profile_child *c)
{
	if (c->go < 0)
		return;
	close(c->go), close(c->failed);
	c->go = c->failed = -1;
	reap(c->pid);
}

bool profile_child_ended(struct profile_child *c, int *ret_status)
{
	return waitpid(c->pid, ret_status, WNOHANG) == c->pid;
}
