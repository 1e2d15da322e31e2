/* Memory, threads and system calls that are refused: each function says so, nothing is lost, and all goes
 * well again when they are given. The calls of the library are wrapped by the linker (--wrap, see the
 * Makefile). */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "child.h"
#include "refuse.h"

/* -- what is refused: the calls number `first_refused` to `last_refused`, of those in this process */

static _Atomic long ncalls;
static long first_refused = -1, last_refused = -1;

static bool refused(void)
{
	long n = atomic_fetch_add(&ncalls, 1);

	return n >= first_refused && n <= last_refused;
}

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_aligned_alloc(size_t, size_t);
void *__real_mmap(void *, size_t, int, int, int, off_t);
int __real_mprotect(void *, size_t, int);
int __real_madvise(void *, size_t, int);
int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __real_pthread_key_create(pthread_key_t *, void (*)(void *));
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_aligned_alloc(size_t, size_t);
void *__wrap_mmap(void *, size_t, int, int, int, off_t);
int __wrap_mprotect(void *, size_t, int);
int __wrap_madvise(void *, size_t, int);
int __wrap_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_key_create(pthread_key_t *, void (*)(void *));

static bool no_memory(void)
{
	if (!refused())
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return no_memory() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return no_memory() ? NULL : __real_calloc(n, size);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
	return no_memory() ? NULL : __real_aligned_alloc(align, n);
}

void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	return no_memory() ? MAP_FAILED : __real_mmap(at, n, prot, flags, fd, offset);
}

int __wrap_mprotect(void *at, size_t n, int prot)
{
	return no_memory() ? -1 : __real_mprotect(at, n, prot);
}

int __wrap_madvise(void *at, size_t n, int advice)
{
	return no_memory() ? -1 : __real_madvise(at, n, advice);
}

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*f)(void *), void *arg)
{
	return refused() ? EAGAIN : __real_pthread_create(t, attr, f, arg);
}

int __wrap_pthread_key_create(pthread_key_t *key, void (*destroy)(void *))
{
	return refused() ? EAGAIN : __real_pthread_key_create(key, destroy);
}

/* -- what is tried: some of all that asks for memory or threads */

#define FIBERS 300
#define LEAST_FIBERS 60		/* one of them has a large stack */
#define CASES 20

static struct rt_event go_on;
static _Atomic int ended;
static unsigned key;
static int enomem;	/* how often something was refused, but for the run itself */

static int asked(int r)
{
	CHECK(r == 0 || r == -ENOMEM);
	enomem += r < 0;
	return r;
}

static void selects_many(void)
{
	struct rt_case cases[CASES] = { { 0 } };
	int r = rt_select(cases, CASES, rt_now() + MS);

	CHECK(r == -ETIMEDOUT || r == -ENOMEM);
}

static int child(void *arg)
{
	int r = rt_local_set(key, arg);

	CHECK(r == 0 || r == -ENOMEM);
	CHECK(rt_local_get(key) == (r == 0 ? arg : NULL));
	if ((intptr_t)arg % 50 == 0) {
		selects_many();
		rt_block_begin();
		usleep(500);
		rt_block_end();
	}
	CHECK(rt_event_wait(&go_on, RT_FOREVER) == 0);
	ended++;
	return (int)(intptr_t)arg;
}

static int tries(void *arg)
{
	static struct rt_fiber fibers[FIBERS];
	int most = check_load(FIBERS) < LEAST_FIBERS ? LEAST_FIBERS : (int)check_load(FIBERS);
	bool started[FIBERS];
	struct rt_chan *c = NULL;
	struct rt_scope s;
	int n = 0, in_scope = 0;
	long v = 42;

	(void)arg;
	memset(&go_on, 0, sizeof go_on);
	ended = 0;
	for (intptr_t i = 0; i < most; i++) {
		struct rt_spawn_options options = { .stack = i % 60 == 59 ? RT_STACK_LARGE : RT_STACK_DEFAULT };
		started[i] = asked(rt_spawn(child, (void *)(i + 1), &options, &fibers[i])) == 0;
		n += started[i];
	}
	rt_scope_open(&s, RT_FOREVER);
	for (intptr_t i = 0; i < 5; i++)
		in_scope += asked(rt_scope_go(&s, child, (void *)(i + 1))) == 0;
	if (asked(rt_chan_new(sizeof v, 4, &c)) == 0)
		CHECK(rt_send(c, &v, RT_FOREVER) == 0 && rt_receive(c, &v, RT_FOREVER) == 0 && v == 42);
	rt_chan_free(c);
	selects_many();
	rt_event_set(&go_on);
	for (int i = 0, r; i < most; i++)
		if (started[i])
			CHECK(rt_join(fibers[i], &r, RT_FOREVER) == 0 && r == i + 1);
	CHECK(rt_scope_close(&s) >= 0);
	CHECK(ended == n + in_scope);
	return 0;
}

static int try_run(unsigned processors)
{
	struct rt_options options = { .processors = processors };

	enomem = 0;
	return rt_run(&options, tries, NULL);
}

/* When they are given again. */
static void try_again(unsigned processors)
{
	first_refused = last_refused = -1;
	CHECK(try_run(processors) == 0 && enomem == 0);
}

static void case_refused(unsigned processors)
{
	int r = try_run(processors);

	CHECK(r == 0 || r == -ENOMEM || r == -EAGAIN);
	bool reached = ncalls > first_refused;
	try_again(processors);
	_exit(check_failed ? 101 : reached ? 100 : 99);
}

/* Each call in turn: it alone, or all from it on, until there is no such call. Later ones are hundreds of two
 * kinds, one each a fiber: some of them. */
static void each_call(bool alone)
{
	long most = 0, step = check_load(100) < 100 ? 7 : 1;

	for (long n = 0;; n += n < 50 ? step : 41) {
		first_refused = n;
		last_refused = alone ? n : LONG_MAX;
		unsigned processors = 1 + (unsigned)n % 4;
		int status = child_status(case_refused, processors);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
			break;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 100) {
			CHECK(!"refused");
			fprintf(stderr, "call %ld%s is refused, P = %u: status %#x, said: %s\n", n, alone ? "" : " and all after it",
				processors, (unsigned)status, child_said);
		}
		most = n;
	}
	CHECK(most > 5);
	first_refused = last_refused = -1;
}

/* -- limits of the process */

static rlim_t address_space;

static void case_address_space(unsigned processors)
{
	setrlimit(RLIMIT_AS, &(struct rlimit){ address_space, address_space });
	int r = try_run(processors);
	CHECK(r == 0 || r == -ENOMEM || r == -EAGAIN);
	_exit(check_failed ? 101 : r == 0 && enomem == 0 ? 100 : 99);
}

static void address_spaces(unsigned processors)
{
	int status = 0;

	/* What all goes well in is far below what is reserved where there is no limit. */
	for (address_space = (rlim_t)8 << 20; address_space <= (rlim_t)16 << 30; address_space *= 2) {
		status = child_status(case_address_space, processors);
		if (!WIFEXITED(status) || (WEXITSTATUS(status) != 99 && WEXITSTATUS(status) != 100)) {
			CHECK(!"address space");
			fprintf(stderr, "%ju MiB of address space, P = %u: status %#x, said: %s\n",
				(uintmax_t)address_space >> 20, processors, (unsigned)status, child_said);
		}
	}
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 100);
}

static rlim_t most_threads;

static void case_threads(unsigned processors)
{
	/* The limit does not hold for root. */
	if (setgroups(0, NULL) < 0 || setresuid(54321, 54321, 54321) < 0)
		_exit(77);
	setrlimit(RLIMIT_NPROC, &(struct rlimit){ most_threads, most_threads });
	int r = try_run(processors);
	/* One for the run, one that watches. */
	CHECK(r == (most_threads < 2 ? -EAGAIN : 0) && enomem == 0);
}

static void case_files(unsigned processors)
{
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 3, 3 });
	CHECK(try_run(processors) == 0 && enomem == 0);
}

/* -- kernels that refuse */

static const char *what;

static void case_kernel(unsigned processors)
{
	int r = refuse(what);

	if (r < 0)
		_exit(77);
	r = try_run(processors);
	if (strcmp(what, "commit1m") == 0)
		CHECK(r == -ENOMEM);
	else if (strcmp(what, "commit16m") == 0)
		CHECK(r == 0 || r == -ENOMEM);
	else if (strcmp(what, "threads") == 0)
		CHECK(r == -EAGAIN);
	else
		CHECK(r == 0 && enomem == 0);
}

/* No more descriptors can be made than fit where the first one is. */
static struct rt_fd last_fd;

static int adopt_all(int number)
{
	int r = 0;

	for (int i = 0; i < 5000 && r == 0; i++)
		r = rt_fd_adopt(number, RT_FD_KEEP, &last_fd);
	return r;
}

/* A connection waits until it can be taken, and a number is as it was. */
static int has_no_descriptor(void *arg)
{
	struct rt_fd listener = { 0 }, client = { 0 }, taken = { 0 };
	int fd = eventfd(0, EFD_CLOEXEC), other = eventfd(0, EFD_CLOEXEC);
	struct rt_address a;
	char text[64];

	(void)arg;
	snprintf(text, sizeof text, "unix:@osprey-refusals-test-%d", getpid());
	CHECK(rt_address_parse(text, &a) == 0 && rt_listen(&a, NULL, &listener) == 0);
	CHECK(rt_connect(&a, &client, RT_FOREVER) == 0);
	CHECK(adopt_all(other) == -ENOMEM);
	CHECK(rt_fd_adopt(fd, 0, &taken) == -ENOMEM && !(fcntl(fd, F_GETFL) & O_NONBLOCK));
	CHECK(rt_accept(listener, NULL, &taken, RT_FOREVER) == -ENOMEM);
	CHECK(rt_fd_close(last_fd) == 0);
	CHECK(rt_accept(listener, NULL, &taken, rt_now() + 10000 * MS) == 0);
	CHECK(rt_write(client, "x", 1, RT_FOREVER) == 1 && rt_read(taken, text, 1, RT_FOREVER) == 1);
	return 0;
}

static void case_descriptors(unsigned processors)
{
	struct rt_options options = { .processors = processors };
	struct rt_fd first;

	/* Fibers are made by as many bytes: those of before serve. */
	CHECK(try_run(processors) == 0 && enomem == 0);
	CHECK(rt_fd_adopt(eventfd(0, EFD_CLOEXEC), 0, &first) == 0);
	if (refuse("descriptors") < 0)
		_exit(77);
	CHECK(rt_run(&options, has_no_descriptor, NULL) == 0);
}

static int refuses_ring(void *arg)
{
	int file = rt_file_open("/dev/null", O_WRONLY, 0);

	(void)arg;
	CHECK(file >= 0 && rt_pwrite(file, "x", 1, 0) == 1);
	if (refuse("ring") < 0)
		_exit(77);
	/* Where there is no ring nothing is missed. */
	CHECK(rt_pwrite(file, "x", 1, 0) == 1);
	_exit(77);
}

/* What was asked of it cannot be taken back: in the midst of a run the end is the only answer. */
static void case_ring(unsigned processors)
{
	struct rt_options options = { .processors = processors };

	alarm(20);
	_exit(rt_run(&options, refuses_ring, NULL));
}

static void ring(unsigned processors)
{
	int status = child_status(case_ring, processors);
	bool said_so = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
		       strstr(child_said, "io_uring_enter is refused since the run began");

	CHECK(said_so || (WIFEXITED(status) && WEXITSTATUS(status) == 77 && !*child_said));
	if (!said_so && WEXITSTATUS(status) != 77)
		fprintf(stderr, "ring, P = %u: status %#x, said: %s\n", processors, (unsigned)status, child_said);
}

static void check_or_skip(const char *name, child_case *run, unsigned processors)
{
	int status = child_status(run, processors);
	bool right = WIFEXITED(status) && (WEXITSTATUS(status) == 100 || WEXITSTATUS(status) == 77);

	CHECK(right);
	if (!right)
		fprintf(stderr, "%s, P = %u: status %#x, said: %s\n", name, processors, (unsigned)status, child_said);
}

/* refusals_test FIRST LAST PROCESSORS: one case, to look at. */
int main(int argc, char **argv)
{
	static const char *const whats[] = { "membarrier", "guard", "madvise", "commit16m", "commit1m", "threads" };

	CHECK(rt_local_new(NULL, &key) == 0);
	if (argc == 4) {
		first_refused = atol(argv[1]);
		last_refused = atol(argv[2]);
		case_refused((unsigned)atoi(argv[3]));
	}
	each_call(true);
	each_call(false);
	for (unsigned p = 1; p <= 4; p += 2) {
		if (!SANITIZED)
			address_spaces(p);
		for (most_threads = 1; !SANITIZED && most_threads <= 4; most_threads++)
			check_or_skip("threads", case_threads, p);
		check_or_skip("files", case_files, p);
		if (!SANITIZED)
			check_or_skip("descriptors", case_descriptors, p);
		for (size_t i = 0; !SANITIZED && i < sizeof whats / sizeof *whats; i++) {
			what = whats[i];
			check_or_skip(what, case_kernel, p);
		}
		if (!SANITIZED)
			ring(p);
	}
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
