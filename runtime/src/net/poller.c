#include "net/poller.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "futex.h"
#include "idle.h"
#include "kernel_call.h"
#include "net/transfer.h"
#include "perturb.h"
#include "rt_spawn.h"
#include "run_queue.h"
#include "scheduler.h"

/* What the kernel has touched to tell of them is still in the caches when their fibers have it read and
 * write. */
#define EVENTS 32
/* Where no descriptor is left for the call of a thread that watches, it looks so often by itself. */
#define NAP_NS 1000000
/* No descriptor's name: the ring has answers. */
#define RING_EVENT UINT64_MAX

void poller_init(struct poller *p)
{
	*p = (struct poller){ 0 };
	atomic_store_explicit(&p->epoll, -1, memory_order_relaxed);
	ring_init(&p->ring);
}

void poller_deinit(struct poller *p)
{
	ring_deinit(&p->ring);
	if (poller_exists(p))
		kernel_call(SYS_close, atomic_load(&p->epoll));
	atomic_store(&p->epoll, -1);
}

static int poller_open(struct poller *p)
{
	if (poller_exists(p))
		return 0;
	long fd = kernel_call(SYS_epoll_create1, EPOLL_CLOEXEC);
	if (fd < 0)
		return (int)fd;
	atomic_store_explicit(&p->epoll, (int)fd, memory_order_release);
	return 0;
}

static struct epoll_event events_of(struct descriptor *d)
{
	return (struct epoll_event){ EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
				     { .u64 = descriptor_name(d) } };
}

int poller_register(struct thread *t, struct descriptor *d)
{
	struct poller *p = &t->processor->poller;
	struct epoll_event e = events_of(d);
	int r = poller_open(p);

	if (r == 0)
		r = (int)kernel_call(SYS_epoll_ctl, atomic_load(&p->epoll), EPOLL_CTL_ADD, d->fd, &e);
	if (r == 0) {
		d->registered = true;
		d->poller = (uint8_t)t->processor->number;
	}
	return r;
}

int poller_enter_ring(struct thread *t, int ring)
{
	struct poller *p = &t->processor->poller;
	struct epoll_event e = { EPOLLIN | EPOLLET, { .u64 = RING_EVENT } };
	int r = poller_open(p);

	return r < 0 ? r : (int)kernel_call(SYS_epoll_ctl, atomic_load(&p->epoll), EPOLL_CTL_ADD, ring, &e);
}

void poller_unregister(struct descriptor *d)
{
	struct epoll_event unused = { 0 };

	if (!d->registered)
		return;
	d->registered = false;
	struct poller *p = &scheduler.processors[d->poller].poller;
	kernel_call(SYS_epoll_ctl, atomic_load(&p->epoll), EPOLL_CTL_DEL, d->fd, &unused);
}

static void start_callback(struct thread *t, struct descriptor *d)
{
	struct fiber *f = spawn_prepare(t, d->on_readable, d->on_readable_arg, NULL);

	/* Without memory it is kept for the next event, which comes at once. */
	if (!f) {
		struct epoll_event e = events_of(d);
		struct poller *p = &scheduler.processors[d->poller].poller;
		kernel_call(SYS_epoll_ctl, atomic_load(&p->epoll), EPOLL_CTL_MOD, d->fd, &e);
		return;
	}
	d->on_readable = NULL;
	t->processor->alive--;
	t->processor->poller.outside--;
	fiber_start_later(t, f);
}

/* Together with others, what the fiber would do next. It is claimed, so that nothing else makes it ready. */
static void make_call(struct thread *t, struct descriptor *d, struct waiter *w)
{
	struct expected_call *expected = w->element;
	struct io_uring_sqe call = attempt_call(expected->attempt, d->fd);

	expected->made = true;
	expected->edges = atomic_load_explicit(&d->edges, memory_order_relaxed);
	expected->answer.fiber = w->fiber;
	ring_put(t, &call, &expected->answer);
}

/* One of those that wait for data, and those that wait for something else too; `all`: everybody. */
static void edge(struct thread *t, struct descriptor *d, enum direction way, bool together, bool all)
{
	struct waiter *w;

	for (bool more = true; more && (w = wait_list_claim(&d->waiters[way]));) {
		bool aside = w->element == &expected_aside;
		more = all || aside;
		if (w->element && !aside && together && ring_is_ready(t))
			make_call(t, d, w);
		else
			fiber_ready_later(t, w->fiber);
	}
	/* Who was woken may leave some of it. */
	if (way == READING && d->on_readable)
		start_callback(t, d);
}

static void happened(struct thread *t, const struct epoll_event *e, bool together)
{
	struct descriptor *d = descriptor_at((uint32_t)(e->data.u64 >> 32));

	/* Of one that was closed meanwhile, or lives on in another process. */
	if (!d || (uint32_t)(atomic_load_explicit(&d->word, memory_order_relaxed) >> 32) != (uint32_t)e->data.u64)
		return;
	if (e->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		atomic_store_explicit(&d->unsure, 1, memory_order_relaxed);
	short_lock_take(&d->lock);
	uint32_t edges = atomic_load_explicit(&d->edges, memory_order_relaxed);
	/* After 2^32 of them the number is what a direction has noted long ago. */
	for (int way = READING; way <= WRITING; way++)
		if (atomic_load_explicit(&d->drained[way], memory_order_relaxed) == edges + 1)
			atomic_store_explicit(&d->drained[way], edges, memory_order_relaxed);
	atomic_store_explicit(&d->edges, edges + 1, memory_order_release);
	if (e->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		edge(t, d, READING, together, e->events & (EPOLLERR | EPOLLPRI));
	if (e->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		edge(t, d, WRITING, together, false);
	short_lock_give(&d->lock);
}

/* The first is this thread's. */
static void call_another(struct processor *p)
{
	if (run_queue_length(p) > 1 && atomic_load_explicit(&scheduler.nidle, memory_order_relaxed) != 0)
		wake_another();
}

void poller_run(struct thread *t, struct poller *of)
{
	struct epoll_event events[EVENTS];
	int epoll = atomic_load_explicit(&of->epoll, memory_order_relaxed);

	if (of->ring.under_way > 0)
		ring_run(t, &of->ring);
	perturb();
	long n = kernel_call(SYS_epoll_pwait, epoll, events, EVENTS, 0, NULL, 0);
	/* A call alone is made sooner by its fiber. */
	bool together = n > 1 && ring_is_ready(t);
	/* Answers that have come meanwhile are told once. */
	for (long i = 0; i < n; i++) {
		if (events[i].data.u64 == RING_EVENT)
			ring_run(t, &of->ring);
		else
			happened(t, &events[i], together);
	}
	if (together && t->processor->poller.ring.queued > 0)
		ring_run(t, &t->processor->poller.ring);
	call_another(t->processor);
}

bool poller_has_events(struct poller *p)
{
	struct pollfd at = { .fd = atomic_load(&p->epoll), .events = POLLIN };
	struct timespec none = { 0 };

	if (p->ring.queued > 0 || ring_has_answers(&p->ring))
		return true;
	return poller_exists(p) && kernel_call(SYS_ppoll, &at, 1, &none, NULL, 0) > 0;
}

bool poller_expects(void)
{
	int64_t n = 0;

	for (uint32_t i = 0; i < scheduler.nprocessors; i++)
		n += scheduler.processors[i].poller.outside;
	return n > 0;
}

/* -- threads that sleep */

static void watch_list(struct thread *t, struct processor *list)
{
	for (struct processor *p = list; p; p = p->next_idle) {
		if (!poller_exists(&p->poller) || p->poller.watcher)
			continue;
		p->poller.watcher = t;
		t->watches++;
	}
}

void poller_watch(struct thread *t)
{
	watch_list(t, scheduler.idle_processors);
	/* While none is idle those that run see to those that are set aside. */
	if (scheduler.idle_processors)
		watch_list(t, scheduler.aside);
	if (t->watches && t->call < 0) {
		long fd = kernel_call(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
		t->call = fd < 0 ? -1 : (int)fd;
	}
}

void poller_unwatch(struct thread *t)
{
	for (uint32_t i = 0; t->watches && i < scheduler.nprocessors; i++) {
		if (scheduler.processors[i].poller.watcher != t)
			continue;
		scheduler.processors[i].poller.watcher = NULL;
		t->watches--;
	}
}

/* Only this thread makes itself the watcher of a poller, or not: it may look without the lock. */
static unsigned watched(struct thread *t, struct pollfd *fds, struct processor **of)
{
	unsigned n = 0;

	for (uint32_t i = 0; n < t->watches; i++) {
		struct processor *p = &scheduler.processors[i];
		if (p->poller.watcher != t)
			continue;
		fds[n] = (struct pollfd){ .fd = atomic_load(&p->poller.epoll), .events = POLLIN };
		of[n++] = p;
	}
	return n;
}

static void answer_call(struct thread *t)
{
	uint64_t count;

	kernel_call(SYS_read, t->call, &count, sizeof count);
}

struct processor *poller_sleep(struct thread *t, int64_t deadline)
{
	struct pollfd fds[MOST_PROCESSORS + 1];
	struct processor *of[MOST_PROCESSORS];
	struct timespec left = { 0 };

	if (!t->watches) {
		futex_wait(&t->wake, 0, deadline);
		return NULL;
	}
	unsigned n = watched(t, fds, of);
	fds[n] = (struct pollfd){ .fd = t->call, .events = POLLIN };
	int64_t now = deadline == INT64_MAX && t->call >= 0 ? 0 : rt_now();
	if (t->call < 0 && deadline > now + NAP_NS)
		deadline = now + NAP_NS;
	if (deadline > now)
		left = (struct timespec){ (deadline - now) / 1000000000, (deadline - now) % 1000000000 };
	if (atomic_load_explicit(&t->wake, memory_order_acquire))
		return NULL;
	if (kernel_call(SYS_ppoll, fds, n + 1, deadline == INT64_MAX ? NULL : &left, NULL, 0) <= 0)
		return NULL;
	if (fds[n].revents)
		answer_call(t);
	for (unsigned i = 0; i < n; i++)
		if (fds[i].revents)
			return of[i];
	return NULL;
}

void poller_wake(struct thread *t)
{
	uint64_t one = 1;

	atomic_store(&t->wake, 1);
	if (t->call >= 0)
		kernel_call(SYS_write, t->call, &one, sizeof one);
	futex_wake(&t->wake, 1);
}

void poller_thread_end(struct thread *t)
{
	if (t->call >= 0)
		kernel_call(SYS_close, t->call);
	t->call = -1;
}
