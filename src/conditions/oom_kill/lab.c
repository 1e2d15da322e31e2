/* A job that needs more memory than its cgroup may have is started again each time it is
 * killed, as service managers do. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conditions/conditions.h"
#include "lab/scenario.h"

#define MIB (UINT64_C(1) << 20)
#define LIMIT_BYTES (64 * MIB)
#define JOB_BYTES (200 * MIB)

static int set_up(struct lab *lab, struct note *note)
{
	char group[256];
	int r = lab_cgroup(lab, CGROUP_MEMORY, group, sizeof group, note);

	if (r == 0)
		r = lab_cgroup_memory_limit(lab, LIMIT_BYTES, note);
	if (r == 0)
		lab_label_name(lab, ACTOR_CGROUP, group);
	return r;
}

static int eat(struct lab *lab, void *arg)
{
	int r = lab_cgroup_enter(lab, NULL);

	(void)arg;
	if (r < 0)
		return r;
	unsigned char *memory = mmap(NULL, JOB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	for (uint64_t done = 0; done < JOB_BYTES; done += MIB) {
		memset(memory + done, 1, MIB);
		usleep(2000); /* a job that reads its input, not a bomb */
	}
	return -EINVAL; /* it should never have come so far */
}

/* Returns when the first job was killed, so that the fault is in force; goes on for ever then. */
static int run(struct lab *lab, struct note *note)
{
	useconds_t pause_us = (useconds_t)lab_pick(lab, 1500000, 500000, 100000);
	bool ready = false;

	for (;;) {
		int status = 0;
		pid_t pid = lab_spawn(lab, "memory_eater", eat, NULL);

		if (pid < 0)
			return note_set(note, pid, "cannot start the job");
		while (waitpid(pid, &status, 0) < 0)
			if (errno != EINTR)
				return note_set(note, -errno, "the job cannot be waited for");
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
			return note_set(note, -EINVAL, "the job was not killed: the limit does not hold");
		if (!ready)
			lab_ready(lab);
		ready = true;
		usleep(pause_us);
	}
}

static bool moved(const struct window *w, struct note *note)
{
	double kills = reading_value(WINDOW_DELTA(w, vmstat.oom_kill));

	note_set(note, 0, "%.0f processes were killed", kills);
	return kills > 0;
}

const struct scenario oom_kill_scenario = {
	.name = "oom_kill",
	.summary = "a job that outgrows the memory limit of its cgroup is killed, and started again",
	.moves = "vmstat oom_kill, oom_kill of the cgroup, the kernel log",
	.needs = LAB_MEMORY_CGROUP,
	.memory_bytes = 128 << 20,
	.processes = 4,
	.set_up = set_up,
	.run = run,
	.moved = moved,
};
