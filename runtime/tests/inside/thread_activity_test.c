/* What is read of threads: who sleeps, who computes, and names that look like something else. */
#include "thread_activity.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "check.h"

static _Atomic int computing, sleeping, over;
static int never[2];

static void *computes(void *unused)
{
	(void)unused;
	/* As if the state were another. */
	prctl(PR_SET_NAME, "a) S (b");
	computing = gettid();
	while (!over)
		;
	return NULL;
}

static void *sleeps(void *unused)
{
	char byte;

	(void)unused;
	prctl(PR_SET_NAME, "a) R (b");
	sleeping = gettid();
	CHECK(read(never[0], &byte, 1) == 0);
	return NULL;
}

int main(void)
{
	pthread_t computer, sleeper;

	CHECK(pipe(never) == 0);
	CHECK(pthread_create(&computer, NULL, computes, NULL) == 0);
	CHECK(pthread_create(&sleeper, NULL, sleeps, NULL) == 0);
	while (!computing || !sleeping)
		;
	/* It will. */
	while (!thread_sleeps(sleeping))
		;
	int64_t computed = thread_cpu_ns(computing);
	CHECK(computed > 0 && thread_cpu_ns(sleeping) > 0);
	while (thread_cpu_ns(computing) < computed + 3000000)
		CHECK(!thread_sleeps(computing));
	CHECK(!thread_sleeps(gettid()));
	over = 1;
	close(never[1]);
	pthread_join(computer, NULL);
	pthread_join(sleeper, NULL);
	/* The kernel forgets it a moment after it was joined. */
	while (thread_cpu_ns(computing) != -1)
		;
	CHECK(thread_sleeps(computing));
	CHECK(thread_cpu_ns(0) == -1 && thread_cpu_ns(-1) == -1);
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
