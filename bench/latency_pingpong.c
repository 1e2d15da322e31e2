/* Two processes on one CPU pass a byte through two pipes: each round is two switches, two wakeups and four system
 * calls. Prints the CPU nanoseconds of a round. usage: latency_pingpong ROUNDS */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

static void pass(int in, int out, long rounds)
{
	char byte = 0;

	for (long i = 0; i < rounds; i++)
		if (read(in, &byte, 1) != 1 || write(out, &byte, 1) != 1)
			_exit(1);
}

int main(int argc, char *argv[])
{
	long rounds = argc > 1 ? atol(argv[1]) : 20000;
	int there[2], back[2];
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof one, &one);
	if (rounds <= 0 || pipe(there) < 0 || pipe(back) < 0)
		return 2;
	pid_t child = fork();
	if (child == 0) {
		pass(there[0], back[1], rounds);
		_exit(0);
	}
	(void)!write(there[1], "", 1);
	pass(back[0], there[1], rounds - 1);
	(void)!read(back[0], &(char){ 0 }, 1);
	struct rusage other;
	wait4(child, NULL, 0, &other);
	/* CPU time of both: what others take of the machine meanwhile is no cost of ours. */
	double ns = (double)clock_cpu_ns() + (double)other.ru_utime.tv_sec * 1e9 + (double)other.ru_utime.tv_usec * 1e3 +
		    (double)other.ru_stime.tv_sec * 1e9 + (double)other.ru_stime.tv_usec * 1e3;
	printf("%.0f\n", ns / (double)rounds);
	return 0;
}
