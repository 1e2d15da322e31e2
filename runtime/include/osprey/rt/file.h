/* Files: calls that take the disk's time, without taking a thread or a processor for it.
 *
 * What the page cache has is read at once. Else io_uring carries the call on, and where there is none (a
 * kernel before 5.6, a container's filter, OSPREY_RT_URING=0 in the environment, Valgrind) the call blocks its thread
 * while others use the processor, as between rt_block_begin and rt_block_end.
 *
 * Descriptors are the kernel's numbers, and the caller's. For regular files, block devices and directories;
 * what can be waited for, as pipes and sockets, belongs to net.h. No call has a deadline, and none is a
 * cancellation point: it returns when the kernel is done with it, so a buffer is in use only while the call
 * lasts, and may lie on the caller's stack. Errors are the kernel's, as negative numbers; what a signal
 * interrupted is done again.
 *
 * All functions: fiber; they block. */
#ifndef OSPREY_RT_FILE_H
#define OSPREY_RT_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include <osprey/rt/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As open(2), with O_CLOEXEC: the number. */
RT_API int rt_file_open(const char *path, int flags, mode_t mode);

/* As pread(2) and pwrite(2), but whole: fewer bytes than asked for are read only at the end of the file,
 * and written never without an error. When an error comes after some bytes, those count, and the error
 * comes with the next call. */
RT_API ssize_t rt_pread(int file, void *buffer, size_t bytes, off_t offset);
RT_API ssize_t rt_pwrite(int file, const void *buffer, size_t bytes, off_t offset);

/* As fsync(2), or with `data_only` fdatasync(2). */
RT_API int rt_fsync(int file, bool data_only);

/* As close(2), whose number is free in any case. Takes its thread for as long as the kernel takes: long for a large file that
 * has no name any more; its processor is given to others then. */
RT_API int rt_file_close(int file);

#ifdef __cplusplus
}
#endif
#endif
