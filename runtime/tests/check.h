/* What the runtime's tests share: checks that count, and a run with each number of processors. */
#ifndef RT_TESTS_CHECK_H
#define RT_TESTS_CHECK_H

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <osprey/rt.h>

static _Atomic int check_failed;

#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x);            \
			check_failed++;                                                            \
		}                                                                                  \
	} while (0)

#define MS INT64_C(1000000)

/* How much of what a test does is enough: tools that make everything slow set RT_LIGHTER, by which it is divided. */
static inline long check_load(long n)
{
	static _Atomic long lighter;
	long by = lighter;

	if (by == 0) {
		const char *text = getenv("RT_LIGHTER");
		by = text ? atol(text) : 1;
		lighter = by = by > 1 ? by : 1;
	}
	return n < by ? 1 : n / by;
}

struct check_test {
	const char *name;
	rt_function *run;
};

/* Runs each test as the first fiber, with 1 to 4 processors. */
static inline int check_all(const struct check_test *tests, size_t n)
{
	for (unsigned p = 1; p <= 4; p++) {
		struct rt_options options = { .processors = p };
		for (size_t i = 0; i < n; i++) {
			int before = check_failed;
			int r = rt_run(&options, tests[i].run, NULL);
			if (r != 0 || check_failed != before)
				fprintf(stderr, "failed: %s, P = %u, result %d\n", tests[i].name, p, r);
			check_failed += r != 0;
		}
	}
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
