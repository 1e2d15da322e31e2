/* The claim: on a host of 10 000 processes a screen of osprey top costs at most 1/20 of the CPU that top
 * and htop take for theirs, refreshed once a second, each on a terminal of 200 x 50, one after the
 * other in turns; the median of the turns counts, so that what else the machine does hits all alike.
 *
 *   build/bench/top_refresh [PROCESSES [SECONDS [TURNS]]]
 *
 * CPU time is what the kernel has charged to the process (its CPU clock, in ns) and to its children, from
 * the third refresh on; what they write is read and thrown away. Exit: 0 when both goals are
 * reached, 1 when not, 3 when it could not be measured. */
#include "bench/crowd.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GOAL 20.0
#define SETTLE_S 3.5

static double seconds_of(clockid_t clock)
{
	struct timespec t;

	return clock_gettime(clock, &t) < 0 ? -1 : (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Children that were waited for: cutime and cstime. */
static double children_s(pid_t pid)
{
	char path[40], text[1024];
	unsigned long user, system;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	const char *after = strrchr(text, ')');
	if (!after || sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		return 0;
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double cpu_s(pid_t pid)
{
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0)
		return -1;
	double own = seconds_of(clock);
	return own < 0 ? -1 : own + children_s(pid);
}

static double now_s(void)
{
	return seconds_of(CLOCK_MONOTONIC);
}

/* Takes what it writes; -1: it has ended. */
static long drain(int fd, double until_s)
{
	static char text[65536];
	long bytes = 0;

	for (double left; (left = until_s - now_s()) > 0;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		if (poll(&p, 1, (int)(left * 1e3) + 1) <= 0)
			continue;
		ssize_t n = read(fd, text, sizeof text);
		if (n <= 0)
			return -1;
		bytes += n;
	}
	return bytes;
}

struct cost {
	double cpu_ms_per_s, kib_per_s; /* below 0: could not be measured */
};

static struct cost watch(char *const argv[], double seconds)
{
	struct winsize size = { .ws_row = 50, .ws_col = 200 };
	struct cost c = { -1, 0 };
	int fd;
	pid_t child = forkpty(&fd, NULL, NULL, &size);

	if (child == 0) {
		setenv("TERM", "xterm-256color", 1);
		setenv("LC_ALL", "C.UTF-8", 1);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (child < 0)
		return c;
	if (drain(fd, now_s() + SETTLE_S) >= 0) {
		double from_s = now_s(), from_cpu = cpu_s(child);
		long bytes = drain(fd, from_s + seconds);
		double took = now_s() - from_s, cpu = cpu_s(child);
		if (bytes >= 0 && from_cpu >= 0 && cpu >= 0)
			c = (struct cost){ 1e3 * (cpu - from_cpu) / took, (double)bytes / 1024 / took };
	}
	(void)!write(fd, "q", 1);
	drain(fd, now_s() + 0.5);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(fd);
	return c;
}

static int by_value(const void *a, const void *b)
{
	double x = ((const struct cost *)a)->cpu_ms_per_s, y = ((const struct cost *)b)->cpu_ms_per_s;

	return (x > y) - (x < y);
}

static bool compare(const char *name, struct cost peer, struct cost ours)
{
	if (peer.cpu_ms_per_s < 0) {
		printf("%-8s could not be run\n", name);
		return false;
	}
	double ratio = peer.cpu_ms_per_s / ours.cpu_ms_per_s;
	printf("%-8s %8.2f ms of CPU a refresh, %6.1f KiB/s to the terminal: osprey takes 1/%.1f\n", name, peer.cpu_ms_per_s,
	       peer.kib_per_s, ratio);
	return ratio >= GOAL;
}

#define MAX_TURNS 15

int main(int argc, char **argv)
{
	static char *const programs[3][5] = { { "build/osprey", "top", "--interval", "1s", NULL },
					      { "top", "-d", "1", NULL },
					      { "htop", "-d", "10", NULL } };
	static struct cost costs[3][MAX_TURNS];
	unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 10000, started = 0;
	double seconds = argc > 2 ? atof(argv[2]) : 6;
	int turns = argc > 3 ? atoi(argv[3]) : 3;
	pid_t crowd = crowd_start(n, &started);

	setvbuf(stdout, NULL, _IOLBF, 0);
	turns = turns < 1 ? 1 : turns > MAX_TURNS ? MAX_TURNS : turns;
	if (crowd < 0 || started < n) {
		fprintf(stderr, "only %u of %u processes could be started\n", started, n);
		if (crowd > 0)
			crowd_end(crowd);
		return 3;
	}
	for (int turn = 0; turn < turns; turn++)
		for (int i = 0; i < 3; i++)
			costs[i][turn] = watch(programs[i], seconds);
	crowd_end(crowd);
	for (int i = 0; i < 3; i++)
		qsort(costs[i], (size_t)turns, sizeof costs[i][0], by_value);
	struct cost ours = costs[0][turns / 2];
	if (costs[0][0].cpu_ms_per_s < 0) {
		fputs("build/osprey top could not be run\n", stderr);
		return 3;
	}
	printf("%u processes, %d turns of %.0f s each, medians\nosprey   %8.2f ms of CPU a refresh, %6.1f KiB/s to the terminal\n",
	       started, turns, seconds, ours.cpu_ms_per_s, ours.kib_per_s);
	bool reached = compare("top", costs[1][turns / 2], ours);
	reached = compare("htop", costs[2][turns / 2], ours) && reached;
	printf("goal: at most 1/%.0f of each: %s\n", GOAL, reached ? "reached" : "missed");
	return reached ? 0 : 1;
}
