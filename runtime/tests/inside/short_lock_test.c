/* Who waits for a short lock does not end in the midst of it: malloc takes such locks, and is no place where
 * threads are cancelled. */
#include <pthread.h>
#include <time.h>

#include "check.h"
#include "short_lock.h"

static struct short_lock lock;
static _Atomic bool waits;

static void *takes(void *arg)
{
	int before;

	pthread_cancel(pthread_self());
	waits = true;
	short_lock_take(&lock);
	short_lock_give(&lock);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	return arg;
}

int main(void)
{
	pthread_t thread;
	void *end = NULL;

	/* Long enough to be waited for in all ways. */
	short_lock_take(&lock);
	CHECK(pthread_create(&thread, NULL, takes, &lock) == 0);
	while (!waits)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	short_lock_give(&lock);
	pthread_join(thread, &end);
	CHECK(end == &lock && short_lock_try(&lock));
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
