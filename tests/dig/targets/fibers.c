/* Fibers of libospreyrt in every state, each named after it, and all the same ones until the program is killed.
 *
 * fibers [all|quiet|hog|ring|deadlock|many N]: all waits there are, a thread in a blocking call, one that computes and one that ended;
 * without these three; one thread for one that computes and one that is therefore ready; three that wait for each other's mutexes;
 * nothing but waits, which the runtime ends with its own listing; N receivers. Says "ready" when they stand. With SIGUSR1 it prints
 * the longest gap between the turns of a fiber that looks at the clock, in us, since the last time. With UNSHARE_TIME in the environment
 * its children would have another time namespace than itself. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <osprey/rt.h>

#define FOR_EVER (INT64_C(3600) * 1000000000)

static struct rt_chan *jobs, *full, *other;
static struct rt_mutex held, ring[3];
static struct rt_rwlock read_locked, write_locked;
static struct rt_semaphore semaphore;
static struct rt_event event;
static struct rt_mutex with_condition;
static struct rt_condition condition;
static struct rt_wait_group group;
static struct rt_once once;
static struct rt_fiber sleeper;
static volatile sig_atomic_t wants_gap;
static const char *mode = "all";
static long count;

static void spawn(rt_function *function, void *arg, const char *name, struct rt_fiber *ret)
{
	struct rt_spawn_options options = { .name = name };
	struct rt_fiber unused;

	if (rt_spawn(function, arg, &options, ret ? ret : &unused) < 0)
		abort();
}

__attribute__((noinline)) static int receive_job(void *arg)
{
	long job;

	(void)arg;
	return rt_receive(jobs, &job, RT_FOREVER);
}

static int send_full(void *arg)
{
	long job = 3;

	(void)arg;
	return rt_send(full, &job, RT_FOREVER);
}

static int select_two(void *arg)
{
	long job = 4;
	struct rt_case cases[] = { { .chan = other, .receive = &job }, { .chan = full, .send = &job } };

	(void)arg;
	return rt_select(cases, 2, RT_FOREVER);
}

static int sleeps(void *arg)
{
	(void)arg;
	return rt_sleep(FOR_EVER);
}

static int locks(void *arg)
{
	return rt_lock(arg, RT_FOREVER);
}

static int holds(void *arg)
{
	if (rt_lock(&held, RT_FOREVER) < 0 || rt_read_lock(&read_locked, RT_FOREVER) < 0 ||
	    rt_write_lock(&write_locked, RT_FOREVER) < 0)
		abort();
	return sleeps(arg);
}

static int reads(void *arg)
{
	(void)arg;
	return rt_read_lock(&write_locked, RT_FOREVER);
}

static int writes(void *arg)
{
	(void)arg;
	return rt_write_lock(&read_locked, RT_FOREVER);
}

static int takes(void *arg)
{
	(void)arg;
	return rt_semaphore_wait(&semaphore, 5, RT_FOREVER);
}

/* Its stack is away. */
static int waits_event(void *arg)
{
	(void)arg;
	if (rt_cold_begin() < 0)
		abort();
	return rt_event_wait(&event, RT_FOREVER);
}

static int waits_condition(void *arg)
{
	(void)arg;
	return rt_lock(&with_condition, RT_FOREVER) < 0 ? -1 : rt_condition_wait(&condition, &with_condition, RT_FOREVER);
}

static int waits_group(void *arg)
{
	(void)arg;
	return rt_wait_group_wait(&group, RT_FOREVER);
}

static void once_for_long(void *arg)
{
	sleeps(arg);
}

static int runs_once(void *arg)
{
	rt_once_run(&once, once_for_long, arg);
	return 0;
}

static int closes_scope(void *arg)
{
	struct rt_scope scope;

	rt_scope_open(&scope, RT_FOREVER);
	if (rt_scope_go(&scope, sleeps, arg) < 0)
		abort();
	return rt_scope_close(&scope);
}

static int joins(void *arg)
{
	(void)arg;
	return rt_join(sleeper, NULL, RT_FOREVER);
}

static int reads_socket(void *arg)
{
	struct rt_fd fd;
	int ends_of[2];
	char byte;

	(void)arg;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_of) < 0 || rt_fd_adopt(ends_of[0], 0, &fd) < 0)
		abort();
	return (int)rt_read(fd, &byte, 1, RT_FOREVER);
}

static int ends(void *arg)
{
	(void)arg;
	return 7;
}

static int blocks(void *arg)
{
	(void)arg;
	rt_block_begin();
	while (count >= 0)
		pause();
	return 0;
}

__attribute__((noinline)) static int computes(void *arg)
{
	(void)arg;
	for (volatile unsigned long i = 0; i + 1; i++)
		continue;
	return 0;
}

/* Looks at the clock whenever it has a turn. */
static int ticks(void *arg)
{
	int64_t before = rt_now(), longest = 0;

	(void)arg;
	while (rt_sleep(200000) == 0) {
		int64_t now = rt_now();
		longest = now - before > longest ? now - before : longest;
		before = now;
		if (!wants_gap)
			continue;
		wants_gap = 0;
		printf("gap %lld\n", (long long)longest / 1000);
		fflush(stdout);
		longest = 0;
	}
	return 0;
}

static void on_signal(int number)
{
	(void)number;
	wants_gap = 1;
}

static void start_waits(void)
{
	long job = 1;

	if (rt_chan_new(sizeof(long), 0, &jobs) < 0 || rt_chan_new(sizeof(long), 2, &full) < 0 ||
	    rt_chan_new(sizeof(long), 4, &other) < 0 || rt_send(full, &job, RT_FOREVER) < 0 || rt_send(full, &job, RT_FOREVER) < 0)
		abort();
	rt_semaphore_init(&semaphore, 3);
	rt_wait_group_add(&group, 2);
	for (int i = 0; i < 5; i++)
		spawn(receive_job, NULL, "receive", NULL);
	spawn(sleeps, NULL, "sleep", &sleeper);
	spawn(holds, NULL, "sleep", NULL);
	rt_sleep(1000000);
	spawn(send_full, NULL, "send", NULL);
	spawn(select_two, NULL, "select", NULL);
	spawn(locks, &held, "mutex", NULL);
	spawn(reads, NULL, "read lock", NULL);
	spawn(writes, NULL, "write lock", NULL);
	spawn(takes, NULL, "semaphore", NULL);
	spawn(waits_event, NULL, "event", NULL);
	spawn(waits_condition, NULL, "condition", NULL);
	spawn(waits_group, NULL, "wait group", NULL);
	spawn(runs_once, NULL, "sleep", NULL);
	rt_sleep(1000000);
	spawn(runs_once, NULL, "once", NULL);
	spawn(closes_scope, NULL, "scope", NULL);
	spawn(joins, NULL, "join", NULL);
	spawn(reads_socket, NULL, "read", NULL);
}

/* How many there are to be of those whose stacks are away. */
static uint64_t nwait_cold;

static int holds_and_wants(void *arg)
{
	size_t i = (size_t)(struct rt_mutex *)arg - (size_t)ring;

	i /= sizeof ring[0];
	if (rt_lock(&ring[i], RT_FOREVER) < 0)
		abort();
	rt_sleep(2000000);
	return rt_lock(&ring[(i + 1) % 3], RT_FOREVER);
}

static int is_ready(void *arg)
{
	struct rt_cold_state cold;

	/* All have had the time to get where they stay. */
	do {
		rt_sleep(30000000);
		rt_cold_look(&cold);
	} while (cold.fibers < nwait_cold);
	printf("ready\n");
	fflush(stdout);
	return sleeps(arg);
}

static int first(void *arg)
{
	bool all = strcmp(mode, "all") == 0;

	if (all || strcmp(mode, "quiet") == 0) {
		start_waits();
		nwait_cold = 1;
	}
	if (all) {
		spawn(ends, NULL, "ends", NULL);
		spawn(blocks, NULL, "blocks", NULL);
		spawn(computes, NULL, "computes", NULL);
		spawn(ticks, NULL, "ticks", NULL);
	}
	if (strcmp(mode, "ring") == 0)
		for (size_t i = 0; i < 3; i++)
			spawn(holds_and_wants, &ring[i], "ring", NULL);
	if (strcmp(mode, "many") == 0) {
		if (rt_chan_new(sizeof(long), 0, &jobs) < 0)
			abort();
		for (long i = 0; i < count; i++)
			spawn(receive_job, NULL, "receive", NULL);
	}
	if (strcmp(mode, "deadlock") == 0) {
		if (rt_chan_new(sizeof(long), 0, &jobs) < 0)
			abort();
		for (int i = 0; i < 3; i++)
			spawn(receive_job, NULL, "receive", NULL);
		spawn(waits_event, NULL, "event", NULL);
		rt_wait_group_add(&group, 1);
		return waits_group(arg);
	}
	if (strcmp(mode, "hog") == 0) {
		spawn(ends, NULL, "ready", NULL);
		printf("ready\n");
		fflush(stdout);
		return computes(arg);
	}
	return is_ready(arg);
}

int main(int argc, char **argv)
{
	struct rt_options options = { .processors = 2 };

	if (getenv("UNSHARE_TIME") && unshare(CLONE_NEWTIME) < 0)
		return 1;
	if (argc > 1)
		mode = argv[1];
	if (argc > 2)
		count = strtol(argv[2], NULL, 10);
	if (strcmp(mode, "hog") == 0)
		options = (struct rt_options){ .processors = 1, .threads = 1 };
	signal(SIGUSR1, on_signal);
	return rt_run(&options, first, NULL) == 0 ? 0 : 1;
}
