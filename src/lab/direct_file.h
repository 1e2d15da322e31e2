/* Files read and written past the page cache, so that each access reaches the disk. */
#ifndef OSPREY_LAB_DIRECT_FILE_H
#define OSPREY_LAB_DIRECT_FILE_H

#include <stdint.h>

#include "base/note.h"

/* Makes a file of `bytes` (whole MiB) of data that is not zero, on the disk when it returns. */
int direct_file_make(const char *path, uint64_t bytes, struct note *note) __attribute__((warn_unused_result));
/* Opens with O_DIRECT and `flags` of open(2), created when they say so: the descriptor, or
 * -errno. The caller closes. */
int direct_file_open(const char *path, int flags) __attribute__((warn_unused_result));
/* A buffer that O_DIRECT takes, filled; NULL: no memory. Lives as long as the process. */
void *direct_buffer(uint64_t bytes) __attribute__((warn_unused_result));

#endif
