/* Scope-bound release: `cleanup(buf_deinit) struct buf b = { 0 };` */
#ifndef OSPREY_BASE_CLEANUP_H
#define OSPREY_BASE_CLEANUP_H

#include <unistd.h>

#define cleanup(function) __attribute__((cleanup(function)))

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#endif
