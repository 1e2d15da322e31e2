/* Threads that each hold one lock and want the next one's. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "conditions/conditions.h"
#include "lab/scenario.h"

enum { RING_MAX = 5, BEHIND_MAX = 6 };

struct ring {
	unsigned threads;
	pthread_mutex_t lock[RING_MAX];
	pthread_barrier_t all_hold_one;
};

struct place {
	struct ring *ring;
	unsigned index;
};

static void *embrace(void *arg)
{
	struct place *p = arg;
	struct ring *r = p->ring;

	pthread_mutex_lock(&r->lock[p->index]);
	pthread_barrier_wait(&r->all_hold_one);
	pthread_mutex_lock(&r->lock[(p->index + 1) % r->threads]);
	return NULL;
}

static void *wait_behind(void *arg)
{
	struct place *p = arg;

	pthread_mutex_lock(&p->ring->lock[p->index % p->ring->threads]);
	return NULL;
}

static int start(pthread_t *thread, const char *comm, void *(*fn)(void *arg), struct place *place)
{
	int r = pthread_create(thread, NULL, fn, place);

	if (r == 0)
		pthread_setname_np(*thread, comm);
	return -r;
}

static int deadlocked(struct lab *lab, void *arg)
{
	static struct ring ring;
	static struct place places[RING_MAX + BEHIND_MAX];
	pthread_t thread;
	unsigned behind = (unsigned)lab_pick(lab, 0, 2, BEHIND_MAX);
	int r = 0;

	(void)arg;
	ring.threads = (unsigned)lab_pick(lab, 2, 2, RING_MAX);
	pthread_barrier_init(&ring.all_hold_one, NULL, ring.threads + 1);
	for (unsigned i = 0; i < ring.threads; i++)
		pthread_mutex_init(&ring.lock[i], NULL);
	for (unsigned i = 0; i < ring.threads && r == 0; i++) {
		places[i] = (struct place){ &ring, i };
		r = start(&thread, "embracer", embrace, &places[i]);
	}
	if (r < 0)
		return r;
	pthread_barrier_wait(&ring.all_hold_one);
	for (unsigned i = 0; i < behind && r == 0; i++) {
		places[ring.threads + i] = (struct place){ &ring, i };
		r = start(&thread, "bystander", wait_behind, &places[ring.threads + i]);
	}
	if (r < 0)
		return r;
	lab_label_self(lab);
	lab_at_work(lab);
	for (;;)
		pause();
}

static int run(struct lab *lab, struct note *note)
{
	pid_t pid = lab_spawn_at_work(lab, "deadlocked", deadlocked, NULL, note);

	if (pid < 0)
		return pid;
	lab_ready(lab);
	return 0;
}

static bool moved(const struct window *w, struct note *note)
{
	uint32_t still = 0;

	for (size_t i = 0; i < w->ntasks; i++)
		still += mutex_wait_suspected(&w->tasks[i].last) && w->tasks[i].stuck_looks >= 2;
	note_set(note, 0, "%u threads stood still in a futex wait", still);
	return still >= 2;
}

const struct scenario deadlock_scenario = {
	.name = "deadlock",
	.summary = "two threads take two locks in opposite order, two more wait behind them",
	.moves = "nothing: threads in futex wait whose switch counters stand still",
	.memory_bytes = 64 << 20,
	.processes = 32,
	.run = run,
	.moved = moved,
};
