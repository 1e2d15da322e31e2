/* Pairs of processes that hand one byte back and forth through two pipes. */
#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "conditions/conditions.h"
#include "diagnose/evidence.h"
#include "lab/scenario.h"

struct side {
	unsigned pair;
	int in, out;
	bool serves; /* begins */
};

/* Both of a pair on one CPU: each byte is then a switch, and no CPU sleeps meanwhile. */
static int share_cpu(unsigned pair)
{
	cpu_set_t allowed, one;
	unsigned wanted;

	if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
		return -errno;
	wanted = pair % (unsigned)CPU_COUNT(&allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && wanted-- == 0) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			return sched_setaffinity(0, sizeof one, &one) < 0 ? -errno : 0;
		}
	return -ENODEV;
}

static int play(struct lab *lab, void *arg)
{
	const struct side *s = arg;
	char ball = 0;
	int r = share_cpu(s->pair);

	if (r < 0)
		return r;
	lab_label_self(lab);
	if (s->serves && write(s->out, &ball, 1) != 1)
		return -errno;
	while (read(s->in, &ball, 1) == 1)
		if (write(s->out, &ball, 1) != 1)
			return -errno;
	return 0;
}

static int start_pair(struct lab *lab, unsigned pair, struct note *note)
{
	int there[2], back[2];

	if (pipe(there) < 0 || pipe(back) < 0)
		return note_set(note, -errno, "pipe");
	struct side a = { pair, back[0], there[1], true }, b = { pair, there[0], back[1], false };
	pid_t pid = lab_spawn(lab, "ping_pong", play, &a);
	if (pid >= 0)
		pid = lab_spawn(lab, "ping_pong", play, &b);
	if (pid < 0)
		return note_set(note, pid, "cannot start a pair");
	close(there[0]);
	close(there[1]);
	close(back[0]);
	close(back[1]);
	return 0;
}

static int run(struct lab *lab, struct note *note)
{
	uint64_t pairs = lab_pick(lab, 1, lab_cpus(lab), 2 * (uint64_t)lab_cpus(lab));

	for (unsigned i = 0; i < pairs; i++) {
		int r = start_pair(lab, i, note);
		if (r < 0)
			return r;
	}
	lab_ready(lab);
	return 0;
}

static bool moved(const struct window *w, struct note *note)
{
	double rate = window_rate(w, WINDOW_DELTA(w, cpu.context_switches));

	note_set(note, 0, "%.0f context switches a second", rate);
	return rate > 40000;
}

const struct scenario context_switch_storm_scenario = {
	.name = "context_switch_storm",
	.summary = "a pair of processes for each CPU that hand a byte back and forth",
	.moves = "ctxt of /proc/stat, voluntary switches of the processes",
	.memory_bytes = 64 << 20,
	.processes = 2048,
	.run = run,
	.moved = moved,
};
