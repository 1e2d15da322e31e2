/* Sockets of one network namespace, by sock_diag (NETLINK_SOCK_DIAG): those that tell of
 * trouble. Kept are
 * - TCP listeners (accept queue against backlog),
 * - TCP connections that have ever retransmitted,
 * - UDP sockets that have dropped or hold a receive queue;
 * at most 4096 of each kind, the count of others is in `skipped`.
 *
 * Since: 3.3; SK_MEMINFO drops 4.10. Privilege: none in our own namespace; CAP_SYS_ADMIN to
 * enter another. Cost: one dump of each kind, ~1 us a socket. Owners are named apart:
 * socket_owner walks /proc/PID/fd and is called for few sockets, once. */
#ifndef OSPREY_SOURCE_NETWORK_SOCKET_H
#define OSPREY_SOURCE_NETWORK_SOCKET_H

#include "base/reading.h"
#include "base/vec.h"
#include "kernel/host.h"

enum socket_kind { SOCKET_TCP_LISTEN, SOCKET_TCP, SOCKET_UDP };

struct socket {
	enum socket_kind kind;
	uint64_t cookie; /* names the socket for its lifetime */
	uint32_t inode;	 /* 0: no process holds it */
	char local[64], remote[64]; /* "127.0.0.1:8080", "[::1]:53" */
	uint32_t receive_queue;	/* bytes; of a listener: connections waiting for accept */
	uint32_t send_queue;	/* bytes; of a listener: the backlog */
	reading drops;		/* datagrams or connections refused by this socket */
	reading receive_buffer_bytes; /* SO_RCVBUF as the kernel counts it */
	/* connections */
	reading retransmits; /* segments sent again since it opened */
	reading segments_out;
	reading rtt_ns;
	/* who holds it, when it was looked up; 0: not */
	int32_t owner_pid;
	char owner_comm[16];
};
typedef VEC(struct socket) socket_vec;

struct socket_reader; /* keeps one netlink socket for each namespace */

int socket_reader_new(struct host *h, struct socket_reader **ret) __attribute__((warn_unused_result));
void socket_reader_free(struct socket_reader *r);
/* Of namespace `net_ns` (inode), entered through /proc/`pid`/ns/net; pid 0: our own. */
int sockets_read(struct socket_reader *r, uint64_t net_ns, int pid, socket_vec *ret,
		 size_t *ret_skipped, enum presence *ret_presence) __attribute__((warn_unused_result));
/* One netlink answer; for tests and fuzzing. */
int sockets_parse(struct span netlink, enum socket_kind kind, socket_vec *ret)
	__attribute__((warn_unused_result));

/* Names the holders of the given sockets: fills owner_pid and owner_comm. Walks the fds of
 * all processes of the namespace until all are found; bounded to 200 ms. */
int socket_owners(struct host *h, struct socket *const *sockets, size_t n)
	__attribute__((warn_unused_result));

#endif
