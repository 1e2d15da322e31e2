/* Netlink: requests that the kernel answers with a dump of many messages, in a network
 * namespace of choice; and the pure parsers of its framing.
 *
 * Opening and dumping are for live machines: callers go through host_fetch. */
#ifndef OSPREY_KERNEL_NETLINK_H
#define OSPREY_KERNEL_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "kernel/host.h"

struct nlmsghdr;

struct netlink_message {
	uint16_t type;
	uint32_t sequence;
	struct span whole; /* with its header, without padding */
	struct span payload;
};

/* Takes the next message off the front of *rest. False at the end, and (with bytes left in
 * *rest) when the next one is cut or damaged. */
bool netlink_next(struct span *rest, struct netlink_message *ret);
/* The same for attributes; nested and byte-order flags are taken off the type. */
bool netlink_attribute(struct span *rest, uint16_t *ret_type, struct span *ret_value);

/* A netlink socket in the namespace of process `pid` (0: our own). Enters the namespace for
 * that (CAP_SYS_ADMIN) and comes back: the calling thread alone is moved, and is in its own
 * namespace again on return, whatever happened. `net_ns`: the inode that the namespace must
 * have, since a pid can be used again; 0: any. -ESTALE: it is another one; -EPERM, -ENOENT
 * (no such process)…
 * The socket keeps the namespace alive until it is closed. */
int netlink_open(struct host *h, int protocol, int pid, uint64_t net_ns, int *ret_fd)
	__attribute__((warn_unused_result));

/* Sends a request (sequence number and length are set here) and calls `each` for every
 * message of the answer. Ends early with what `each` returns below 0, or -ETIMEDOUT when the
 * dump is not over at `deadline_ns` (CLOCK_MONOTONIC); the rest of the answer is then still
 * under way: close the socket after any failure. */
int netlink_dump(int fd, struct nlmsghdr *request, size_t size, uint64_t deadline_ns,
		 int (*each)(const struct netlink_message *message, void *arg), void *arg)
	__attribute__((warn_unused_result));

/* What an answer left out, kept with it: a message NLMSG_OVERRUN that carries the count. Nothing for 0.
 * 0 or -ENOMEM. */
int netlink_append_overrun(struct buf *answer, uint64_t n) __attribute__((warn_unused_result));

#endif
