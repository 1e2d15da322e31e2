#include "dig/fiber/fiber_batches.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define READERS 2
#define SLOTS 4 /* batches that are read, or wait for the caller */
#define FEW 32	/* batches for which no thread is made */

enum slot_state { SLOT_FREE, SLOT_READING, SLOT_READ };

struct fiber_batches {
	const struct address_space *a;
	const struct fiber_root *root;
	const struct fiber_table *tables;
	size_t ntables;
	struct fiber_now now;
	struct slot {
		struct fiber_batch *batch;
		enum slot_state state;
		int error;
	} slot[SLOTS];
	size_t nslots;
	/* Of what is read next. The slot of the i-th batch is i % nslots. */
	size_t table, started;
	uint64_t from;
	size_t taken; /* by the caller: the last one is his still */
	pthread_t reader[READERS];
	size_t nreaders;
	bool stop;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

/* The next piece goes to the slot of its turn. False: all were given out. */
static bool start_next(struct fiber_batches *s, struct slot **ret)
{
	struct slot *to = &s->slot[s->started % s->nslots];

	while (s->table < s->ntables && (!s->tables[s->table].fibers || s->from >= s->tables[s->table].used)) {
		s->table++;
		s->from = 0;
	}
	if (s->table == s->ntables)
		return false;
	uint64_t left = s->tables[s->table].used - s->from;
	to->batch->table = &s->tables[s->table];
	to->batch->from = s->from;
	to->batch->n = left < FIBER_BATCH ? left : FIBER_BATCH;
	to->state = SLOT_READING;
	s->from += to->batch->n;
	s->started++;
	*ret = to;
	return true;
}

static void finish(struct fiber_batches *s, struct slot *at, int error)
{
	at->error = error;
	at->state = SLOT_READ;
	if (at->batch->unread && s->table < s->ntables && at->batch->table == &s->tables[s->table])
		s->from = s->tables[s->table].used;
}

static void *reader(void *of)
{
	struct fiber_batches *s = of;
	struct slot *at;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->stop && s->slot[s->started % s->nslots].state != SLOT_FREE)
			pthread_cond_wait(&s->changed, &s->lock);
		if (s->stop || !start_next(s, &at))
			break;
		pthread_mutex_unlock(&s->lock);
		int rc = fiber_batch_read(at->batch, s->a, s->root, s->now);
		pthread_mutex_lock(&s->lock);
		finish(s, at, rc);
		pthread_cond_broadcast(&s->changed);
	}
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void start_readers(struct fiber_batches *s)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (s->nreaders < READERS && pthread_create(&s->reader[s->nreaders], NULL, reader, s) == 0)
		s->nreaders++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int fiber_batches_new(const struct address_space *a, const struct fiber_root *root, const struct fiber_table *tables, size_t n,
		      struct fiber_now now, struct fiber_batches **ret)
{
	struct fiber_batches *s = calloc(1, sizeof *s);
	uint64_t all = 0;

	if (!s)
		return -ENOMEM;
	*s = (struct fiber_batches){ .a = a, .root = root, .tables = tables, .ntables = n, .now = now };
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	for (size_t i = 0; i < n; i++)
		all += tables[i].fibers ? tables[i].used : 0;
	bool many = a->pid > 0 && all > FEW * FIBER_BATCH;
	for (size_t want = many ? SLOTS : 1; s->nslots < want; s->nslots++)
		if (!(s->slot[s->nslots].batch = fiber_batch_new(root))) {
			fiber_batches_free(s);
			return -ENOMEM;
		}
	if (many)
		start_readers(s);
	*ret = s;
	return 0;
}

void fiber_batches_free(struct fiber_batches *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < s->nreaders; i++)
		pthread_join(s->reader[i], NULL);
	for (size_t i = 0; i < s->nslots; i++)
		fiber_batch_free(s->slot[i].batch);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static int give(struct fiber_batches *s, struct slot *at, struct fiber_batch **ret)
{
	s->taken++;
	if (at->error < 0)
		return at->error;
	*ret = at->batch;
	return 1;
}

static int next_by_itself(struct fiber_batches *s, struct fiber_batch **ret)
{
	struct slot *at;

	if (!start_next(s, &at))
		return 0;
	finish(s, at, fiber_batch_read(at->batch, s->a, s->root, s->now));
	return give(s, at, ret);
}

int fiber_batches_next(struct fiber_batches *s, struct fiber_batch **ret)
{
	struct slot *at = &s->slot[s->taken % s->nslots];
	int rc = 0;

	if (!s->nreaders)
		return next_by_itself(s, ret);
	pthread_mutex_lock(&s->lock);
	if (s->taken)
		s->slot[(s->taken - 1) % s->nslots].state = SLOT_FREE;
	pthread_cond_broadcast(&s->changed);
	/* All were given out, and what was is read: then there is no more. */
	while (at->state != SLOT_READ && (s->started > s->taken || s->table < s->ntables))
		pthread_cond_wait(&s->changed, &s->lock);
	if (at->state == SLOT_READ)
		rc = give(s, at, ret);
	pthread_mutex_unlock(&s->lock);
	return rc;
}
