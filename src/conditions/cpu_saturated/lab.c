/* Several spinners for each CPU. */
#include "conditions/conditions.h"
#include "diagnose/evidence.h"
#include "lab/scenario.h"

static int spin(struct lab *lab, void *arg)
{
	volatile uint64_t turns = 0;

	(void)arg;
	lab_label_self(lab);
	while (turns < UINT64_MAX)
		turns++;
	return 0;
}

static int run(struct lab *lab, struct note *note)
{
	uint64_t spinners = lab_cpus(lab) * lab_pick(lab, 3, 4, 8);

	for (uint64_t i = 0; i < spinners; i++) {
		pid_t pid = lab_spawn(lab, "cpu_hog", spin, NULL);
		if (pid < 0)
			return note_set(note, pid, "cannot start spinner %d", (int)i);
	}
	lab_ready(lab);
	return 0;
}

static bool moved(const struct window *w, struct note *note)
{
	double wait = 0;

	for (size_t i = 0; i < w->nprocesses; i++)
		wait += number_or(window_rate(w, w->processes[i].wait_ns) / 1e9, 0);
	note_set(note, 0, "tasks waited %.2f s a second for a CPU", wait);
	return wait > w->topology->cpus;
}

const struct scenario cpu_saturated_scenario = {
	.name = "cpu_saturated",
	.summary = "four spinning processes for each CPU",
	.moves = "run-queue delay of all tasks, /proc/pressure/cpu, procs_running",
	.memory_bytes = 64 << 20,
	.processes = 2048,
	.run = run,
	.moved = moved,
};
