/* A call of the kernel on a descriptor, tried until it does not block. */
#ifndef RT_NET_TRANSFER_H
#define RT_NET_TRANSFER_H

#include "door.h"
#include "net/descriptor.h"

struct attempt {
	long number;		/* of the system call, whose first argument is the file */
	long args[5];
	uint8_t opcode;		/* of io_uring for the same on a socket; 0: there is none */
	long whole;		/* bytes that are asked for; 0: a smaller answer shows nothing */
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

/* Waits for an edge that has not been seen. 0: the call is to be tried. */
int transfer_wait(struct descriptor *d, enum direction way, int64_t deadline);

/* Whether a call would not block now, says poll(2); and waiting until it says so, for calls that are not to
 * be tried. */
bool transfer_is_ready(int fd, enum direction way);
int transfer_wait_ready(struct descriptor *d, enum direction way, int64_t deadline);

#endif
