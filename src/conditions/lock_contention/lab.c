/* Threads that do all their work under one mutex. */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "conditions/conditions.h"
#include "lab/scenario.h"

#define HELD_NS NS_PER_MS
#define FREE_NS (20 * NS_PER_US)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Work in CPU time: on a busy host, too, the lock is held until it is done. */
static void work(uint64_t ns)
{
	struct timespec now;
	uint64_t end = 0, at = 0;

	while (at == 0 || at < end) {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
		at = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
		if (end == 0)
			end = at + ns;
	}
}

static void *contend(void *arg)
{
	for (;;) {
		pthread_mutex_lock(&lock);
		work(HELD_NS);
		pthread_mutex_unlock(&lock);
		work(FREE_NS);
	}
	return arg;
}

static int contended(struct lab *lab, void *arg)
{
	uint64_t threads = lab_pick(lab, 4, 8, 16);

	(void)arg;
	lab_label_self(lab);
	for (uint64_t i = 1; i < threads; i++) {
		pthread_t thread;
		int r = pthread_create(&thread, NULL, contend, NULL);
		if (r != 0)
			return -r;
		pthread_setname_np(thread, "contender");
	}
	contend(NULL);
	return 0;
}

static int run(struct lab *lab, struct note *note)
{
	pid_t pid = lab_spawn(lab, "one_lock", contended, NULL);

	if (pid < 0)
		return note_set(note, pid, "cannot start the process");
	lab_ready(lab);
	return 0;
}

static bool moved(const struct window *w, struct note *note)
{
	uint32_t waiting = 0;

	for (size_t i = 0; i < w->ntasks; i++)
		waiting += mutex_wait_suspected(&w->tasks[i].last);
	note_set(note, 0, "%u threads in a futex wait at the last look", waiting);
	return waiting >= 2;
}

const struct scenario lock_contention_scenario = {
	.name = "lock_contention",
	.summary = "eight threads that do all their work under one mutex",
	.moves = "threads in futex wait, voluntary context switches",
	.memory_bytes = 64 << 20,
	.processes = 32,
	.run = run,
	.moved = moved,
};
