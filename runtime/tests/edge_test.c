/* The edges of the process: how it ends, forks, and what signals do while everything runs. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/time.h>

#include "child.h"

extern char **environ;

static _Atomic bool over;

/* Something goes on everywhere: fibers that compute, that wait, and that change threads. */
static int computes(void *arg)
{
	(void)arg;
	while (!over)
		for (volatile int i = 0; i < 100000; i++)
			;
	return 0;
}

static int naps(void *arg)
{
	while (!over)
		rt_sleep((intptr_t)arg);
	return 0;
}

static int waits(void *arg)
{
	return rt_receive(arg, NULL, RT_FOREVER);
}

static struct rt_chan *never;

static void crowd(void)
{
	over = false;
	CHECK(rt_chan_new(8, 0, &never) == 0);
	for (int i = 0; i < 2; i++)
		rt_go(computes, NULL);
	for (intptr_t i = 1; i < 10; i++)
		rt_go(naps, (void *)(i * 50000));
	for (int i = 0; i < 10; i++)
		rt_go(waits, never);
}

static void wander(void)
{
	for (int i = 0; i < 20; i++) {
		rt_sleep(200000);
		rt_yield();
	}
}

static void run(unsigned processors, rt_function *first)
{
	struct rt_options options = { .processors = processors };

	CHECK(rt_run(&options, first, NULL) == 0);
}

/* -- ends */

static void says_bye(void)
{
	ssize_t r = write(STDERR_FILENO, "bye\n", 4);

	(void)r;
}

static int exits(void *arg)
{
	(void)arg;
	crowd();
	wander();
	exit(7);
}

static void case_exit(unsigned processors)
{
	atexit(says_bye);
	run(processors, exits);
}

static int exits_at_once(void *arg)
{
	(void)arg;
	crowd();
	wander();
	_exit(8);
}

static void case_exit_at_once(unsigned processors)
{
	atexit(says_bye);
	run(processors, exits_at_once);
}

static int aborts(void *arg)
{
	(void)arg;
	crowd();
	wander();
	abort();
}

static void case_abort(unsigned processors)
{
	run(processors, aborts);
}

static int ends_thread(void *arg)
{
	(void)arg;
	crowd();
	wander();
	pthread_exit(NULL);
}

static void case_pthread_exit(unsigned processors)
{
	run(processors, ends_thread);
}

static int cancels_thread(void *arg)
{
	(void)arg;
	crowd();
	wander();
	for (int i = 0; i < 5; i++) {
		pthread_cancel(pthread_self());
		usleep(1);
		pthread_testcancel();
		wander();
	}
	exit(9);
}

static void case_cancel(unsigned processors)
{
	run(processors, cancels_thread);
}

static pthread_t beginner;

static int blocks(void *arg)
{
	(void)arg;
	rt_block_begin();
	usleep(2000);
	rt_block_end();
	return 0;
}

/* There are threads whose end takes a moment. */
static int cancels_beginner(void *arg)
{
	struct rt_fiber f[20];

	(void)arg;
	pthread_cancel(beginner);
	for (int i = 0; i < 20; i++)
		CHECK(rt_spawn(blocks, NULL, NULL, &f[i]) == 0);
	for (int i = 0; i < 20; i++)
		CHECK(rt_join(f[i], NULL, RT_FOREVER) == 0);
	return 7;
}

static int returned;

static void *begins(void *processors)
{
	struct rt_options options = { .processors = (unsigned)(uintptr_t)processors };

	beginner = pthread_self();
	returned = rt_run(&options, cancels_beginner, NULL);
	pthread_testcancel();
	return NULL;
}

static int succeeds(void *arg)
{
	(void)arg;
	return 0;
}

/* A run is over before the thread that began it is, and another may begin. */
static void case_beginner_cancelled(unsigned processors)
{
	for (int i = 0; i < 5; i++) {
		pthread_t thread;
		void *end;
		returned = 0;
		CHECK(pthread_create(&thread, NULL, begins, (void *)(uintptr_t)processors) == 0);
		CHECK(pthread_join(thread, &end) == 0);
		CHECK(returned == 7 && end == PTHREAD_CANCELED);
		run(processors, succeeds);
	}
}

/* -- fork */

static int status_of(pid_t pid)
{
	int status = -1;

	rt_block_begin();
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	rt_block_end();
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static struct rt_wait_group group;

static int starts_programs(void *arg)
{
	char *const argv[] = { "sh", "-c", "exit 5", NULL };
	char line[16] = "";
	pid_t pid = fork();

	if (pid == 0) {
		execv("/bin/sh", argv);
		_exit(1);
	}
	CHECK(status_of(pid) == 5);
	CHECK(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) == 0);
	CHECK(status_of(pid) == 5);
	rt_block_begin();
	int status = system("exit 6");
	FILE *f = popen("echo seven", "r");
	rt_block_end();
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 6);
	rt_block_begin();
	char *read = f ? fgets(line, sizeof line, f) : NULL;
	status = f ? pclose(f) : -1;
	rt_block_end();
	CHECK(read && strcmp(line, "seven\n") == 0 && status == 0);
	rt_wait_group_done(&group);
	return arg != NULL;
}

static int programs(void *arg)
{
	(void)arg;
	crowd();
	for (int i = 0; i < 6; i++) {
		rt_wait_group_add(&group, 1);
		CHECK(rt_go(starts_programs, NULL) == 0);
	}
	CHECK(rt_wait_group_wait(&group, RT_FOREVER) == 0);
	exit(check_failed ? 1 : 11);
}

static void case_programs(unsigned processors)
{
	run(processors, programs);
}

/* A child without exec: what it calls of the runtime tells, and does not hang. */
static int child_does_without(void *arg)
{
	(void)arg;
	crowd();
	wander();
	pid_t pid = fork();
	if (pid == 0) {
		char *text = malloc(100);
		snprintf(text, 100, "%d", 12);
		_exit(atoi(text));
	}
	exit(status_of(pid));
}

static void case_child_does_without(unsigned processors)
{
	run(processors, child_does_without);
}

static int child_yields(void *arg)
{
	(void)arg;
	crowd();
	wander();
	pid_t pid = fork();
	if (pid == 0)
		rt_yield();
	exit(status_of(pid) == -SIGABRT ? 13 : 1);
}

static void case_child_yields(unsigned processors)
{
	run(processors, child_yields);
}

static int child_returns(void *arg)
{
	(void)arg;
	crowd();
	wander();
	pid_t pid = fork();
	if (pid == 0)
		return 0;
	exit(status_of(pid) == -SIGABRT ? 14 : 1);
}

static void case_child_returns(unsigned processors)
{
	run(processors, child_returns);
}

/* -- signals */

static _Atomic long signals;
static volatile sig_atomic_t length;

/* As large a frame as handlers have that print. */
static void on_signal(int signal)
{
	char text[2048];
	int kept = errno;

	length = snprintf(text, sizeof text, "%d %ld", signal, (long)signals);
	signals++;
	errno = kept;
}

static struct rt_chan *to, *from;
static struct rt_mutex mutex;
static long exchanged, rounds;

static int echoes(void *arg)
{
	long v;

	(void)arg;
	while (rt_receive(to, &v, RT_FOREVER) == 0)
		CHECK(rt_send(from, &v, RT_FOREVER) == 0);
	rt_close(from);
	return 0;
}

static int exchanges(void *arg)
{
	(void)arg;
	for (long i = 0, v; i < rounds; i++) {
		CHECK(rt_send(to, &i, RT_FOREVER) == 0);
		CHECK(rt_receive(from, &v, RT_FOREVER) == 0 && v == i);
		int r = rt_lock(&mutex, i % 5 ? RT_FOREVER : rt_now() + 100000);
		CHECK(r == 0 || r == -ETIMEDOUT);
		if (r == 0) {
			exchanged++;
			rt_unlock(&mutex);
		}
	}
	rt_close(to);
	rt_wait_group_done(&group);
	return 0;
}

static int nothing(void *arg)
{
	return arg != NULL;
}

static int starts_and_sleeps(void *arg)
{
	struct rt_fiber f;
	long v;

	for (long i = 0; i < rounds / 10; i++) {
		int64_t until = rt_now() + 20000;
		CHECK(rt_sleep_until(until) == 0);
		CHECK(rt_now() >= until);
		CHECK(rt_receive(arg, &v, rt_now() + 20000) == -ETIMEDOUT);
		CHECK(rt_spawn(nothing, NULL, NULL, &f) == 0 && rt_join(f, NULL, RT_FOREVER) == 0);
		rt_block_begin();
		usleep(20);
		rt_block_end();
	}
	rt_wait_group_done(&group);
	return 0;
}

static int under_signals(void *arg)
{
	(void)arg;
	crowd();
	CHECK(rt_chan_new(sizeof(long), 0, &to) == 0 && rt_chan_new(sizeof(long), 0, &from) == 0);
	rt_wait_group_add(&group, 5);
	rt_go(echoes, NULL);
	rt_go(exchanges, NULL);
	for (int i = 0; i < 4; i++)
		rt_go(starts_and_sleeps, never);
	CHECK(rt_wait_group_wait(&group, RT_FOREVER) == 0);
	over = true;
	rt_close(never);
	return 0;
}

static timer_t timer_at(int signal, long interval_ns)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal };
	struct itimerspec each = { { 0, interval_ns }, { 0, interval_ns } };
	timer_t timer = 0;

	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &each, NULL) == 0);
	return timer;
}

static void with_signals(unsigned processors, int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	rounds = check_load(3000) < 100 ? 100 : check_load(3000);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	timer_t slow = timer_at(SIGUSR1, 1000000), fast = timer_at(SIGUSR2, 100000);
	run(processors, under_signals);
	timer_delete(slow);
	timer_delete(fast);
	CHECK(signals > 0 && length > 0);
}

static void case_signals(unsigned processors)
{
	with_signals(processors, 0);
}

static void case_signals_on_their_stack(unsigned processors)
{
	with_signals(processors, SA_ONSTACK | SA_RESTART);
}

/* A thread that a fiber with blocked signals needed gets those of the run's start. */
static _Atomic int blocked_seen;

static int looks_at_mask(void *arg)
{
	sigset_t mask;

	(void)arg;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	blocked_seen += sigismember(&mask, SIGUSR1);
	rt_block_begin();
	usleep(3000);
	rt_block_end();
	rt_wait_group_done(&group);
	return 0;
}

static int needs_threads(void *arg)
{
	sigset_t mask, before;

	(void)arg;
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &mask, &before);
	rt_wait_group_add(&group, 20);
	for (int i = 0; i < 20; i++)
		rt_go(looks_at_mask, NULL);
	int64_t until = rt_now() + 2 * MS;
	while (rt_now() < until)
		;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	CHECK(rt_wait_group_wait(&group, RT_FOREVER) == 0);
	CHECK(blocked_seen == 0);
	return 0;
}

static void case_masks(unsigned processors)
{
	run(processors, needs_threads);
}

int main(void)
{
	static const struct {
		const char *name;
		child_case *run;
		int exit, signal;
		const char *words;
	} cases[] = {
		{ "exit", case_exit, 7, 0, "bye\n" },
		{ "_exit", case_exit_at_once, 8, 0, "" },
		{ "abort", case_abort, 0, SIGABRT, "" },
		{ "pthread_exit", case_pthread_exit, 0, SIGABRT, "osprey/rt: a thread of the runtime ends" },
		{ "pthread_cancel", case_cancel, 9, 0, "" },
		{ "who began the run is cancelled", case_beginner_cancelled, 100, 0, "" },
		{ "programs", case_programs, 11, 0, "" },
		{ "a child does without the runtime", case_child_does_without, 12, 0, "" },
		{ "a child yields", case_child_yields, 13, 0, "osprey/rt: called in a child that was forked within a run" },
		{ "a child returns", case_child_returns, 14, 0, "osprey/rt: called in a child that was forked within a run" },
		{ "signals", case_signals, 100, 0, "" },
		{ "signals on a stack of theirs", case_signals_on_their_stack, 100, 0, "" },
		{ "masks", case_masks, 100, 0, "" },
	};

	/* Each is a process, which a tool takes seconds to begin: there, the least and the most. */
	unsigned step = check_load(100) < 100 ? 3 : 1;

	for (unsigned p = 1; p <= 4; p += step)
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
			/* ThreadSanitizer itself does not bear that: it takes the fiber for the thread. */
			if (!SANITIZED_THREAD || cases[i].run != case_pthread_exit)
				child_check(cases[i].name, cases[i].run, p, cases[i].exit, cases[i].signal, cases[i].words);
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
