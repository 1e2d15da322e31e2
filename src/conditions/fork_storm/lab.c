/* Loops that start a child, which ends at once, and wait for it. */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conditions/conditions.h"
#include "lab/scenario.h"

struct loop {
	uint64_t pause_us; /* after every child; 0: none */
};

static int fork_loop(struct lab *lab, void *arg)
{
	const struct loop *loop = arg;

	lab_label_self(lab);
	for (;;) {
		pid_t pid = vfork(); /* a fifth of the cost of fork: a faster storm */
		if (pid == 0)
			_exit(0);
		if (pid < 0)
			return -errno;
		if (waitpid(pid, NULL, 0) < 0)
			return -errno;
		if (loop->pause_us)
			usleep((useconds_t)loop->pause_us);
	}
}

static int run(struct lab *lab, struct note *note)
{
	struct loop loop = { .pause_us = lab_pick(lab, 800, 0, 0) };

	for (uint64_t i = 0; i < lab_pick(lab, 1, 1, 2); i++) {
		pid_t pid = lab_spawn(lab, "fork_loop", fork_loop, &loop);
		if (pid < 0)
			return note_set(note, pid, "cannot start a loop");
	}
	lab_ready(lab);
	return 0;
}

static bool moved(const struct window *w, struct note *note)
{
	double rate = window_rate(w, WINDOW_DELTA(w, cpu.forks));

	note_set(note, 0, "%.0f forks a second", rate);
	return rate > 500;
}

const struct scenario fork_storm_scenario = {
	.name = "fork_storm",
	.summary = "a loop that starts a child which ends at once",
	.moves = "processes of /proc/stat",
	.memory_bytes = 32 << 20,
	.processes = 16,
	.run = run,
	.moved = moved,
};
