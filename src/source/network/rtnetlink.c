#include "source/network/rtnetlink.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define DUMP_NS (2 * NS_PER_S)

struct question {
	struct nlmsghdr *request;
	size_t size;
	uint64_t net_ns;
	int pid;
	struct buf *answer;
};

static int keep_message(const struct netlink_message *message, void *arg)
{
	static const char padding[NLMSG_ALIGNTO];
	struct question *q = arg;
	int r = buf_append(q->answer, message->whole.p, message->whole.n);

	return r < 0 ? r : buf_append(q->answer, padding, NLMSG_ALIGN(message->whole.n) - message->whole.n);
}

static int live_dump(struct host *h, const char *key, void *arg, struct buf *ret)
{
	struct question *q = arg;
	cleanup(close_fd) int fd = -1;
	int r = netlink_open(h, NETLINK_ROUTE, q->pid, q->net_ns, &fd);

	(void)key;
	q->answer = ret;
	q->request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	return r < 0 ? r : netlink_dump(fd, q->request, q->size, clock_mono_ns() + DUMP_NS, keep_message, q);
}

int rtnetlink_read(struct host *h, const char *name, uint64_t net_ns, int pid, struct nlmsghdr *request,
		   size_t size, struct buf *ret)
{
	struct question q = { .request = request, .size = size, .net_ns = net_ns, .pid = pid };
	char key[64];

	snprintf(key, sizeof key, "rtnetlink:%s:%llu", name, (unsigned long long)net_ns);
	return host_fetch(h, key, live_dump, &q, ret);
}

struct span rtnetlink_after(const struct netlink_message *message, size_t head)
{
	size_t aligned = NLMSG_ALIGN(head);

	if (message->payload.n <= aligned)
		return (struct span){ "", 0 };
	return (struct span){ message->payload.p + aligned, message->payload.n - aligned };
}
