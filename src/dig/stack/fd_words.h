/* What descriptors of a process lead to, in words: "tcp 10.0.0.1:80 -> 10.0.0.2:4711", "/var/log/x", "pipe:[4711]".
 *
 * Asks /proc/PID/fd, and the socket tables of the process's network namespace for the sockets that are wanted (they are those of
 * a whole namespace). Privilege: the same user or CAP_SYS_PTRACE. */
#ifndef OSPREY_DIG_STACK_FD_WORDS_H
#define OSPREY_DIG_STACK_FD_WORDS_H

#include "kernel/host.h"
#include "source/process/process_fd.h"
#include "source/process/process_socket.h"

struct fd_words {
	struct process_fds fds;
	process_socket_vec sockets; /* by inode */
};

/* Zeroed before; to be given to fd_words_deinit. A process that has ended has none. 0 or -ENOMEM. */
int fd_words_read(struct host *h, int pid, bool (*wanted)(void *arg, int fd), void *arg, struct fd_words *ret)
	__attribute__((warn_unused_result));
void fd_words_deinit(struct fd_words *w);
/* Appends ", WORDS" to a text; nothing when the descriptor is not known. */
void fd_words_append(const struct fd_words *w, int fd, char *text, size_t size);

#endif
