/* The functions of osprey/rt/net.h that move bytes. */
#include <errno.h>
#include <limits.h>
#include <linux/io_uring.h>

#include "kernel_call.h"
#include "net/transfer.h"
#include "osprey/rt/net.h"

/* Pipes and the like have no way to say that a signal is not wanted. */
static bool is_socket(struct descriptor *d)
{
	return d->kind & DESCRIPTOR_SOCKET;
}

/* What the kernel's calls take at most at a time; that of io_uring refuses more. */
#define MOST_BYTES 0x7ffff000u

static ssize_t read_at(struct descriptor *d, void *buffer, size_t bytes, int64_t deadline)
{
	bytes = bytes < MOST_BYTES ? bytes : MOST_BYTES;
	struct attempt socket = { SYS_recvfrom, { (long)buffer, (long)bytes }, IORING_OP_RECV, (long)bytes };
	struct attempt other = { SYS_read, { (long)buffer, (long)bytes }, 0, 0 };

	return transfer_at(d, READING, is_socket(d) ? &socket : &other, deadline);
}

static ssize_t write_at(struct descriptor *d, const void *buffer, size_t bytes, int64_t deadline)
{
	bytes = bytes < MOST_BYTES ? bytes : MOST_BYTES;
	struct attempt socket = { SYS_sendto, { (long)buffer, (long)bytes, MSG_NOSIGNAL }, IORING_OP_SEND,
				  (long)bytes };
	struct attempt other = { SYS_write, { (long)buffer, (long)bytes }, 0, 0 };

	return transfer_at(d, WRITING, is_socket(d) ? &socket : &other, deadline);
}

ssize_t rt_read(struct rt_fd fd, void *buffer, size_t bytes, int64_t deadline)
{
	struct descriptor *d = transfer_begin(fd);

	return d ? transfer_end(d, read_at(d, buffer, bytes, deadline)) : -EBADF;
}

ssize_t rt_write(struct rt_fd fd, const void *buffer, size_t bytes, int64_t deadline)
{
	struct descriptor *d = transfer_begin(fd);

	return d ? transfer_end(d, write_at(d, buffer, bytes, deadline)) : -EBADF;
}

static long length(const struct iovec *parts, int n)
{
	size_t bytes = 0;

	for (int i = 0; i < n; i++)
		bytes += parts[i].iov_len;
	return bytes < LONG_MAX ? (long)bytes : LONG_MAX;
}

ssize_t rt_readv(struct rt_fd fd, const struct iovec *parts, int n, int64_t deadline)
{
	struct attempt attempt = { SYS_readv, { (long)parts, n }, 0, length(parts, n) };
	struct descriptor *d = transfer_begin(fd);

	return d ? transfer_end(d, transfer_at(d, READING, &attempt, deadline)) : -EBADF;
}

ssize_t rt_writev(struct rt_fd fd, const struct iovec *parts, int n, int64_t deadline)
{
	struct msghdr message = { .msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)n };
	struct attempt socket = { SYS_sendmsg, { (long)&message, MSG_NOSIGNAL }, 0, length(parts, n) };
	struct attempt other = { SYS_writev, { (long)parts, n }, 0, 0 };
	struct descriptor *d = transfer_begin(fd);

	return d ? transfer_end(d, transfer_at(d, WRITING, is_socket(d) ? &socket : &other, deadline)) : -EBADF;
}

ssize_t rt_recvmsg(struct rt_fd fd, struct msghdr *message, int flags, int64_t deadline)
{
	struct attempt attempt = { SYS_recvmsg, { (long)message, flags }, 0, 0, flags & (MSG_ERRQUEUE | MSG_OOB) };
	struct descriptor *d = transfer_begin(fd);

	return d ? transfer_end(d, transfer_at(d, READING, &attempt, deadline)) : -EBADF;
}

/* A queue of another that is full says nothing of the socket: one of the unix domain can be written to all the
 * while, and nobody tells when there is room. */
static ssize_t send_to(struct descriptor *d, const struct attempt *a, int64_t deadline)
{
	for (;;) {
		long r = kernel_call(a->number, d->fd, a->args[0], a->args[1]);
		bool full = r == -EAGAIN && !transfer_is_ready(d->fd, WRITING);
		/* The edge that woke this one is for the others too. */
		if (!full && r != -EINTR && descriptor_is_shared(d))
			transfer_pass_on(d, WRITING);
		if (r == -EAGAIN)
			r = full ? transfer_wait_ready(d, WRITING, deadline) : transfer_nap(d, deadline);
		else if (r != -EINTR)
			return r;
		if (r < 0 && r != -EINTR)
			return r;
	}
}

ssize_t rt_sendmsg(struct rt_fd fd, const struct msghdr *message, int flags, int64_t deadline)
{
	struct attempt attempt = { SYS_sendmsg, { (long)message, flags | MSG_NOSIGNAL }, 0, 0 };
	struct descriptor *d = transfer_begin(fd);

	if (!d)
		return -EBADF;
	return transfer_end(d, message->msg_name ? send_to(d, &attempt, deadline) :
						   transfer_at(d, WRITING, &attempt, deadline));
}

int rt_read_all(struct rt_fd fd, void *buffer, size_t bytes, size_t *ret_done, int64_t deadline)
{
	struct descriptor *d = transfer_begin(fd);
	size_t done = 0;
	ssize_t r = d ? 0 : -EBADF;

	while (d && done < bytes && (r = read_at(d, (char *)buffer + done, bytes - done, deadline)) > 0)
		done += (size_t)r;
	if (d)
		transfer_end(d, r);
	if (ret_done)
		*ret_done = done;
	return r < 0 ? (int)r : done < bytes ? -ENODATA : 0;
}

int rt_write_all(struct rt_fd fd, const void *buffer, size_t bytes, size_t *ret_done, int64_t deadline)
{
	struct descriptor *d = transfer_begin(fd);
	size_t done = 0;
	ssize_t r = d ? 0 : -EBADF;

	while (d && done < bytes && (r = write_at(d, (const char *)buffer + done, bytes - done, deadline)) >= 0)
		done += (size_t)r;
	if (d)
		transfer_end(d, r);
	if (ret_done)
		*ret_done = done;
	return r < 0 ? (int)r : 0;
}

int rt_shutdown(struct rt_fd fd, int how)
{
	struct descriptor *d = transfer_begin(fd);

	return d ? (int)transfer_end(d, kernel_call(SYS_shutdown, d->fd, how)) : -EBADF;
}
