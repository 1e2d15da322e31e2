/* A section beside what else could protect a reader: nanoseconds each, best of some rounds. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include <osprey/rt.h>

#define TIMES 2000000
#define ROUNDS 7

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static _Atomic int references;
static int *_Atomic object = &(int){ 5 };

static void sections(void)
{
	for (int i = 0; i < TIMES; i++) {
		unsigned section = rt_epoch_enter();
		(void)*atomic_load_explicit(&object, memory_order_acquire);
		rt_epoch_leave(section);
	}
}

static void counts(void)
{
	for (int i = 0; i < TIMES; i++) {
		atomic_fetch_add(&references, 1);
		(void)*atomic_load_explicit(&object, memory_order_acquire);
		atomic_fetch_sub(&references, 1);
	}
}

static void locks(void)
{
	for (int i = 0; i < TIMES; i++) {
		pthread_rwlock_rdlock(&rwlock);
		(void)*atomic_load_explicit(&object, memory_order_acquire);
		pthread_rwlock_unlock(&rwlock);
	}
}

static double best(void (*f)(void))
{
	double least = 1e9;

	for (int i = 0; i < ROUNDS; i++) {
		int64_t t = rt_now();
		f();
		double ns = (double)(rt_now() - t) / TIMES;
		least = ns < least ? ns : least;
	}
	return least;
}

int main(void)
{
	double s = best(sections), c = best(counts), l = best(locks);

	printf("a section %.1f ns; a reference counted %.1f ns (%.1f times); a pthread rwlock %.1f ns (%.1f times)\n", s, c, c / s, l,
	       l / s);
	return 0;
}
