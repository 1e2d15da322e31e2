/* Stacks without guards are looked at when their fibers are left, and those of spare fibers give their memory
 * back. */
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "delays.h"
#include "scheduler.h"

#define FIBERS 2600
#define DEEP 12000

static _Atomic int reached;

static __attribute__((noinline)) int goes_deep(void *arg)
{
	volatile char room[DEEP];

	(void)arg;
	memset((char *)room, 1, sizeof room);
	reached++;
	return room[DEEP / 2] - 1;
}

static bool is_resident(const struct fiber *f, size_t pages_below_top)
{
	unsigned char in = 0;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = fiber_stack_bytes((enum rt_stack)f->stack_size);
	char *at = fiber_stack_low(f) + bytes - (1 + pages_below_top) * page;

	CHECK(mincore(at, page, &in) == 0);
	return in & 1;
}

static void count_spare(int *ret_spare, int *ret_resident)
{
	*ret_spare = *ret_resident = 0;
	short_lock_take(&scheduler.lock);
	for (struct fiber *f = scheduler.trimmed[RT_STACK_DEFAULT]; f; f = f->next) {
		++*ret_spare;
		*ret_resident += is_resident(f, 1);
	}
	short_lock_give(&scheduler.lock);
}

static int test_trim(void *arg)
{
	static struct rt_fiber f[FIBERS];
	int spare, resident;

	(void)arg;
	for (int i = 0; i < FIBERS; i++)
		CHECK(rt_spawn(goes_deep, NULL, NULL, &f[i]) == 0);
	for (int i = 0; i < FIBERS; i++)
		CHECK(rt_join(f[i], NULL, RT_FOREVER) == 0);
	CHECK(reached == FIBERS);
	/* The watcher does it; it may take a while. */
	int64_t until = rt_now() + 20000 * MS;
	do {
		CHECK(rt_sleep(MS) == 0);
		count_spare(&spare, &resident);
	} while (spare < 128 && rt_now() < until);
	CHECK(spare > 0 && resident == 0);
	/* They serve again. */
	for (int i = 0; i < FIBERS; i++)
		CHECK(rt_spawn(goes_deep, NULL, NULL, &f[i]) == 0);
	for (int i = 0; i < FIBERS; i++)
		CHECK(rt_join(f[i], NULL, RT_FOREVER) == 0);
	CHECK(reached == 2 * FIBERS);
	return 0;
}

static int overwrites(void *arg)
{
	struct fiber *f = thread_self()->running;

	CHECK(!f->guarded);
	rt_yield();
	if (arg)
		memset(fiber_stack_low(f) - 16, 0, 16);
	rt_sleep(1000);
	return 0;
}

static int starts_one(void *arg)
{
	struct rt_fiber f;

	CHECK(rt_spawn(overwrites, arg, NULL, &f) == 0);
	return rt_join(f, NULL, RT_FOREVER);
}

#define MAKERS 4
#define MADE 100	/* by each */

static struct rt_event all_made;

/* So that none serves again. */
static int stays(void *arg)
{
	(void)arg;
	return rt_event_wait(&all_made, RT_FOREVER);
}

static int makes(void *arg)
{
	(void)arg;
	for (long i = 0; i < check_load(MADE); i++) {
		CHECK(rt_go(stays, NULL) == 0);
		rt_yield();
	}
	return 0;
}

/* Several make fibers at the same time: whoever has the next stack finds the word at the end of the one below, whose
 * fiber is not made yet. */
static int makers(void *arg)
{
	struct rt_scope s;

	(void)arg;
	rt_scope_open(&s, RT_FOREVER);
	for (int i = 0; i < MAKERS; i++)
		CHECK(rt_scope_go(&s, makes, NULL) == 0);
	CHECK(rt_scope_close(&s) == 0);
	rt_event_set(&all_made);
	return 0;
}

/* In a process of its own, whose last words are looked at. */
static bool ends_by_overflow(rt_function *first, void *arg, unsigned processors)
{
	struct rt_options options = { .processors = processors };
	char text[4096] = "";
	int fds[2], status = 0;

	CHECK(pipe(fds) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		fiber_table_without_guards();
		delays_begin(1, 2);
		_exit(rt_run(&options, first, arg) == 0 && !check_failed ? 0 : 1);
	}
	close(fds[1]);
	for (size_t n = 0; n < sizeof text - 1;) {
		ssize_t got = read(fds[0], text + n, sizeof text - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	close(fds[0]);
	CHECK(waitpid(pid, &status, 0) == pid);
	if (!arg)
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status) && strstr(text, "stack overflow");
}

int main(void)
{
	struct rt_options options = { .processors = 1 };

	CHECK(!ends_by_overflow(starts_one, NULL, 1));
	CHECK(ends_by_overflow(starts_one, &options, 1));
	CHECK(!ends_by_overflow(makers, NULL, MAKERS));
	CHECK(rt_run(&options, test_trim, NULL) == 0);
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
