/* Mutexes and the like: exclusion, order, deadlines, nothing lost. */
#include <errno.h>
#include <string.h>

#include "check.h"

#define FIBERS 100
#define ROUNDS (20 + (int)check_load(180))

static struct rt_mutex mutex;
static struct rt_rwlock rw;
static struct rt_semaphore semaphore;
static struct rt_event event, enough;
static struct rt_condition not_empty, not_full;
static struct rt_wait_group group;
static struct rt_once once;
static int64_t plain, other;	/* without atomics: the lock orders them */
static _Atomic int inside, most_inside;

static int start_all(int n, rt_function *f, void *arg)
{
	rt_wait_group_add(&group, n);
	for (int i = 0; i < n; i++)
		CHECK(rt_go(f, arg) == 0);
	CHECK(rt_wait_group_wait(&group, RT_FOREVER) == 0);
	return 0;
}

static int adds(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(rt_lock(&mutex, RT_FOREVER) == 0);
		int64_t was = plain;
		if (i % 16 == 0)
			rt_yield();
		plain = was + 1;
		rt_unlock(&mutex);
	}
	rt_wait_group_done(&group);
	return 0;
}

static int excludes(void *arg)
{
	(void)arg;
	plain = 0;
	start_all(FIBERS, adds, NULL);
	CHECK(plain == FIBERS * ROUNDS);
	CHECK(rt_try_lock(&mutex));
	CHECK(!rt_try_lock(&mutex));
	rt_unlock(&mutex);
	return 0;
}

static int holds(void *arg)
{
	(void)arg;
	CHECK(rt_lock(&mutex, RT_FOREVER) == 0);
	rt_event_set(&event);
	CHECK(rt_event_wait(&enough, RT_FOREVER) == 0);
	rt_unlock(&mutex);
	rt_wait_group_done(&group);
	return 0;
}

static int times_out(void *arg)
{
	(void)arg;
	memset(&event, 0, sizeof event);
	memset(&enough, 0, sizeof enough);
	rt_wait_group_add(&group, 1);
	rt_go(holds, NULL);
	CHECK(rt_event_wait(&event, RT_FOREVER) == 0);
	int64_t deadline = rt_now() + 5 * MS;
	CHECK(rt_lock(&mutex, deadline) == -ETIMEDOUT);
	CHECK(rt_now() >= deadline);
	CHECK(rt_lock(&mutex, 0) == -ETIMEDOUT);
	rt_event_set(&enough);
	CHECK(rt_lock(&mutex, RT_FOREVER) == 0);
	rt_unlock(&mutex);
	return rt_wait_group_wait(&group, RT_FOREVER);
}

/* Deadlines that pass while the lock changes hands: each either holds it or does not. */
static int hurries(void *arg)
{
	_Atomic int *taken = arg;

	for (int i = 0; i < 50; i++) {
		int r = rt_lock(&mutex, rt_now() + (i % 7) * 20000);
		CHECK(r == 0 || r == -ETIMEDOUT);
		if (r < 0)
			continue;
		plain++;
		(*taken)++;
		if (i % 3 == 0)
			rt_sleep(10000);
		rt_unlock(&mutex);
	}
	rt_wait_group_done(&group);
	return 0;
}

static int deadlines_race(void *arg)
{
	_Atomic int taken = 0;

	(void)arg;
	plain = 0;
	start_all(30, hurries, &taken);
	CHECK(plain == taken);
	CHECK(rt_lock(&mutex, 0) == 0);
	rt_unlock(&mutex);
	return 0;
}

static int reads_and_writes(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		int64_t deadline = i % 10 == 9 ? rt_now() + 50000 : RT_FOREVER;
		if (i % 5 == 0) {
			if (rt_write_lock(&rw, deadline) < 0)
				continue;
			CHECK(++inside == 1);
			plain++;
			other++;
			if (i % 20 == 0)
				rt_yield();
			CHECK(inside-- == 1);
			rt_write_unlock(&rw);
		} else {
			if (rt_read_lock(&rw, deadline) < 0)
				continue;
			CHECK(plain == other);
			if (i % 8 == 0)
				rt_yield();
			CHECK(inside == 0);
			rt_read_unlock(&rw);
		}
	}
	rt_wait_group_done(&group);
	return 0;
}

static int readers_and_writers(void *arg)
{
	(void)arg;
	plain = other = 0;
	start_all(FIBERS, reads_and_writes, NULL);
	CHECK(plain == other && plain > 0);
	CHECK(rt_write_lock(&rw, 0) == 0);
	rt_write_unlock(&rw);
	CHECK(rt_read_lock(&rw, 0) == 0);
	CHECK(rt_read_lock(&rw, 0) == 0);
	CHECK(rt_write_lock(&rw, 0) == -ETIMEDOUT);
	rt_read_unlock(&rw);
	rt_read_unlock(&rw);
	return 0;
}

/* A writer that gives up lets the readers behind it in. */
static int impatient_writer(void *arg)
{
	CHECK(rt_write_lock(&rw, rt_now() + 10 * MS) == -ETIMEDOUT);
	rt_wait_group_done(&group);
	return arg != NULL;
}

static int late_reader(void *arg)
{
	CHECK(rt_read_lock(&rw, RT_FOREVER) == 0);
	rt_read_unlock(&rw);
	rt_wait_group_done(&group);
	return arg != NULL;
}

static int writer_gives_up(void *arg)
{
	(void)arg;
	CHECK(rt_read_lock(&rw, RT_FOREVER) == 0);
	rt_wait_group_add(&group, 2);
	rt_go(impatient_writer, NULL);
	rt_sleep(2 * MS);
	rt_go(late_reader, NULL);
	CHECK(rt_wait_group_wait(&group, RT_FOREVER) == 0);
	rt_read_unlock(&rw);
	return 0;
}

static int at_most_three(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++) {
		uint64_t n = 1 + (uint64_t)i % 3;
		if (rt_semaphore_wait(&semaphore, n, i % 4 ? RT_FOREVER : rt_now() + 30000) < 0)
			continue;
		inside += (int)n;
		int now = atomic_load(&inside);
		CHECK(now <= 3);
		if (now > most_inside)
			most_inside = now;
		if (i % 4 == 0)
			rt_yield();
		inside -= (int)n;
		rt_semaphore_post(&semaphore, n);
	}
	rt_wait_group_done(&group);
	return 0;
}

static int semaphores(void *arg)
{
	(void)arg;
	rt_semaphore_init(&semaphore, 3);
	inside = most_inside = 0;
	start_all(20, at_most_three, NULL);
	CHECK(most_inside == 3);
	CHECK(rt_semaphore_try(&semaphore, 3));
	CHECK(!rt_semaphore_try(&semaphore, 1));
	CHECK(rt_semaphore_wait(&semaphore, 1, 0) == -ETIMEDOUT);
	rt_semaphore_post(&semaphore, 3);
	return 0;
}

#define ROOM 4
static int buffer[ROOM], nbuffer;

static int produces(void *arg)
{
	(void)arg;
	for (int i = 1; i <= ROUNDS; i++) {
		rt_lock(&mutex, RT_FOREVER);
		while (nbuffer == ROOM)
			CHECK(rt_condition_wait(&not_full, &mutex, RT_FOREVER) == 0);
		buffer[nbuffer++] = i;
		rt_condition_signal(&not_empty);
		rt_unlock(&mutex);
	}
	rt_wait_group_done(&group);
	return 0;
}

static int consumes(void *arg)
{
	(void)arg;
	for (int i = 1; i <= ROUNDS; i++) {
		rt_lock(&mutex, RT_FOREVER);
		while (nbuffer == 0)
			CHECK(rt_condition_wait(&not_empty, &mutex, RT_FOREVER) == 0);
		plain += buffer[--nbuffer];
		rt_condition_signal(&not_full);
		rt_unlock(&mutex);
	}
	rt_wait_group_done(&group);
	return 0;
}

static int conditions(void *arg)
{
	(void)arg;
	plain = 0;
	rt_wait_group_add(&group, 8);
	for (int i = 0; i < 4; i++) {
		rt_go(produces, NULL);
		rt_go(consumes, NULL);
	}
	CHECK(rt_wait_group_wait(&group, RT_FOREVER) == 0);
	CHECK(plain == 4 * (int64_t)ROUNDS * (ROUNDS + 1) / 2 && nbuffer == 0);
	rt_lock(&mutex, RT_FOREVER);
	CHECK(rt_condition_wait(&not_empty, &mutex, rt_now() + MS) == -ETIMEDOUT);
	CHECK(!rt_try_lock(&mutex));
	rt_unlock(&mutex);
	return 0;
}

static int waits_for_event(void *arg)
{
	CHECK(rt_event_wait(arg, RT_FOREVER) == 0);
	CHECK(plain == 42);
	rt_wait_group_done(&group);
	return 0;
}

static int events(void *arg)
{
	(void)arg;
	memset(&event, 0, sizeof event);
	plain = 0;
	CHECK(rt_event_wait(&event, rt_now() + MS) == -ETIMEDOUT);
	rt_wait_group_add(&group, FIBERS);
	for (int i = 0; i < FIBERS; i++)
		rt_go(waits_for_event, &event);
	rt_yield();
	plain = 42;
	rt_event_set(&event);
	CHECK(rt_wait_group_wait(&group, RT_FOREVER) == 0);
	CHECK(rt_event_is_set(&event) && rt_event_wait(&event, 0) == 0);
	rt_event_reset(&event);
	CHECK(rt_event_wait(&event, 0) == -ETIMEDOUT);
	return 0;
}

static void first_time(void *arg)
{
	rt_sleep(MS);
	++*(int64_t *)arg;
}

static int runs_once(void *arg)
{
	rt_once_run(&once, first_time, &plain);
	CHECK(plain == 1);
	rt_wait_group_done(&group);
	return arg != NULL;
}

static int onces(void *arg)
{
	(void)arg;
	plain = 0;
	memset(&once, 0, sizeof once);
	return start_all(FIBERS, runs_once, NULL);
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "a mutex excludes", excludes },
		{ "a mutex and deadlines", times_out },
		{ "deadlines race with unlocks", deadlines_race },
		{ "readers and writers", readers_and_writers },
		{ "a writer that gives up", writer_gives_up },
		{ "semaphores", semaphores },
		{ "conditions", conditions },
		{ "events", events },
		{ "once", onces },
	};
	return check_all(tests, sizeof tests / sizeof *tests);
}
