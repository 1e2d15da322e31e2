/* What the runtime's tests share: checks that count, and a run with each number of processors. */
#ifndef RT_TESTS_CHECK_H
#define RT_TESTS_CHECK_H

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <osprey/rt.h>

/* Built with a tool that has an allocator of its own, and memory of which the program knows nothing. */
#ifdef __has_feature
#define CHECK_HAS(feature) __has_feature(feature)
#else
#define CHECK_HAS(feature) 0
#endif
#if defined __SANITIZE_ADDRESS__ || CHECK_HAS(address_sanitizer)
#define SANITIZED_ADDRESS 1
#else
#define SANITIZED_ADDRESS 0
#endif
#if defined __SANITIZE_THREAD__ || CHECK_HAS(thread_sanitizer)
#define SANITIZED_THREAD 1
#else
#define SANITIZED_THREAD 0
#endif
#define SANITIZED (SANITIZED_ADDRESS || SANITIZED_THREAD)

#ifdef __has_include
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define ON_VALGRIND RUNNING_ON_VALGRIND
#endif
#endif
#ifndef ON_VALGRIND
#define ON_VALGRIND 0
#endif
/* Limits of the process would be those of the tool that runs it, which then gives up. */
#define BEARS_LIMITS (!SANITIZED && !ON_VALGRIND)
/* Who looks for pointers in all memory looks at what was never written, which Valgrind says. */
#define BEARS_TRACERS (!ON_VALGRIND)

/* Such tools leave faults to the runtime, and those that are none of its to the kernel; and refuse memory as malloc does. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
__attribute__((weak)) const char *__asan_default_options(void)
{
	return "handle_segv=0:allocator_may_return_null=1";
}
__attribute__((weak)) const char *__tsan_default_options(void)
{
	return "handle_segv=0:allocator_may_return_null=1";
}

static _Atomic int check_failed;

#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x);            \
			check_failed++;                                                            \
		}                                                                                  \
	} while (0)

#define MS INT64_C(1000000)

/* How much of what a test does is enough: tools that make everything slow set RT_LIGHTER, by which it is
 * divided. */
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

/* Clears what lies below the caller's frame: old words there are not to be taken for pointers. The compiler must not see that nobody
 * reads what it writes. */
__attribute__((noinline, unused)) static void wipe_stack(void)
{
	char old[8192];

	memset(old, 0, sizeof old);
	__asm__ volatile("" : : "r"(old) : "memory");
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

/* The same where io_uring is refused, from here on: what differs. */
static inline int check_all_without_ring(const struct check_test *tests, size_t n)
{
	setenv("OSPREY_RT_URING", "0", 1);
	return check_all(tests, n);
}

/* What all threads of the process have used of CPUs. */
static inline int64_t check_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000 * MS + t.tv_nsec;
}

#endif
