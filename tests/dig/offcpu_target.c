/* Waits of known length at known places, ROUNDS times each: "napper" sleeps 50 ms; "getter" waits for 30 ms on a
 * condition, until "giver" gives, which slept meanwhile. usage: offcpu_target [ROUNDS]; prints what it has done. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PLACE __attribute__((noinline, noclone))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t given = PTHREAD_COND_INITIALIZER, taken = PTHREAD_COND_INITIALIZER;
static volatile int gift;
static int rounds;

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
	__asm__ volatile("" ::: "memory");
}

PLACE void nap_here(void)
{
	sleep_ms(50);
	__asm__ volatile("");
}

PLACE void wait_for_gift(void)
{
	while (!gift)
		pthread_cond_wait(&given, &lock);
	gift = 0;
	pthread_cond_signal(&taken);
}

PLACE void give_gift(void)
{
	pthread_mutex_lock(&lock);
	gift = 1;
	pthread_cond_signal(&given);
	while (gift)
		pthread_cond_wait(&taken, &lock);
	pthread_mutex_unlock(&lock);
}

static void *napper(void *unused)
{
	pthread_setname_np(pthread_self(), "napper");
	for (int i = 0; i < rounds; i++)
		nap_here();
	return unused;
}

static void *getter(void *unused)
{
	pthread_setname_np(pthread_self(), "getter");
	pthread_mutex_lock(&lock);
	for (int i = 0; i < rounds; i++)
		wait_for_gift();
	pthread_mutex_unlock(&lock);
	return unused;
}

static void *giver(void *unused)
{
	pthread_setname_np(pthread_self(), "giver");
	for (int i = 0; i < rounds; i++) {
		sleep_ms(30);
		give_gift();
	}
	return unused;
}

int main(int argc, char *argv[])
{
	void *(*const work[])(void *) = { napper, getter, giver };
	pthread_t thread[3];
	char line[8];

	rounds = argc > 1 ? atoi(argv[1]) : 20;
	if (!fgets(line, sizeof line, stdin))
		return 1;
	for (int i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, work[i], NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	printf("%d\n", rounds);
	fflush(stdout);
	return fgets(line, sizeof line, stdin) == NULL;
}
