/* Scopes: nobody outlives them, cancellation reaches every kind of wait, results; and values of a fiber. */
#include <errno.h>
#include <string.h>

#include "check.h"

static _Atomic int ended, cancelled, begun;
static struct rt_chan *channel;
static struct rt_mutex mutex;
static struct rt_event event;
static struct rt_semaphore semaphore;

static int sleeps(void *arg)
{
	int r = rt_sleep((int64_t)(intptr_t)arg * MS);

	cancelled += r == -ECANCELED;
	ended++;
	return r;
}

static int waits_for_all(void *arg)
{
	struct rt_scope s;

	(void)arg;
	ended = 0;
	rt_scope_open(&s, RT_FOREVER);
	for (intptr_t i = 0; i < 50; i++)
		CHECK(rt_scope_go(&s, sleeps, (void *)(i % 5)) == 0);
	CHECK(rt_scope_close(&s) == 0);
	CHECK(ended == 50);
	rt_scope_open(&s, RT_FOREVER);
	CHECK(rt_scope_close(&s) == 0);
	return 0;
}

static int waits_for_event(void *arg)
{
	return rt_event_wait(arg, RT_FOREVER);
}

/* One for each kind of wait. */
static int waits_somehow(void *arg)
{
	struct rt_case cases[] = { { .chan = channel }, { .chan = NULL } };
	struct rt_condition condition = { 0 };
	struct rt_mutex own = { 0 };
	struct rt_event enough = { 0 };
	struct rt_fiber child;
	long value;
	int r = 0;

	switch ((intptr_t)arg) {
	case 0: r = rt_sleep(3600 * 1000 * MS); break;
	case 1: r = rt_receive(channel, &value, RT_FOREVER); break;
	case 2: r = rt_select(cases, 2, RT_FOREVER); break;
	case 3: r = rt_select(cases, 2, rt_now() + 3600 * 1000 * MS); break;
	case 4: r = rt_lock(&mutex, RT_FOREVER); break;
	case 5: r = rt_event_wait(&event, RT_FOREVER); break;
	case 6: r = rt_semaphore_wait(&semaphore, 1, RT_FOREVER); break;
	case 7: r = rt_receive(NULL, NULL, RT_FOREVER); break;
	case 8: r = rt_select(NULL, 0, RT_FOREVER); break;
	case 9:
		rt_lock(&own, RT_FOREVER);
		r = rt_condition_wait(&condition, &own, RT_FOREVER);
		CHECK(!rt_try_lock(&own));
		rt_unlock(&own);
		break;
	case 10:
		CHECK(rt_spawn(waits_for_event, &enough, NULL, &child) == 0);
		r = rt_join(child, NULL, RT_FOREVER);
		rt_event_set(&enough);
		rt_shield_begin();
		CHECK(rt_join(child, NULL, RT_FOREVER) == 0);
		rt_shield_end();
		break;
	}
	CHECK(r == -ECANCELED);
	CHECK(rt_cancelled());
	cancelled++;
	return r;
}
#define KINDS 11

static int cancels_every_wait(void *arg)
{
	struct rt_scope s;

	(void)arg;
	for (int round = 0; round < 2 + check_load(18); round++) {
		cancelled = 0;
		CHECK(rt_chan_new(sizeof(long), 0, &channel) == 0);
		CHECK(rt_lock(&mutex, RT_FOREVER) == 0);
		memset(&event, 0, sizeof event);
		rt_semaphore_init(&semaphore, 0);
		rt_scope_open(&s, RT_FOREVER);
		for (intptr_t i = 0; i < 2 * KINDS; i++)
			CHECK(rt_scope_go(&s, waits_somehow, (void *)(i % KINDS)) == 0);
		/* They wait, begin to, or have not run at all. */
		if (round % 2)
			rt_sleep(round * MS / 10);
		rt_scope_cancel(&s);
		CHECK(rt_scope_go(&s, sleeps, NULL) == -ECANCELED);
		CHECK(rt_scope_close(&s) == 0);
		CHECK(cancelled == 2 * KINDS);
		rt_unlock(&mutex);
		rt_chan_free(channel);
	}
	return 0;
}

static int fails(void *arg)
{
	rt_sleep(MS);
	return (int)(intptr_t)arg;
}

static int one_fails(void *arg)
{
	struct rt_scope s;

	(void)arg;
	cancelled = 0;
	rt_scope_open(&s, RT_FOREVER);
	rt_scope_go(&s, sleeps, (void *)3600000);
	rt_scope_go(&s, fails, (void *)(intptr_t)-EIO);
	rt_scope_go(&s, sleeps, (void *)3600000);
	CHECK(rt_scope_close(&s) == -EIO);
	CHECK(cancelled == 2);
	return 0;
}

static int deadline_passes(void *arg)
{
	struct rt_scope s;
	int64_t deadline = rt_now() + 5 * MS;

	(void)arg;
	cancelled = 0;
	rt_scope_open(&s, deadline);
	rt_scope_go(&s, sleeps, (void *)3600000);
	CHECK(rt_scope_close(&s) == -ETIMEDOUT);
	CHECK(cancelled == 1 && rt_now() >= deadline);
	return 0;
}

/* Three levels; the innermost shields a wait. */
static int inner(void *arg)
{
	struct rt_scope s;
	intptr_t depth = (intptr_t)arg;

	if (depth == 0) {
		rt_shield_begin();
		CHECK(rt_sleep(2 * MS) == 0);
		CHECK(!rt_cancelled());
		rt_shield_end();
		begun++;
		return sleeps((void *)3600000);
	}
	rt_scope_open(&s, RT_FOREVER);
	for (int i = 0; i < 3; i++)
		rt_scope_go(&s, inner, (void *)(depth - 1));
	return rt_scope_close(&s);
}

static int nested(void *arg)
{
	struct rt_scope s;

	(void)arg;
	for (int round = 0; round < 10; round++) {
		cancelled = 0;
		rt_scope_open(&s, RT_FOREVER);
		rt_scope_go(&s, inner, (void *)2);
		rt_sleep(round * MS / 5);
		rt_scope_cancel(&s);
		CHECK(rt_scope_close(&s) == 0);
		CHECK(cancelled <= 9);
	}
	/* All nine have begun, or are about to begin, their long sleep. */
	cancelled = begun = 0;
	rt_scope_open(&s, RT_FOREVER);
	rt_scope_go(&s, inner, (void *)2);
	while (begun < 9)
		rt_sleep(MS);
	rt_scope_cancel(&s);
	CHECK(rt_scope_close(&s) == 0);
	CHECK(cancelled == 9);
	return 0;
}

/* Cancellation races with the values that end the same waits: none is lost. */
static int receives(void *arg)
{
	_Atomic int *got = arg;
	long v;

	while (rt_receive(channel, &v, RT_FOREVER) == 0)
		++*got;
	return 0;
}

static int cancel_races(void *arg)
{
	(void)arg;
	for (int round = 0, rounds = (int)check_load(100); round < rounds; round++) {
		struct rt_scope s;
		_Atomic int got = 0;
		int sent = 0;
		CHECK(rt_chan_new(sizeof(long), (size_t)round % 3, &channel) == 0);
		rt_scope_open(&s, RT_FOREVER);
		for (int i = 0; i < 4; i++)
			rt_scope_go(&s, receives, &got);
		for (long i = 0; i < round; i++)
			sent += rt_send(channel, &i, rt_now() + MS) == 0;
		rt_scope_cancel(&s);
		for (long i = 0; i < 20; i++)
			sent += rt_send(channel, &i, rt_now() + 20000) == 0;
		CHECK(rt_scope_close(&s) == 0);
		CHECK((size_t)got + rt_chan_length(channel) == (size_t)sent);
		rt_chan_free(channel);
	}
	return 0;
}

static unsigned key;
static _Atomic int destroyed;

static void destroy(void *value)
{
	free(value);
	destroyed++;
}

static int has_its_own(void *arg)
{
	CHECK(rt_local_get(key) == NULL);
	int *v = malloc(sizeof *v);
	*v = (int)(intptr_t)arg;
	CHECK(rt_local_set(key, v) == 0);
	rt_sleep(MS);
	CHECK(rt_local_get(key) == v && *v == (int)(intptr_t)arg);
	CHECK(rt_local_set(RT_LOCALS, v) == -EINVAL);
	return 0;
}

static int locals(void *arg)
{
	struct rt_scope s;

	(void)arg;
	if (destroyed == 0)
		CHECK(rt_local_new(destroy, &key) == 0);
	destroyed = 0;
	for (int round = 0; round < 3; round++) {
		rt_scope_open(&s, RT_FOREVER);
		for (intptr_t i = 0; i < 40; i++)
			rt_scope_go(&s, has_its_own, (void *)i);
		CHECK(rt_scope_close(&s) == 0);
	}
	CHECK(destroyed == 120);
	return 0;
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "closing waits for all", waits_for_all },
		{ "every wait can be cancelled", cancels_every_wait },
		{ "one fails", one_fails },
		{ "the deadline passes", deadline_passes },
		{ "nested scopes", nested },
		{ "cancellation races with values", cancel_races },
		{ "values of a fiber", locals },
	};
	return check_all(tests, sizeof tests / sizeof *tests);
}
