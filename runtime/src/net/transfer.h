/* A call of the kernel on a descriptor, tried until it does not block. */
#ifndef RT_NET_TRANSFER_H
#define RT_NET_TRANSFER_H

#include <linux/io_uring.h>
#include <sys/socket.h>

#include "door.h"
#include "net/descriptor.h"
#include "net/ring.h"

struct attempt {
	long number;		/* of the system call, whose first argument is the file */
	long args[5];
	uint8_t opcode;		/* of io_uring for the same on a socket; 0: there is none */
	long whole;		/* bytes that are asked for; 0: a smaller answer shows nothing */
	bool aside;		/* of another queue than the data's: that it is empty says nothing of those */
};

/* One that has an opcode, for a ring; it does not wait in the kernel. */
static inline struct io_uring_sqe attempt_call(const struct attempt *a, int fd)
{
	return (struct io_uring_sqe){ .opcode = a->opcode, .fd = fd, .addr = (uint64_t)a->args[0],
				      .len = (uint32_t)a->args[1], .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
}

/* What a fiber that waits for an edge is going to try: whoever sees many edges at once (poller.c) makes the
 * calls of all together, and the fibers need not run for that. The `element` of its waiter; on the fiber's
 * stack. */
struct expected_call {
	const struct attempt *attempt;
	struct ring_waiter answer;
	bool made;
	uint32_t edges;		/* if it was made: those that it has seen */
};

/* The user's descriptor for the length of a call, which is a checkpoint: who finds everything ready gives
 * way when he is asked to. NULL: it is closed. Outside. */
static inline struct descriptor *transfer_begin(struct rt_fd fd)
{
	door_enter();
	door_leave();
	return descriptor_enter(fd);
}

/* Returns `result`. */
static inline long transfer_end(struct descriptor *d, long result)
{
	descriptor_leave(d);
	return result;
}

/* What the call returned, or why it did not come to that. By who has entered it. Outside; the fiber may
 * wait. */
long transfer_at(struct descriptor *d, enum direction way, const struct attempt *attempt, int64_t deadline);

/* There may be more for the next one that waits. */
void transfer_pass_on(struct descriptor *d, enum direction way);

/* For a moment, where nobody tells when a call is to be tried again. 0: now. */
int transfer_nap(struct descriptor *d, int64_t deadline);

/* The `element` of a waiter whose attempt is one aside: it takes no edge from others. */
extern const struct expected_call expected_aside;

/* Waits for an edge that has not been seen. 0: the call is to be tried. */
int transfer_wait(struct descriptor *d, enum direction way, int64_t deadline);

/* Whether a call would not block now, says poll(2); and waiting until it says so, for calls that are not to
 * be tried. */
bool transfer_is_ready(int fd, enum direction way);
int transfer_wait_ready(struct descriptor *d, enum direction way, int64_t deadline);

#endif
