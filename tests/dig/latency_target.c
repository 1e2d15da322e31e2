/* Work of known number for the tests of latency: waits for a line on stdin, works, prints what it did, and waits
 * for the end of stdin.
 *   latency_target futex     two threads hand a word to each other: prints the waits in futex(2) that slept
 *   latency_target calls     3000 getppid, 2000 write, 50 nanosleep of 1 ms */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

#define ROUNDS 2000

static int word;
static unsigned long waits;

static void hand_over(int from, int to)
{
	for (int i = 0; i < ROUNDS; i++) {
		int now;

		while ((now = __atomic_load_n(&word, __ATOMIC_ACQUIRE)) != from)
			if (syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, now, NULL) == 0 || errno != EAGAIN)
				__atomic_fetch_add(&waits, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&word, to, __ATOMIC_RELEASE);
		syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
	}
}

static void *other(void *unused)
{
	hand_over(1, 0);
	return unused;
}

static void futexes(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, other, NULL);
	hand_over(0, 1);
	/* Not pthread_join, which may wait in futex(2) itself. */
	while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) != 0)
		usleep(1000);
	usleep(100000);
	printf("%lu 0x%lx\n", waits, (unsigned long)&word);
}

static void calls(void)
{
	int null = open("/dev/null", O_WRONLY);
	struct timespec ms = { 0, 1000000 };

	for (int i = 0; i < 3000; i++)
		syscall(SYS_getppid);
	for (int i = 0; i < 2000; i++)
		(void)!write(null, "x", 1);
	for (int i = 0; i < 50; i++)
		syscall(SYS_nanosleep, &ms, NULL);
	printf("3000 2000 50\n");
}

int main(int argc, char *argv[])
{
	char c;

	if (argc != 2 || read(0, &c, 1) != 1)
		return 2;
	strcmp(argv[1], "futex") == 0 ? futexes() : calls();
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
