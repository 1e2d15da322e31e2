/* Two spinners share a quota far below one CPU. */
#include "conditions/conditions.h"
#include "diagnose/evidence.h"
#include "lab/scenario.h"

#define PERIOD_US 100000

static int set_up(struct lab *lab, struct note *note)
{
	char path[256];
	int r = lab_cgroup(lab, CGROUP_CPU, path, sizeof path, note);

	if (r < 0)
		return r;
	r = lab_cgroup_cpu_quota(lab, lab_pick(lab, 60000, 20000, 5000), PERIOD_US, note);
	if (r == 0)
		lab_label_name(lab, ACTOR_CGROUP, path);
	return r;
}

static int spin(struct lab *lab, void *arg)
{
	volatile uint64_t turns = 0;
	int r = lab_cgroup_enter(lab, NULL);

	(void)arg;
	if (r < 0)
		return r;
	lab_at_work(lab);
	while (turns < UINT64_MAX)
		turns++;
	return 0;
}

static int run(struct lab *lab, struct note *note)
{
	for (int i = 0; i < 2; i++) {
		pid_t pid = lab_spawn_at_work(lab, "quota_spin", spin, NULL, note);

		if (pid < 0)
			return pid;
	}
	lab_ready(lab);
	return 0;
}

static bool moved(const struct window *w, struct note *note)
{
	double most = 0;

	vec_each(c, &w->last->cgroups) {
		struct throttling t;
		if (cgroup_throttling(w, c, &t) && t.throttled > most)
			most = t.throttled;
	}
	note_set(note, 0, "a cgroup was throttled in %.0f periods", most);
	return most > w->seconds; /* of ten a second */
}

const struct scenario cpu_throttled_scenario = {
	.name = "cpu_throttled",
	.summary = "two spinners in a cgroup whose CPU quota is a fifth of a CPU",
	.moves = "cpu.stat nr_throttled and throttled_time of the cgroup",
	.needs = LAB_CPU_CGROUP,
	.memory_bytes = 16 << 20,
	.processes = 4,
	.set_up = set_up,
	.run = run,
	.moved = moved,
};
