/* Scope-bound release: `cleanup(buf_deinit) struct buf b = { 0 };` */
#ifndef OSPREY_BASE_CLEANUP_H
#define OSPREY_BASE_CLEANUP_H

#include <unistd.h>

/* Unused but for its end: a lock that is held, as clang would have it. */
#define cleanup(function) __attribute__((cleanup(function), unused))

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#endif
