/* Who has the other end of a pipe or a socket open: a search through the descriptors of all
 * processes, under the key "holders:PID".
 *
 * Processes whose pids are near come first, as those of a pipeline are. Bounded to 200 ms: then
 * `complete` is false. Privilege: the same user or CAP_SYS_PTRACE for each process that is looked into;
 * others are passed over, and `complete` is false as well. */
#ifndef OSPREY_SOURCE_PROCESS_FD_HOLDERS_H
#define OSPREY_SOURCE_PROCESS_FD_HOLDERS_H

#include <stdbool.h>

#include "base/vec.h"
#include "kernel/host.h"

struct fd_holder {
	uint64_t inode;
	int32_t pid, fd;
	char access; /* 'r', 'w', 'u' */
	char comm[16];
};
typedef VEC(struct fd_holder) fd_holder_vec;

/* Holders other than `pid` of "pipe:[N]" and "socket:[N]" for the N in `inodes`, sorted ascending.
 * Appends to *ret, at most 8 of each inode. 0 or -errno. */
int fd_holders_find(struct host *h, int pid, const uint64_t *inodes, size_t n, struct buf *scratch,
		    fd_holder_vec *ret, bool *ret_complete) __attribute__((warn_unused_result));
/* The answer: "complete" (0 or 1), then "inode pid fd access comm" a line; newlines of names are
 * blanks. -EBADMSG, -ENOMEM. Pure. */
int fd_holders_parse(struct span text, fd_holder_vec *ret, bool *ret_complete) __attribute__((warn_unused_result));

#endif
