/* The host: where every byte that osprey knows of a machine comes from.
 *
 * A host is either live (a root directory fd and the kernel's clocks) or a
 * capture (a file in which a machine was written down). All reading goes through
 * host_fetch: on a live host it asks the kernel, and writes the answer down when
 * the host is being captured; on a captured host it returns what was written. A
 * source therefore cannot tell one from the other, and any run of the doctor can
 * be kept and replayed.
 *
 * A capture is zstd-compressed text, described in docs/capture-format.md.
 *
 * Time: a host's time stands still within a tick. host_tick moves it. All readings
 * of one tick carry the same time.
 *
 * Threads: a host belongs to one thread.
 */
#ifndef OSPREY_KERNEL_HOST_H
#define OSPREY_KERNEL_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/note.h"

struct host;
struct urgent;

struct host_time {
	uint64_t mono_ns; /* CLOCK_MONOTONIC */
	uint64_t boot_ns; /* CLOCK_BOOTTIME: start times of tasks count in it */
	uint64_t real_ns; /* CLOCK_REALTIME */
};

/* `root` is "/" or where another machine's root is mounted. 0 or -errno. */
int host_open_live(const char *root, struct host **ret, struct note *note)
	__attribute__((warn_unused_result));
/* Opens a capture at its first tick. -EBADMSG: not a capture, or damaged. */
int host_open_capture(const char *path, struct host **ret, struct note *note)
	__attribute__((warn_unused_result));
/* The same from the decompressed text of a capture; takes `text` over. For tests and fuzzers. */
int host_open_capture_text(struct buf *text, struct host **ret, struct note *note)
	__attribute__((warn_unused_result));
void host_free(struct host *h);

/* From now on writes all answers of a live host to `path`. */
int host_capture_to(struct host *h, const char *path, struct note *note)
	__attribute__((warn_unused_result));
/* Ends the capture and says whether all of it was written. */
int host_capture_end(struct host *h) __attribute__((warn_unused_result));

bool host_is_live(const struct host *h);
/* Whether answers are text under a key alone: true on captured hosts and while
 * capturing. Sources then leave their in-kernel fast paths (BPF) aside. */
bool host_is_textual(const struct host *h);
/* Root directory fd of a live host; -1 on a captured one. */
int host_root_fd(const struct host *h);

struct host_time host_time(const struct host *h);
/* Live: sleeps until `mono_ns` (or not, when that has passed) and takes the time.
 * Captured: moves to the next recorded tick, at once. -ENODATA: the capture has
 * ended. -EINTR: a signal came; the time was taken all the same. */
int host_tick(struct host *h, uint64_t mono_ns) __attribute__((warn_unused_result));
/* Whether this is the last moment of a capture; never on a live host. */
bool host_at_end(const struct host *h);

/* From now on looks after the budget of `u` between answers (urgent_check); NULL: of nobody. */
void host_check_urgent(struct host *h, struct urgent *u);

/* The one gate. `key` names the answer ("/proc/stat", "statvfs:/home",
 * "sock_diag:tcp:4026531840"); `live` fetches it: it appends to `ret`, already
 * empty, and returns 0 or -errno. On failure *ret is empty. */
typedef int (*host_fetch_fn)(struct host *h, const char *key, void *arg, struct buf *ret);
int host_fetch(struct host *h, const char *key, host_fetch_fn live, void *arg, struct buf *ret)
	__attribute__((warn_unused_result));

/* A whole file by absolute path. 0 or -errno (-ENOENT, -EACCES, -ESRCH…). Files over
 * 64 MiB end in -EFBIG. Three system calls. */
int host_read(struct host *h, const char *path, struct buf *ret) __attribute__((warn_unused_result));
/* The same for the few files read ten times a second: the fd stays open, one
 * system call. `path` must be a string that lives as long as the host. */
int host_read_kept(struct host *h, const char *path, struct buf *ret)
	__attribute__((warn_unused_result));
/* For files whose reading can hang in the kernel (/proc/PID/cmdline waits for the
 * target's mmap_lock): gives up with -ETIMEDOUT. */
int host_read_bounded(struct host *h, const char *path, unsigned timeout_ms, struct buf *ret)
	__attribute__((warn_unused_result));
/* Names in a directory, one a line, without dot entries, in the kernel's order. */
int host_list(struct host *h, const char *path, struct buf *ret) __attribute__((warn_unused_result));
int host_readlink(struct host *h, const char *path, struct buf *ret)
	__attribute__((warn_unused_result));

#endif
