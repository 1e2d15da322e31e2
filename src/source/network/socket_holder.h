/* Who holds which socket: the links /proc/PID/fd/N read "socket:[inode]".
 *
 * One walk over the descriptors of all processes. Privilege: one's own processes; root (or
 * CAP_SYS_PTRACE) for those of others, which are counted in `denied`. Cost: a readlink for each open
 * descriptor of the host, ~0.7 us, and ~6 us a process: there is no other list of holders, so ask
 * only when somebody will look at them. A holder takes 32 bytes.
 *
 * One answer (key "socket_holders"): records that each end in a NUL byte, "pPID COMM" and behind it
 * "FD INODE" for each socket that it holds; "denied COUNT" at the end. Sockets held by
 * /dev/fuse, io_uring or in flight between processes are nobody's. */
#ifndef OSPREY_SOURCE_NETWORK_SOCKET_HOLDER_H
#define OSPREY_SOURCE_NETWORK_SOCKET_HOLDER_H

#include "base/vec.h"
#include "kernel/host.h"

struct socket_holder {
	uint32_t inode;
	int32_t pid;
	int32_t fd;
	char comm[16];
};
typedef VEC(struct socket_holder) socket_holder_vec;

/* Ordered by inode, then pid, then fd. 0, or -errno when no process could be listed at all. */
int socket_holders_read(struct host *h, struct buf *scratch, socket_holder_vec *ret, size_t *ret_denied)
	__attribute__((warn_unused_result));
/* Records that are damaged are left out. -ENOMEM. */
int socket_holders_parse(struct span text, socket_holder_vec *ret, size_t *ret_denied)
	__attribute__((warn_unused_result));
/* All holders of one socket; *ret_n 0: nobody is known. */
const struct socket_holder *socket_holders_find(const socket_holder_vec *holders, uint32_t inode,
						size_t *ret_n);

/* The network namespaces that processes are in. */
struct net_namespace {
	uint64_t inode;
	int32_t pid; /* the lowest that lives in it; 0: it is our own */
};
typedef VEC(struct net_namespace) net_namespace_vec;

/* Our own first, the others by their lowest pid. One answer (key "net_namespaces"), "INODE PID" a
 * line, "denied COUNT" at the end. Privilege as above: namespaces of processes that may not be looked at
 * are missing. Cost: a readlink for each process. */
int net_namespaces_read(struct host *h, struct buf *scratch, net_namespace_vec *ret, size_t *ret_denied)
	__attribute__((warn_unused_result));
int net_namespaces_parse(struct span text, net_namespace_vec *ret, size_t *ret_denied)
	__attribute__((warn_unused_result));

#endif
