/* The open descriptors of one process: what each is, where it points, how it was opened.
 *
 * Reads: the links of /proc/PID/fd and the records of /proc/PID/fdinfo (2.6.22) in one go, under the
 * key "fds:PID"; then type and size of the files, under "fdstats:PID", by statx without asking a
 * server (4.11). Both in a thread that is left behind when it hangs (epoll and inotify records take
 * locks; a dead server). Privilege: the same user or CAP_SYS_PTRACE. Cost: ~5 us a descriptor; at most
 * 65536 of them, or 0.7 s: those beyond are counted in `skipped`. A hang costs 2 s. Format: proc_pid_fd(5), proc_pid_fdinfo(5). */
#ifndef OSPREY_SOURCE_PROCESS_PROCESS_FD_H
#define OSPREY_SOURCE_PROCESS_PROCESS_FD_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/reading.h"
#include "base/vec.h"
#include "source/process/proc_dir.h"

/* FD_KIND(name, "word", "words for many") */
#define FD_KINDS(FD_KIND)                                                                                \
	FD_KIND(REGULAR, "file", "files")                                                                \
	FD_KIND(DIRECTORY, "directory", "directories")                                                   \
	FD_KIND(DEVICE, "device", "devices")                                                             \
	FD_KIND(FIFO, "fifo", "named pipes")                                                             \
	FD_KIND(PIPE, "pipe", "pipes")                                                                   \
	FD_KIND(SOCKET, "socket", "sockets")                                                             \
	FD_KIND(EPOLL, "epoll", "epoll sets")                                                            \
	FD_KIND(EVENTFD, "eventfd", "eventfds")                                                          \
	FD_KIND(TIMERFD, "timerfd", "timerfds")                                                          \
	FD_KIND(SIGNALFD, "signalfd", "signalfds")                                                       \
	FD_KIND(INOTIFY, "inotify", "inotify queues")                                                    \
	FD_KIND(FANOTIFY, "fanotify", "fanotify queues")                                                 \
	FD_KIND(MEMFD, "memfd", "memfds")                                                                \
	FD_KIND(PIDFD, "pidfd", "pidfds")                                                                \
	FD_KIND(IO_URING, "io_uring", "io_uring rings")                                                  \
	FD_KIND(BPF, "bpf", "BPF objects")                                                               \
	FD_KIND(PERF, "perf_event", "perf events")                                                       \
	FD_KIND(NAMESPACE, "namespace", "namespaces")                                                    \
	FD_KIND(OTHER, "other", "others")

enum fd_kind {
#define FD_ENUM(name, word, words) FD_##name,
	FD_KINDS(FD_ENUM)
#undef FD_ENUM
	FD_KIND_COUNT,
};

struct process_fd {
	int32_t fd;
	enum fd_kind kind;
	bool deleted;	   /* its file has no name any more, and keeps its space while it is open */
	uint32_t flags;	   /* O_* as the kernel numbers them; valid when has_flags */
	bool has_flags;
	char access;	   /* 'r', 'w', 'u' (both), '-' (O_PATH, unknown) */
	uint64_t inode;	   /* of pipes, sockets, namespaces; 0: not known */
	reading position;  /* of files */
	reading size_bytes; /* of files */
	/* what the record of its kind tells: targets of an epoll set, watches of inotify, the count of an
	 * eventfd, nanoseconds to the next expiry of a timerfd, the pid of a pidfd */
	reading detail;
	reading locks;	   /* locks on the file that this process holds */
	size_t target_at, target_n; /* in process_fds.text */
};

struct process_fds {
	int error; /* 0, or why there are none */
	VEC(struct process_fd) fds; /* by number */
	size_t skipped;
	struct buf text;
};

void process_fds_deinit(struct process_fds *f);
struct span process_fd_target(const struct process_fds *all, const struct process_fd *fd);
/* Fills *ret anew. Failure is told by ret->error, but for -ENOMEM. `details`: also fdinfo
 * and statx (three times the cost). */
int process_fds_read(struct proc_dir *d, int pid, bool details, struct buf *scratch, struct process_fds *ret)
	__attribute__((warn_unused_result));

const char *fd_kind_name(enum fd_kind kind);
const char *fd_kind_plural(enum fd_kind kind);
/* "append nonblock cloexec", without the access mode. */
void fd_flags_text(uint32_t flags, char *ret, size_t size);

/* ---- pure ---- */

/* The answer under "fds:PID". -EBADMSG (what stood before the damage is kept), -ENOMEM. */
int process_fds_parse(struct span answer, struct process_fds *ret) __attribute__((warn_unused_result));
/* The answer under "fdstats:PID": lines "fd mode size". */
void process_fd_stats_parse(struct span answer, struct process_fds *ret);
/* The kind by the target of the link alone. */
enum fd_kind fd_kind_of(struct span target, uint64_t *ret_inode, bool *ret_deleted);
void fdinfo_parse(struct span text, struct process_fd *ret);

#endif
