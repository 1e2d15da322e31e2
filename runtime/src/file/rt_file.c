/* The functions of osprey/rt/file.h. */
#include "osprey/rt/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stddef.h>
#include <sys/uio.h>

#include "door.h"
#include "kernel_call.h"
#include "net/ring.h"

/* What the kernel's calls take at most at a time. */
#define MOST_BYTES 0x7ffff000u

/* False: there is no ring. */
static bool call_ring(const struct io_uring_sqe *call, int *ret)
{
	struct thread *t = door_enter();
	bool ready = ring_is_ready(t);

	if (ready)
		*ret = ring_call(t, call);
	door_leave();
	return ready;
}

/* The call by io_uring, or else the same one on this thread. */
static long call_kernel(const struct io_uring_sqe *call, long number, long a, long b, long c, long d)
{
	int answer;

	do {
		if (call_ring(call, &answer))
			continue;
		rt_block_begin();
		answer = (int)kernel_call(number, a, b, c, d);
		rt_block_end();
	} while (answer == -EINTR);
	return answer;
}

int rt_file_open(const char *path, int flags, mode_t mode)
{
	struct io_uring_sqe call = { .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD,
				     .addr = (uintptr_t)path, .len = mode,
				     .open_flags = (uint32_t)(flags | O_CLOEXEC | O_LARGEFILE) };

	return (int)call_kernel(&call, SYS_openat, AT_FDCWD, (long)path, flags | O_CLOEXEC | O_LARGEFILE, mode);
}

/* What the page cache has; less, or an error, where the disk is needed or the file system cannot tell. */
static ssize_t read_cached(int file, char *buffer, size_t bytes, off_t offset)
{
	struct iovec part = { buffer, bytes };

	return kernel_call(SYS_preadv2, file, &part, 1, offset, 0, RWF_NOWAIT);
}

static ssize_t move(bool writing, int file, char *buffer, size_t bytes, off_t offset)
{
	bytes = bytes < MOST_BYTES ? bytes : MOST_BYTES;
	struct io_uring_sqe call = { .opcode = writing ? IORING_OP_WRITE : IORING_OP_READ, .fd = file,
				     .addr = (uintptr_t)buffer, .len = (uint32_t)bytes, .off = (uint64_t)offset };

	/* To io_uring this offset is the file's own. */
	if (offset < 0)
		return -EINVAL;
	return call_kernel(&call, writing ? SYS_pwrite64 : SYS_pread64, file, (long)buffer, (long)bytes, offset);
}

ssize_t rt_pread(int file, void *buffer, size_t bytes, off_t offset)
{
	size_t done = 0;

	/* A checkpoint, also for those who find all of it in the cache. */
	door_enter();
	door_leave();
	ssize_t n = offset < 0 ? -1 : read_cached(file, buffer, bytes, offset);

	if (n > 0)
		done = (size_t)n;
	while (done < bytes) {
		n = move(false, file, (char *)buffer + done, bytes - done, offset + (off_t)done);
		if (n <= 0)
			return n < 0 && done == 0 ? n : (ssize_t)done;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t rt_pwrite(int file, const void *buffer, size_t bytes, off_t offset)
{
	size_t done = 0;

	do {
		ssize_t n = move(true, file, (char *)buffer + done, bytes - done, offset + (off_t)done);
		if (n <= 0 && bytes > 0)
			return done == 0 ? n : (ssize_t)done;
		if (n < 0)
			return n;
		done += (size_t)n;
	} while (done < bytes);
	return (ssize_t)done;
}

int rt_fsync(int file, bool data_only)
{
	struct io_uring_sqe call = { .opcode = IORING_OP_FSYNC, .fd = file,
				     .fsync_flags = data_only ? IORING_FSYNC_DATASYNC : 0 };

	return (int)call_kernel(&call, data_only ? SYS_fdatasync : SYS_fsync, file, 0, 0, 0);
}

int rt_file_close(int file)
{
	/* Not by the ring, which does it where it is submitted: freeing what has no name any more takes long. Interrupted or
	 * not, the number is free: once is enough. */
	rt_block_begin();
	int answer = (int)kernel_call(SYS_close, file);
	rt_block_end();
	return answer;
}
