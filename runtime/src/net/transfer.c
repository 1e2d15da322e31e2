#include "net/transfer.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <time.h>

#include "door.h"
#include "kernel_call.h"
#include "queues.h"
#include "scheduler.h"

#define NAP_NS 1000000

static bool passed(int64_t deadline)
{
	return deadline != RT_FOREVER && deadline <= rt_now();
}

/* Under the descriptor's lock, which it gives back. Inside. */
static int wait_for_edge(struct thread *t, struct descriptor *d, enum direction way, const struct expected_call *call,
			 int64_t deadline)
{
	/* A stack that can be taken away meanwhile is no place for a call, nor is a buffer on it. */
	bool aside = call == &expected_aside;
	struct waiter w = { .element = t->running->cold && !aside ? NULL : (void *)call };

	t->processor->poller.outside++;
	enum fiber_wait what = way == READING ? FIBER_WAIT_READ : FIBER_WAIT_WRITE;
	int r = wait_in(t, &d->waiters[way], &d->lock, &w, what, d, deadline);
	thread_self()->processor->poller.outside--;
	return r;
}

/* For an edge after `seen`. `call` (NULL: there is none) may have been made when it returns 0. */
static int wait_or_call(struct descriptor *d, enum direction way, const struct expected_call *call,
			const _Atomic uint32_t *seen, int64_t deadline)
{
	struct thread *t = door_enter();
	int r = 0;

	short_lock_take(&d->lock);
	if (descriptor_is_closed(d))
		r = -EBADF;
	else if (!d->registered)
		r = poller_register(t, d);
	if (r == 0 && atomic_load_explicit(seen, memory_order_relaxed) ==
			      atomic_load_explicit(&d->edges, memory_order_relaxed))
		r = passed(deadline) ? -ETIMEDOUT : 1;
	if (r == 1) {
		r = wait_for_edge(t, d, way, call, deadline);
		/* What was read is not lost. */
		if (r == 0 && !(call && call->made) && descriptor_is_closed(d))
			r = -EBADF;
	} else {
		short_lock_give(&d->lock);
	}
	door_leave();
	return r;
}

int transfer_wait(struct descriptor *d, enum direction way, int64_t deadline)
{
	return wait_or_call(d, way, NULL, &d->drained[way], deadline);
}

void transfer_pass_on(struct descriptor *d, enum direction way)
{
	struct thread *t = door_enter();

	short_lock_take(&d->lock);
	for (bool aside = true; aside;) {
		struct waiter *w = wait_list_claim(&d->waiters[way]);
		aside = w && w->element == &expected_aside;
		if (w)
			fiber_ready(t, w->fiber);
	}
	short_lock_give(&d->lock);
	door_leave();
}

static bool nothing_left(struct descriptor *d, const struct attempt *a, long r)
{
	return r == -EAGAIN || (r < a->whole && r > 0 && d->kind & DESCRIPTOR_SHORT_IS_ALL &&
				!atomic_load_explicit(&d->unsure, memory_order_relaxed));
}

static bool others_are_ready(struct processor *p)
{
	return p->poller.ring.queued > 0 || processor_has_ready(p);
}

/* Together with the calls of others, if there are some that run before this one would be missed. */
static bool try_together(struct descriptor *d, const struct attempt *a, long *ret)
{
	struct thread *t = door_enter();
	bool together = others_are_ready(t->processor) && ring_is_ready(t);

	if (together) {
		struct io_uring_sqe call = attempt_call(a, d->fd);
		*ret = ring_call(t, &call);
	}
	door_leave();
	return together;
}

/* What is known by an answer of a call that had seen so many edges. */
static long answered(struct descriptor *d, enum direction way, const struct attempt *a, uint32_t edges, long r)
{
	if (nothing_left(d, a, r))
		atomic_store_explicit(&d->drained[way], edges, memory_order_relaxed);
	else if (descriptor_is_shared(d))
		transfer_pass_on(d, way);
	return r;
}

static long try_call(struct descriptor *d, enum direction way, const struct attempt *a)
{
	uint32_t edges = atomic_load_explicit(&d->edges, memory_order_acquire);
	long r;

	do {
		if (!a->opcode || !try_together(d, a, &r))
			r = kernel_call(a->number, d->fd, a->args[0], a->args[1], a->args[2], a->args[3],
					a->args[4]);
	} while (r == -EINTR);
	return answered(d, way, a, edges, r);
}

const struct expected_call expected_aside;

static long transfer_aside(struct descriptor *d, enum direction way, const struct attempt *a, int64_t deadline)
{
	for (long waited = 0;;) {
		_Atomic uint32_t seen = atomic_load_explicit(&d->edges, memory_order_acquire);
		long r = kernel_call(a->number, d->fd, a->args[0], a->args[1], a->args[2], a->args[3], a->args[4]);
		if (r == -EINTR)
			continue;
		if (r != -EAGAIN)
			return r;
		if (waited < 0)
			return waited;
		waited = wait_or_call(d, way, &expected_aside, &seen, deadline);
		if (waited < 0 && waited != -ETIMEDOUT)
			return waited;
	}
}

int transfer_nap(struct descriptor *d, int64_t deadline)
{
	int64_t now = rt_now(), next = now + NAP_NS;

	if (descriptor_is_closed(d))
		return -EBADF;
	if (deadline <= now)
		return -ETIMEDOUT;
	return rt_sleep_until(next < deadline ? next : deadline);
}

long transfer_at(struct descriptor *d, enum direction way, const struct attempt *a, int64_t deadline)
{
	if (a->aside)
		return transfer_aside(d, way, a, deadline);
	for (;;) {
		struct expected_call call = { .attempt = a };
		long r = descriptor_drained(d, way) ? -EAGAIN : try_call(d, way, a);
		if (r != -EAGAIN)
			return r;
		r = wait_or_call(d, way, a->opcode ? &call : NULL, &d->drained[way], deadline);
		if (call.made && call.answer.result != -EINTR &&
		    (r = answered(d, way, a, call.edges, call.answer.result)) != -EAGAIN)
			return r;
		/* What has come may not have been told yet. */
		if (r == -ETIMEDOUT && (r = try_call(d, way, a)) != -EAGAIN)
			return r;
		if (r < 0 && !call.made)
			return r == -EAGAIN ? -ETIMEDOUT : r;
	}
}

bool transfer_is_ready(int fd, enum direction way)
{
	struct pollfd p = { .fd = fd, .events = way == READING ? POLLIN | POLLRDHUP : POLLOUT };
	struct timespec none = { 0 };
	long n;

	/* It also says so when it has found nothing and a signal waits. */
	while ((n = kernel_call(SYS_ppoll, &p, 1, &none, NULL, 0)) == -EINTR)
		;
	return n != 0;
}

int transfer_wait_ready(struct descriptor *d, enum direction way, int64_t deadline)
{
	for (;;) {
		uint32_t edges = atomic_load_explicit(&d->edges, memory_order_acquire);
		if (transfer_is_ready(d->fd, way))
			return 0;
		atomic_store_explicit(&d->drained[way], edges, memory_order_relaxed);
		int r = transfer_wait(d, way, deadline);
		if (r < 0)
			return r;
	}
}
