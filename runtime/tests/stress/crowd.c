#include "stress.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_PEOPLE 40
#define CHANNELS 4
#define EACH 60
#define PLACES 3		/* of the semaphore */
#define MUTEXES 64		/* some are waited for by nobody, and most for the first time in the middle */

/* Each person does this many things of its own choice; half of them may be cancelled in the middle. */
static struct crowd {
	uint64_t seed;
	unsigned people, processors;
	bool cancels;
	struct rt_chan *channels[CHANNELS];
	struct rt_mutex mutexes[MUTEXES];
	struct rt_rwlock rwlock;
	struct rt_semaphore semaphore;
	struct rt_wait_group senders;
	struct rt_once once;
	/* A bounded buffer of a mutex and two conditions. */
	struct rt_mutex buffer_lock;
	struct rt_condition not_empty, not_full;
	struct rt_event all_started;
	unsigned buffered;
	bool buffer_closed;
} crowd;

/* By hand of the locks: without atomics, so that what is lost is lost. */
static struct {
	int64_t under_mutex[MUTEXES], under_write, pair[2];
} plain;

static _Atomic int64_t mutex_taken, writes_taken, inside_semaphore, put, taken, once_ran, started;
/* How often each value arrived, and who holds the mutex. */
static _Atomic uint8_t sent[MOST_PEOPLE][EACH], arrived[MOST_PEOPLE][EACH];
static _Atomic int wrong;

static void not_so(const char *what, int line)
{
	if (wrong++ < 5)
		fprintf(stderr, "crowd.c:%d: not so: %s\n", line, what);
}

#define HOLDS(x) ((x) ? (void)0 : not_so(#x, __LINE__))

struct person {
	unsigned number;
	struct luck luck;
	unsigned next;			/* that it will send */
	int last[CHANNELS][MOST_PEOPLE];	/* the number of each sender's last value through each */
};

static int64_t some_deadline(struct luck *l)
{
	uint32_t luck = below(l, 4);

	return luck == 0 ? RT_FOREVER : luck == 1 ? 0 : rt_now() + below(l, 200000);
}

static void came(struct person *p, unsigned channel, int64_t value)
{
	unsigned from = (unsigned)(value >> 32), number = (unsigned)(value & UINT32_MAX);

	HOLDS(from < crowd.people && number < EACH);
	HOLDS(arrived[from][number]++ == 0);
	/* Of one sender through one channel, values come in the order in which they were sent. */
	HOLDS((int)number > p->last[channel][from]);
	p->last[channel][from] = (int)number;
}

static bool send_some(struct person *p)
{
	unsigned c = below(&p->luck, CHANNELS), d = below(&p->luck, CHANNELS);
	int64_t value = (int64_t)p->number << 32 | p->next, got;
	struct rt_case cases[] = { { .chan = crowd.channels[c], .send = &value }, { .chan = crowd.channels[d], .receive = &got } };
	int r;

	if (p->next == EACH)
		return true;
	switch (below(&p->luck, 4)) {
	case 0: r = rt_try_send(crowd.channels[c], &value); break;
	case 1:
		/* Receives instead, if that comes first. */
		r = rt_select(cases, 2, some_deadline(&p->luck));
		if (r == 1) {
			HOLDS(cases[1].result == 0);
			came(p, d, got);
			return true;
		}
		break;
	default: r = rt_send(crowd.channels[c], &value, some_deadline(&p->luck)); break;
	}
	HOLDS(r == 0 || r == -EAGAIN || r == -ETIMEDOUT || r == -ECANCELED);
	sent[p->number][p->next] = r == 0;
	p->next++;
	return r != -ECANCELED;
}

static bool receive_some(struct person *p)
{
	unsigned c = below(&p->luck, CHANNELS), d = below(&p->luck, CHANNELS);
	int64_t value, deadline = some_deadline(&p->luck);
	struct rt_case cases[] = { { .chan = crowd.channels[c], .receive = &value }, { .chan = crowd.channels[d], .receive = &value },
				   { .chan = NULL, .receive = &value } };
	int r;

	/* With a deadline always: all may be receiving. */
	if (deadline == RT_FOREVER)
		deadline = rt_now() + 300000;
	if (below(&p->luck, 2)) {
		r = rt_select(cases, 3, deadline);
		c = r == 1 ? d : c;
		HOLDS(r < 2);
		r = r < 0 ? r : 0;
	} else {
		r = rt_receive(crowd.channels[c], &value, deadline);
	}
	if (r == 0)
		came(p, c, value);
	HOLDS(r == 0 || r == -ETIMEDOUT || r == -ECANCELED);
	if (r == -ETIMEDOUT)
		HOLDS(rt_now() >= deadline);
	return r != -ECANCELED;
}

static bool lock_some(struct person *p)
{
	unsigned m = below(&p->luck, below(&p->luck, 2) ? MUTEXES : 1);
	int r = rt_lock(&crowd.mutexes[m], some_deadline(&p->luck));

	HOLDS(r == 0 || r == -ETIMEDOUT || r == -ECANCELED);
	if (r == 0) {
		int64_t was = plain.under_mutex[m];
		if (below(&p->luck, 4) == 0)
			rt_yield();
		plain.under_mutex[m] = was + 1;
		mutex_taken++;
		rt_unlock(&crowd.mutexes[m]);
	}
	return r != -ECANCELED;
}

static bool read_or_write(struct person *p)
{
	bool writes = below(&p->luck, 4) == 0;
	int64_t deadline = some_deadline(&p->luck);
	int r = writes ? rt_write_lock(&crowd.rwlock, deadline) : rt_read_lock(&crowd.rwlock, deadline);

	if (r == 0 && writes) {
		plain.pair[0]++;
		if (below(&p->luck, 2))
			rt_yield();
		plain.pair[1]++;
		writes_taken++;
		rt_write_unlock(&crowd.rwlock);
	} else if (r == 0) {
		HOLDS(plain.pair[0] == plain.pair[1]);
		rt_read_unlock(&crowd.rwlock);
	}
	return r != -ECANCELED;
}

static bool semaphore_some(struct person *p)
{
	uint64_t n = 1 + below(&p->luck, PLACES);
	int r = rt_semaphore_wait(&crowd.semaphore, n, some_deadline(&p->luck));

	if (r == 0) {
		HOLDS(atomic_fetch_add(&inside_semaphore, (int64_t)n) + (int64_t)n <= PLACES);
		if (below(&p->luck, 2))
			rt_sleep(below(&p->luck, 20000));
		inside_semaphore -= (int64_t)n;
		rt_semaphore_post(&crowd.semaphore, n);
	}
	return r != -ECANCELED;
}

/* One half puts, the other takes; the last that leave let the others go. */
static bool buffer_some(struct person *p)
{
	bool puts = p->number % 2;
	struct rt_condition *c = puts ? &crowd.not_full : &crowd.not_empty;
	int r = rt_lock(&crowd.buffer_lock, RT_FOREVER);

	if (r < 0)
		return r != -ECANCELED;
	while (r == 0 && (puts ? crowd.buffered == 2 : crowd.buffered == 0) && !crowd.buffer_closed) {
		r = rt_condition_wait(c, &crowd.buffer_lock, rt_now() + 1000000);
		HOLDS(r == 0 || r == -ETIMEDOUT || r == -ECANCELED);
	}
	if (puts && crowd.buffered < 2) {
		crowd.buffered++;
		put++;
		rt_condition_signal(&crowd.not_empty);
	} else if (!puts && crowd.buffered > 0) {
		crowd.buffered--;
		taken++;
		rt_condition_broadcast(&crowd.not_full);
	}
	rt_unlock(&crowd.buffer_lock);
	return r != -ECANCELED;
}

static void count_once(void *arg)
{
	(void)arg;
	rt_yield();
	once_ran++;
}

static int child(void *arg)
{
	_Atomic int *n = arg;

	rt_yield();
	++*n;
	return 0;
}

static bool scope_some(struct person *p)
{
	struct rt_scope s;
	_Atomic int n = 0;
	int wanted = 0;

	rt_scope_open(&s, below(&p->luck, 2) ? RT_FOREVER : rt_now() + below(&p->luck, 50000));
	for (unsigned i = below(&p->luck, 4); i > 0; i--)
		wanted += rt_scope_go(&s, child, &n) == 0;
	if (below(&p->luck, 4) == 0)
		rt_scope_cancel(&s);
	int r = rt_scope_close(&s);
	HOLDS(n == wanted && (r == 0 || r == -ETIMEDOUT));
	return !rt_cancelled();
}

static bool join_some(struct person *p)
{
	struct rt_fiber f;
	_Atomic int n = 0;
	int r;

	(void)p;
	if (rt_spawn(child, &n, NULL, &f) < 0)
		return true;
	do
		r = rt_join(f, NULL, rt_now() + 20000);
	while (r == -ETIMEDOUT);
	if (r == -ECANCELED) {
		rt_shield_begin();
		HOLDS(rt_join(f, NULL, RT_FOREVER) == 0);
		rt_shield_end();
	}
	HOLDS(n == 1);
	return r == 0;
}

static bool block_some(struct person *p)
{
	rt_block_begin();
	usleep(below(&p->luck, 200));
	rt_block_end();
	return true;
}

static int live(void *arg)
{
	struct person *p = arg;
	bool on = true;

	started++;
	if (rt_event_wait(&crowd.all_started, RT_FOREVER) == 0)
		rt_once_run(&crowd.once, count_once, NULL);
	for (unsigned i = 0; i < 2 * EACH && on; i++) {
		switch (below(&p->luck, 16)) {
		case 0: case 1: case 2: case 3: on = send_some(p); break;
		case 4: case 5: case 6: on = receive_some(p); break;
		case 7: on = lock_some(p); break;
		case 8: on = read_or_write(p); break;
		case 9: on = semaphore_some(p); break;
		case 10: on = buffer_some(p); break;
		case 11: on = scope_some(p); break;
		case 12: on = join_some(p); break;
		case 13: on = rt_sleep(below(&p->luck, 100000)) == 0; break;
		case 14: on = below(&p->luck, 4) != 0 || block_some(p); break;
		default: rt_yield(); break;
		}
	}
	rt_wait_group_done(&crowd.senders);
	return 0;
}

/* Whoever still sends without a deadline is helped to end: this one receives until all have left. */
static int drain(void *arg)
{
	struct person *p = arg;

	for (unsigned c = 0; rt_wait_group_wait(&crowd.senders, 0) == -ETIMEDOUT; c = (c + 1) % CHANNELS) {
		int64_t value;
		if (rt_receive(crowd.channels[c], &value, rt_now() + 100000) == 0)
			came(p, c, value);
	}
	for (unsigned c = 0; c < CHANNELS; c++) {
		int64_t value;
		rt_close(crowd.channels[c]);
		while (rt_receive(crowd.channels[c], &value, RT_FOREVER) == 0)
			came(p, c, value);
	}
	return 0;
}

static int crowd_main(void *arg)
{
	static struct person people[MOST_PEOPLE + 1];
	struct rt_scope all;
	struct rt_fiber drainer;
	struct luck *l = arg;

	for (unsigned c = 0; c < CHANNELS; c++)
		if (rt_chan_new(sizeof(int64_t), below(l, 5), &crowd.channels[c]) < 0)
			abort();
	rt_semaphore_init(&crowd.semaphore, PLACES);
	rt_wait_group_add(&crowd.senders, crowd.people);
	rt_scope_open(&all, RT_FOREVER);
	for (unsigned i = 0; i <= crowd.people; i++) {
		people[i] = (struct person){ .number = i, .luck = luck_of(crowd.seed + i) };
		memset(people[i].last, 0xff, sizeof people[i].last);
		if (i < crowd.people && rt_scope_go(&all, live, &people[i]) < 0)
			abort();
	}
	if (rt_spawn(drain, &people[crowd.people], NULL, &drainer) < 0)
		abort();
	rt_event_set(&crowd.all_started);
	if (crowd.cancels) {
		rt_sleep(below(l, 10000000));
		rt_scope_cancel(&all);
	}
	HOLDS(rt_scope_close(&all) == 0);
	HOLDS(rt_join(drainer, NULL, RT_FOREVER) == 0);
	for (unsigned c = 0; c < CHANNELS; c++)
		rt_chan_free(crowd.channels[c]);
	return 0;
}

static void check_all_arrived(void)
{
	unsigned lost = 0, made = 0;

	for (unsigned i = 0; i < crowd.people; i++)
		for (unsigned n = 0; n < EACH; n++) {
			lost += sent[i][n] && !arrived[i][n];
			made += arrived[i][n] && !sent[i][n];
		}
	HOLDS(lost == 0);
	/* What was not sent, so they say who sent it, has not come. */
	HOLDS(made == 0);
	for (int m = 0; m < MUTEXES; m++)
		mutex_taken -= plain.under_mutex[m];
	HOLDS(mutex_taken == 0 && plain.pair[0] == writes_taken && plain.pair[1] == writes_taken);
	HOLDS(put - taken == crowd.buffered);
	HOLDS(started == crowd.people && once_ran <= 1 && (crowd.cancels || once_ran == 1));
	HOLDS(inside_semaphore == 0 && crowd.semaphore.count == PLACES);
}

bool crowd_run(uint64_t seed)
{
	struct luck l = luck_of(seed);

	memset(&crowd, 0, sizeof crowd);
	memset(&plain, 0, sizeof plain);
	memset(sent, 0, sizeof sent);
	memset(arrived, 0, sizeof arrived);
	mutex_taken = writes_taken = inside_semaphore = put = taken = once_ran = started = 0;
	wrong = 0;
	crowd.seed = seed;
	crowd.people = 4 + below(&l, MOST_PEOPLE - 3);
	crowd.processors = 1 + below(&l, 4);
	crowd.cancels = below(&l, 3) == 0;
	struct rt_options options = { .processors = crowd.processors, .threads = below(&l, 4) == 0 ? crowd.processors + 1 : 0 };
	int r = rt_run(&options, crowd_main, &l);
	HOLDS(r == 0);
	check_all_arrived();
	if (wrong)
		fprintf(stderr, "crowd %" PRIu64 " of %u, P = %u%s\n", seed, crowd.people, crowd.processors, crowd.cancels ? ", cancelled" : "");
	return wrong == 0;
}
