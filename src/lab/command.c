/* Programs that scenarios need: nft, mkfs. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/tree.h"

/* root's PATH may lack sbin. */
static const char *const directories[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					   "/usr/bin", "/sbin", "/bin" };

enum { NDIRECTORIES = sizeof directories / sizeof directories[0] };

static bool find(const char *program, char *ret, size_t size)
{
	for (size_t i = 0; i < NDIRECTORIES; i++) {
		snprintf(ret, size, "%s/%s", directories[i], program);
		if (access(ret, X_OK) == 0)
			return true;
	}
	return false;
}

bool command_exists(const char *program)
{
	char path[256];

	return find(program, path, sizeof path);
}

static _Noreturn void execute(const char *path, const char *const argv[], int err)
{
	static const char *const environment[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL
	};
	int null = open("/dev/null", O_RDWR);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	dup2(null, 0);
	dup2(null, 1);
	dup2(err, 2);
	execve(path, (char *const *)argv, (char *const *)environment);
	_exit(127);
}

/* The first line, without what does not print. */
static void first_line(int fd, char *ret, size_t size)
{
	size_t n = 0;
	ssize_t got;
	char rest[512];

	while (n < size - 1 && (got = read(fd, ret + n, size - 1 - n)) > 0)
		n += (size_t)got;
	while (read(fd, rest, sizeof rest) > 0)
		;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	for (char *c = ret; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
}

static int await(pid_t pid, const char *program, const char *said, struct note *note)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return note_set(note, -errno, "%s: %s", program, strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return note_set(note, -EIO, "%s failed%s%.180s", program, said[0] ? ": " : "", said);
}

int lab_program_run(const char *const argv[], struct note *note)
{
	char path[256], said[200];
	int err[2];
	pid_t pid;

	if (!find(argv[0], path, sizeof path))
		return note_set(note, -ENOENT, "there is no program %s", argv[0]);
	if (pipe2(err, O_CLOEXEC) < 0)
		return note_set(note, -errno, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		execute(path, argv, err[1]);
	close(err[1]);
	if (pid < 0) {
		int r = -errno;

		close(err[0]);
		return note_set(note, r, "fork: %s", strerror(-r));
	}
	first_line(err[0], said, sizeof said);
	close(err[0]);
	return await(pid, argv[0], said, note);
}

int lab_command(struct lab *lab, struct note *note, const char *const argv[])
{
	(void)lab;
	return lab_program_run(argv, note);
}
