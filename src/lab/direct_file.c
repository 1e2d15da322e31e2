#include "lab/direct_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"

#define MIB (UINT64_C(1) << 20)

int direct_file_make(const char *path, uint64_t bytes, struct note *note)
{
	static char block[MIB];
	cleanup(close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (uint64_t at = 0; fd >= 0 && at < bytes; at += sizeof block) {
		memset(block, (int)(at / MIB % 255) + 1, sizeof block);
		errno = EIO; /* of a short write */
		if (write(fd, block, sizeof block) != (ssize_t)sizeof block)
			return note_set(note, -errno, "%s: %s", path, strerror(errno));
	}
	if (fd < 0 || fdatasync(fd) < 0)
		return note_set(note, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

int direct_file_open(const char *path, int flags)
{
	int fd = open(path, flags | O_DIRECT | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

void *direct_buffer(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : memset(p, 'o', bytes);
}
