/* The claim: on a small host every one-shot view takes no longer than its peer, or under 5 ms.
 *
 *   build/bench/views OSPREY [RUNS]
 *
 * Wall time from fork to exit, output to /dev/null, ours and the peer's in turn; medians. Exit: 0 when all
 * reach the goal, 1 when not, 3 when none could be measured. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define GOAL_MS 5.0
#define MAX_RUNS 201

static const struct pair {
	const char *ours[4], *peer[4];
} pairs[] = {
	{ { "ps" }, { "ps", "aux" } },
	{ { "tree" }, { "ps", "auxf" } },
	{ { "memory" }, { "free" } },
	{ { "cpu" }, { "vmstat" } },
	{ { "cpu" }, { "mpstat", "-P", "ALL" } },
	{ { "disk" }, { "iostat", "-x" } },
	{ { "disk", "--table", "filesystems" }, { "df" } },
	{ { "sockets", "--summary" }, { "ss", "-s" } },
	{ { "sockets" }, { "ss", "-tunap" } },
	{ { "net" }, { "ip", "-s", "link" } },
	{ { "irq" }, { "mpstat", "-I", "ALL" } },
	{ { "slab" }, { "slabtop", "-o" } },
	{ { "log" }, { "dmesg" } },
};

/* ns from start to end; 0: it could not be run. */
static uint64_t run_ns(const char *program, const char *const *words)
{
	const char *argv[6] = { program };
	uint64_t from = clock_mono_ns();
	int status;

	for (unsigned i = 0; i < 4 && words[i]; i++)
		argv[i + 1] = words[i];
	pid_t child = vfork();
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);
		if (null < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
			_exit(127);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return 0;
	return clock_mono_ns() - from;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static double median_ms(uint64_t *v, unsigned n)
{
	qsort(v, n, sizeof *v, by_value);
	return (double)v[n / 2] / 1e6;
}

static void words(const char *const *w, char *ret, size_t size)
{
	size_t n = 0;

	ret[0] = '\0';
	for (unsigned i = 0; i < 4 && w[i] && n < size; i++)
		n += (size_t)snprintf(ret + n, size - n, "%s%s", i ? " " : "", w[i]);
}

/* 0: reached, 1: missed, 3: not measurable. */
static int measure(const char *osprey, const struct pair *p, unsigned runs)
{
	static uint64_t ours[MAX_RUNS], theirs[MAX_RUNS];
	char our_words[64], peer_words[64];

	words(p->ours, our_words, sizeof our_words);
	words(p->peer, peer_words, sizeof peer_words);
	for (unsigned i = 0; i < runs; i++) {
		ours[i] = run_ns(osprey, p->ours);
		theirs[i] = run_ns(p->peer[0], p->peer + 1);
		if (!ours[i] || !theirs[i]) {
			printf("%-24s not measurable: %s fails here\n", our_words, ours[i] ? peer_words : "osprey");
			return 3;
		}
	}
	double a = median_ms(ours, runs), b = median_ms(theirs, runs);
	bool reached = a <= b || a < GOAL_MS;
	printf("%-24s %6.2f ms; %-16s %6.2f ms; ratio %.2f: %s\n", our_words, a, peer_words, b, b / a,
	       reached ? "reached" : "missed");
	return reached ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *osprey = argc > 1 ? argv[1] : "build/osprey";
	unsigned runs = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 41, missed = 0, measured = 0;

	if (runs < 1 || runs > MAX_RUNS) {
		fprintf(stderr, "%s: 1 to %d runs\n", argv[0], MAX_RUNS);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		int r = measure(osprey, &pairs[i], runs);

		missed += r == 1;
		measured += r != 3;
	}
	return !measured ? 3 : missed > 0;
}
