/* Channels and select, as in Go.
 *
 * Memory order: what a fiber did before it sent is seen by who received that value; what it did before it
 * received the k-th value of a channel of capacity C is seen by who sent the (k+C)-th. Closing is seen by who
 * receives that a channel is closed.
 *
 * What blocks returns -ECANCELED in a cancelled scope (scope.h). Deadlines as everywhere: absolute, RT_FOREVER, -ETIMEDOUT. */
#ifndef OSPREY_RT_CHAN_H
#define OSPREY_RT_CHAN_H

#include <osprey/rt/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rt_chan;

/* Of elements of `element_bytes` (0: only the event counts), `capacity` of which wait inside; with 0 a sender
 * waits until its value was taken. -ENOMEM, -EOVERFLOW. Anywhere. */
RT_API int rt_chan_new(size_t element_bytes, size_t capacity, struct rt_chan **ret);

/* Nobody may wait at it, or use it afterwards. NULL is fine. Anywhere. */
RT_API void rt_chan_free(struct rt_chan *c);

/* No more values will be sent: receivers get what is inside, then -EPIPE. Senders that wait, later senders,
 * a second close and closing NULL end the process with a line. Fiber; does not block. */
RT_API void rt_close(struct rt_chan *c);

/* 0; -ETIMEDOUT at the deadline. NULL as channel waits until then. Fiber; blocks. */
RT_API int rt_send(struct rt_chan *c, const void *element, int64_t deadline);

/* 0; -EPIPE: closed and empty, and the element is zeroed; -ETIMEDOUT. `ret_element` may be NULL. Fiber;
 * blocks. */
RT_API int rt_receive(struct rt_chan *c, void *ret_element, int64_t deadline);

/* The same without waiting: -EAGAIN. */
RT_API int rt_try_send(struct rt_chan *c, const void *element);
RT_API int rt_try_receive(struct rt_chan *c, void *ret_element);

/* How many values are inside at the moment. Fiber. */
RT_API size_t rt_chan_length(struct rt_chan *c);

struct rt_case {
	struct rt_chan *chan;	/* NULL: this case never comes */
	const void *send;	/* what to send, or NULL */
	void *receive;		/* where to receive into; NULL in both: receive and forget */
	int result;		/* out, of the case that came: 0; -EPIPE: it received that it is closed */
};

/* Waits until one of the cases can go on, does that one and returns its index; among several by chance,
 * evenly. -ETIMEDOUT at the deadline; a deadline that has passed (0) is Go's `default`. At most 65 535 cases
 * (-EINVAL); -ENOMEM only with more than 16. Fiber; blocks. */
RT_API int rt_select(struct rt_case *cases, size_t n, int64_t deadline);

#ifdef __cplusplus
}
#endif
#endif
