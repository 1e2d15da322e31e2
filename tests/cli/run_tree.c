/* Processes that are hard to end. All of them ignore TERM, HUP and INT, keep every descriptor that they were
 * given (so that the end of file of a pipe tells when the last is gone), and end by themselves after 40 s.
 *
 *	daemon        forks twice, calls setsid, waits
 *	hopper        forks and exits, forks and exits: another pid every few microseconds
 *	session_hopper  the same in a session of its own
 *	respawn N     N processes, each of which starts another child as soon as its child dies
 *	crowd N       N daemons
 *	stopped       stops itself
 *	burn N        N daemons that use the CPU; the first process waits
 *	unwaited      burns by children that nobody waits for, one after another */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static time_t end;

static _Noreturn void wait_forever(void)
{
	while (time(NULL) < end)
		usleep(100000);
	_exit(0);
}

static _Noreturn void burn(void)
{
	while (time(NULL) < end)
		;
	_exit(0);
}

static void daemonize(void)
{
	if (fork() > 0)
		_exit(0);
	setsid();
	if (fork() > 0)
		_exit(0);
}

static _Noreturn void hop(void)
{
	while (time(NULL) < end)
		if (fork() > 0)
			_exit(0);
	_exit(0);
}

static _Noreturn void respawn(void)
{
	while (time(NULL) < end) {
		pid_t child = fork();

		if (child == 0) {
			signal(SIGCHLD, SIG_DFL);
			setsid();
			if (fork() == 0)
				wait_forever();
			wait(NULL);
			_exit(0);
		}
		if (child > 0)
			waitpid(child, NULL, 0);
	}
	_exit(0);
}

int main(int argc, char *argv[])
{
	const char *mode = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 1;

	end = time(NULL) + 40;
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	if (strcmp(mode, "daemon") == 0 || strcmp(mode, "crowd") == 0 || strcmp(mode, "burn") == 0) {
		for (int i = 0; i < n; i++)
			if (fork() == 0) {
				daemonize();
				if (mode[0] == 'b')
					burn();
				wait_forever();
			}
	} else if (strcmp(mode, "session_hopper") == 0 || strcmp(mode, "hopper") == 0) {
		if (fork() == 0) {
			if (mode[0] == 's')
				setsid();
			hop();
		}
	} else if (strcmp(mode, "respawn") == 0) {
		for (int i = 0; i < n; i++)
			if (fork() == 0)
				respawn();
	} else if (strcmp(mode, "stopped") == 0) {
		raise(SIGSTOP);
	} else if (strcmp(mode, "unwaited") == 0) {
		signal(SIGCHLD, SIG_IGN);
		while (time(NULL) < end) {
			if (fork() == 0) {
				clock_t from = clock();

				while (clock() - from < CLOCKS_PER_SEC / 4)
					;
				_exit(0);
			}
			while (wait(NULL) > 0)
				;
		}
	} else {
		fprintf(stderr, "run_tree: no mode '%s'\n", mode);
		return 2;
	}
	if (argc > 3)
		return 0; /* the first process does not stay */
	wait_forever();
}
