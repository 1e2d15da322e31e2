#include "cmd/target.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* "Tgid:" of /proc/PID/status; 0: there is no such line. */
static int status_number(int pid, const char *name)
{
	char path[40], line[256];
	int number = 0;

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *f = fopen(path, "re");
	while (f && number == 0 && fgets(line, sizeof line, f))
		if (strncmp(line, name, strlen(name)) == 0)
			number = atoi(line + strlen(name));
	if (f)
		fclose(f);
	return number;
}

int target_open(int pid, struct note *note)
{
	int process = status_number(pid, "Tgid:");

	if (process == 0)
		return note_set(note, -ESRCH, "there is no process %d", pid);
	if (process != pid)
		return note_set(note, -ESRCH, "%d is a thread; its process is %d", pid, process);
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return errno == ESRCH ? note_set(note, -ESRCH, "there is no process %d", pid) : -errno;
	if (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) > 0) {
		close(fd);
		return note_set(note, -ESRCH, "process %d has ended: a zombie that its parent, %d, has not waited for", pid,
				status_number(pid, "PPid:"));
	}
	return fd;
}
