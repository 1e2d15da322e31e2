/* Small files of /proc and /sys, written and read whole. For lab/ and act/: what these do to
 * a host is done to the live one, so this does not go through struct host. */
#ifndef OSPREY_LAB_FILE_H
#define OSPREY_LAB_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* One write; 0 or -errno. */
int file_write(const char *path, const char *text) __attribute__((warn_unused_result));
/* The text without its last newlines, terminated. Its length; -EFBIG when it does not fit. */
ssize_t file_read(const char *path, char *ret, size_t size) __attribute__((warn_unused_result));

#endif
