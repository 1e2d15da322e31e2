/* What `osprey run` adds to the start and end of a program, beside timeout(1), in one run and taken in turn.
 *
 * Each is started by posix_spawn and waited for; the differences of medians are what counts, and the quartiles show how
 * much the machine was disturbed. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

extern char **environ;

#define ROUNDS 1000
#define GOAL_NS (NS_PER_MS)

static const struct way {
	const char *name;
	const char *argv[10];
} ways[] = {
	{ "exec alone", { "/bin/true" } },
	{ "osprey run --quiet", { "build/osprey", "run", "--quiet", "--", "/bin/true" } },
	{ "osprey run, summary", { "build/osprey", "run", "--output", "/dev/null", "--", "/bin/true" } },
	{ "osprey run --timeout", { "build/osprey", "run", "--quiet", "--timeout", "10s", "--", "/bin/true" } },
	{ "osprey --version", { "build/osprey", "--version" } },
	{ "timeout 10", { "/usr/bin/timeout", "10", "/bin/true" } },
};

enum { NWAYS = sizeof ways / sizeof ways[0] };

static uint64_t samples[NWAYS][ROUNDS];

static uint64_t once(const struct way *w)
{
	static posix_spawn_file_actions_t quiet;
	static bool ready;
	int status;
	pid_t pid;

	if (!ready && (posix_spawn_file_actions_init(&quiet) != 0 ||
		       posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) != 0))
		exit(3);
	ready = true;
	uint64_t start = clock_mono_ns();
	if (posix_spawn(&pid, w->argv[0], &quiet, NULL, (char *const *)w->argv, environ) != 0 ||
	    waitpid(pid, &status, 0) != pid || status != 0) {
		fprintf(stderr, "%s: %s\n", w->argv[0], "could not be run");
		exit(3);
	}
	return clock_mono_ns() - start;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(void)
{
	uint64_t alone, added;

	for (int i = 0; i < ROUNDS; i++)
		for (int w = 0; w < NWAYS; w++)
			samples[w][i] = once(&ways[w]);
	for (int w = 0; w < NWAYS; w++)
		qsort(samples[w], ROUNDS, sizeof samples[w][0], ascending);
	alone = samples[0][ROUNDS / 2];
	printf("%-22s %10s %10s %10s %10s\n", "of 1000, in us", "quartile", "median", "quartile", "added");
	for (int w = 0; w < NWAYS; w++)
		printf("%-22s %10.0f %10.0f %10.0f %10.0f\n", ways[w].name, (double)samples[w][ROUNDS / 4] / 1e3,
		       (double)samples[w][ROUNDS / 2] / 1e3, (double)samples[w][ROUNDS * 3 / 4] / 1e3,
		       ((double)samples[w][ROUNDS / 2] - (double)alone) / 1e3);
	added = samples[2][ROUNDS / 2] - alone;
	printf("osprey run with its summary adds %.0f us to exec alone; goal: below 1000 us: %s\n", (double)added / 1e3,
	       added < GOAL_NS ? "met" : "MISSED");
	return added < GOAL_NS ? 0 : 1;
}
