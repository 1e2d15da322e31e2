/* The records of the kernel log as the kernel keeps them: a ring of some hundred KiB
 * (log_buf_len), the oldest overwritten first.
 *
 * Reads /dev/kmsg (3.5 and later), one record a read(2); where that cannot be opened, the
 * history comes from syslog(2), SYSLOG_ACTION_READ_ALL, made into records of the same form (its
 * lines have no sequence numbers: they are counted). Privilege of both: CAP_SYSLOG when
 * kernel.dmesg_restrict = 1 (Debian's default). Reading changes nothing: records stay for others.
 * Cost: one system call and a copy for each record.
 *
 * Records come out each with a NUL behind it. The kernel numbers them without gaps, so what was
 * overwritten between two reads (EPIPE) shows as a gap in the numbers. */
#ifndef OSPREY_SOURCE_KERNEL_LOG_RING_H
#define OSPREY_SOURCE_KERNEL_LOG_RING_H

#include "base/note.h"
#include "kernel/host.h"

#define LOG_MAX_RECORD_BYTES 8192 /* one read() gives one record; EINVAL when it does not fit */

struct log_ring;

enum log_start {
	LOG_START_OLDEST, /* all that the ring holds, cleared by `dmesg -C` or not */
	LOG_START_NOW,	  /* only what is written from now on: /dev/kmsg alone */
};

/* 0; -ENOMEM; or why the log cannot be read: -EPERM (the privilege above), -ENOENT (no such log here,
 * or something else in its place, or a capture without one). *note says what it needs. */
int log_ring_new(struct host *h, enum log_start start, struct log_ring **ret, struct note *note)
	__attribute__((warn_unused_result));
void log_ring_free(struct log_ring *ring);

/* All records since the last call into *ret (at most `max_bytes`, the rest next time). Never
 * blocks. 0; -ENOENT on a capture whose tick has no look at the log; -errno. */
int log_ring_read(struct log_ring *ring, size_t max_bytes, struct buf *ret)
	__attribute__((warn_unused_result));

/* Waits until there is more, at most `timeout_ms`. 1: there is; 0: not in time; -EINTR; -errno.
 * -EOPNOTSUPP: a capture, or syslog(2) alone: nothing further comes. */
int log_ring_wait(struct log_ring *ring, int timeout_ms) __attribute__((warn_unused_result));

/* The number of the first record since somebody ran `dmesg -C`; 0: nobody did, or it is not known;
 * UINT64_MAX: no record since. Only of LOG_START_OLDEST. */
uint64_t log_ring_cleared(const struct log_ring *ring);

/* The history as syslog(2) gives it, as records: "<6>[    5.123456][   T12] text". Pure. */
int log_ring_from_syslog(struct span text, struct buf *ret) __attribute__((warn_unused_result));

#endif
