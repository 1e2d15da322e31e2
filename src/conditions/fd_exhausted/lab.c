/* A server that leaks descriptors up to its limit and goes on trying to accept. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "conditions/conditions.h"
#include "lab/scenario.h"

#define LIMIT 256

static int listener(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 16) < 0)
		return -errno;
	return fd;
}

static int leak(struct lab *lab, void *arg)
{
	const struct rlimit limit = { LIMIT, LIMIT };
	uint64_t fill = lab_pick(lab, LIMIT * 92 / 100, LIMIT, LIMIT);
	/* Strong: a loop that retries at once, and burns a CPU. */
	uint64_t pause_ns = lab_pick(lab, NS_PER_S, 10 * NS_PER_MS, 0);
	int server, fd;

	(void)arg;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	server = listener();
	if (server < 0)
		return server;
	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (uint64_t)fd + 1 < fill);
	lab_label_self(lab);
	lab_at_work(lab);
	for (;;) {
		fd = accept(server, NULL, NULL);
		if (fd < 0 && lab_strength(lab) == STRENGTH_WEAK)
			fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (pause_ns)
			(void)!clock_sleep_until(clock_mono_ns() + pause_ns);
	}
}

static int run(struct lab *lab, struct note *note)
{
	pid_t pid = lab_spawn_at_work(lab, "leaky_server", leak, NULL, note);

	if (pid < 0)
		return pid;
	lab_ready(lab);
	return 0;
}

static bool moved(const struct window *w, struct note *note)
{
	double fullest = 0;

	for (size_t i = 0; i < w->nprocesses; i++) {
		const struct process_span *p = &w->processes[i];
		double share = reading_value(p->fd_count) / reading_value(p->fd_limit);

		if (!p->gone && share > fullest && share <= 1)
			fullest = share;
	}
	note_set(note, 0, "the fullest descriptor table is %.0f %% full", 100 * fullest);
	return fullest >= 0.9;
}

const struct scenario fd_exhausted_scenario = {
	.name = "fd_exhausted",
	.summary = "a server leaks descriptors up to its limit of 256 and goes on trying to accept",
	.moves = "entries of /proc/PID/fd against the limit; accept fails with EMFILE",
	.needs = LAB_NET_NS,
	.memory_bytes = 16 << 20,
	.processes = 4,
	.run = run,
	.moved = moved,
};
