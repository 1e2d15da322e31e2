/* Sockets, pipes and whatever else can be waited for: calls that look like blocking ones, and park their
 * fiber.
 *
 * A descriptor is made of a number of the kernel's (rt_fd_adopt) or by the calls below, and named by a
 * small handle, which is copied freely. A handle of a descriptor that was closed is told from a new one's:
 * calls with it return -EBADF. Several fibers may use one descriptor at a time; who waits to read, and who
 * waits to write, is served in the order of coming. While an own call is under way the kernel's number is
 * not closed and used again, whoever closes the descriptor.
 *
 * Calls try first and wait only if they would block; so a call may succeed although its deadline has
 * passed, and does not wait then: deadline 0 is a call that does not block. Errors are the kernel's, and
 * everywhere that a call waits: -ETIMEDOUT at the deadline, -ECANCELED in a cancelled scope (scope.h; only
 * while it waits), -EBADF closed, also meanwhile; and where it waits for the first time on a descriptor
 * -EMFILE, -ENOSPC or -ENOMEM, if the poller cannot take it. A socket whose peer is gone gives -EPIPE,
 * never SIGPIPE; a pipe does raise that signal, unless the program ignores it.
 *
 * Memory order: none is added by the runtime; bytes that arrive carry no order of other memory. What is
 * done before a descriptor is closed, by those whose wait it ends, is not ordered either.
 *
 * Linux 5.10 or later; no privilege. A descriptor costs 64 B, and 2 system calls once when it is first
 * waited for. All functions: fiber, unless said. */
#ifndef OSPREY_RT_NET_H
#define OSPREY_RT_NET_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <osprey/rt/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The fields are the runtime's. Zeroed memory is none. */
struct rt_fd {
	uint32_t at;
	uint32_t turn;
};

/* -- descriptors */

enum {
	/* A read or write of a TCP connection that moves fewer bytes than it was asked to is taken to have
	 * emptied (filled) the kernel's buffer, which saves a call. That does not hold with kernel TLS
	 * (TCP_ULP), whose reads end with a record: say so. */
	RT_FD_RECORDS = 1,
	/* rt_fd_close leaves the kernel's number open. */
	RT_FD_KEEP = 2,
};

/* Takes over a number of the kernel's and makes it non-blocking, for all who share the open file. On
 * failure it is still the caller's. -ENOMEM, -ENFILE, -EBADF. */
RT_API int rt_fd_adopt(int number, unsigned flags, struct rt_fd *ret);

/* The kernel's number, for setsockopt and the like, while the descriptor is not closed. -EBADF. Anywhere. */
RT_API int rt_fd_number(struct rt_fd fd);

/* Closes: who waits returns with -EBADF, as do later calls; the kernel's number is closed when the last of
 * them has left. 0, -EBADF. */
RT_API int rt_fd_close(struct rt_fd fd);

/* Forgets the descriptor and returns the kernel's number, which is the caller's again and stays
 * non-blocking. -EBUSY: a call is under way; -EBADF. */
RT_API int rt_fd_release(struct rt_fd fd);

/* -- bytes */

/* As read(2) and write(2): how many bytes moved, at least one unless none were asked for; 0 at the end of
 * what is read. Blocks. */
RT_API ssize_t rt_read(struct rt_fd fd, void *buffer, size_t bytes, int64_t deadline);
RT_API ssize_t rt_write(struct rt_fd fd, const void *buffer, size_t bytes, int64_t deadline);
RT_API ssize_t rt_readv(struct rt_fd fd, const struct iovec *parts, int n, int64_t deadline);
RT_API ssize_t rt_writev(struct rt_fd fd, const struct iovec *parts, int n, int64_t deadline);

/* All of it. 0, or an error; `ret_done` (may be NULL) is set in either case: bytes that moved. -ENODATA:
 * the end came before. Blocks. */
RT_API int rt_read_all(struct rt_fd fd, void *buffer, size_t bytes, size_t *ret_done, int64_t deadline);
RT_API int rt_write_all(struct rt_fd fd, const void *buffer, size_t bytes, size_t *ret_done, int64_t deadline);

/* As recvmsg(2) and sendmsg(2): datagrams, passed descriptors. Blocks. */
RT_API ssize_t rt_recvmsg(struct rt_fd fd, struct msghdr *message, int flags, int64_t deadline);
RT_API ssize_t rt_sendmsg(struct rt_fd fd, const struct msghdr *message, int flags, int64_t deadline);

/* As shutdown(2): the other side sees the end; what is read here goes on, or ends. Who waits is woken by
 * the kernel. */
RT_API int rt_shutdown(struct rt_fd fd, int how);

/* -- addresses */

struct rt_address {
	struct sockaddr_storage storage;
	socklen_t bytes;
};

/* Text of an address: "127.0.0.1:80", "[::1]:80", ":80" (all, IPv6 and IPv4), "unix:/path", "unix:@name"
 * (abstract). Names are not looked up. -EINVAL. Anywhere. */
RT_API int rt_address_parse(const char *text, struct rt_address *ret);

/* The same text from an address, as snprintf does. Anywhere. */
RT_API int rt_address_print(const struct rt_address *a, char *buffer, size_t bytes);

/* Looks up "host:port" (port: a number or the name of a service) by getaddrinfo(3), on a thread of its own
 * while it blocks; *ret_n is at first how many fit into `ret`, then how many there are of them. What
 * rt_address_parse knows is not looked up. -ENOENT: no such host; -EAGAIN: the servers of names do not
 * answer now; -EINVAL, -ENOMEM. At the deadline the lookup is left to itself and ends later. Blocks. */
RT_API int rt_resolve(const char *text, struct rt_address *ret, size_t *ret_n, int64_t deadline);

/* -- connections */

struct rt_listen_options {
	int backlog;		/* 0: the most that the kernel allows */
	bool shared;		/* SO_REUSEPORT: several sockets listen at one address */
	bool replace;		/* a socket in the file system that is there is removed */
};

/* Listens for connections; `options` may be NULL. TCP sockets have TCP_NODELAY, as those that they accept;
 * an address of TCP can be used again at once. Does not block. */
RT_API int rt_listen(const struct rt_address *a, const struct rt_listen_options *options, struct rt_fd *ret);

/* The address that a socket has here (port 0 became a number), or the peer's. */
RT_API int rt_local_address(struct rt_fd fd, struct rt_address *ret);
RT_API int rt_peer_address(struct rt_fd fd, struct rt_address *ret);

/* The next connection; `ret_peer` may be NULL. Connections that broke off before are passed over. -EMFILE,
 * -ENFILE, -ENOMEM, -ENOBUFS: the connection waits still, so sleep before the next try. Blocks. */
RT_API int rt_accept(struct rt_fd listener, struct rt_address *ret_peer, struct rt_fd *ret, int64_t deadline);

/* Connects a stream; TCP with TCP_NODELAY. Blocks. */
RT_API int rt_connect(const struct rt_address *a, struct rt_fd *ret, int64_t deadline);

/* A datagram socket, bound to the address. */
RT_API int rt_datagram(const struct rt_address *a, struct rt_fd *ret);

/* -- without a fiber that waits */

/* Starts function(arg) as a fiber once something can be read, or the other side has closed; until then the
 * connection has no stack. Once: it is asked for anew when the fiber is done reading. It may be started
 * without a cause, so read with a deadline. What is asked for keeps the run from ending; rt_fd_close
 * withdraws it, and -EALREADY says that it is asked for. */
RT_API int rt_fd_on_readable(struct rt_fd fd, rt_function *function, void *arg);

/* Waits for a number of the kernel's that others own and read, whether it blocks or not. 0: there is
 * something to read (room to write), the end, or an error. Costs three system calls if it has to wait.
 * Blocks. */
RT_API int rt_wait_readable(int number, int64_t deadline);
RT_API int rt_wait_writable(int number, int64_t deadline);

#ifdef __cplusplus
}
#endif
#endif
