/* A mutex that nobody has waited for yet: who gives it back without an atomic instruction and who is the
 * first to wait, at once. */
#include <string.h>

#include "check.h"
#include "delays.h"

#define FIBERS 5
#define EACH 4

/* Whoever has it last frees it at once, and what it was is overwritten. */
struct fresh {
	struct rt_mutex mutex;
	long taken;	/* under it */
};

static _Atomic long failures;

static int takes_some(void *arg)
{
	struct fresh *fresh = arg;

	for (int i = 0; i < EACH; i++) {
		if (rt_lock(&fresh->mutex, RT_FOREVER) < 0)
			failures++;
		long n = fresh->taken + 1;
		if (i % 2)
			rt_yield();
		fresh->taken = n;
		rt_unlock(&fresh->mutex);
		if (n < FIBERS * EACH)
			continue;
		memset(fresh, 0xa5, sizeof *fresh);
		rt_free(fresh);
	}
	return 0;
}

static int first_to_wait(void *arg)
{
	(void)arg;
	for (long i = check_load(1000); i > 0; i--) {
		struct fresh *fresh = rt_calloc(1, sizeof *fresh);
		struct rt_fiber f[FIBERS];
		CHECK(fresh);
		for (int k = 0; k < FIBERS; k++)
			CHECK(rt_spawn(takes_some, fresh, NULL, &f[k]) == 0);
		for (int k = 0; k < FIBERS; k++)
			CHECK(rt_join(f[k], NULL, RT_FOREVER) == 0);
	}
	CHECK(failures == 0);
	return 0;
}

/* The word says what it is: taken and given back alone, waited for once, and again alone. */
static int waits_once(void *arg)
{
	rt_lock(arg, RT_FOREVER);
	rt_unlock(arg);
	return 0;
}

static int stays_usable(void *arg)
{
	struct rt_mutex m = { 0 };
	struct rt_fiber f;

	(void)arg;
	for (int i = 0; i < 3; i++) {
		CHECK(rt_lock(&m, RT_FOREVER) == 0 && !rt_try_lock(&m));
		rt_unlock(&m);
		CHECK(rt_try_lock(&m));
		CHECK(rt_spawn(waits_once, &m, NULL, &f) == 0);
		rt_sleep(MS);
		rt_unlock(&m);
		CHECK(rt_join(f, NULL, RT_FOREVER) == 0);
		CHECK(rt_lock(&m, 0) == 0);
		rt_unlock(&m);
	}
	return 0;
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "the first to wait", first_to_wait },
		{ "a mutex that was waited for", stays_usable },
	};

	delays_begin(7, 4);
	return check_all(tests, sizeof tests / sizeof *tests);
}
