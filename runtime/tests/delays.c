#include "delays.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "../src/perturb.h"
#include "../src/relax.h"

static _Atomic uint64_t seeds;
static _Atomic uint32_t rate, alone_rate;
static __thread uint64_t state;

void delays_begin(uint64_t seed, unsigned one_in)
{
	atomic_store(&seeds, seed);
	atomic_store(&rate, one_in);
}

void delays_alone(unsigned one_in)
{
	atomic_store(&alone_rate, one_in);
}

static uint64_t draw(void)
{
	uint64_t x = state;

	if (x == 0)
		x = atomic_fetch_add(&seeds, UINT64_C(0x9e3779b97f4a7c15)) | 1;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return state = x;
}

/* Most delays let a few instructions of others pass; some, all that they have to do. */
void perturb(void)
{
	uint32_t one_in = atomic_load_explicit(&rate, memory_order_relaxed);

	if (one_in == 0 || draw() % one_in)
		return;
	uint64_t luck = draw();
	int kept = errno;
	switch (luck % 16) {
	default:
		for (uint64_t i = luck >> 32 & 63; i > 0; i--)
			relax();
		break;
	case 8: case 9:
		for (uint64_t i = luck >> 32 & 1023; i > 0; i--)
			relax();
		break;
	case 10: case 11: case 12: case 13: case 14:
		sched_yield();
		break;
	case 15:
		nanosleep(&(struct timespec){ .tv_nsec = (long)(luck >> 32) % 50000 }, NULL);
		break;
	}
	errno = kept;
}

/* About as long as it takes others to wake, and to come to the same place. */
void perturb_alone(void)
{
	uint32_t one_in = atomic_load_explicit(&alone_rate, memory_order_relaxed);

	if (one_in == 0 || draw() % one_in) {
		perturb();
		return;
	}
	int kept = errno;
	nanosleep(&(struct timespec){ .tv_nsec = (long)(draw() >> 32) % 400000 }, NULL);
	errno = kept;
}
