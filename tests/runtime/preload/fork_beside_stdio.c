/* Forks for two seconds, while one thread reads lines and another flushes all streams. usage: fork_beside_stdio FILE */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *path;

static void *reads(void *arg)
{
	for (;;) {
		FILE *f = fopen(path, "r");
		char *line = NULL;
		size_t n = 0;
		while (f && getline(&line, &n, f) > 0)
			;
		free(line);
		if (f)
			fclose(f);
	}
	return arg;
}

static void *flushes(void *arg)
{
	for (;;)
		fflush(NULL);
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	time_t end = time(NULL) + 2;

	path = argv[argc - 1];
	pthread_create(&thread, NULL, reads, NULL);
	pthread_create(&thread, NULL, flushes, NULL);
	for (int i = 0; i < 1000 && time(NULL) < end; i++) {
		pid_t pid = fork();
		/* The child has the list of streams free, too. */
		if (pid == 0) {
			alarm(20);
			FILE *f = fopen("/dev/null", "w");
			_exit(f && fclose(f) == 0 ? 0 : 1);
		}
		int status = 1;
		if (waitpid(pid, &status, 0) != pid || status != 0)
			_exit(1);
	}
	_exit(0);
}
