/* Sockets of one network namespace, by sock_diag (NETLINK_SOCK_DIAG): those that tell of
 * trouble. Kept are
 * - TCP listeners (accept queue against backlog),
 * - TCP connections that have ever retransmitted (not SYN_RECV, FIN_WAIT2, TIME_WAIT),
 * - UDP sockets that have dropped or hold a receive queue;
 * at most 4096 of each kind; those beyond are counted in `skipped`. A dump that takes over
 * 250 ms is cut off: then `skipped` is at least 1.
 *
 * Since: 3.3; SK_MEMINFO drops 4.10 (before: absent). The kernel needs inet_diag, tcp_diag and
 * udp_diag (it loads its own modules when asked, as it does for ss); without them: ABSENT. Privilege: none in our own namespace; CAP_SYS_ADMIN to enter
 * another. Cost: one dump of each kind and address family, ~0.4 ms and ~2 us a socket. Owners are
 * named apart: socket_owners walks /proc/PID/fd and is called for few sockets, once.
 *
 * A netlink socket keeps its namespace alive, so a namespace that is no longer asked for is
 * let go of at the next look that is more than 1.5 s later. */
#ifndef OSPREY_SOURCE_NETWORK_SOCKET_H
#define OSPREY_SOURCE_NETWORK_SOCKET_H

#include <stdbool.h>

#include "base/reading.h"
#include "base/vec.h"
#include "kernel/host.h"

enum socket_kind { SOCKET_TCP_LISTEN, SOCKET_TCP, SOCKET_UDP };

struct socket {
	enum socket_kind kind;
	uint64_t net_ns; /* inode of its namespace */
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
	reading rtt_ns, rto_ns;
	reading duplicates; /* segments that the peer got twice: needless retransmissions (4.19) */
	/* who holds it, when it was looked up; 0: not, or nobody was found */
	int32_t owner_pid;
	char owner_comm[16];
	bool owner_sought;
};
typedef VEC(struct socket) socket_vec;

struct socket_reader; /* keeps one netlink socket for each namespace */

int socket_reader_new(struct host *h, struct socket_reader **ret) __attribute__((warn_unused_result));
void socket_reader_free(struct socket_reader *r);
/* Of namespace `net_ns` (inode), entered through /proc/`pid`/ns/net; pid 0: our own. Owners
 * that were sought for sockets in *ret, of the look before, are carried over. */
int sockets_read(struct socket_reader *r, uint64_t net_ns, int pid, socket_vec *ret,
		 size_t *ret_skipped, enum presence *ret_presence) __attribute__((warn_unused_result));
/* Netlink answers of one kind, appended to *ret; a message NLMSG_OVERRUN carries the count of
 * sockets left out. -EBADMSG: cut or damaged (what stood before is kept). */
int sockets_parse(struct span netlink, enum socket_kind kind, socket_vec *ret, size_t *ret_skipped)
	__attribute__((warn_unused_result));

/* Names the holders of the given sockets: fills owner_pid and owner_comm, or leaves them 0.
 * Walks the fds of all processes, those in the sockets' namespaces first, by pid, until all
 * are found; bounded to 200 ms. Of several holders the one with the lowest pid is named; pid
 * 1 only when it is alone (it keeps the sockets that it hands to services).
 * Needs the same user or root. A socket whose owner was sought is not sought again. */
int socket_owners(struct host *h, struct socket *const *sockets, size_t n)
	__attribute__((warn_unused_result));

#endif
