#include "stress.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "relax.h"
#include "scheduler.h"

#define PATIENCE_NS INT64_C(10000000000)

static _Atomic int wrong;

static void not_so(const char *what, int line)
{
	if (wrong++ < 5)
		fprintf(stderr, "traffic.c:%d: not so: %s\n", line, what);
}

#define HOLDS(x) ((x) ? (void)0 : not_so(#x, __LINE__))

/* -- more fibers than a ring has places, which all come back to it */

#define MOST_IN_SWARM 3000

static struct member {
	unsigned turns;		/* without atomics: it is one fiber's */
	unsigned wanted;
	_Atomic bool runs;
} members[MOST_IN_SWARM];

static int member_main(void *arg)
{
	struct member *m = arg;

	for (;;) {
		HOLDS(!atomic_exchange(&m->runs, true));
		m->turns++;
		atomic_store(&m->runs, false);
		if (m->turns >= m->wanted)
			return 0;
		rt_yield();
	}
}

static void burst(struct luck *l, unsigned n, unsigned most)
{
	struct rt_scope all;

	memset(members, 0, n * sizeof *members);
	rt_scope_open(&all, RT_FOREVER);
	for (unsigned i = 0; i < n; i++) {
		members[i].wanted = 1 + below(l, most);
		HOLDS(rt_scope_go(&all, member_main, &members[i]) == 0);
	}
	HOLDS(rt_scope_close(&all) == 0);
	for (unsigned i = 0; i < n; i++)
		HOLDS(members[i].turns == members[i].wanted);
}

/* Of many others steal from a ring that is filled meanwhile; of a few that yield each is often the only one
 * that can be stolen. Before, the other threads sleep or are about to. */
static int swarm(void *arg)
{
	struct luck *l = arg;

	for (unsigned i = 10 + below(l, 20); i > 0 && !wrong; i--) {
		burst(l, 200 + below(l, MOST_IN_SWARM - 199), 2);
		for (unsigned few = 0; few < 100; few++) {
			burst(l, 2 + below(l, 4), 20);
			for (unsigned k = below(l, 4) ? 0 : below(l, 3000); k > 0; k--)
				relax();
		}
	}
	return 0;
}

/* -- fibers that do nothing but hand on, so that who is idle looks through the doors of those that come and
 * go all the time */

#define MOST_GROUPS 4

/* All write here, on whichever CPU: so what a CPU stores when it enters the runtime waits behind a store to a
 * line that it has to get first, and is seen late by who looks through the door. */
static volatile uint64_t contended[8] __attribute__((aligned(64)));

/* Two give, each through its channel, and one gets: what comes first, or from each in turn. */
static struct group {
	struct rt_chan *chans[2];
	int64_t values;
	bool selects;
	bool shielded;		/* those of a scope can be cancelled as they wait, which takes a longer way */
	_Atomic unsigned givers;
} groups[MOST_GROUPS];

static int give(void *arg)
{
	struct group *g = arg;
	unsigned which = g->givers++;

	if (g->shielded)
		rt_shield_begin();
	for (int64_t i = 0; i < g->values; i++) {
		contended[which] = (uint64_t)i;
		HOLDS(rt_send(g->chans[which], &i, RT_FOREVER) == 0);
	}
	return 0;
}

static int get(void *arg)
{
	struct group *g = arg;
	int64_t got[2] = { 0 }, value[2];
	struct rt_case cases[] = { { .chan = g->chans[0], .receive = &value[0] }, { .chan = g->chans[1], .receive = &value[1] } };

	if (g->shielded)
		rt_shield_begin();
	for (int64_t i = 0; i < 2 * g->values; i++) {
		contended[2] = (uint64_t)i;
		int at = g->selects ? rt_select(cases, 2, RT_FOREVER) : (int)(i % 2);
		if (!g->selects)
			HOLDS(rt_receive(g->chans[at], &value[at], RT_FOREVER) == 0);
		HOLDS(at >= 0 && value[at] == got[at]++);
	}
	HOLDS(got[0] == g->values && got[1] == g->values);
	return 0;
}

static int hand_on(void *arg)
{
	struct luck *l = arg;
	unsigned n = 1 + below(l, MOST_GROUPS);
	struct rt_scope all;

	rt_scope_open(&all, RT_FOREVER);
	for (unsigned i = 0; i < n; i++) {
		struct group *g = &groups[i];
		*g = (struct group){ .values = 1000 + below(l, 4000), .selects = below(l, 2), .shielded = below(l, 2) };
		for (unsigned k = 0; k < 2; k++)
			HOLDS(rt_chan_new(sizeof(int64_t), below(l, 4), &g->chans[k]) == 0);
		for (unsigned k = 0; k < 3; k++)
			HOLDS(rt_scope_go(&all, k < 2 ? give : get, g) == 0);
	}
	HOLDS(rt_scope_close(&all) == 0);
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < 2; k++)
			rt_chan_free(groups[i].chans[k]);
	return 0;
}

/* -- a mutex that is hardly ever free, so that some wait until it is handed to them */

static struct {
	struct rt_mutex mutex;
	int64_t taken;		/* without atomics: it is who holds the mutex that counts */
	unsigned each;
} wanted;

static int want(void *arg)
{
	struct luck l = luck_of((uintptr_t)arg);

	for (unsigned i = 0; i < wanted.each; i++) {
		HOLDS(rt_lock(&wanted.mutex, RT_FOREVER) == 0);
		int64_t was = wanted.taken;
		if (below(&l, 2))
			rt_sleep(below(&l, 700000));
		wanted.taken = was + 1;
		rt_unlock(&wanted.mutex);
	}
	return 0;
}

/* Short: at the end nobody comes who would see to those that were forgotten. */
static int all_want(void *arg)
{
	struct luck *l = arg;

	for (unsigned round = 5 + below(l, 20); round > 0; round--) {
		unsigned n = 3 + below(l, 4);
		struct rt_scope all;
		memset(&wanted, 0, sizeof wanted);
		wanted.each = 2 + below(l, 5);
		rt_scope_open(&all, RT_FOREVER);
		for (unsigned i = 0; i < n; i++)
			HOLDS(rt_scope_go(&all, want, (void *)(uintptr_t)below(l, UINT32_MAX)) == 0);
		HOLDS(rt_scope_close(&all) == 0);
		HOLDS(wanted.taken == (int64_t)n * wanted.each);
	}
	return 0;
}

/* -- who starts others and computes until one of them has run, while nobody watches: whoever is idle has to
 * see them */

#define ROUNDS 100
#define MOST_HELPERS 40
#define LEAST_HELPERS (BATCH + 2)	/* one more than are kept where only the owner looks */

static _Atomic bool unwatched;
static _Atomic unsigned helped;

/* The watcher would take the processor away after a while, and with it what was forgotten there. */
bool __real_scheduler_retake(struct thread *t);
bool __wrap_scheduler_retake(struct thread *t);
bool __wrap_scheduler_retake(struct thread *t)
{
	return !unwatched && __real_scheduler_retake(t);
}

static int help(void *arg)
{
	(void)arg;
	helped++;
	return 0;
}

static int compute(void *arg)
{
	struct luck *l = arg;
	int r = 0;

	unwatched = true;
	for (int i = 0; i < ROUNDS && !wrong; i++) {
		struct rt_scope helpers;
		unsigned n = LEAST_HELPERS + below(l, below(l, 2) ? 1 : MOST_HELPERS - LEAST_HELPERS);
		helped = 0;
		rt_scope_open(&helpers, RT_FOREVER);
		for (unsigned k = 0; k < n; k++)
			HOLDS(rt_scope_go(&helpers, help, NULL) == 0);
		int64_t since = rt_now();
		for (unsigned k = 0; helped == 0; k++) {
			relax();
			if (k % 1024 == 0 && rt_now() - since > PATIENCE_NS) {
				not_so("others run while one computes", __LINE__);
				break;
			}
		}
		r |= rt_scope_close(&helpers);
		/* Meanwhile the others go idle, or are just about to. */
		for (unsigned k = below(l, 3000); k > 0; k--)
			relax();
	}
	unwatched = false;
	return r;
}

/* -- which of them */

static const struct {
	const char *name;
	rt_function *run;
	unsigned least_processors;
} kinds[] = { { "swarm", swarm, 1 }, { "handing on", hand_on, 1 }, { "one mutex", all_want, 1 },
	      { "one that computes", compute, 2 } };

bool traffic_run(uint64_t seed)
{
	struct luck l = luck_of(seed);
	unsigned kind = below(&l, sizeof kinds / sizeof kinds[0]);
	struct rt_options options = { .processors = kinds[kind].least_processors + below(&l, 3) };

	wrong = 0;
	int r = rt_run(&options, kinds[kind].run, &l);
	HOLDS(r == 0);
	if (wrong)
		fprintf(stderr, "traffic %" PRIu64 ", %s, P = %u\n", seed, kinds[kind].name, options.processors);
	return wrong == 0;
}
