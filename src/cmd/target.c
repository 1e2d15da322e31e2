#include "cmd/target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "source/process/process_status.h"

/* All is absent where there is no such process. */
static void read_status(int pid, struct process_status *ret)
{
	char path[40], text[8192];

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);
	if (fd >= 0)
		close(fd);
	process_status_parse((struct span){ text, n > 0 ? (size_t)n : 0 }, ret);
}

int target_open(int pid, struct note *note)
{
	struct process_status status;

	read_status(pid, &status);
	if (!reading_ok(status.thread_group))
		return note_set(note, -ESRCH, "there is no process %d", pid);
	if (status.thread_group != (reading)pid)
		return note_set(note, -ESRCH, "%d is a thread; its process is %d", pid, (int)status.thread_group);
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return errno == ESRCH ? note_set(note, -ESRCH, "there is no process %d", pid) : -errno;
	if (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) > 0) {
		close(fd);
		return note_set(note, -ESRCH, "process %d has ended: a zombie that its parent, %d, has not waited for", pid,
				(int)status.parent);
	}
	return fd;
}
