/* The functions of osprey/rt/net.h about connections. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "kernel_call.h"
#include "net/transfer.h"
#include "osprey/rt/net.h"

/* While a connection of a unix socket cannot be queued the kernel says so, and never when it could. */
#define QUEUE_FULL_NAP_NS 1000000

static int set_option(long number, int level, int option, int value)
{
	return (int)kernel_call(SYS_setsockopt, number, level, option, &value, sizeof value);
}

static bool is_ip(const struct rt_address *a)
{
	return a->storage.ss_family == AF_INET || a->storage.ss_family == AF_INET6;
}

static long new_socket(const struct rt_address *a, int type)
{
	return kernel_call(SYS_socket, a->storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static unsigned kind_of(const struct rt_address *a, bool stream)
{
	return DESCRIPTOR_SOCKET | (stream && is_ip(a) ? DESCRIPTOR_SHORT_IS_ALL : 0);
}

/* The descriptor of a socket, which is closed if there can be none. */
static int open_descriptor(long number, unsigned kind, struct rt_fd *ret)
{
	struct descriptor *d;
	int r = descriptor_new((int)number, kind, &d);

	if (r == 0)
		*ret = descriptor_open(d);
	else
		kernel_call(SYS_close, number);
	return r;
}

static void remove_old(const struct rt_address *a)
{
	const struct sockaddr_un *u = (const struct sockaddr_un *)&a->storage;
	struct stat is;

	if (a->storage.ss_family != AF_UNIX || !u->sun_path[0])
		return;
	if (kernel_call(SYS_newfstatat, AT_FDCWD, u->sun_path, &is, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(is.st_mode))
		kernel_call(SYS_unlinkat, AT_FDCWD, u->sun_path, 0);
}

/* ":80" is both, whatever net.ipv6.bindv6only says. */
static int take_both(long number, const struct rt_address *a)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->storage;

	if (a->storage.ss_family != AF_INET6 || !IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
		return 0;
	return set_option(number, IPPROTO_IPV6, IPV6_V6ONLY, 0);
}

static int prepare_listener(long number, const struct rt_address *a, const struct rt_listen_options *o)
{
	int r = 0;

	if (is_ip(a) && ((r = set_option(number, SOL_SOCKET, SO_REUSEADDR, 1)) < 0 ||
			 (r = set_option(number, IPPROTO_TCP, TCP_NODELAY, 1)) < 0))
		return r;
	if ((r = take_both(number, a)) < 0)
		return r;
	if (o->shared && (r = set_option(number, SOL_SOCKET, SO_REUSEPORT, 1)) < 0)
		return r;
	if (o->replace)
		remove_old(a);
	r = (int)kernel_call(SYS_bind, number, &a->storage, a->bytes);
	/* More than the kernel allows is as much as it allows. */
	return r < 0 ? r : (int)kernel_call(SYS_listen, number, o->backlog > 0 ? o->backlog : INT32_MAX);
}

int rt_listen(const struct rt_address *a, const struct rt_listen_options *options, struct rt_fd *ret)
{
	static const struct rt_listen_options none;
	long number = new_socket(a, SOCK_STREAM);

	if (number < 0)
		return (int)number;
	int r = prepare_listener(number, a, options ? options : &none);
	if (r < 0) {
		kernel_call(SYS_close, number);
		return r;
	}
	return open_descriptor(number, kind_of(a, true), ret);
}

int rt_datagram(const struct rt_address *a, struct rt_fd *ret)
{
	long number = new_socket(a, SOCK_DGRAM);

	if (number < 0)
		return (int)number;
	int r = take_both(number, a);
	if (r == 0)
		r = (int)kernel_call(SYS_bind, number, &a->storage, a->bytes);
	if (r < 0) {
		kernel_call(SYS_close, number);
		return r;
	}
	return open_descriptor(number, kind_of(a, false), ret);
}

static int address_of(long call, struct rt_fd fd, struct rt_address *ret)
{
	struct rt_address a = { .bytes = sizeof a.storage };
	struct descriptor *d = descriptor_enter(fd);

	if (!d)
		return -EBADF;
	int r = (int)kernel_call(call, d->fd, &a.storage, &a.bytes);
	descriptor_leave(d);
	if (r == 0)
		*ret = a;
	return r;
}

int rt_local_address(struct rt_fd fd, struct rt_address *ret)
{
	return address_of(SYS_getsockname, fd, ret);
}

int rt_peer_address(struct rt_fd fd, struct rt_address *ret)
{
	return address_of(SYS_getpeername, fd, ret);
}

/* What accept(2) says of a connection that is gone, or of the network it came from: the next one may be
 * fine. */
static bool is_of_the_connection(long r)
{
	switch (-r) {
	case ECONNABORTED:
	case EPROTO:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case ENETUNREACH:
		return true;
	}
	return false;
}

int rt_accept(struct rt_fd listener, struct rt_address *ret_peer, struct rt_fd *ret, int64_t deadline)
{
	struct rt_address peer;
	long at = ret_peer ? (long)&peer.storage : 0, bytes = ret_peer ? (long)&peer.bytes : 0;
	struct attempt attempt = { SYS_accept4, { at, bytes, SOCK_NONBLOCK | SOCK_CLOEXEC }, 0, 0 };
	struct descriptor *d = transfer_begin(listener), *made;
	long number;

	if (!d)
		return -EBADF;
	/* What there is no descriptor for is not to be taken. */
	int r = descriptor_new(-1, d->kind & ~(unsigned)DESCRIPTOR_KEEP, &made);
	if (r < 0)
		return (int)transfer_end(d, r);
	do {
		peer.bytes = sizeof peer.storage;
		number = transfer_at(d, READING, &attempt, deadline);
	} while (is_of_the_connection(number));
	descriptor_leave(d);
	if (number < 0) {
		descriptor_drop(made);
		return (int)number;
	}
	if (ret_peer)
		*ret_peer = peer;
	made->fd = (int)number;
	*ret = descriptor_open(made);
	return 0;
}

static int connect_at(struct descriptor *d, const struct rt_address *a, int64_t deadline)
{
	int r, error = 0;
	socklen_t bytes = sizeof error;

	while ((r = (int)kernel_call(SYS_connect, d->fd, &a->storage, a->bytes)) == -EAGAIN) {
		int64_t next = rt_now() + QUEUE_FULL_NAP_NS;
		if (deadline <= next - QUEUE_FULL_NAP_NS)
			return -ETIMEDOUT;
		if ((r = rt_sleep_until(next < deadline ? next : deadline)) < 0)
			return r;
	}
	if (r != -EINPROGRESS)
		return r;
	r = transfer_wait_ready(d, WRITING, deadline);
	if (r < 0)
		return r;
	r = (int)kernel_call(SYS_getsockopt, d->fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
	return r < 0 ? r : -error;
}

int rt_connect(const struct rt_address *a, struct rt_fd *ret, int64_t deadline)
{
	long number = new_socket(a, SOCK_STREAM);
	struct descriptor *d;
	struct rt_fd fd;
	int r = 0;

	if (number < 0)
		return (int)number;
	if (is_ip(a))
		r = set_option(number, IPPROTO_TCP, TCP_NODELAY, 1);
	if (r < 0) {
		kernel_call(SYS_close, number);
		return r;
	}
	r = open_descriptor(number, kind_of(a, true), &fd);
	if (r < 0)
		return r;
	d = transfer_begin(fd);
	r = (int)transfer_end(d, connect_at(d, a, deadline));
	if (r == 0)
		*ret = fd;
	else
		rt_fd_close(fd);
	return r;
}
