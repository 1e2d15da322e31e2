/* One dump of rtnetlink as an answer of the host. Internal to source/network. */
#ifndef OSPREY_SOURCE_NETWORK_RTNETLINK_H
#define OSPREY_SOURCE_NETWORK_RTNETLINK_H

#include "kernel/host.h"
#include "kernel/netlink.h"

/* Sends `request` (type and body are set) in the namespace of `pid` and gives all messages, under the
 * key "rtnetlink:NAME:NET_NS". 0 or -errno. */
int rtnetlink_read(struct host *h, const char *name, uint64_t net_ns, int pid, struct nlmsghdr *request,
		   size_t size, struct buf *ret) __attribute__((warn_unused_result));
/* The attributes behind the head of a message. */
struct span rtnetlink_after(const struct netlink_message *message, size_t head);

#endif
