/* Write protection that only notes what was written: the target's own userfaultfd, in our hands.
 *
 * UFFD_FEATURE_WP_ASYNC (6.7): a write to a protected page lifts the protection within the kernel (0.5-1 us for the
 * writer, once a page and pass); nobody is told, nothing waits for us, and nothing can hang when we die: the
 * last close of the descriptor lifts what is left. uffd ioctls: ioctl_userfaultfd(2). */
#ifndef OSPREY_DIG_CORE_CORE_PROTECT_H
#define OSPREY_DIG_CORE_CORE_PROTECT_H

#include <stdint.h>

#include "base/vec.h"

struct core_protect {
	int fd; /* -1: none */
	VEC(struct protected_range { uint64_t start; uint64_t end; }) range;
};

/* Takes `fd` over. -EINVAL: the kernel has not what is needed. */
int core_protect_init(struct core_protect *p, int fd) __attribute__((warn_unused_result));
/* A mapping from its start to its end. -EBUSY: it is the target's own userfaultfd's. */
int core_protect_add(struct core_protect *p, uint64_t start, uint64_t end) __attribute__((warn_unused_result));
/* Lifts it, in pieces that are to hold the target's mmap_lock for 0.3 ms (a huge page at least), with pauses: the close
 * alone would hold it for all of its memory, 1.5 s a GiB where page tables are dear. */
void core_protect_deinit(struct core_protect *p);

#endif
