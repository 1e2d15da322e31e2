/* The claims: on a host of 10 000 processes a whole run of the doctor stays within 3 % of one CPU
 * and 32 MiB of memory; `top -b` over the same time, with the same pace, stands beside it.
 *
 *   build/bench/doctor_crowd [PROCESSES [SECONDS]]
 *
 * Exit: 0 when both goals are reached, 1 when not, 3 when it could not be measured. */
#include "bench/crowd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define GOAL_PCT 3.0
#define GOAL_KIB (32 * 1024)

struct cost {
	double cpu_s, wall_s;
	long peak_kib;
	int status;
};

static double seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct cost run(char *const argv[])
{
	struct cost c = { .wall_s = now_s() };
	struct rusage used;
	/* Not vfork: the child's peak memory would be ours. */
	pid_t child = fork();

	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);
		if (null < 0 || dup2(null, 1) < 0)
			_exit(127);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (child < 0 || wait4(child, &c.status, 0, &used) < 0)
		return (struct cost){ .status = -1 };
	c.wall_s = now_s() - c.wall_s;
	c.cpu_s = seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
	c.peak_kib = used.ru_maxrss;
	return c;
}

static void tell(const char *name, struct cost c)
{
	printf("%-8s %6.2f %% of one CPU (%.0f ms in %.1f s), %.1f MiB at most\n", name,
	       100 * c.cpu_s / c.wall_s, 1e3 * c.cpu_s, c.wall_s, (double)c.peak_kib / 1024);
}

static bool measured(struct cost c)
{
	return c.status >= 0 && WIFEXITED(c.status) && WEXITSTATUS(c.status) < 2;
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 10000, started = 0;
	int seconds = argc > 2 ? atoi(argv[2]) : 5;
	char window[16], count[16];
	pid_t crowd = crowd_start(n, &started);

	if (crowd < 0 || started < n) {
		fprintf(stderr, "only %u of %u processes could be started\n", started, n);
		if (crowd > 0)
			crowd_end(crowd);
		return 3;
	}
	snprintf(window, sizeof window, "%ds", seconds);
	snprintf(count, sizeof count, "%d", seconds + 1);
	struct cost ours = run((char *[]){ "build/osprey", "doctor", "--window", window, NULL });
	struct cost top = run((char *[]){ "top", "-b", "-d", "1", "-n", count, NULL });
	crowd_end(crowd);
	if (!measured(ours)) {
		fputs("build/osprey doctor could not be run\n", stderr);
		return 3;
	}
	printf("%u processes\n", started);
	tell("osprey", ours);
	if (measured(top)) {
		tell("top", top);
		printf("osprey doctor / top: 1/%.1f of the CPU\n", top.cpu_s / ours.cpu_s);
	}
	bool cheap = 100 * ours.cpu_s / ours.wall_s <= GOAL_PCT, small = ours.peak_kib <= GOAL_KIB;
	printf("goal: at most %.0f %% of one CPU: %s; at most %d MiB: %s\n", GOAL_PCT, cheap ? "reached" : "missed",
	       GOAL_KIB / 1024, small ? "reached" : "missed");
	return cheap && small ? 0 : 1;
}
