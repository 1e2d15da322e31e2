/* Misuse ends with one line that says what was done, in which fiber, and where. Each case is a process of its
 * own. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "child.h"

static struct rt_chan *channel;
static struct rt_mutex mutex;

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int closes_twice(void *arg)
{
	(void)arg;
	rt_chan_new(8, 1, &channel);
	rt_close(channel);
	rt_close(channel);
	return 0;
}

static int sends_on_closed(void *arg)
{
	long v = 1;

	(void)arg;
	rt_chan_new(sizeof v, 1, &channel);
	rt_close(channel);
	return rt_send(channel, &v, RT_FOREVER);
}

static int sends(void *arg)
{
	long v = 1;

	(void)arg;
	return rt_send(channel, &v, RT_FOREVER);
}

static int closes_under_sender(void *arg)
{
	(void)arg;
	rt_chan_new(sizeof(long), 0, &channel);
	rt_go(sends, NULL);
	rt_sleep(MS);
	rt_close(channel);
	return rt_sleep(1000 * MS);
}

static int frees_under_sender(void *arg)
{
	(void)arg;
	rt_chan_new(sizeof(long), 0, &channel);
	rt_go(sends, NULL);
	rt_sleep(MS);
	rt_chan_free(channel);
	return 0;
}

static int closes_null(void *arg)
{
	(void)arg;
	rt_close(NULL);
	return 0;
}

static int ends_no_block(void *arg)
{
	(void)arg;
	rt_block_end();
	return 0;
}

static int nests_blocks(void *arg)
{
	(void)arg;
	rt_block_begin();
	rt_block_begin();
	return 0;
}

static int ends_no_preempt(void *arg)
{
	(void)arg;
	rt_preempt_end();
	return 0;
}

static int nests_preempts(void *arg)
{
	(void)arg;
	if (rt_preempt_begin() == 0)
		rt_preempt_begin();
	return 0;
}

static int joins_nothing(void *arg)
{
	struct rt_fiber none = { 0 };

	(void)arg;
	return rt_join(none, NULL, RT_FOREVER);
}

static int closes_scope_twice(void *arg)
{
	struct rt_scope s;

	(void)arg;
	rt_scope_open(&s, RT_FOREVER);
	return rt_scope_close(&s) < 0 ? -1 : rt_scope_close(&s);
}

static int selects_for_ever(void *arg)
{
	struct rt_case cases[] = { { .chan = NULL }, { .chan = arg } };

	return rt_select(cases, 2, RT_FOREVER);
}

static int joins_who_selects(void *arg)
{
	struct rt_chan *c;
	struct rt_fiber f;

	(void)arg;
	if (rt_chan_new(0, 0, &c) < 0 || rt_spawn(selects_for_ever, c, NULL, &f) < 0)
		return -1;
	return rt_join(f, NULL, RT_FOREVER);
}

static int joins_twice(void *arg)
{
	struct rt_fiber f;

	(void)arg;
	rt_spawn(nothing, NULL, NULL, &f);
	rt_join(f, NULL, RT_FOREVER);
	return rt_join(f, NULL, RT_FOREVER);
}

static int takes(void *arg)
{
	(void)arg;
	return rt_lock(&mutex, RT_FOREVER);
}

static int unlocks_anothers(void *arg)
{
	(void)arg;
	rt_go(takes, NULL);
	rt_sleep(MS);
	rt_unlock(&mutex);
	return 0;
}

static int locks_twice(void *arg)
{
	takes(arg);
	return takes(arg);
}

static int runs_within(void *arg)
{
	return rt_run(NULL, nothing, arg);
}

static int count_below_zero(void *arg)
{
	struct rt_wait_group group = { 0 };

	(void)arg;
	rt_wait_group_done(&group);
	return 0;
}

static int leaves_scope_open(void *arg)
{
	struct rt_scope s;

	(void)arg;
	rt_scope_open(&s, RT_FOREVER);
	return 0;
}

__attribute__((noinline)) static int deep(volatile int n)
{
	volatile char room[200];

	room[0] = (char)n;
	return n ? deep(n - 1) + room[0] : 0;
}

static int overflows(void *arg)
{
	(void)arg;
	return deep(1000000);
}

static int overflows_large(void *arg)
{
	struct rt_fiber f;

	(void)arg;
	rt_spawn(overflows, NULL, &(struct rt_spawn_options){ .stack = RT_STACK_LARGE, .name = "deep one" }, &f);
	return rt_join(f, NULL, RT_FOREVER);
}

static int wild_pointer(void *arg)
{
	volatile uintptr_t nowhere = 8;

	*(volatile int *)nowhere = arg != NULL;
	return 0;
}

static int waits_for_itself(void *arg)
{
	long v;

	(void)arg;
	rt_chan_new(8, 0, &channel);
	rt_go(takes, NULL);
	rt_yield();
	rt_go(takes, NULL);
	return rt_receive(channel, &v, RT_FOREVER);
}

static void *from_a_thread(void *arg)
{
	rt_yield();
	return arg;
}

static int outside(void *arg)
{
	pthread_t t;

	pthread_create(&t, NULL, from_a_thread, arg);
	return pthread_join(t, NULL);
}

static struct rt_fiber earlier;

static int spawns(void *arg)
{
	(void)arg;
	CHECK(rt_spawn(nothing, NULL, NULL, &earlier) == 0);
	return rt_join(earlier, NULL, RT_FOREVER);
}

/* What that one had is another's by now, who is to be joined too. */
static int joins_earlier(void *arg)
{
	struct rt_fiber f;

	(void)arg;
	CHECK(rt_spawn(nothing, NULL, NULL, &f) == 0);
	return rt_join(earlier, NULL, RT_FOREVER);
}

static void joins_of_earlier_run(unsigned processors)
{
	struct rt_options options = { .processors = processors };

	CHECK(rt_run(&options, spawns, NULL) == 0);
	CHECK(rt_run(&options, joins_earlier, NULL) == 0);
}

static void child(rt_function *run, unsigned processors, int out)
{
	struct rt_options options = { .processors = processors };

	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	dup2(out, STDERR_FILENO);
	_exit(rt_run(&options, run, NULL) == 0 ? 0 : 1);
}

/* What the child says, and how it ends. */
static int said_by(rt_function *run, unsigned processors, char *text, size_t size)
{
	int ends[2];

	if (pipe(ends) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		child(run, processors, ends[1]);
	}
	return child_end(pid, ends, text, size);
}

int main(void)
{
	static const struct {
		rt_function *run;
		int signal;
		const char *line;
		const char *more[3];
	} cases[] = {
		{ closes_twice, SIGABRT, "osprey/rt: rt_close: the channel is closed already", { "in fiber", "closes_twice+" } },
		{ sends_on_closed, SIGABRT, "osprey/rt: rt_send: the channel is closed", { "sends_on_closed+" } },
		{ closes_under_sender, SIGABRT, "osprey/rt: rt_send: the channel is closed", { "sends+" } },
		{ frees_under_sender, SIGABRT, "osprey/rt: rt_chan_free: fibers wait at the channel", { "frees_under_sender+" } },
		{ closes_null, SIGABRT, "osprey/rt: rt_close: the channel is NULL", { "closes_null+", "started in " } },
		{ ends_no_block, SIGABRT, "osprey/rt: rt_block_end: without rt_block_begin", { "ends_no_block+" } },
		{ nests_blocks, SIGABRT, "osprey/rt: rt_block_begin: within another", { "nests_blocks+" } },
		{ ends_no_preempt, SIGABRT, "osprey/rt: rt_preempt_end: without rt_preempt_begin", { "ends_no_preempt+" } },
		{ nests_preempts, SIGABRT, "osprey/rt: rt_preempt_begin: within another", { "nests_preempts+" } },
		{ joins_nothing, SIGABRT, "osprey/rt: rt_join: zeroed memory is no fiber", { "joins_nothing+" } },
		{ closes_scope_twice, SIGABRT, "osprey/rt: rt_scope_close: the scope is not open", { "closes_scope_twice+" } },
		{ joins_who_selects, SIGABRT, "osprey/rt: deadlock: every fiber waits",
		  { ": joins fiber ", "case 1: receives from channel 0x", "started in joins_who_selects+" } },
		{ joins_twice, SIGABRT, "has been joined already", { "joins_twice+" } },
		{ unlocks_anothers, SIGABRT, "osprey/rt: rt_unlock: the mutex is not held by this fiber", { "unlocks_anothers+" } },
		{ locks_twice, SIGABRT, "osprey/rt: rt_lock: this fiber holds the mutex already", { "locks_twice+" } },
		{ runs_within, SIGABRT, "osprey/rt: rt_run: called within a run", { "runs_within+" } },
		{ count_below_zero, SIGABRT, "osprey/rt: rt_wait_group_add: the count is below zero", { "count_below_zero+" } },
		{ leaves_scope_open, SIGABRT, "osprey/rt: a fiber returns without closing the scope that it has opened", { "in fiber" } },
		{ overflows, SIGABRT, "osprey/rt: stack overflow: 64 KiB are used up", { "in fiber", "deep+", "times more" } },
		{ overflows_large, SIGABRT, "osprey/rt: stack overflow: 256 KiB are used up", { "(deep one), started by fiber", "deep+" } },
		{ wild_pointer, SIGSEGV, "", { NULL } },
		{ waits_for_itself, SIGABRT, "osprey/rt: deadlock: every fiber waits",
		  { "receives from channel 0x", "waits for mutex 0x", "waits_for_itself+" } },
		{ outside, SIGABRT, "osprey/rt: a function for fibers was called outside of rt_run", { "from_a_thread+" } },
	};
	static char text[1 << 16];

	for (unsigned p = 1; p <= 2; p++) {
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
			int before = check_failed;
			int status = said_by(cases[i].run, p, text, sizeof text);
			CHECK(WIFSIGNALED(status) && WTERMSIG(status) == cases[i].signal);
			CHECK(strncmp(text, cases[i].line, strlen(cases[i].line)) == 0 || (cases[i].run == joins_twice && strstr(text, cases[i].line)));
			for (int k = 0; k < 3 && cases[i].more[k]; k++)
				CHECK(strstr(text, cases[i].more[k]));
			if (check_failed != before)
				fprintf(stderr, "case %zu, P = %u, status %#x: %s\n", i, p, (unsigned)status, text);
		}
		child_check("a fiber of an earlier run", joins_of_earlier_run, p, 0, SIGABRT, "has been joined already");
	}
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
