/* Memory order: over each edge that the headers promise, what was stored before is loaded after, plainly; and
 * who stores and then looks across a lock is not missed by who does the same the other way (store buffering).
 * ThreadSanitizer sees an edge that is missing in any run; without it, one shows as old data, where threads
 * really run side by side.
 *
 * LITMUS_BROKEN in the environment replaces the edges by a flag that orders nothing: then the test must fail,
 * by old data on CPUs that reorder stores, and by the tool on all. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "check.h"

#define ROUNDS 600
#define WORDS 4
#define LINE 64

/* Plain data, far enough apart that it does not arrive together. */
struct data {
	volatile long word[WORDS][LINE / sizeof(long)];
};

static struct data data;
static _Atomic long written;		/* rounds; relaxed: it orders nothing */
static bool broken;

static void write_data(long round)
{
	for (int i = 0; i < WORDS; i++)
		data.word[i][0] = round;
}

static bool data_is(long round)
{
	for (int i = WORDS; i-- > 0;)
		if (data.word[i][0] != round)
			return false;
	return true;
}

/* One edge: `before` is called by who has written, `after` by who will read. Both know the round. */
struct edge {
	int (*begin)(void);
	void (*before)(long round);
	int (*after)(long round);
	void (*end)(void);
	bool writes_itself;	/* in `before` and `after` */
};

static struct rt_chan *chan, *back;

/* The reader has read before the next round is written: an edge of its own, the other way, which a channel
 * makes. */
static int writes(void *arg)
{
	const struct edge *edge = arg;

	for (long round = 1; round <= check_load(ROUNDS); round++) {
		if (!edge->writes_itself)
			write_data(round);
		if (broken)
			atomic_store_explicit(&written, round, memory_order_relaxed);
		edge->before(round);
		CHECK(rt_receive(back, NULL, RT_FOREVER) == 0);
	}
	return 0;
}

static int over(const struct edge *edge)
{
	struct rt_fiber writer;

	CHECK(rt_chan_new(0, 0, &back) == 0);
	CHECK(!edge->begin || edge->begin() == 0);
	CHECK(rt_spawn(writes, (void *)edge, NULL, &writer) == 0);
	for (long round = 1; round <= check_load(ROUNDS); round++) {
		while (broken && atomic_load_explicit(&written, memory_order_relaxed) < round)
			;
		if (broken)
			CHECK(data_is(round));
		CHECK(edge->after(round) == 0);
		CHECK(data_is(round));
		CHECK(rt_send(back, NULL, RT_FOREVER) == 0);
	}
	CHECK(rt_join(writer, NULL, RT_FOREVER) == 0);
	if (edge->end)
		edge->end();
	rt_chan_free(back);
	return 0;
}

/* -- channels */

static int begin_unbuffered(void) { return rt_chan_new(0, 0, &chan); }
static int begin_buffered(void) { return rt_chan_new(0, 1, &chan); }
static void end_chan(void) { rt_chan_free(chan); }
static void sends(long round) { (void)round; CHECK(rt_send(chan, NULL, RT_FOREVER) == 0); }
static int receives(long round) { (void)round; return rt_receive(chan, NULL, RT_FOREVER); }

static int selects(long round)
{
	struct rt_case cases[] = { { .chan = NULL }, { .chan = chan } };

	(void)round;
	return rt_select(cases, 2, RT_FOREVER) == 1 ? 0 : -EINVAL;
}

/* The k-th receive is before the end of the (k + capacity)-th send: the channel is full, and who wants to
 * read sends. */
static int begin_full(void)
{
	int r = rt_chan_new(0, 3, &chan);

	for (int i = 0; r == 0 && i < 3; i++)
		r = rt_send(chan, NULL, RT_FOREVER);
	return r;
}
static void makes_room(long round) { (void)round; CHECK(rt_receive(chan, NULL, RT_FOREVER) == 0); }
static int sends_into_room(long round) { (void)round; return rt_send(chan, NULL, RT_FOREVER); }

static struct rt_chan *closing[ROUNDS + 1];

static int begin_closing(void)
{
	for (long i = 1; i <= check_load(ROUNDS); i++)
		if (rt_chan_new(0, 0, &closing[i]) < 0)
			return -ENOMEM;
	return 0;
}
static void closes(long round) { rt_close(closing[round]); }
static int sees_closed(long round) { return rt_receive(closing[round], NULL, RT_FOREVER) == -EPIPE ? 0 : -EINVAL; }
static void end_closing(void)
{
	for (long i = 1; i <= check_load(ROUNDS); i++)
		rt_chan_free(closing[i]);
}

/* -- locks: what is guarded is plain too */

static struct rt_mutex mutex;
static struct rt_rwlock rwlock;
static struct rt_condition condition;
static long guarded;

static int begin_guarded(void) { guarded = 0; return 0; }

static void unlocks(long round)
{
	CHECK(rt_lock(&mutex, RT_FOREVER) == 0);
	guarded = round;
	rt_unlock(&mutex);
}

static int locks(long round)
{
	for (long seen = 0; seen < round; rt_yield()) {
		CHECK(rt_lock(&mutex, RT_FOREVER) == 0);
		seen = guarded;
		rt_unlock(&mutex);
	}
	return 0;
}

static int tries_lock(long round)
{
	for (long seen = 0; seen < round; rt_yield())
		if (rt_try_lock(&mutex)) {
			seen = guarded;
			rt_unlock(&mutex);
		}
	return 0;
}

static void write_unlocks(long round)
{
	CHECK(rt_write_lock(&rwlock, RT_FOREVER) == 0);
	guarded = round;
	rt_write_unlock(&rwlock);
}

static int read_locks(long round)
{
	for (long seen = 0; seen < round; rt_yield()) {
		CHECK(rt_read_lock(&rwlock, RT_FOREVER) == 0);
		seen = guarded;
		rt_read_unlock(&rwlock);
	}
	return 0;
}

static void signals(long round)
{
	CHECK(rt_lock(&mutex, RT_FOREVER) == 0);
	guarded = round;
	rt_condition_signal(&condition);
	rt_unlock(&mutex);
}

static int waits_for_signal(long round)
{
	CHECK(rt_lock(&mutex, RT_FOREVER) == 0);
	while (guarded < round)
		CHECK(rt_condition_wait(&condition, &mutex, RT_FOREVER) == 0);
	rt_unlock(&mutex);
	return 0;
}

/* -- the rest of sync.h */

static struct rt_semaphore semaphore;
static struct rt_event events[ROUNDS + 1];
static struct rt_wait_group groups[ROUNDS + 1];
static struct rt_once onces[ROUNDS + 1];

static int begin_semaphore(void) { rt_semaphore_init(&semaphore, 0); return 0; }
static void posts(long round) { (void)round; rt_semaphore_post(&semaphore, 1); }
static int waits_for_post(long round) { (void)round; return rt_semaphore_wait(&semaphore, 1, RT_FOREVER); }

static int begin_events(void) { memset(events, 0, sizeof events); return 0; }
static void sets(long round) { rt_event_set(&events[round]); }
static int waits_for_event(long round) { return rt_event_wait(&events[round], RT_FOREVER); }
static int polls_event(long round)
{
	while (!rt_event_is_set(&events[round]))
		rt_yield();
	return 0;
}

static int begin_groups(void)
{
	memset(groups, 0, sizeof groups);
	for (long i = 1; i <= check_load(ROUNDS); i++)
		rt_wait_group_add(&groups[i], 1);
	return 0;
}
static void is_done(long round) { rt_wait_group_done(&groups[round]); }
static int waits_for_group(long round) { return rt_wait_group_wait(&groups[round], RT_FOREVER); }

/* What the function did is seen by all whose call has returned: the writer's data is the function's here. */
static void writes_once(void *arg) { write_data((intptr_t)arg); }
static int begin_onces(void) { memset(onces, 0, sizeof onces); return 0; }
static void runs_once(long round) { rt_once_run(&onces[round], writes_once, (void *)(intptr_t)round); }
static int comes_to_once(long round)
{
	rt_once_run(&onces[round], writes_once, (void *)(intptr_t)round);
	return 0;
}

/* -- fibers: the reader is another one each round */

static int reads(void *arg) { return data_is((intptr_t)arg) ? 0 : -EINVAL; }
static int writes_and_ends(void *arg) { write_data((intptr_t)arg); return 0; }

static int test_start_and_join(void *arg)
{
	struct rt_fiber f;
	int result;

	(void)arg;
	for (intptr_t round = 1; round <= check_load(ROUNDS); round++) {
		write_data(round);
		CHECK(rt_spawn(reads, (void *)round, NULL, &f) == 0);
		CHECK(rt_join(f, &result, RT_FOREVER) == 0 && result == 0);
		CHECK(rt_spawn(writes_and_ends, (void *)-round, NULL, &f) == 0);
		CHECK(rt_join(f, NULL, RT_FOREVER) == 0 && data_is(-round));
	}
	return 0;
}

static int test_scopes(void *arg)
{
	struct rt_scope scope;

	(void)arg;
	for (intptr_t round = 1; round <= check_load(ROUNDS); round++) {
		write_data(round);
		rt_scope_open(&scope, RT_FOREVER);
		CHECK(rt_scope_go(&scope, reads, (void *)round) == 0);
		CHECK(rt_scope_close(&scope) == 0);
		rt_scope_open(&scope, RT_FOREVER);
		CHECK(rt_scope_go(&scope, writes_and_ends, (void *)-round) == 0);
		CHECK(rt_scope_close(&scope) == 0 && data_is(-round));
	}
	return 0;
}

/* -- store buffering: each stores, passes the lock and looks; one of both comes second and sees the other */

static struct { _Atomic long x; char far[LINE]; _Atomic long y; } cross;
static long saw[2];

static int stores_y(void *arg)
{
	(void)arg;
	for (long round = 1; round <= check_load(ROUNDS); round++) {
		atomic_store_explicit(&cross.y, round, memory_order_relaxed);
		CHECK(rt_lock(&mutex, RT_FOREVER) == 0);
		rt_unlock(&mutex);
		saw[1] = atomic_load_explicit(&cross.x, memory_order_relaxed);
		CHECK(rt_send(chan, NULL, RT_FOREVER) == 0);
		CHECK(rt_receive(back, NULL, RT_FOREVER) == 0);
	}
	return 0;
}

static int test_store_buffering(void *arg)
{
	struct rt_fiber other;

	(void)arg;
	atomic_store(&cross.x, 0);
	atomic_store(&cross.y, 0);
	CHECK(rt_chan_new(0, 0, &chan) == 0 && rt_chan_new(0, 0, &back) == 0);
	CHECK(rt_spawn(stores_y, NULL, NULL, &other) == 0);
	for (long round = 1; round <= check_load(ROUNDS); round++) {
		atomic_store_explicit(&cross.x, round, memory_order_relaxed);
		CHECK(rt_lock(&mutex, RT_FOREVER) == 0);
		rt_unlock(&mutex);
		saw[0] = atomic_load_explicit(&cross.y, memory_order_relaxed);
		CHECK(rt_receive(chan, NULL, RT_FOREVER) == 0);
		CHECK(saw[0] >= round || saw[1] >= round);
		CHECK(rt_send(back, NULL, RT_FOREVER) == 0);
	}
	CHECK(rt_join(other, NULL, RT_FOREVER) == 0);
	rt_chan_free(chan);
	rt_chan_free(back);
	return 0;
}

#define OVER(name, ...)                                                                            \
	static int test_##name(void *arg)                                                          \
	{                                                                                          \
		static const struct edge edge = { __VA_ARGS__ };                                   \
		(void)arg;                                                                         \
		return over(&edge);                                                                \
	}
OVER(unbuffered, begin_unbuffered, sends, receives, end_chan)
OVER(buffered, begin_buffered, sends, receives, end_chan)
OVER(select, begin_unbuffered, sends, selects, end_chan)
OVER(room, begin_full, makes_room, sends_into_room, end_chan)
OVER(close, begin_closing, closes, sees_closed, end_closing)
OVER(mutex, begin_guarded, unlocks, locks, NULL)
OVER(try_lock, begin_guarded, unlocks, tries_lock, NULL)
OVER(rwlock, begin_guarded, write_unlocks, read_locks, NULL)
OVER(condition, begin_guarded, signals, waits_for_signal, NULL)
OVER(semaphore, begin_semaphore, posts, waits_for_post, NULL)
OVER(event, begin_events, sets, waits_for_event, NULL)
OVER(is_set, begin_events, sets, polls_event, NULL)
OVER(group, begin_groups, is_done, waits_for_group, NULL)
OVER(once, begin_onces, runs_once, comes_to_once, NULL, true)

static const struct check_test tests[] = {
	{ "unbuffered", test_unbuffered },
	{ "buffered", test_buffered },
	{ "select", test_select },
	{ "room for the (k + C)-th", test_room },
	{ "close", test_close },
	{ "mutex", test_mutex },
	{ "try lock", test_try_lock },
	{ "rwlock", test_rwlock },
	{ "condition", test_condition },
	{ "semaphore", test_semaphore },
	{ "event", test_event },
	{ "event is set", test_is_set },
	{ "wait group", test_group },
	{ "once", test_once },
	{ "start and join", test_start_and_join },
	{ "scopes", test_scopes },
	{ "store buffering", test_store_buffering },
};

int main(void)
{
	broken = getenv("LITMUS_BROKEN") != NULL;
	return check_all(tests, broken ? 1 : sizeof tests / sizeof *tests);
}
