/* Channels: what chan.c and select.c share. */
#ifndef RT_CHAN_H
#define RT_CHAN_H

#include <string.h>

#include "osprey/rt/chan.h"
#include "inside_lock.h"
#include "wait.h"

struct rt_chan {
	struct short_lock lock;
	bool closed;
	size_t element_bytes;
	size_t capacity;
	size_t length;		/* elements inside */
	size_t at;		/* the oldest of them */
	struct wait_list receivers, senders;	/* never both, but for selects that stand in both */
	char elements[] __attribute__((aligned(16)));
};

/* Pointers and numbers are what most channels carry. */
static inline void chan_copy(const struct rt_chan *c, void *to, const void *from)
{
	if (!to)
		return;
	if (c->element_bytes == 8)
		memcpy(to, from, 8);
	else if (c->element_bytes)
		memcpy(to, from, c->element_bytes);
}

/* A look without the lock, for those who do not wait: true means that it was empty, open and without senders
 * at some moment of the call (`closed` is read last: a channel does not open again). */
static inline bool chan_looks_empty(struct rt_chan *c)
{
	return __atomic_load_n(&c->length, __ATOMIC_ACQUIRE) == 0 &&
	       !__atomic_load_n(&c->senders.first, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&c->closed, __ATOMIC_ACQUIRE);
}

enum chan_done { CHAN_WOULD_WAIT, CHAN_DONE, CHAN_CLOSED };

/* Under the lock, without waiting. CHAN_DONE with *ret_wake: that fiber is to be made ready, after the lock
 * was given back. */
enum chan_done chan_send_now(struct rt_chan *c, const void *element, struct fiber **ret_wake);
enum chan_done chan_receive_now(struct rt_chan *c, void *ret_element, struct fiber **ret_wake);

#endif
