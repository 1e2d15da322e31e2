#include "kernel/cgroup_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/span.h"

#define PATH_SIZE 640

/* Calls `each` with every directory below; the results are combined by or. */
static bool each_below(const char *directory, bool (*each)(const char *))
{
	DIR *dir = opendir(directory);
	struct dirent *d;
	bool any = false;

	while (dir && (d = readdir(dir))) {
		char child[PATH_SIZE];

		if (d->d_type == DT_DIR && d->d_name[0] != '.' &&
		    (size_t)snprintf(child, sizeof child, "%s/%s", directory, d->d_name) < sizeof child)
			any |= each(child);
	}
	if (dir)
		closedir(dir);
	return any;
}

/* ---- killing ---- */

/* "4:memory:/a/b": whether the directory is that path below some mount. */
static bool names(struct span line, struct span directory)
{
	struct span part;

	if (!span_until(&line, ':', &part) || !span_until(&line, ':', &part))
		return false;
	return line.n > 1 && line.n < directory.n &&
	       memcmp(directory.p + directory.n - line.n, line.p, line.n) == 0;
}

static bool is_member(pid_t pid, const char *directory)
{
	char path[32], text[8192];
	struct span rest, line;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof text);
	if (fd >= 0)
		close(fd);
	rest = (struct span){ text, n > 0 ? (size_t)n : 0 };
	while (span_line(&rest, &line))
		if (names(line, span_from(directory)))
			return true;
	return false;
}

static void kill_member(pid_t pid, const char *directory)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (is_member(pid, directory)) {
		if (fd >= 0)
			(void)!syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
		else
			kill(pid, SIGKILL);
	}
	if (fd >= 0)
		close(fd);
}

static bool kill_members(const char *directory)
{
	char path[PATH_SIZE + 16], line[32];
	bool any = false;
	FILE *f;

	snprintf(path, sizeof path, "%s/cgroup.procs", directory);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f)) {
		uint64_t pid;

		/* 0: of another pid namespace. */
		if (!span_u64(span_trim(span_from(line)), &pid) || pid <= 1 || pid == (uint64_t)getpid())
			continue;
		any = true;
		kill_member((pid_t)pid, directory);
	}
	if (f)
		fclose(f);
	return any;
}

/* Whether the kernel took it. */
static bool kill_at_once(const char *directory)
{
	char path[PATH_SIZE + 16];
	int fd;
	bool done;

	snprintf(path, sizeof path, "%s/cgroup.kill", directory);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = write(fd, "1", 1) == 1;
	close(fd);
	return done;
}

bool cgroup_tree_kill(const char *directory)
{
	bool any;

	(void)kill_at_once(directory);
	any = kill_members(directory);
	return each_below(directory, cgroup_tree_kill) || any;
}

/* ---- removing ---- */

static bool remove_fails(const char *directory)
{
	return cgroup_tree_remove(directory) < 0;
}

int cgroup_tree_remove(const char *directory)
{
	(void)each_below(directory, remove_fails);
	return rmdir(directory) < 0 && errno != ENOENT ? -errno : 0;
}
