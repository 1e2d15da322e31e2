/* A crowd of sleeping processes in a pid namespace of their own, which dies with the program
 * that made it. For benches. */
#ifndef OSPREY_BENCH_CROWD_H
#define OSPREY_BENCH_CROWD_H

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static inline void crowd_die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* In a new namespace the parent's pid reads 0. */
	if (getppid() != parent && getppid() != 0)
		_exit(1);
}

/* The first process of the namespace: starts the others, says how many, sleeps. */
static inline void crowd_gather(unsigned n, int tell)
{
	unsigned started = 0;
	pid_t self = getpid();

	for (; started < n; started++) {
		pid_t child = fork();
		if (child == 0) {
			crowd_die_with(self);
			close(tell);
			for (;;)
				pause();
		}
		if (child < 0)
			break;
	}
	if (write(tell, &started, sizeof started) != sizeof started)
		_exit(1);
	close(tell);
	for (;;)
		pause();
}

/* Pid of the crowd's first process, to be given to crowd_end; below 0: none. */
static inline pid_t crowd_start(unsigned n, unsigned *ret_started)
{
	pid_t self = getpid();
	int tell[2];

	if (pipe(tell) < 0)
		return -1;
	/* Not unshare: what is measured must stay in our namespace. */
	pid_t first = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);
	bool apart = first >= 0;
	if (!apart)
		first = fork();
	if (first == 0) {
		crowd_die_with(self);
		close(tell[0]);
		crowd_gather(n, tell[1]);
	}
	close(tell[1]);
	if (first > 0 && read(tell[0], ret_started, sizeof *ret_started) != sizeof *ret_started)
		*ret_started = 0;
	close(tell[0]);
	if (first > 0 && !apart)
		fputs("no pid namespace of its own for the crowd: not permitted\n", stderr);
	return first;
}

static inline void crowd_end(pid_t first)
{
	kill(first, SIGKILL);
	waitpid(first, NULL, 0);
}

#endif
