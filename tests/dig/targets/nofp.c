/* nofp: built without frame pointers. Its main thread sleeps below outer → middle → inner; "worker" computes below
 * work_outer → work_inner and is nearly always running. Both stacks need unwind tables. */
#include <pthread.h>
#include <string.h>

#include "target.h"

static volatile double sink;

/* Large frames and callee-saved registers make rbp carry data. */
static NOINLINE void work_inner(const double *in, int n)
{
	double sum[16] = { 0 };

	for (int round = 0; round < 4000; round++)
		for (int i = 0; i < n; i++)
			sum[i % 16] += in[i] * (double)(round + i);
	for (int i = 0; i < 16; i++)
		sink += sum[i];
}

static NOINLINE void work_outer(int n)
{
	double in[64];

	for (int i = 0; i < n; i++)
		in[i] = (double)i;
	work_inner(in, n);
	__asm__ volatile("" ::: "memory");
}

static void *worker(void *arg)
{
	(void)arg;
	prctl(PR_SET_NAME, "worker");
	for (;;)
		work_outer(64);
	return NULL;
}

static NOINLINE void inner(char *to, int n)
{
	memset(to, n, 100);
	ready();
	for (;;)
		pause();
}

static NOINLINE void middle(int n)
{
	char frame[500];

	inner(frame, n);
	__asm__ volatile("" : : "r"(frame) : "memory");
}

static NOINLINE void outer(int n)
{
	middle(n + 1);
	__asm__ volatile("" ::: "memory");
}

int main(int argc, char *argv[])
{
	pthread_t thread;

	(void)argv;
	die_with_parent();
	if (pthread_create(&thread, NULL, worker, NULL) != 0)
		fails("pthread_create");
	outer(argc);
}
