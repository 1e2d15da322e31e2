/* Unit tests without a framework: each *_test.c is a program. CHECK reports and
 * goes on; check_exit() is main's return value. A test that cannot run here says
 * why with check_skip and counts as skipped, never as passed. */
#ifndef OSPREY_BASE_CHECK_H
#define OSPREY_BASE_CHECK_H

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_failures __attribute__((unused));
static int check_count __attribute__((unused));

#define CHECK(condition)                                                                   \
	do {                                                                               \
		check_count++;                                                             \
		if (!(condition)) {                                                        \
			check_failures++;                                                  \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
		}                                                                          \
	} while (0)

#define CHECK_U64(got, wanted)                                                                     \
	do {                                                                                       \
		uint64_t check_got = (got), check_wanted = (wanted);                               \
		check_count++;                                                                     \
		if (check_got != check_wanted) {                                                   \
			check_failures++;                                                          \
			fprintf(stderr, "%s:%d: %s is %" PRIu64 ", wanted %" PRIu64 "\n", __FILE__, \
				__LINE__, #got, check_got, check_wanted);                          \
		}                                                                                  \
	} while (0)

#define CHECK_NEAR(got, wanted, within)                                                            \
	do {                                                                                       \
		double check_got = (got), check_wanted = (wanted);                                 \
		check_count++;                                                                     \
		if (!(fabs(check_got - check_wanted) <= (within))) {                               \
			check_failures++;                                                          \
			fprintf(stderr, "%s:%d: %s is %g, wanted %g +- %g\n", __FILE__, __LINE__,  \
				#got, check_got, check_wanted, (double)(within));                  \
		}                                                                                  \
	} while (0)

#define CHECK_STR(got, wanted)                                                                   \
	do {                                                                                     \
		const char *check_got = (got), *check_wanted = (wanted);                         \
		check_count++;                                                                   \
		if (!check_got || strcmp(check_got, check_wanted) != 0) {                        \
			check_failures++;                                                        \
			fprintf(stderr, "%s:%d: %s is \"%s\", wanted \"%s\"\n", __FILE__, __LINE__, \
				#got, check_got ? check_got : "(null)", check_wanted);           \
		}                                                                                \
	} while (0)

/* Stops the test here and now: exit code 77, as automake's. */
#define check_skip(...)                     \
	do {                                \
		fputs("skip: ", stderr);    \
		fprintf(stderr, __VA_ARGS__); \
		fputc('\n', stderr);        \
		exit(77);                   \
	} while (0)

static inline int check_exit(void)
{
	if (check_failures)
		fprintf(stderr, "%d of %d checks failed\n", check_failures, check_count);
	return check_failures ? 1 : 0;
}

#endif
