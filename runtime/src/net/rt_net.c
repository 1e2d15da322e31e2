/* The functions of osprey/rt/net.h about descriptors, and what waits without reading. */
#include "osprey/rt/net.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>

#include "door.h"
#include "kernel_call.h"
#include "net/poller.h"
#include "net/transfer.h"
#include "rt_spawn.h"
#include "scheduler.h"

/* -- descriptors */

/* Of a socket also whether a short count means that nothing is left: TCP alone promises it, others end a
 * read at a border of messages. */
static unsigned kind_of(int number)
{
	int protocol = 0;
	socklen_t bytes = sizeof protocol;

	if (kernel_call(SYS_getsockopt, number, SOL_SOCKET, SO_PROTOCOL, &protocol, &bytes) < 0)
		return 0;
	return protocol == IPPROTO_TCP ? DESCRIPTOR_SOCKET | DESCRIPTOR_SHORT_IS_ALL : DESCRIPTOR_SOCKET;
}

int rt_fd_adopt(int number, unsigned flags, struct rt_fd *ret)
{
	long status = kernel_call(SYS_fcntl, number, F_GETFL);
	struct descriptor *d;

	if (status < 0)
		return (int)status;
	unsigned kind = kind_of(number);
	if (flags & RT_FD_RECORDS)
		kind &= ~(unsigned)DESCRIPTOR_SHORT_IS_ALL;
	if (flags & RT_FD_KEEP)
		kind |= DESCRIPTOR_KEEP;
	int r = descriptor_new(number, kind, &d);
	if (r == 0 && !(status & O_NONBLOCK) &&
	    (r = (int)kernel_call(SYS_fcntl, number, F_SETFL, status | O_NONBLOCK)) < 0)
		descriptor_drop(d);
	if (r == 0)
		*ret = descriptor_open(d);
	return r;
}

int rt_fd_number(struct rt_fd fd)
{
	struct descriptor *d = descriptor_enter(fd);

	if (!d)
		return -EBADF;
	int number = d->fd;
	descriptor_leave(d);
	return number;
}

/* Nobody is started for it any more. Under its lock. Inside. */
static void withdraw(struct thread *t, struct descriptor *d)
{
	if (!d->on_readable)
		return;
	d->on_readable = NULL;
	t->processor->alive--;
	t->processor->poller.outside--;
}

static void wake_all(struct thread *t, struct descriptor *d)
{
	struct waiter *w;

	for (int way = READING; way <= WRITING; way++)
		while ((w = wait_list_claim(&d->waiters[way])))
			fiber_ready(t, w->fiber);
}

/* The descriptor (NULL: none) outside, since it takes time where the last one out closes (SO_LINGER, terminals). */
static void leave(struct descriptor *d)
{
	door_leave();
	if (d)
		descriptor_leave(d);
}

int rt_fd_close(struct rt_fd fd)
{
	struct thread *t = door_enter();
	struct descriptor *d = descriptor_enter(fd);
	int r = d ? 0 : -EBADF;

	if (d) {
		short_lock_take(&d->lock);
		if (descriptor_close(d)) {
			withdraw(t, d);
			wake_all(t, d);
			/* A number that stays open would go on telling. */
			if (d->kind & DESCRIPTOR_KEEP)
				poller_unregister(d);
		} else {
			r = -EBADF;
		}
		short_lock_give(&d->lock);
	}
	leave(d);
	return r;
}

int rt_fd_release(struct rt_fd fd)
{
	struct thread *t = door_enter();
	struct descriptor *d = descriptor_enter(fd);
	int r = -EBADF;

	if (d) {
		short_lock_take(&d->lock);
		r = descriptor_close_unused(d) ? d->fd : -EBUSY;
		if (r >= 0) {
			withdraw(t, d);
			poller_unregister(d);
			d->kind |= DESCRIPTOR_KEEP;
		}
		short_lock_give(&d->lock);
	}
	leave(d);
	return r;
}

/* What nobody has tried to read yet may be empty: that is found out for less than a fiber costs. */
static void look(struct descriptor *d)
{
	uint32_t edges = atomic_load_explicit(&d->edges, memory_order_acquire);

	if (!descriptor_drained(d, READING) && !transfer_is_ready(d->fd, READING))
		atomic_store_explicit(&d->drained[READING], edges, memory_order_relaxed);
}

static int arm(struct thread *t, struct descriptor *d, rt_function *function, void *arg)
{
	struct fiber *f = NULL;
	int r = descriptor_is_closed(d) ? -EBADF : d->on_readable ? -EALREADY : 0;

	if (r == 0 && !d->registered)
		r = poller_register(t, d);
	if (r < 0)
		return r;
	if (descriptor_drained(d, READING)) {
		d->on_readable = function;
		d->on_readable_arg = arg;
		t->processor->alive++;
		t->processor->poller.outside++;
		return 0;
	}
	f = spawn_prepare(t, function, arg, NULL);
	if (f)
		fiber_start(t, f);
	return f ? 0 : -ENOMEM;
}

int rt_fd_on_readable(struct rt_fd fd, rt_function *function, void *arg)
{
	struct thread *t = door_enter();
	struct descriptor *d = descriptor_enter(fd);
	int r = -EBADF;

	if (d) {
		look(d);
		short_lock_take(&d->lock);
		r = arm(t, d, function, arg);
		short_lock_give(&d->lock);
	}
	leave(d);
	return r;
}

static int wait_for_number(int number, enum direction way, int64_t deadline)
{
	struct descriptor *d = NULL;

	if (transfer_is_ready(number, way))
		return 0;
	if (deadline == 0)
		return -ETIMEDOUT;
	/* An epoll takes a number of one file once; others may have entered this one. */
	long copy = kernel_call(SYS_fcntl, number, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return (int)copy;
	int r = descriptor_new((int)copy, 0, &d);
	if (r < 0) {
		kernel_call(SYS_close, copy);
		return r;
	}
	struct rt_fd fd = descriptor_open(d);
	descriptor_enter(fd);
	r = transfer_wait_ready(d, way, deadline);
	descriptor_leave(d);
	/* The open file lives on: closing the copy would not take it out. */
	int closed = rt_fd_release(fd);
	if (closed >= 0)
		kernel_call(SYS_close, closed);
	return r;
}

int rt_wait_readable(int number, int64_t deadline)
{
	return wait_for_number(number, READING, deadline);
}

int rt_wait_writable(int number, int64_t deadline)
{
	return wait_for_number(number, WRITING, deadline);
}
