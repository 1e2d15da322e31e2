/* Calls a function N times and tells what a call takes, in ns of CPU time of its own: the wall clock of a machine that is
 * shared says little. `syscall`: calls getppid in place of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

__attribute__((noinline)) int probed(int i);
__attribute__((noinline)) int probed(int i)
{
	__asm__ volatile("nop" : : : "memory");
	return i;
}

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 100000, by_syscall = argc > 2 && strcmp(argv[2], "syscall") == 0;
	double before = cpu_ns();

	for (int i = 0; i < n; i++) {
		if (by_syscall)
			syscall(SYS_getppid);
		else
			probed(i);
	}
	printf("%.1f\n", (cpu_ns() - before) / n);
	return 0;
}
