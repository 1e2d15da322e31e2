/* How many threads each user has: what RLIMIT_NPROC counts, by real user id.
 *
 * Reads /proc/PID/status of all processes, under the key "user_threads"; bounded to 300 ms. Privilege:
 * none (with hidepid those of others are missing). Cost: ~15 us a process. Since: 2.6. */
#ifndef OSPREY_SOURCE_PROCESS_USER_THREADS_H
#define OSPREY_SOURCE_PROCESS_USER_THREADS_H

#include "base/vec.h"
#include "kernel/host.h"

struct user_threads {
	uint32_t uid;
	uint64_t threads;
};
typedef VEC(struct user_threads) user_threads_vec;

/* By uid. -ETIMEDOUT, -ENOMEM, -errno. */
int user_threads_read(struct host *h, struct buf *scratch, user_threads_vec *ret) __attribute__((warn_unused_result));
/* "uid threads" a line. -EBADMSG, -ENOMEM. Pure. */
int user_threads_parse(struct span text, user_threads_vec *ret) __attribute__((warn_unused_result));

#endif
