/* The sockets of one process: protocol, addresses, state, and who is at the other end.
 *
 * Reads, in the process's own network namespace, /proc/PID/net/{tcp,tcp6,udp,udp6,unix,…} one after
 * another until every socket is found; the other end of unix sockets by sock_diag under the key
 * "unix_diag:PID" (3.3; needs CAP_SYS_ADMIN for a namespace that is not ours). Privilege for the
 * tables: none. Cost: ~1 us a socket of the whole namespace; bounded to 300 ms a table.
 * Formats: Documentation/networking/proc_net_tcp.rst, net/unix/af_unix.c. */
#ifndef OSPREY_SOURCE_PROCESS_PROCESS_SOCKET_H
#define OSPREY_SOURCE_PROCESS_PROCESS_SOCKET_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/reading.h"
#include "base/vec.h"
#include "source/process/proc_dir.h"

struct process_socket {
	uint64_t inode;
	char protocol[16]; /* "tcp", "udp6", "unix-stream", "netlink"; "": found in no table */
	char local[128], remote[128]; /* "127.0.0.1:80", "[::1]:53", a path, "@name"; "": none */
	char state[16];    /* "ESTABLISHED", "LISTEN"; "": it has none */
	reading receive_queue, send_queue; /* bytes; of a TCP listener: connections that wait, none */
	uint64_t peer_inode; /* the other end on this host; 0: not known */
};
typedef VEC(struct process_socket) process_socket_vec;

enum process_socket_table { PROCESS_SOCKETS_INET, PROCESS_SOCKETS_INET6, PROCESS_SOCKETS_UNIX, PROCESS_SOCKETS_NETLINK,
			 PROCESS_SOCKETS_PACKET };

/* The sockets whose inodes stand in *all are to be filled in; the others stay as they are. Returns how many
 * were found. Pure. */
size_t process_sockets_parse(struct span text, enum process_socket_table kind, const char *protocol,
			  process_socket_vec *all);
/* "inode peer" a line: fills peer_inode. Pure. */
void unix_peers_parse(struct span text, process_socket_vec *all);

/* *all holds sockets with their inodes alone, in the order of inodes. 0 or -ENOMEM. */
int process_sockets_read(struct proc_dir *d, int pid, struct buf *scratch, process_socket_vec *all)
	__attribute__((warn_unused_result));

#endif
