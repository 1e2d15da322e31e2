#include "dig/image/target_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"

/* One call takes no more, and says nothing of the rest. */
#define MOST_AT_ONCE 0x40000000u

static ssize_t by_file(int pid, uint64_t address, void *to, size_t n)
{
	char path[48];

	snprintf(path, sizeof path, "/proc/%d/mem", pid);
	cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : errno == EACCES ? -EPERM : -errno;
	ssize_t got = pread(fd, to, n, (off_t)address);
	return got < 0 ? -errno : got;
}

static ssize_t read_piece(int pid, uint64_t address, void *to, size_t n)
{
	struct iovec local = { to, n }, remote = { (void *)(uintptr_t)address, n };
	ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	if (got >= 0)
		return got;
	return errno == ENOSYS ? by_file(pid, address, to, n) : -errno;
}

ssize_t target_memory_read_front(int pid, uint64_t address, void *to, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t piece = n - done < MOST_AT_ONCE ? n - done : MOST_AT_ONCE;
		ssize_t got = read_piece(pid, address + done, (char *)to + done, piece);
		if (got == -EFAULT || got == -EIO || got == 0)
			break;
		if (got < 0)
			return got;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

int target_memory_read(int pid, uint64_t address, void *to, size_t n)
{
	ssize_t got = target_memory_read_front(pid, address, to, n);

	if (got < 0)
		return (int)got;
	return (size_t)got == n ? 0 : -EFAULT;
}
