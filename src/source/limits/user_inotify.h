/* How many inotify instances and watches each user has: the kernel counts them against
 * fs.inotify.max_user_{instances,watches}, and tells nowhere how many there are.
 *
 * Reads the links of /proc/PID/fd of all processes, and fdinfo of inotify descriptors (2.6.22), under the
 * key "user_inotify"; bounded to 300 ms. Descriptors that
 * share an instance (dup, fork) count each: an upper bound. By the owner of the process, the kernel
 * charges who created it. Privilege: root for other
 * users' processes (`complete` tells). Cost: ~1.5 us a descriptor. */
#ifndef OSPREY_SOURCE_LIMITS_USER_INOTIFY_H
#define OSPREY_SOURCE_LIMITS_USER_INOTIFY_H

#include <stdbool.h>

#include "base/vec.h"
#include "kernel/host.h"

struct user_inotify {
	uint32_t uid;
	uint64_t instances, watches;
};
typedef VEC(struct user_inotify) user_inotify_vec;

int user_inotify_read(struct host *h, struct buf *scratch, user_inotify_vec *ret, bool *ret_complete)
	__attribute__((warn_unused_result));
/* "complete" (0 or 1), then "uid instances watches" a line. -EBADMSG, -ENOMEM. Pure. */
int user_inotify_parse(struct span text, user_inotify_vec *ret, bool *ret_complete) __attribute__((warn_unused_result));

#endif
