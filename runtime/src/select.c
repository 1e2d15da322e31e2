#include <errno.h>
#include <stdlib.h>

#include "chan.h"
#include "door.h"
#include "misuse.h"
#include "selection.h"
#include "switch.h"

#define FEW 16
#define MOST 65535

static uintptr_t address_of(const struct selection *s, size_t i)
{
	return (uintptr_t)s->cases[i].chan;
}

/* By address, so that two selects never wait for each other's locks. Insertion suits the few cases that
 * selects have. */
static void order_by_address(struct selection *s)
{
	for (size_t i = 0; i < s->n; i++) {
		size_t at = i;
		for (; at > 0 && address_of(s, s->order[at - 1]) > address_of(s, i); at--)
			s->order[at] = s->order[at - 1];
		s->order[at] = (uint16_t)i;
	}
}

/* The same channel in several cases is locked once; cases without one come first and are skipped. */
static bool locks_here(const struct selection *s, size_t i)
{
	struct rt_chan *c = s->cases[s->order[i]].chan;

	return c && (i == 0 || s->cases[s->order[i - 1]].chan != c);
}

static void lock_all(struct selection *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (locks_here(s, i))
			inside_lock_take(&s->cases[s->order[i]].chan->lock);
}

/* Who ended the waiting has taken its case from the channel's list, and may have freed the channel since then, unless another
 * case waits at it too. */
static void leave_out(struct selection *s, size_t which)
{
	size_t at = 0;

	while (s->order[at] != which)
		at++;
	s->n--;
	for (; at < s->n; at++)
		s->order[at] = s->order[at + 1];
}

/* The last channel is given back last, and nothing is looked at after that: the waiting fiber may go on, and
 * `s` with it. */
static void unlock_all(struct selection *s)
{
	size_t without = 0;

	while (without < s->n && !s->cases[s->order[without]].chan)
		without++;
	for (size_t i = s->n; i-- > without;)
		if (locks_here(s, i))
			short_lock_give(&s->cases[s->order[i]].chan->lock);
}

static enum chan_done try_case(struct rt_case *k, struct fiber **ret_wake)
{
	if (!k->chan)
		return CHAN_WOULD_WAIT;
	if (!k->send)
		return chan_receive_now(k->chan, k->receive, ret_wake);
	enum chan_done done = chan_send_now(k->chan, k->send, ret_wake);
	if (done == CHAN_CLOSED)
		misuse("rt_select: sends on a closed channel");
	return done;
}

/* Draws each case once, in random order: among few, all orders are as likely; among many it goes in steps
 * of a random width. */
struct lots {
	size_t n;
	uint32_t luck;
	size_t at, step;
	uint8_t left[FEW];
};

static size_t below(struct lots *l, size_t n)
{
	uint64_t product = (uint64_t)l->luck * n;

	l->luck = (uint32_t)product;
	return (size_t)(product >> 32);
}

static bool has_common_factor(size_t a, size_t b)
{
	while (b) {
		size_t rest = a % b;
		a = b;
		b = rest;
	}
	return a > 1;
}

static void lots_begin(struct lots *l, struct processor *p, size_t n)
{
	static const uint8_t all[FEW] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

	p->luck = p->luck * 6364136223846793005u + 1442695040888963407u;
	l->n = n;
	l->luck = (uint32_t)(p->luck >> 32);
	if (n <= FEW) {
		memcpy(l->left, all, sizeof all);
		return;
	}
	l->at = below(l, n);
	l->step = 1 + (size_t)((p->luck >> 16) % (n - 1));
	while (has_common_factor(n, l->step))
		l->step = l->step % (n - 1) + 1;
}

static inline size_t lots_draw(struct lots *l, size_t drawn)
{
	if (l->n > FEW)
		return l->at = (l->at + l->step) % l->n;
	size_t i = below(l, l->n - drawn), lot = l->left[i];
	l->left[i] = l->left[l->n - drawn - 1];
	return lot;
}

/* The first case that can go on, of those in random order. */
static int try_all(struct thread *t, struct selection *s, struct fiber **ret_wake)
{
	struct lots lots;

	lots_begin(&lots, t->processor, s->n);
	for (size_t i = 0; i < s->n; i++) {
		size_t at = lots_draw(&lots, i);
		enum chan_done done = try_case(&s->cases[at], ret_wake);
		if (done == CHAN_WOULD_WAIT)
			continue;
		s->cases[at].result = done == CHAN_CLOSED ? -EPIPE : 0;
		return (int)at;
	}
	return -EAGAIN;
}

static struct wait_list *list_of(const struct rt_case *k)
{
	return k->send ? &k->chan->senders : &k->chan->receivers;
}

static void parked(void *arg)
{
	struct selection *s = arg;

	/* Without a channel no lock keeps the fiber back. */
	size_t channels = s->channels;
	if (s->waiting)
		waiting_parked(s->waiting);
	if (channels)
		unlock_all(s);
}

SANITIZER_INLINE int wait(struct thread *t, struct selection *s, int64_t deadline)
{
	struct fiber *f = t->running;
	struct waiting waiting;

	s->channels = 0;
	for (size_t i = 0; i < s->n; i++)
		s->channels += s->cases[i].chan != NULL;
	bool contested = waiting_begin(&waiting, f, deadline, s->channels > 1);
	s->waiting = contested ? &waiting : NULL;
	for (size_t i = 0; i < s->n; i++) {
		struct rt_case *k = &s->cases[i];
		if (!k->chan)
			continue;
		void *element = k->send ? (void *)(uintptr_t)k->send : k->receive;
		s->waiters[i] = (struct waiter){ .fiber = f, .element = element, .contested = contested };
		wait_list_append(list_of(k), &s->waiters[i]);
	}
	park_here(t, FIBER_WAIT_SELECT, s, parked, s);
	int r = s->waiting ? waiting_end(&waiting) : 0;
	struct waiter *by = f->woken_by;
	if (r == 0)
		leave_out(s, (size_t)(by - s->waiters));
	lock_all(s);
	for (size_t i = 0; i < s->n; i++) {
		size_t which = s->order[i];
		if (s->cases[which].chan)
			wait_list_remove(list_of(&s->cases[which]), &s->waiters[which]);
	}
	unlock_all(s);
	if (r < 0)
		return r;
	struct rt_case *k = &s->cases[by - s->waiters];
	if (!by->done && k->send)
		misuse("rt_select: sends on a closed channel");
	k->result = by->done ? 0 : -EPIPE;
	return (int)(by - s->waiters);
}

/* Nothing to wait for: each channel by itself, and those that look empty without their lock. */
static int poll(struct thread *t, struct selection *s)
{
	struct fiber *wake = NULL;
	struct lots lots;

	lots_begin(&lots, t->processor, s->n);
	for (size_t i = 0; i < s->n; i++) {
		size_t at = lots_draw(&lots, i);
		struct rt_case *k = &s->cases[at];
		if (!k->chan || (!k->send && chan_looks_empty(k->chan)))
			continue;
		inside_lock_take(&k->chan->lock);
		enum chan_done done = try_case(k, &wake);
		short_lock_give(&k->chan->lock);
		if (done == CHAN_WOULD_WAIT)
			continue;
		k->result = done == CHAN_CLOSED ? -EPIPE : 0;
		if (wake)
			fiber_ready(t, wake);
		return (int)at;
	}
	return -ETIMEDOUT;
}

SANITIZER_INLINE int select_or_wait(struct thread *t, struct selection *s, int64_t deadline)
{
	struct fiber *wake = NULL;

	order_by_address(s);
	lock_all(s);
	int r = try_all(t, s, &wake);
	if (r < 0)
		return wait(t, s, deadline);
	unlock_all(s);
	if (wake)
		fiber_ready(t, wake);
	returns_guessed(t);
	return r;
}

static int select_few(struct thread *t, struct rt_case *cases, size_t n, int64_t deadline)
	__asm__("rt_select.few");

/* Inside; afterwards not. Apart, so that others do not pay for the room. */
RETURNS_FROM_SWITCH static int select_few(struct thread *t, struct rt_case *cases, size_t n, int64_t deadline)
{
	uint16_t order[FEW];
	struct waiter waiters[FEW];
	struct selection s = { .cases = cases, .n = n, .order = order, .waiters = waiters };
	int r = select_or_wait(t, &s, deadline);

	door_leave();
	return r;
}

static int select_many(struct thread *t, struct rt_case *cases, size_t n, int64_t deadline)
	__asm__("rt_select.many");

static __attribute__((noinline)) int select_many(struct thread *t, struct rt_case *cases, size_t n,
						 int64_t deadline)
{
	struct selection s = { .cases = cases, .n = n };
	char *room = calloc(n, sizeof *s.order + sizeof *s.waiters);
	int r = -ENOMEM;

	if (room) {
		s.waiters = (struct waiter *)(void *)room;
		s.order = (uint16_t *)(void *)(room + n * sizeof *s.waiters);
		r = select_or_wait(t, &s, deadline);
		free(room);
	}
	door_leave();
	return r;
}

int rt_select(struct rt_case *cases, size_t n, int64_t deadline)
{
	if (n > MOST)
		return -EINVAL;
	struct thread *t = door_enter();
	if (deadline > 0 || n == 0)
		return n <= FEW ? select_few(t, cases, n, deadline) : select_many(t, cases, n, deadline);
	struct selection s = { .cases = cases, .n = n };
	int r = poll(t, &s);
	door_leave();
	return r;
}
