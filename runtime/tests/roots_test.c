/* What threads and fibers hold is found by who collects and who looks for leaks, wherever it lies; and no thread
 * keeps them from it. Each case is a process of its own. */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "child.h"

#define MADV_GUARD_INSTALL_NOW 102	/* Linux 6.13 */
#define HELD 100
#define BYTES 100

static _Atomic int phase;

static void hold(void *to[HELD])
{
	for (int i = 0; i < HELD; i++) {
		to[i] = rt_gc_alloc(BYTES, &rt_gc_no_pointers);
		CHECK(to[i]);
		memset(to[i], 0x55, BYTES);
	}
}

/* What was collected is another block's by then, and zeroed. */
static void check_held(void *const held[HELD])
{
	for (int i = 0; i < HELD; i++)
		CHECK(rt_gc_alloc(BYTES, &rt_gc_no_pointers));
	int whole = 0;
	for (int i = 0; i < HELD; i++)
		whole += ((unsigned char *)held[i])[BYTES / 2] == 0x55;
	CHECK(whole == HELD);
}

static void collect(uint64_t least)
{
	struct rt_gc_state s;

	CHECK(rt_gc_collect() == 0);
	rt_gc_look(&s);
	CHECK(s.live_blocks >= least);
}

static void await_phase(int n)
{
	while (phase < n)
		usleep(100);
}

/* -- a fiber whose thread is in a handler that runs on the stack for signals */

static pthread_t holder;

static void stays(int signal)
{
	(void)signal;
	phase = 2;
	while (phase == 2)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static void *signals_and_collects(void *arg)
{
	await_phase(1);
	pthread_kill(holder, SIGUSR2);
	await_phase(2);
	collect(HELD);
	phase = 3;
	return arg;
}

static int is_interrupted(void *arg)
{
	void *volatile held[HELD];

	(void)arg;
	hold((void **)held);
	wipe_stack();
	holder = pthread_self();
	phase = 1;
	while (phase != 3)
		;
	check_held((void **)held);
	return 0;
}

static void in_a_handler(unsigned processors)
{
	struct sigaction action = { .sa_handler = stays, .sa_flags = SA_ONSTACK };
	struct rt_options options = { .processors = processors };
	pthread_t thread;

	CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
	CHECK(pthread_create(&thread, NULL, signals_and_collects, NULL) == 0);
	CHECK(rt_run(&options, is_interrupted, NULL) == 0);
	pthread_join(thread, NULL);
}

/* -- a thread's stack with data below it, in one mapping */

static struct {
	char before[16384];
	void *held[HELD];
	char between[8192];
	char stack[256 << 10] __attribute__((aligned(64)));
} beside;

static void *stands_on_it(void *arg)
{
	await_phase(1);
	return arg;
}

static void below_a_stack(unsigned processors)
{
	pthread_attr_t attr;
	pthread_t thread;

	(void)processors;
	pthread_attr_init(&attr);
	CHECK(pthread_attr_setstack(&attr, beside.stack, sizeof beside.stack) == 0);
	CHECK(pthread_create(&thread, &attr, stands_on_it, NULL) == 0);
	hold(beside.held);
	wipe_stack();
	collect(HELD);
	check_held(beside.held);
	phase = 1;
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
}

/* -- pages that nobody may read */

/* The kernel tells them as swapped ones. */
static void guarded_pages(unsigned processors)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rt_leaks leaks;

	(void)processors;
	CHECK(p != MAP_FAILED);
	if (madvise(p, page, MADV_GUARD_INSTALL_NOW) < 0)
		return;	/* an older kernel */
	/* What is behind them is seen. */
	void **held = (void *)(p + page);
	hold(held);
	wipe_stack();
	collect(HELD);
	check_held(held);
	CHECK(rt_leaks_find(&leaks, NULL, 0) == 0);
}

#ifdef __x86_64__
static bool is_readable(uintptr_t at)
{
	char c;
	struct iovec to = { &c, 1 }, from = { (void *)at, 1 };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1;
}

/* Nearer to the end of its stack than the red zone is long. */
static int stands_at_the_end(void *arg)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t at = (uintptr_t)&arg & ~(page - 1);

	if (!is_readable(at)) {
		phase = 2;	/* a process is not let to look at itself */
		return 0;
	}
	while (is_readable(at - page))
		at -= page;
	__asm__ volatile("mov %%rsp, %%r12\n\t"
			 "mov %0, %%rsp\n\t"
			 "movl $1, %1\n"
			 "1:\tpause\n\t"
			 "cmpl $1, %1\n\t"
			 "je 1b\n\t"
			 "mov %%r12, %%rsp"
			 : : "r"(at + 64), "m"(*(int *)&phase) : "r12", "memory", "cc");
	return 0;
}

static void *looks_then(void *arg)
{
	struct rt_leaks leaks;

	await_phase(1);
	CHECK(rt_leaks_find(&leaks, NULL, 0) == 0);
	CHECK(rt_gc_collect() == 0);
	phase = 2;
	return arg;
}

static void at_the_end_of_its_stack(unsigned processors)
{
	struct rt_options options = { .processors = processors };
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, looks_then, NULL) == 0);
	CHECK(rt_run(&options, stands_at_the_end, NULL) == 0);
	pthread_join(thread, NULL);
}
#endif

/* -- a first thread that has ended: the files in /proc/self are empty then */

static void *in_data[HELD], *volatile others[HELD];

static void *looks_alone(void *arg)
{
	struct rt_leaks leaks = { 0 };
	char path[64], state;

	do {
		snprintf(path, sizeof path, "/proc/%d/stat", (int)getpid());
		FILE *f = fopen(path, "r");
		state = 0;
		CHECK(f && fscanf(f, "%*d (%*[^)]) %c", &state) == 1);
		if (f)
			fclose(f);
		usleep(1000);
	} while (state && state != 'Z');
	collect(HELD);
	check_held(in_data);
	CHECK(rt_leaks_find(&leaks, NULL, 0) == 0 && leaks.blocks == 0);
	_exit(check_failed ? 101 : 100);
	return arg;
}

static void without_the_first_thread(unsigned processors)
{
	pthread_t thread;

	(void)processors;
	hold(in_data);
	for (int i = 0; i < HELD; i++)
		others[i] = rt_malloc(BYTES);
	CHECK(pthread_create(&thread, NULL, looks_alone, NULL) == 0);
	pthread_exit(NULL);
}

/* -- a thread that is cancelled meanwhile: it would leave the others halted */

static void *is_cancelled_and_collects(void *arg)
{
	struct rt_leaks leaks;

	pthread_cancel(pthread_self());
	CHECK(rt_gc_collect() == 0);
	CHECK(rt_leaks_find(&leaks, NULL, 0) == 0);
	phase = 1;
	pthread_testcancel();
	return arg;
}

static void while_cancelled(unsigned processors)
{
	pthread_t thread;
	void *end;

	(void)processors;
	alarm(20);
	CHECK(pthread_create(&thread, NULL, is_cancelled_and_collects, NULL) == 0);
	pthread_join(thread, &end);
	CHECK(phase == 1 && end == PTHREAD_CANCELED);
	collect(0);
}

int main(void)
{
	static const struct {
		const char *name;
		child_case *run;
		bool fibers;
	} cases[] = {
		{ "a handler on a stack of its own", in_a_handler, true },
#ifdef __x86_64__
		{ "at the end of its stack", at_the_end_of_its_stack, true },
#endif
		{ "data below a stack", below_a_stack, false },
		{ "pages that are guards", guarded_pages, false },
		{ "the first thread has ended", without_the_first_thread, false },
		{ "a thread that is cancelled", while_cancelled, false },
	};

	if (SANITIZED || !BEARS_TRACERS)
		return 0;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (unsigned p = 1; p <= (cases[i].fibers ? 4 : 1); p++)
			child_check(cases[i].name, cases[i].run, p, 100, 0, "");
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
