#include "chan.h"

#include <errno.h>

#include "door.h"
#include "heap/heap.h"
#include "inspect/probe.h"
#include "misuse.h"
#include "scheduler.h"
#include "wait_here.h"

int rt_chan_new(size_t element_bytes, size_t capacity, struct rt_chan **ret)
{
	struct rt_chan *c;
	size_t bytes;

	if (__builtin_mul_overflow(element_bytes, capacity, &bytes) ||
	    __builtin_add_overflow(bytes, sizeof *c + 63, &bytes))
		return -EOVERFLOW;
	/* Of the own heap: so a fiber that waits for ever at one that nobody knows is found (leaks.h). */
	c = heap_malloc_aligned(64, bytes & ~(size_t)63);
	if (!c)
		return -ENOMEM;
	*c = (struct rt_chan){ .element_bytes = element_bytes, .capacity = capacity };
	*ret = c;
	return 0;
}

void rt_chan_free(struct rt_chan *c)
{
	if (c && (c->senders.first || c->receivers.first))
		misuse("rt_chan_free: fibers wait at the channel");
	heap_free(c);
}

static inline char *element_at(struct rt_chan *c, size_t i)
{
	return c->elements + i * c->element_bytes;
}

/* Who only looks (chan_looks_empty) has not got the lock. */
static inline void length_set(struct rt_chan *c, size_t length)
{
	__atomic_store_n(&c->length, length, __ATOMIC_RELEASE);
}

static inline void push(struct rt_chan *c, const void *element)
{
	size_t end = c->at + c->length;

	chan_copy(c, element_at(c, end < c->capacity ? end : end - c->capacity), element);
	length_set(c, c->length + 1);
}

static inline void pop(struct rt_chan *c, void *ret_element)
{
	chan_copy(c, ret_element, element_at(c, c->at));
	c->at = c->at + 1 < c->capacity ? c->at + 1 : 0;
	length_set(c, c->length - 1);
}

/* The oldest goes out, and another comes in its place, as the newest. */
static inline void exchange(struct rt_chan *c, void *ret_element, const void *element)
{
	char *at = element_at(c, c->at);

	chan_copy(c, ret_element, at);
	chan_copy(c, at, element);
	c->at = c->at + 1 < c->capacity ? c->at + 1 : 0;
}

/* As who receives from a closed channel gets it. */
static inline void receive_zero(struct rt_chan *c, void *ret_element)
{
	if (ret_element)
		memset(ret_element, 0, c->element_bytes);
}

enum chan_done chan_send_now(struct rt_chan *c, const void *element, struct fiber **ret_wake)
{
	struct waiter *w;

	if (c->closed)
		return CHAN_CLOSED;
	if (c->receivers.first && (w = wait_list_claim(&c->receivers))) {
		chan_copy(c, w->element, element);
		PROBE2(chan_send, c, c->length);
		PROBE2(chan_receive, c, c->length);
		w->done = true;
		*ret_wake = w->fiber;
		return CHAN_DONE;
	}
	if (c->length == c->capacity)
		return CHAN_WOULD_WAIT;
	push(c, element);
	PROBE2(chan_send, c, c->length);
	return CHAN_DONE;
}

enum chan_done chan_receive_now(struct rt_chan *c, void *ret_element, struct fiber **ret_wake)
{
	struct waiter *w = c->senders.first ? wait_list_claim(&c->senders) : NULL;

	if (c->length && w) {
		/* It is full, and stays so: who looks without the lock is not to find it shorter. */
		exchange(c, ret_element, w->element);
	} else if (c->length) {
		pop(c, ret_element);
	} else if (w) {
		chan_copy(c, ret_element, w->element);
	} else if (c->closed) {
		receive_zero(c, ret_element);
		return CHAN_CLOSED;
	} else {
		return CHAN_WOULD_WAIT;
	}
	PROBE2(chan_receive, c, c->length);
	if (w) {
		PROBE2(chan_send, c, c->length);
		w->done = true;
		*ret_wake = w->fiber;
	}
	return CHAN_DONE;
}

static _Noreturn void sent_on_closed(void)
{
	misuse("rt_send: the channel is closed");
}

static int send_waits(struct thread *t, struct rt_chan *c, const void *element, int64_t deadline)
	__asm__("rt_send.waits");

/* Inside, under the channel's lock; afterwards neither. */
RETURNS_FROM_SWITCH static int send_waits(struct thread *t, struct rt_chan *c, const void *element,
					  int64_t deadline)
{
	struct waiter w;

	w.element = (void *)(uintptr_t)element;
	w.done = false;
	int r = wait_here(t, &c->senders, &c->lock, &w, FIBER_WAIT_SEND, c, deadline);
	if (r == 0 && !w.done)
		sent_on_closed();
	door_leave();
	return r;
}

static int receive_waits(struct thread *t, struct rt_chan *c, void *ret_element, int64_t deadline)
	__asm__("rt_receive.waits");

RETURNS_FROM_SWITCH static int receive_waits(struct thread *t, struct rt_chan *c, void *ret_element,
					     int64_t deadline)
{
	struct waiter w;

	w.element = ret_element;
	w.done = false;
	int r = wait_here(t, &c->receivers, &c->lock, &w, FIBER_WAIT_RECEIVE, c, deadline);
	if (r == 0 && !w.done)
		r = -EPIPE;
	door_leave();
	return r;
}

static int without_channel(struct thread *t, bool wait, enum fiber_wait what, int64_t deadline)
	__asm__("rt_chan.null");

static __attribute__((noinline)) int without_channel(struct thread *t, bool wait, enum fiber_wait what,
						     int64_t deadline)
{
	struct waiter w;
	int r = wait ? wait_in(t, NULL, NULL, &w, what, NULL, deadline) : -EAGAIN;

	door_leave();
	return r;
}

static inline int send(struct rt_chan *c, const void *element, bool wait, int64_t deadline)
{
	struct thread *t = door_enter();
	struct fiber *wake = NULL;

	if (__builtin_expect(!c, 0))
		return without_channel(t, wait, FIBER_WAIT_SEND, deadline);
	inside_lock_take(&c->lock);
	enum chan_done done = chan_send_now(c, element, &wake);
	if (done == CHAN_WOULD_WAIT && wait)
		return send_waits(t, c, element, deadline);
	short_lock_give(&c->lock);
	if (done == CHAN_CLOSED)
		sent_on_closed();
	if (wake)
		fiber_ready(t, wake);
	door_leave();
	return done == CHAN_DONE ? 0 : -EAGAIN;
}

static inline int receive(struct rt_chan *c, void *ret_element, bool wait, int64_t deadline)
{
	struct thread *t = door_enter();
	struct fiber *wake = NULL;

	if (__builtin_expect(!c, 0))
		return without_channel(t, wait, FIBER_WAIT_RECEIVE, deadline);
	if (!wait && chan_looks_empty(c)) {
		door_leave();
		return -EAGAIN;
	}
	inside_lock_take(&c->lock);
	enum chan_done done = chan_receive_now(c, ret_element, &wake);
	if (done == CHAN_WOULD_WAIT && wait)
		return receive_waits(t, c, ret_element, deadline);
	short_lock_give(&c->lock);
	if (wake)
		fiber_ready(t, wake);
	door_leave();
	return done == CHAN_DONE ? 0 : done == CHAN_CLOSED ? -EPIPE : -EAGAIN;
}

int rt_send(struct rt_chan *c, const void *element, int64_t deadline)
{
	return send(c, element, true, deadline);
}

int rt_receive(struct rt_chan *c, void *ret_element, int64_t deadline)
{
	return receive(c, ret_element, true, deadline);
}

int rt_try_send(struct rt_chan *c, const void *element)
{
	return send(c, element, false, 0);
}

int rt_try_receive(struct rt_chan *c, void *ret_element)
{
	return receive(c, ret_element, false, 0);
}

size_t rt_chan_length(struct rt_chan *c)
{
	door_enter();
	inside_lock_take(&c->lock);
	size_t n = c->length;
	short_lock_give(&c->lock);
	door_leave();
	return n;
}

/* Those that receive get their zeroes here: when they run the channel may be gone. */
void rt_close(struct rt_chan *c)
{
	struct thread *t = door_enter();
	struct fiber *woken = NULL, *f;
	struct waiter *w;

	if (!c)
		misuse("rt_close: the channel is NULL");
	inside_lock_take(&c->lock);
	if (c->closed)
		misuse("rt_close: the channel is closed already");
	__atomic_store_n(&c->closed, true, __ATOMIC_RELEASE);
	PROBE1(chan_close, c);
	for (;;) {
		if ((w = wait_list_claim(&c->receivers)))
			receive_zero(c, w->element);
		else if (!(w = wait_list_claim(&c->senders)))
			break;
		w->fiber->next = woken;
		woken = w->fiber;
	}
	short_lock_give(&c->lock);
	while ((f = woken)) {
		woken = f->next;
		fiber_ready(t, f);
	}
	door_leave();
}
