#include "short_lock.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "relax.h"

/* A holder that runs is done within some turns. One that the kernel put off its CPU is not: it needs the CPU,
 * and where this thread has a higher priority it gets one only while this one sleeps. */
#define SPINS 100
#define YIELDS 20
#define NAP_NS 50000

void short_lock_wait(struct short_lock *l)
{
	int kept = errno;

	for (int turn = 0;; turn++) {
		if (turn < SPINS)
			relax();
		else if (turn < SPINS + YIELDS)
			sched_yield();
		else
			/* nanosleep is a cancellation point, and malloc is none. */
			syscall(SYS_nanosleep, &(struct timespec){ .tv_nsec = NAP_NS }, NULL);
		if (atomic_load_explicit(&l->held, memory_order_relaxed) == 0 && short_lock_try(l))
			break;
	}
	errno = kept;
}
