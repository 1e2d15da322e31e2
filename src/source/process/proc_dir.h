/* One task's directory in /proc, held open: whatever is read through it belongs to one
 * task, even when its pid is taken by another in the meantime (then: -ESRCH).
 * Goes through host_fetch, so a captured host answers the same. For
 * source/process, and for views that show one process whole. */
#ifndef OSPREY_SOURCE_PROCESS_PROC_DIR_H
#define OSPREY_SOURCE_PROCESS_PROC_DIR_H

#include "kernel/host.h"

struct proc_dir {
	struct host *h;
	int fd;	       /* -1 on a captured host */
	char path[64]; /* "/proc/12/task/13" */
};

/* tid 0: the process. -ENOENT, -ESRCH: gone; -EMFILE… */
int proc_dir_open(struct host *h, int pid, int tid, struct proc_dir *ret)
	__attribute__((warn_unused_result));
void proc_dir_close(struct proc_dir *d);
/* Files of one record, which the kernel gives in one read. */
int proc_dir_read(struct proc_dir *d, const char *name, struct buf *ret)
	__attribute__((warn_unused_result));
/* Any file, also one whose reading waits for the process's mmap_lock (cmdline, environ, maps,
 * smaps): -ETIMEDOUT then. Whole files, up to 64 MiB: else -EFBIG. */
int proc_dir_read_bounded(struct proc_dir *d, const char *name, unsigned timeout_ms, struct buf *ret)
	__attribute__((warn_unused_result));
int proc_dir_list(struct proc_dir *d, const char *name, struct buf *ret)
	__attribute__((warn_unused_result));
int proc_dir_readlink(struct proc_dir *d, const char *name, struct buf *ret)
	__attribute__((warn_unused_result));
/* Number of open descriptors, as text, under the key "fdcount:PID". `fast`: the size of
 * the directory tells it (6.2+). */
int proc_dir_fd_count(struct proc_dir *d, int pid, bool fast, struct buf *ret)
	__attribute__((warn_unused_result));

#endif
