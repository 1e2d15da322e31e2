/* What looking at the stacks of 200 threads costs them: gdb, eu-stack and osprey on one target, in turn.
 *
 * The target's threads sleep 25 frames deep in a condition, a read, epoll_wait and nanosleep. Another one, real-time, ticks every
 * 50 us and keeps its largest gap; those in epoll_wait count how often they were interrupted. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

extern char **environ;

#define THREADS 200
#define DEPTH 20
#define ROUNDS 7

struct shared {
	_Atomic uint64_t largest_gap_ns, interrupted;
};
static struct shared *shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int pipe_fds[2];
static volatile int sink;

__attribute__((noinline)) static void poll_for_ever(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int set = epoll_create1(EPOLL_CLOEXEC);

	if (epoll_ctl(set, EPOLL_CTL_ADD, pipe_fds[0], &event) < 0)
		return;
	for (;;)
		if (epoll_wait(set, &event, 1, -1) < 0 && errno == EINTR)
			shared->interrupted++;
}

__attribute__((noinline)) static int leaf(int kind)
{
	char c;

	switch (kind % 4) {
	case 0:
		pthread_mutex_lock(&lock);
		pthread_cond_wait(&condition, &lock);
		break;
	case 1:
		sink += (int)read(pipe_fds[0], &c, 1);
		break;
	case 2:
		poll_for_ever();
		break;
	default:
		for (;;)
			nanosleep(&(struct timespec){ 1000, 0 }, NULL);
	}
	return sink;
}

__attribute__((noinline)) static int deep(int depth, int kind)
{
	volatile char room[200];

	room[0] = (char)kind;
	return (depth ? deep(depth - 1, kind) : leaf(kind)) + room[0];
}

static void *sleeper(void *kind)
{
	sink += deep(DEPTH, (int)(intptr_t)kind);
	return NULL;
}

static void *ticker(void *unused)
{
	struct sched_param param = { .sched_priority = 10 };
	uint64_t before = clock_mono_ns();

	(void)unused;
	pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
	for (;;) {
		nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
		uint64_t now = clock_mono_ns(), gap = now - before;
		if (gap > shared->largest_gap_ns)
			shared->largest_gap_ns = gap;
		before = now;
	}
	return NULL;
}

static void target(void)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pipe(pipe_fds) < 0)
		_exit(1);
	for (intptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, sleeper, (void *)i) != 0)
			_exit(1);
	if (pthread_create(&thread, NULL, ticker, NULL) != 0)
		_exit(1);
	for (;;)
		pause();
}

struct result {
	uint64_t wall_ns, gap_ns, interrupted;
};

static struct result once(const char *const *argv)
{
	posix_spawn_file_actions_t quiet;
	pid_t pid;
	int status;

	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	usleep(100000);
	shared->largest_gap_ns = shared->interrupted = 0;
	uint64_t start = clock_mono_ns();
	if (posix_spawnp(&pid, argv[0], &quiet, NULL, (char *const *)argv, environ) != 0 ||
	    waitpid(pid, &status, 0) != pid) {
		fprintf(stderr, "%s: could not be run\n", argv[0]);
		exit(3);
	}
	struct result r = { clock_mono_ns() - start, 0, 0 };
	usleep(50000); /* the last gap is seen when it is over */
	r.gap_ns = shared->largest_gap_ns;
	r.interrupted = shared->interrupted;
	posix_spawn_file_actions_destroy(&quiet);
	return r;
}

static int by_wall(const void *a, const void *b)
{
	const struct result *x = a, *y = b;

	return x->wall_ns < y->wall_ns ? -1 : x->wall_ns > y->wall_ns;
}

static int by_gap(const void *a, const void *b)
{
	const struct result *x = a, *y = b;

	return x->gap_ns < y->gap_ns ? -1 : x->gap_ns > y->gap_ns;
}

/* Medians; and all interruptions. */
static struct result measure(const char *name, const char *const *argv)
{
	struct result r[ROUNDS], median = { 0 };

	for (int i = 0; i < ROUNDS; i++) {
		r[i] = once(argv);
		median.interrupted += r[i].interrupted;
	}
	qsort(r, ROUNDS, sizeof r[0], by_wall);
	median.wall_ns = r[ROUNDS / 2].wall_ns;
	qsort(r, ROUNDS, sizeof r[0], by_gap);
	median.gap_ns = r[ROUNDS / 2].gap_ns;
	printf("%-26s %10.1f %14.3f %14.3f %9llu\n", name, (double)median.wall_ns / 1e6, (double)median.gap_ns / 1e6,
	       (double)r[ROUNDS - 1].gap_ns / 1e6, (unsigned long long)median.interrupted);
	return median;
}

static int verdict(const char *what, double ratio, double goal)
{
	printf("%-44s %8.1f (goal %.0f): %s\n", what, ratio, goal, ratio >= goal ? "reached" : "MISSED");
	return ratio < goal;
}

int main(void)
{
	char pid[16], command[] = "thread apply all backtrace";

	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = fork();
	if (child == 0)
		target();
	snprintf(pid, sizeof pid, "%d", child);
	usleep(500000);
	printf("%-26s %10s %14s %14s %9s\n", "200 threads, medians of 7", "wall ms", "largest gap ms", "of all", "EINTR");
	measure("nobody looks (sleep 0.3)", (const char *[]){ "sleep", "0.3", NULL });
	struct result gdb = measure("gdb", (const char *[]){ "gdb", "-nx", "-batch", "-p", pid, "-ex", command, NULL });
	struct result eu = measure("eu-stack", (const char *[]){ "eu-stack", "-p", pid, NULL });
	struct result lines = measure("osprey stack", (const char *[]){ "build/osprey", "stack", pid, NULL });
	struct result ours = measure("osprey stack --no-lines", (const char *[]){ "build/osprey", "stack", "--no-lines", pid, NULL });
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	/* gdb prints lines, eu-stack functions alone. */
	int missed = verdict("wall: gdb / osprey", (double)gdb.wall_ns / (double)lines.wall_ns, 30);
	missed += verdict("wall: eu-stack / osprey --no-lines", (double)eu.wall_ns / (double)ours.wall_ns, 4);
	missed += verdict("largest gap: gdb / osprey", (double)gdb.gap_ns / (double)ours.gap_ns, 1000);
	printf("%-44s %8llu (goal 0): %s\n", "interrupted calls, osprey", (unsigned long long)(ours.interrupted + lines.interrupted),
	       ours.interrupted + lines.interrupted ? "MISSED" : "reached");
	return missed || ours.interrupted || lines.interrupted;
}
