#include "door.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "perturb.h"
#include "relax.h"
#include "scheduler.h"

bool door_has_fences;

static void ask(void)
{
	int kept = errno;

	door_has_fences = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) < 0;
	errno = kept;
}

void door_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, ask);
}

void door_init_thread(struct thread *t)
{
	atomic_store(&t->inside, 1);
	atomic_store(&t->door, door_has_fences ? DOOR_FENCED : 0);
}

void door_barrier(void)
{
	int kept = errno;

	if (door_has_fences) {
		atomic_thread_fence(memory_order_seq_cst);
		return;
	}
	/* Threads that make no fences are on their way. */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) < 0)
		misuse("membarrier is refused since the runtime began: a sandbox allows it, or is there from the start");
	errno = kept;
}

bool door_claim(struct thread *t)
{
	uint32_t door = atomic_load_explicit(&t->door, memory_order_relaxed);

	if (door & (DOOR_VISITED | DOOR_TAKEN))
		return false;
	perturb();
	if (!atomic_compare_exchange_strong(&t->door, &door, door | DOOR_VISITED))
		return false;
	perturb();
	door_barrier();
	return true;
}

bool door_visit(struct thread *t)
{
	if (atomic_load_explicit(&t->inside, memory_order_relaxed) || !door_claim(t))
		return false;
	if (door_is_outside(t))
		return true;
	door_close(t, false);
	return false;
}

void door_close(struct thread *t, bool taken)
{
	if (taken)
		atomic_fetch_or_explicit(&t->door, DOOR_TAKEN, memory_order_release);
	atomic_fetch_and_explicit(&t->door, ~(uint32_t)DOOR_VISITED, memory_order_release);
}

/* Steps back while somebody is in there, and comes in again. */
static uint32_t wait_for_visitor(struct thread *t)
{
	uint32_t door;

	while (door_settle(), (door = atomic_load_explicit(&t->door, memory_order_acquire)) & DOOR_VISITED) {
		atomic_store_explicit(&t->inside, 0, memory_order_release);
		while (atomic_load_explicit(&t->door, memory_order_relaxed) & DOOR_VISITED)
			relax();
		atomic_store_explicit(&t->inside, 1, memory_order_relaxed);
	}
	return door;
}

void door_opened(struct thread *t)
{
	uint32_t door = wait_for_visitor(t);

	if (door & DOOR_FORKED)
		misuse("called in a child that was forked within a run: it can do without, or call exec");
	if (!(door & (DOOR_TAKEN | DOOR_YIELD)))
		return;
	atomic_fetch_and_explicit(&t->door, ~(uint32_t)(DOOR_TAKEN | DOOR_YIELD), memory_order_relaxed);
	atomic_store_explicit(&t->blocked, 0, memory_order_relaxed);
	if (door & DOOR_TAKEN)
		scheduler_return(t);
	else if (door & DOOR_YIELD)
		fiber_yield(t, LEAVE_OTHERS);
}
