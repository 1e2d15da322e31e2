/* Threads that do all their work under one mutex. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "conditions/conditions.h"
#include "lab/scenario.h"

#define WORK_NS (200 * NS_PER_US)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void work(void)
{
	uint64_t end = clock_mono_ns() + WORK_NS;

	while (clock_mono_ns() < end)
		;
}

static void *contend(void *arg)
{
	for (;;) {
		pthread_mutex_lock(&lock);
		work();
		pthread_mutex_unlock(&lock);
		/* Outside the lock for a moment: another thread gets it, as in a real program. */
		usleep(50);
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
