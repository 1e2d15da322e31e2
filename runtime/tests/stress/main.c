/* rt-stress: programs by chance (stress.h), for STRESS_SECONDS (25) or as told. */
#include "stress.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef RT_PERTURB
#include "../delays.h"
#else
static void delays_begin(uint64_t seed, unsigned one_in)
{
	(void)seed;
	(void)one_in;
}
#endif

#define BATCH_OF_SMALL 50

static struct {
	uint64_t seed;
	bool one;
	double seconds;
	unsigned patience_s;
	const char *only;
} options = { .seconds = 25, .patience_s = 60 };

static uint64_t done[4];

static const char *current;
static uint64_t current_seed;

/* A program that does not end is a finding. */
static void too_long(int signal)
{
	(void)signal;
	dprintf(STDERR_FILENO, "it does not end: --only %s --seed %" PRIu64 "\n", current, current_seed);
	abort();
}

static void watch(const char *what, uint64_t seed)
{
	current = what;
	current_seed = seed;
	alarm(options.patience_s);
}

struct batch {
	uint64_t from;
	unsigned n, tries;
	bool well;
};

static int small_batch(void *arg)
{
	struct batch *b = arg;

	b->well = true;
	for (uint64_t seed = b->from; seed < b->from + b->n && b->well; seed++) {
		watch("small", seed);
		b->well = small_run(seed, b->tries);
	}
	return 0;
}

static bool small(uint64_t from, unsigned n, unsigned tries)
{
	struct rt_options o = { .processors = 1 + (unsigned)(from / BATCH_OF_SMALL % 4) };
	struct batch b = { from, n, tries, false };

	delays_begin(from, from % 3 == 0 ? 0 : from % 3 == 1 ? 10 : 60);
	int r = rt_run(&o, small_batch, &b);
	if (r < 0)
		fprintf(stderr, "rt_run: %s\n", strerror(-r));
	done[0] += (uint64_t)n * tries;
	if (!b.well)
		fprintf(stderr, "P = %u, of the batch from %" PRIu64 "\n", o.processors, from);
	return r == 0 && b.well;
}

static bool network(uint64_t seed)
{
	watch("network", seed);
	delays_begin(seed, seed % 2 ? 20 : 0);
	done[1]++;
	return network_run(seed);
}

static bool crowd(uint64_t seed)
{
	watch("crowd", seed);
	delays_begin(seed, seed % 3 == 0 ? 0 : 500);
	done[2]++;
	return crowd_run(seed);
}

/* Hardly any delays: they give a CPU the time to write back what it stored. */
static bool traffic(uint64_t seed)
{
	static const unsigned one_in[] = { 0, 20, 0, 100 };

	watch("traffic", seed);
	delays_begin(seed, one_in[seed / BATCH_OF_SMALL % 4]);
	done[3]++;
	return traffic_run(seed);
}

static bool wanted(const char *what)
{
	return !options.only || !strcmp(options.only, what);
}

static bool all(void)
{
	int64_t until = rt_now() + (int64_t)(options.seconds * 1e9);
	uint64_t seed = options.seed;

	while (rt_now() < until) {
		for (uint64_t i = 0; wanted("small") && i < 4; i++, seed += BATCH_OF_SMALL)
			if (!small(seed, BATCH_OF_SMALL, 1))
				return false;
		if (wanted("network") && !network(seed))
			return false;
		if (wanted("crowd") && !crowd(seed))
			return false;
		if (wanted("traffic") && !traffic(seed))
			return false;
		seed += BATCH_OF_SMALL;
	}
	return true;
}

static bool one(void)
{
	return (!wanted("small") || small(options.seed, 1, 2000)) && (!wanted("network") || network(options.seed)) &&
	       (!wanted("crowd") || crowd(options.seed)) && (!wanted("traffic") || traffic(options.seed));
}

static int usage(const char *name)
{
	fprintf(stderr, "usage: %s [--seed N] [--seconds S] [--patience S] [--only small|network|crowd|traffic]\n"
			"With a seed and no time: that program, again and again. Patience (60): for one that does not end.\n", name);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' }, { "seconds", required_argument, NULL, 't' },
		{ "only", required_argument, NULL, 'o' }, { "patience", required_argument, NULL, 'p' }, { 0 },
	};
	const char *seconds = getenv("STRESS_SECONDS");
	bool timed = false;
	int c;

	if (seconds)
		options.seconds = atof(seconds);
	options.seed = (uint64_t)rt_now() / 1000 * BATCH_OF_SMALL;
	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		switch (c) {
		case 's': options.seed = strtoull(optarg, NULL, 0); options.one = true; break;
		case 't': options.seconds = atof(optarg); timed = true; break;
		case 'o': options.only = optarg; break;
		case 'p': options.patience_s = (unsigned)atoi(optarg); break;
		default: return usage(argv[0]);
		}
	}
	signal(SIGALRM, too_long);
	printf("rt-stress: from seed %" PRIu64 "\n", options.seed);
	fflush(stdout);
	bool well = options.one && !timed ? one() : all();
	printf("rt-stress: %" PRIu64 " small programs, %" PRIu64 " networks, %" PRIu64 " crowds, %" PRIu64 " of traffic%s\n",
	       done[0], done[1], done[2], done[3], well ? "" : ": failed");
	return well ? EXIT_SUCCESS : EXIT_FAILURE;
}
