/* threads FILE [COUNT [DEPTH]]: COUNT threads (default 200), blocked DEPTH calls deep (default 10), of which each sixth
 * waits in pthread_mutex_lock, pthread_cond_wait, read on a pipe, epoll_wait, nanosleep, futex; and one more, "ticker",
 * that looks at the clock every 100 µs.
 *
 * FILE becomes shared memory of five u64: ticks, the largest gap between two ticks (ns), calls that returned EINTR,
 * calls that returned for another reason (none should), threads that wait. An observer that stops the target is seen
 * in the second, one that disturbs it in the third. Whoever measures sets the second to 0 first. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "target.h"

struct seen {
	_Atomic uint64_t ticks;
	_Atomic uint64_t largest_gap_ns;
	_Atomic uint64_t interrupted;
	_Atomic uint64_t returned;
	_Atomic uint64_t waiting;
};

static struct seen *seen;
static int depth = 10;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t cond_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static uint32_t futex_word = 7;
static int pipe_fds[2];

static long wait_mutex(void)
{
	return pthread_mutex_lock(&held);
}

static long wait_cond(void)
{
	pthread_mutex_lock(&cond_mutex);
	return pthread_cond_wait(&never, &cond_mutex);
}

static long wait_read(void)
{
	char c;

	return read(pipe_fds[0], &c, 1);
}

static long wait_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, pipe_fds[0], &event) < 0)
		fails("epoll");
	long r = epoll_wait(fd, &event, 1, -1);
	int error = errno;

	close(fd);
	errno = error;
	return r;
}

static long wait_sleep(void)
{
	struct timespec long_time = { .tv_sec = 100000 };

	return nanosleep(&long_time, NULL);
}

static long wait_futex(void)
{
	return syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 7, NULL, NULL, 0);
}

static const struct {
	const char *name;
	long (*wait)(void);
} kinds[] = {
	{ "mutex", wait_mutex }, { "cond", wait_cond }, { "read", wait_read },
	{ "epoll", wait_epoll }, { "sleep", wait_sleep }, { "futex", wait_futex },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* The barrier keeps each level a call of its own. */
static NOINLINE long descend(int level, long (*wait)(void))
{
	long r = level > 1 ? descend(level - 1, wait) : wait();

	__asm__ volatile("" ::: "memory");
	return r;
}

static void *waiter(void *arg)
{
	size_t kind = (size_t)arg % KINDS;
	char name[16];

	snprintf(name, sizeof name, "%s-%zu", kinds[kind].name, (size_t)arg);
	prctl(PR_SET_NAME, name);
	seen->waiting++;
	for (;;) {
		if (descend(depth, kinds[kind].wait) < 0 && errno == EINTR)
			seen->interrupted++;
		else
			seen->returned++;
	}
	return NULL;
}

static void *ticker(void *arg)
{
	struct timespec pause = { .tv_nsec = 100000 };
	uint64_t last = now_ns();

	(void)arg;
	prctl(PR_SET_NAME, "ticker");
	for (;;) {
		nanosleep(&pause, NULL);
		uint64_t now = now_ns();

		if (now - last > seen->largest_gap_ns)
			seen->largest_gap_ns = now - last;
		last = now;
		seen->ticks++;
	}
	return NULL;
}

static void begin(void *(*run)(void *), size_t n)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	errno = pthread_create(&thread, &attr, run, (void *)n);
	if (errno)
		fails("pthread_create");
	pthread_attr_destroy(&attr);
}

int main(int argc, char *argv[])
{
	size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 200;

	die_with_parent();
	if (argc < 2)
		return 2;
	if (argc > 3)
		depth = atoi(argv[3]);
	int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, sizeof *seen) < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0)
		fails(argv[1]);
	seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (seen == MAP_FAILED)
		fails("mmap");
	pthread_mutex_lock(&held);
	for (size_t i = 0; i < count; i++)
		begin(waiter, i);
	while (seen->waiting < count)
		usleep(1000);
	usleep(50000);
	begin(ticker, 0);
	ready();
	for (;;)
		pause();
}
