/* For tests of what ends a process: each case is a child, whose end and last words are looked at. */
#ifndef RT_TESTS_CHILD_H
#define RT_TESTS_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* A case does its part in the child, and exits. One that hangs is killed. */
typedef void child_case(unsigned processors);
#define CHILD_HANGS_S 100

static char child_said[1 << 16];

static inline void child_run(child_case *run, unsigned processors, const int ends[2])
{
	close(ends[0]);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	check_failed = 0;
	signal(SIGALRM, SIG_DFL);
	alarm(CHILD_HANGS_S);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	run(processors);
	_exit(check_failed ? 101 : 100);
}

/* The status of a child that has the other end of a pipe as its standard error; and what it said, as a text.
 * Closes both ends. */
static inline int child_end(pid_t pid, const int ends[2], char *text, size_t size)
{
	int status = -1;
	size_t n = 0;
	ssize_t r;

	close(ends[1]);
	while (n < size - 1 && (r = read(ends[0], text + n, size - 1 - n)) > 0)
		n += (size_t)r;
	text[n] = '\0';
	close(ends[0]);
	waitpid(pid, &status, 0);
	return status;
}

/* Its status; what it said is in child_said. */
static inline int child_status(child_case *run, unsigned processors)
{
	int ends[2];

	if (pipe(ends) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0)
		child_run(run, processors, ends);
	return child_end(pid, ends, child_said, sizeof child_said);
}

/* `exit`: with that code; `signal`: by that one; and what it said holds `words`. */
static inline void child_check(const char *name, child_case *run, unsigned processors, int exit, int signal,
			       const char *words)
{
	int status = child_status(run, processors);
	bool right = signal ? WIFSIGNALED(status) && WTERMSIG(status) == signal :
		WIFEXITED(status) && WEXITSTATUS(status) == exit;

	CHECK(right && strstr(child_said, words));
	if (!right || !strstr(child_said, words))
		fprintf(stderr, "%s, P = %u: status %#x, said: %s\n", name, processors, (unsigned)status, child_said);
}

#endif
