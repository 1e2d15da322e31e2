#include "kernel/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define CHUNK_BYTES 32768 /* the largest that the kernel makes for a dump */

/* Drops `n` bytes and their padding; the last message may come without padding. */
static void advance(struct span *rest, size_t n)
{
	size_t padded = NLMSG_ALIGN(n);
	size_t step = padded < rest->n ? padded : rest->n;

	rest->p += step;
	rest->n -= step;
}

bool netlink_next(struct span *rest, struct netlink_message *ret)
{
	struct nlmsghdr header; /* copied: captured bytes are not aligned */

	if (rest->n < sizeof header)
		return false;
	memcpy(&header, rest->p, sizeof header);
	if (header.nlmsg_len < sizeof header || header.nlmsg_len > rest->n)
		return false;
	*ret = (struct netlink_message){
		.type = header.nlmsg_type,
		.sequence = header.nlmsg_seq,
		.whole = { rest->p, header.nlmsg_len },
		.payload = { rest->p + NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN },
	};
	advance(rest, header.nlmsg_len);
	return true;
}

bool netlink_attribute(struct span *rest, uint16_t *ret_type, struct span *ret_value)
{
	struct nlattr header;

	if (rest->n < sizeof header)
		return false;
	memcpy(&header, rest->p, sizeof header);
	if (header.nla_len < sizeof header || header.nla_len > rest->n)
		return false;
	*ret_type = header.nla_type & NLA_TYPE_MASK;
	*ret_value = (struct span){ rest->p + NLA_HDRLEN, header.nla_len - NLA_HDRLEN };
	advance(rest, header.nla_len);
	return true;
}

static int open_socket(int protocol)
{
	struct timeval patience = { .tv_usec = 200000 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return fd;
}

/* All that is read afterwards would be of the wrong namespace: better no osprey. */
static void come_back(int own)
{
	for (int tries = 0; tries < 100; tries++) {
		if (setns(own, CLONE_NEWNET) == 0)
			return;
		struct timespec pause = { .tv_nsec = 10000000 };
		nanosleep(&pause, NULL);
	}
	abort();
}

static int open_in(int target, int own, int protocol)
{
	if (setns(target, CLONE_NEWNET) < 0)
		return -errno;
	int fd = open_socket(protocol);
	come_back(own);
	return fd;
}

int netlink_open(struct host *h, int protocol, int pid, uint64_t net_ns, int *ret_fd)
{
	cleanup(close_fd) int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	cleanup(close_fd) int target = -1;
	struct stat theirs, ours;
	char path[40] = "proc/self/ns/net";
	int fd;

	if (pid)
		snprintf(path, sizeof path, "proc/%d/ns/net", pid);
	target = openat(host_root_fd(h), path, O_RDONLY | O_CLOEXEC);
	if (target < 0 || fstat(target, &theirs) < 0) {
		if (pid || net_ns)
			return -errno;
		fd = open_socket(protocol); /* no /proc: our own needs none */
	} else if (net_ns && theirs.st_ino != net_ns) {
		return -ESTALE;
	} else if (own >= 0 && fstat(own, &ours) == 0 && ours.st_ino == theirs.st_ino) {
		fd = open_socket(protocol);
	} else {
		fd = own < 0 ? -ENOENT : open_in(target, own, protocol);
	}
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

static int send_request(int fd, struct nlmsghdr *request, size_t size)
{
	static _Thread_local uint32_t sequence;
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	request->nlmsg_len = (uint32_t)size;
	request->nlmsg_seq = ++sequence;
	request->nlmsg_pid = 0;
	ssize_t sent = sendto(fd, request, size, 0, (struct sockaddr *)&kernel, sizeof kernel);
	return sent < 0 ? -errno : 0;
}

/* The next chunk that the kernel (not some process) sent; its length. */
static ssize_t receive(int fd, void *chunk)
{
	struct sockaddr_nl from;

	for (;;) {
		socklen_t n = sizeof from;
		ssize_t got = recvfrom(fd, chunk, CHUNK_BYTES, MSG_TRUNC, (struct sockaddr *)&from, &n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (got > CHUNK_BYTES)
			return -EMSGSIZE;
		if (n == sizeof from && from.nl_pid == 0)
			return got;
	}
}

/* What an NLMSG_ERROR or NLMSG_DONE says; done without a code is success. */
static int result_of(const struct netlink_message *message)
{
	int code = 0;

	if (message->payload.n >= sizeof code)
		memcpy(&code, message->payload.p, sizeof code);
	return code < 0 ? code : 0;
}

/* 1: the dump is over. */
static int walk_chunk(struct span chunk, uint32_t sequence,
		      int (*each)(const struct netlink_message *message, void *arg), void *arg)
{
	struct netlink_message message;

	while (netlink_next(&chunk, &message)) {
		if (message.sequence != sequence)
			continue; /* of an earlier request */
		if (message.type == NLMSG_DONE || message.type == NLMSG_ERROR) {
			int r = result_of(&message);
			return r < 0 ? r : 1;
		}
		int r = each(&message, arg);
		if (r < 0)
			return r;
	}
	return 0;
}

int netlink_dump(int fd, struct nlmsghdr *request, size_t size, uint64_t deadline_ns,
		 int (*each)(const struct netlink_message *message, void *arg), void *arg)
{
	char chunk[CHUNK_BYTES];
	int r = send_request(fd, request, size);

	while (r == 0) {
		ssize_t got = receive(fd, chunk);

		if (got < 0)
			return (int)got;
		r = walk_chunk((struct span){ chunk, (size_t)got }, request->nlmsg_seq, each, arg);
		if (r == 0 && clock_mono_ns() > deadline_ns)
			r = -ETIMEDOUT;
	}
	return r < 0 ? r : 0;
}

int netlink_append_overrun(struct buf *answer, uint64_t n)
{
	struct {
		struct nlmsghdr header;
		uint64_t n;
	} message = {
		.header = { .nlmsg_len = sizeof message, .nlmsg_type = NLMSG_OVERRUN },
		.n = n,
	};
	return n ? buf_append(answer, &message, sizeof message) : 0;
}
