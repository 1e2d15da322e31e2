/* How many sockets of each kind there are, without listing them: /proc/net/protocols (sockets and
 * memory of each protocol) the sum and the FRAG lines of /proc/net/sockstat{,6}. Of the namespace of `pid`, as
 * far as the kernel counts by namespace: TCP's and UDP's memory is the host's.
 * Privilege: none. Cost: three small files, ~60 us, whatever the number of sockets. */
#ifndef OSPREY_SOURCE_NETWORK_SOCKET_COUNTS_H
#define OSPREY_SOURCE_NETWORK_SOCKET_COUNTS_H

#include <stdbool.h>

#include "base/reading.h"
#include "base/vec.h"
#include "kernel/host.h"

/* Protocols that differ in the address family alone stand together. */
struct socket_count {
	char protocol[16]; /* "tcp", "udp", "unix"… */
	reading sockets;   /* all of them */
	reading ipv4, ipv6; /* of those that have the two */
	reading memory_pages; /* of the whole host; absent: the protocol does not account for it */
	bool pressed; /* memory is short for it */
};
typedef VEC(struct socket_count) socket_count_vec;

/* In an order of our own: all (the sum that the kernel keeps), tcp, udp, raw, unix, then others as the
 * kernel lists them. */
int socket_counts_read(struct host *h, int pid, struct buf *scratch, socket_count_vec *ret,
		       enum presence *ret_presence) __attribute__((warn_unused_result));
/* /proc/net/protocols. -EBADMSG: not a single good line; -ENOMEM. */
int socket_counts_parse(struct span text, socket_count_vec *ret) __attribute__((warn_unused_result));
/* "sockets: used 16", added as protocol "all". */
int socket_counts_parse_used(struct span sockstat, socket_count_vec *ret) __attribute__((warn_unused_result));
/* Fragments under reassembly ("FRAG: inuse 3 memory 12"), added as protocol "frag". */
int socket_counts_parse_frag(struct span sockstat, struct span sockstat6, socket_count_vec *ret)
	__attribute__((warn_unused_result));

#endif
