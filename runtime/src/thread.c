#include "thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "door.h"
#include "exceptions.h"
#include "futex.h"
#include "idle.h"
#include "overflow.h"
#include "perturb.h"
#include "queues.h"
#include "run_queue.h"
#include "scheduler.h"
#include "strays.h"
#include "switch.h"
#include "watcher.h"
#include "work.h"

/* Only assembly reads it, which link-time optimisation does not see. */
__thread struct thread *thread_current __attribute__((used, tls_model("initial-exec")));

_Static_assert(offsetof(struct thread, returns_to) == 8, "context_x86_64.S reads it");

struct thread *thread_new(void)
{
	struct thread *t = aligned_alloc(_Alignof(struct thread), sizeof *t);

	if (!t)
		return NULL;
	memset(t, 0, sizeof *t);
	t->call = -1;
	door_init_thread(t);
	return t;
}

void thread_loop(struct thread *t)
{
	struct fiber *f;

	while ((f = find_work(t))) {
		/* Who took an idle processor by itself has told nobody, wherever that was. */
		watcher_wake();
		switch_from_loop(t, f);
		if (!t->processor) {
			/* It had come back from a blocking call, and its fiber waits in the queue now. */
			short_lock_take(&scheduler.lock);
			scheduler.noutside--;
			short_lock_give(&scheduler.lock);
			atomic_thread_fence(memory_order_seq_cst);
			wake_another();
		}
	}
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	thread_current = t;
	atomic_store_explicit(&t->tid, gettid(), memory_order_relaxed);
	/* Not those of the fiber that happened to need one more thread. */
	pthread_sigmask(SIG_SETMASK, &scheduler.signals, NULL);
	t->exceptions = exceptions_of_thread();
	strays_begin(t);
	processor_hold(t, t->processor);
	/* Without one an overflow of a stack is a plain fault. */
	overflow_thread_begin(t);
	thread_loop(t);
	overflow_thread_end(t);
	strays_end(t);
	return NULL;
}

/* -EAGAIN: the system, or memory, has none. */
static int create(struct processor *p, bool spinning)
{
	struct thread *t = thread_new();
	pthread_attr_t attr;

	if (!t)
		return -EAGAIN;
	t->spinning = spinning;
	/* Until it runs nobody else knows of it, so it can be taken back. */
	t->processor = p;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	short_lock_take(&scheduler.lock);
	int r = pthread_create(&t->handle, &attr, thread_main, t);
	if (r == 0) {
		t->next = scheduler.threads;
		scheduler.threads = t;
	}
	short_lock_give(&scheduler.lock);
	pthread_attr_destroy(&attr);
	if (r)
		free(t);
	return r ? -EAGAIN : 0;
}

void thread_give(struct thread *t, struct processor *p, bool spinning)
{
	t->spinning = spinning;
	processor_hold(t, p);
	poller_wake(t);
}

void processor_lay_down(struct processor *p)
{
	struct fiber *f;

	short_lock_take(&scheduler.lock);
	while (run_queue_take(p, 1, &f))
		queue_for_all_locked(f);
	while ((f = batch_take(p)))
		queue_for_all_locked(f);
	if (first_of(p))
		queue_for_all_locked(first_of(p));
	first_set(p, NULL);
	short_lock_give(&scheduler.lock);
}

int thread_call(struct processor *p, bool spinning)
{
	short_lock_take(&scheduler.lock);
	struct thread *t = idle_thread_take(p);
	bool make = !t && scheduler.nthreads < scheduler.most_threads;
	scheduler.nthreads += make;
	short_lock_give(&scheduler.lock);
	if (t) {
		thread_give(t, p, spinning);
		return 0;
	}
	if (make && create(p, spinning) == 0)
		return 0;
	perturb();
	processor_lay_down(p);
	short_lock_take(&scheduler.lock);
	scheduler.nthreads -= make;
	/* One that came back meanwhile found no processor, and sleeps. */
	t = idle_thread_take(p);
	if (!t)
		idle_processor_put(p);
	short_lock_give(&scheduler.lock);
	if (!t)
		return -EAGAIN;
	thread_give(t, p, spinning);
	return 0;
}
