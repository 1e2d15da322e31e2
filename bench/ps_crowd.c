/* The claim: on a host of 10 000 processes `osprey ps` is at least 3 times faster than `ps aux` and 5
 * times faster than `top -b -n1`, start to end, with columns alike; side by side in one run.
 *
 *   build/bench/ps_crowd OSPREY [PROCESSES [RUNS]]
 *
 * Wall time from fork to exit, output to /dev/null; medians. Exit: 0 when the goals are reached, 1 when
 * not, 3 when it could not be measured. */
#include "bench/crowd.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"

#define MAX_RUNS 101

struct program {
	const char *name;
	const char *const *argv;
	double goal; /* times slower than osprey */
	uint64_t ns[MAX_RUNS];
};

/* ns from start to end; 0: it could not be run. */
static uint64_t run_ns(const char *const *argv)
{
	uint64_t from = clock_mono_ns();
	int status;
	pid_t child = vfork();

	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);
		if (null < 0 || dup2(null, 1) < 0)
			_exit(127);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return 0;
	return clock_mono_ns() - from;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static double median_ms(struct program *p, unsigned n)
{
	qsort(p->ns, n, sizeof *p->ns, by_value);
	return (double)p->ns[n / 2] / 1e6;
}

static int measure(struct program *programs, size_t n, unsigned runs)
{
	for (unsigned i = 0; i < runs; i++)
		for (size_t k = 0; k < n; k++)
			if (!(programs[k].ns[i] = run_ns(programs[k].argv))) {
				fprintf(stderr, "%s could not be run\n", programs[k].name);
				return 3;
			}
	double ours = median_ms(&programs[0], runs);
	bool reached = true;
	printf("%-16s %8.1f ms (%.1f … %.1f), median of %u\n", programs[0].name, ours, (double)programs[0].ns[0] / 1e6,
	       (double)programs[0].ns[runs - 1] / 1e6, runs);
	for (size_t k = 1; k < n; k++) {
		double theirs = median_ms(&programs[k], runs);

		printf("%-16s %8.1f ms (%.1f … %.1f): %.1f times as long; goal %.0f: %s\n", programs[k].name, theirs,
		       (double)programs[k].ns[0] / 1e6, (double)programs[k].ns[runs - 1] / 1e6, theirs / ours,
		       programs[k].goal, theirs / ours >= programs[k].goal ? "reached" : "missed");
		reached = reached && theirs / ours >= programs[k].goal;
	}
	return reached ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *const osprey[] = { argc > 1 ? argv[1] : "build/osprey", "ps", "--columns",
				       "user,pid,cpu_pct,memory_pct,virtual_bytes,rss_bytes,tty,state,start,cpu_ns,command", NULL };
	const char *const ps[] = { "ps", "aux", NULL }, *const top[] = { "top", "-b", "-n1", NULL };
	static struct program programs[3];
	unsigned n = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 10000, started = 0;
	unsigned runs = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 7;
	int result = 3;

	if (n > 25000 || runs < 1 || runs > MAX_RUNS) {
		fprintf(stderr, "%s: at most 25000 processes and 1 to %d runs\n", argv[0], MAX_RUNS);
		return 2;
	}
	programs[0] = (struct program){ .name = "osprey ps", .argv = osprey };
	programs[1] = (struct program){ .name = "ps aux", .argv = ps, .goal = 3 };
	programs[2] = (struct program){ .name = "top -b -n1", .argv = top, .goal = 5 };
	setvbuf(stdout, NULL, _IOLBF, 0);
	pid_t first = crowd_start(n, &started);
	if (first < 0 || started < n)
		fprintf(stderr, "only %u of %u processes could be started\n", started, n);
	else
		result = measure(programs, 3, runs);
	if (first > 0)
		crowd_end(first);
	return result;
}
