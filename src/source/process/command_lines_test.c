#include "source/process/command_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"

#define CHILDREN 300

/* A child whose argument is its number. */
static pid_t start(unsigned i, const char *argument)
{
	char number[16];
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(number, sizeof number, "%u", i);
	execl("/proc/self/exe", "child", number, argument, (char *)NULL);
	_exit(127);
}

/* Until exec has put the arguments in place. */
static void wait_for_exec(struct host *h, pid_t pid)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
	for (int i = 0; i < 5000; i++) {
		if (host_read(h, path, &text) == 0 && text.n > 6 && memcmp(text.data, "child", 6) == 0)
			return;
		poll(NULL, 0, 1);
	}
	CHECK(!"the child has called exec");
}

static void check_many(struct host *h)
{
	static struct command_line lines[CHILDREN + 2];
	cleanup(buf_deinit) struct buf text = { 0 };
	char *large = malloc(100000), wanted[32];

	memset(large, 'x', 99999);
	large[99999] = '\0';
	for (unsigned i = 0; i < CHILDREN; i++)
		lines[i].pid = start(i, i == 7 ? large : i == 8 ? "a\nb\033[2J" : "");
	for (unsigned i = 0; i < CHILDREN; i++)
		wait_for_exec(h, lines[i].pid);
	lines[CHILDREN].pid = 2;	 /* a kernel thread, or none of ours */
	lines[CHILDREN + 1].pid = 1 << 22; /* none */
	CHECK(command_lines_read(h, lines, CHILDREN + 2, &text) == 0);
	for (unsigned i = 0; i < CHILDREN; i++) {
		int n = snprintf(wanted, sizeof wanted, "child%c%u", '\0', i) + 1;

		CHECK(lines[i].arguments.p && lines[i].arguments.n >= (size_t)n);
		CHECK(lines[i].arguments.p && memcmp(lines[i].arguments.p, wanted, (size_t)n) == 0);
		CHECK_U64(lines[i].arguments.n, (size_t)n + (i == 7 ? 100000 : i == 8 ? 8 : 1));
	}
	CHECK(lines[CHILDREN + 1].arguments.p == NULL);
	for (unsigned i = 0; i < CHILDREN; i++) {
		kill(lines[i].pid, SIGKILL);
		waitpid(lines[i].pid, NULL, 0);
	}
	free(large);
}

/* Processes that end while they are listed. */
static void check_vanishing(struct host *h)
{
	static struct command_line lines[CHILDREN];
	cleanup(buf_deinit) struct buf text = { 0 };

	for (unsigned i = 0; i < CHILDREN; i++) {
		lines[i].pid = fork();
		if (lines[i].pid == 0)
			_exit(0);
	}
	CHECK(command_lines_read(h, lines, CHILDREN, &text) == 0);
	for (unsigned i = 0; i < CHILDREN; i++)
		waitpid(lines[i].pid, NULL, 0);
	CHECK(command_lines_read(h, lines, CHILDREN, &text) == 0);
	for (unsigned i = 0; i < CHILDREN; i++)
		CHECK(lines[i].arguments.p == NULL);
	CHECK(command_lines_read(h, NULL, 0, &text) == 0);
}

int main(int argc, char **argv)
{
	struct host *h;

	if (argc > 2 && strcmp(argv[0], "child") == 0)
		for (;;)
			pause();
	CHECK(host_open_live("/", &h, NULL) == 0);
	check_many(h);
	check_vanishing(h);
	host_free(h);
	return check_exit();
}
