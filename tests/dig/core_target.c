/* A process to make cores of: threads that block in every kind of call, one that computes with vector registers, one that
 * keeps counters far apart in memory equal, memory of every kind.
 *
 *     core_target [threads=8] [MiB of memory=16] [writes of a page a second=0]
 *
 * Prints "ready" when all stand where they belong. SIGUSR1: prints what the threads have seen of interruptions, how long
 * the longest gap between two ticks was, and how many ticks there were: "eintr N gap_ns N ticks N". SIGTERM ends it.
 *
 * The pair: `pair_first` and `*pair_second` (the last page of a large mapping) are counted up in this order, with a whole
 * ring of pages between them: a core of one moment has first == second or first == second + 1, and in the ring
 * (RING pages, each holding the number that was written to it last) no page older than the order allows. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <immintrin.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RING 64
#define PAGE 4096

volatile uint64_t pair_first;
volatile uint64_t *pair_second;
volatile uint64_t *ring[RING];
char *memory, *secret, *unreadable, *shared_memory, *file_memory;
uint64_t memory_bytes;
const char *const hello = "a constant string of the target";
char text_global[64] = "a global that was written";
struct {
	int a;
	double b;
	char c[16];
} struct_global = { 7, 2.5, "in a struct" };
__thread uint64_t own_number;

static atomic_int ready;
static atomic_ulong eintr, ticks, gap_ns;
static int epoll_fd, pipe_fd[2], futex_word;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

__attribute__((noinline)) static void block_in(int kind)
{
	struct epoll_event e;
	struct timespec long_time = { 3600, 0 };
	struct pollfd p = { .fd = pipe_fd[0], .events = POLLIN };
	char byte;
	long r = 0;

	ready++;
	for (;;) {
		switch (kind) {
		case 0: r = epoll_wait(epoll_fd, &e, 1, -1); break;
		case 1: r = nanosleep(&long_time, NULL); break;
		case 2: r = syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0); break;
		case 3: r = read(pipe_fd[0], &byte, 1); break;
		case 4: r = poll(&p, 1, 3600000); break;
		case 5: r = epoll_pwait(epoll_fd, &e, 1, 3600000, NULL); break;
		}
		if (r < 0 && errno == EINTR)
			eintr++;
		else
			fprintf(stderr, "kind %d came back: %ld, errno %d\n", kind, r, errno);
	}
}

__attribute__((noinline)) static void deeper(int depth, int kind)
{
	volatile char frame[64] = { 0 };

	if (depth == 0)
		block_in(kind);
	else
		deeper(depth - 1, kind);
	frame[0]++;
}

static void *blocker(void *arg)
{
	long n = (long)arg;

	own_number = 1000 + (uint64_t)n;
	deeper(3 + (int)(n % 5), (int)(n % 6));
	return NULL;
}

/* Keeps known values in vector registers, spinning: a core has them. */
__attribute__((noinline)) static void *vectors(void *arg)
{
	(void)arg;
	ready++;
#ifdef __AVX2__
	__m256i v = _mm256_set_epi64x(0x4444444444444444, 0x3333333333333333, 0x2222222222222222, 0x1111111111111111);
	for (;;)
		__asm__ volatile("vmovdqa %0, %%ymm7\n 1: pause\n dec %1\n jnz 1b" : : "x"(v), "r"(100000000L) : "ymm7");
#else
	__m128i v = _mm_set_epi64x(0x2222222222222222, 0x1111111111111111);
	for (;;) {
		long n = 100000000;
		__asm__ volatile("movdqa %1, %%xmm7\n 1: pause\n dec %0\n jnz 1b" : "+r"(n) : "x"(v) : "xmm7");
	}
#endif
	return NULL;
}

static void *pair(void *arg)
{
	(void)arg;
	ready++;
	for (;;) {
		uint64_t n = pair_first + 1;

		pair_first = n;
		for (int i = 0; i < RING; i++)
			*ring[i] = n;
		*pair_second = n;
		if (n % 64 == 0)
			usleep(1);
	}
	return NULL;
}

/* Ticks every 100 us, ahead of ordinary tasks where it may: on a busy machine its gaps would tell of the run queue. */
static void *ticker(void *arg)
{
	const struct sched_param first = { .sched_priority = 2 };
	const struct timespec tick = { 0, 100000 };
	uint64_t before;

	(void)arg;
	pthread_setschedparam(pthread_self(), SCHED_FIFO, &first);
	ready++;
	before = now_ns();
	for (;;) {
		nanosleep(&tick, NULL);
		uint64_t t = now_ns();

		if (t - before > gap_ns)
			gap_ns = t - before;
		before = t;
		ticks++;
	}
	return NULL;
}

static void *writer(void *arg)
{
	uint64_t per_s = (uint64_t)(uintptr_t)arg, n = 0, from = now_ns(), at = 12345;

	ready++;
	for (;;) {
		at = at * 6364136223846793005u + 1442695040888963407u;
		*(uint64_t *)(memory + (at >> 20) % (memory_bytes / PAGE) * PAGE + 8) = n++;
		if (n % 64 == 0) {
			uint64_t due = from + n * 1000000000u / per_s, t = now_ns();
			struct timespec left = { (long)((due - t) / 1000000000u), (long)((due - t) % 1000000000u) };

			if (due > t)
				nanosleep(&left, NULL);
		}
	}
	return NULL;
}

static void make_memory(uint64_t mib)
{
	memory_bytes = mib << 20;
	memory = mmap(NULL, memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* Every fourth page stays zeros that were touched, the rest tells its place. */
	for (uint64_t i = 0; i < memory_bytes; i += PAGE)
		*(uint64_t *)(memory + i) = i % (4 * PAGE) ? i ^ 0x5a5a5a5a : 0;
	for (int i = 0; i < RING; i++)
		ring[i] = (volatile uint64_t *)(memory + memory_bytes / RING / PAGE * PAGE * (uint64_t)i + 64);
	pair_second = (volatile uint64_t *)(memory + memory_bytes - PAGE + 128);
	secret = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 1 << 20; i += 16)
		memcpy(secret + i, "SECRET-OF-TARGET", 16);
	madvise(secret, 1 << 20, MADV_DONTDUMP);
	unreadable = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(unreadable, "behind PROT_NONE");
	mprotect(unreadable, 4 * PAGE, PROT_NONE);
	shared_memory = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	strcpy(shared_memory + 3 * PAGE, "in shared memory");
	int fd = open("/proc/self/exe", O_RDONLY);

	file_memory = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (memory == MAP_FAILED || secret == MAP_FAILED || unreadable == MAP_FAILED || shared_memory == MAP_FAILED)
		exit(1);
}

static void start(void *(*what)(void *), void *arg)
{
	pthread_t t;
	pthread_attr_t a;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 256 << 10);
	if (pthread_create(&t, &a, what, arg) != 0)
		exit(1);
}

int main(int argc, char **argv)
{
	long threads = argc > 1 ? atol(argv[1]) : 8, mib = argc > 2 ? atol(argv[2]) : 16, writes = argc > 3 ? atol(argv[3]) : 0;
	struct epoll_event never = { .events = EPOLLIN };
	sigset_t set;
	int expected = (int)threads, signal_number;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (pipe(pipe_fd) < 0 || (epoll_fd = epoll_create1(0)) < 0 ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pipe_fd[0], &never) < 0)
		return 1;
	strcat(text_global, " at run time");
	make_memory((uint64_t)mib);
	for (long i = 0; i < threads; i++)
		start(blocker, (void *)i);
	if (getenv("TARGET_VECTORS"))
		start(vectors, NULL), expected++;
	if (!getenv("TARGET_CALM"))
		start(pair, NULL), expected++;
	if (getenv("TARGET_TICKS"))
		start(ticker, NULL), expected++;
	if (writes)
		start(writer, (void *)(uintptr_t)writes), expected++;
	while (ready < expected)
		usleep(1000);
	usleep(20000);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		if (sigwait(&set, &signal_number) != 0)
			continue;
		if (signal_number == SIGTERM)
			_exit(0);
		printf("eintr %lu gap_ns %lu ticks %lu\n", eintr, gap_ns, ticks);
		fflush(stdout);
		gap_ns = ticks = 0;
	}
}
