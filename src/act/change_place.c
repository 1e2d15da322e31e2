#include "act/change_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "lab/file.h"

#define LOCK_WAIT_NS (10 * NS_PER_S)
#define LOCK_STEP_NS (10 * NS_PER_MS)

static bool is_absolute(const char *path)
{
	return path && path[0] == '/';
}

int place_of_user(char *ret, struct note *note)
{
	const char *own = getenv("OSPREY_STATE_DIR"), *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (own && own[0]) {
		if (!is_absolute(own))
			return note_set(note, -EINVAL,
					"OSPREY_STATE_DIR is \"%s\": it must be an absolute path", own);
		n = snprintf(ret, PLACE_MAX, "%s/changes", own);
	} else if (geteuid() == 0)
		n = snprintf(ret, PLACE_MAX, "/var/lib/osprey/changes");
	else if (is_absolute(state))
		n = snprintf(ret, PLACE_MAX, "%s/osprey/changes", state);
	else if (is_absolute(home))
		n = snprintf(ret, PLACE_MAX, "%s/.local/state/osprey/changes", home);
	else
		return note_set(note, -ENOENT,
				"there is no HOME to keep the journal of changes in; set OSPREY_STATE_DIR");
	return n < PLACE_MAX ? 0
			     : note_set(note, -ENAMETOOLONG,
					"the place of the journal of changes: its name is too long");
}

/* What is there is obeyed by whoever undoes, so nobody else may write there. */
static int check_own(const char *dir, int fd, struct note *note)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return note_set(note, -errno, "%s: %s", dir, strerror(errno));
	if (st.st_uid != geteuid())
		return note_set(note, -EPERM, "%s belongs to uid %u: a journal of changes must be one's own; "
			"OSPREY_STATE_DIR names another place", dir, st.st_uid);
	if (st.st_mode & 022)
		return note_set(note, -EPERM, "%s can be written by others: a journal of changes is obeyed; "
			"chmod go-w it", dir);
	return 0;
}

int place_open(const char *dir, int *ret_fd, struct note *note)
{
	int r, fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return note_set(note, -errno, "journal of changes: %s: %s", dir, strerror(errno));
	r = check_own(dir, fd, note);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int place_make(const char *dir, int *ret_fd, struct note *note)
{
	char path[PLACE_MAX];

	snprintf(path, sizeof path, "%s", dir);
	for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(path, slash && geteuid() == 0 ? 0755 : 0700) < 0 && errno != EEXIST)
			return note_set(note, -errno,
					"journal of changes: %s: %s; OSPREY_STATE_DIR=/run/osprey names "
					"another place",
					path, strerror(errno));
		if (!slash)
			break;
		*slash = '/';
	}
	return place_open(dir, ret_fd, note);
}

static void name_holder(int fd, char *ret, size_t size)
{
	char text[16] = "";
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	uint64_t pid;

	if (n > 0 && span_u64((struct span){ text, (size_t)n }, &pid))
		snprintf(ret, size, "osprey with pid %llu", (unsigned long long)pid);
	else
		snprintf(ret, size, "another osprey");
}

int place_lock(const char *dir, int dir_fd, int *ret_fd, struct note *note)
{
	uint64_t end_ns = clock_mono_ns() + LOCK_WAIT_NS;
	int fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char text[16];

	if (fd < 0)
		return note_set(note, -errno, "journal of changes: %s/lock: %s", dir, strerror(errno));
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int r = -errno;

		if (r == -EWOULDBLOCK && clock_mono_ns() < end_ns) {
			(void)!clock_sleep_until(clock_mono_ns() + LOCK_STEP_NS);
			continue;
		}
		char holder[48];

		name_holder(fd, holder, sizeof holder);
		close(fd);
		return r != -EWOULDBLOCK
			       ? note_set(note, r, "journal of changes: %s/lock: %s", dir, strerror(-r))
			       : note_set(note, -EBUSY,
					  "%s is changing this host and holds %s/lock; try again",
					  holder, dir);
	}
	/* For the message above alone. */
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, text, (size_t)snprintf(text, sizeof text, "%d", getpid()), 0);
	*ret_fd = fd;
	return 0;
}

void place_boot_id(char *ret, size_t size)
{
	if (file_read("/proc/sys/kernel/random/boot_id", ret, size) < 0)
		ret[0] = '\0';
}

void place_command_line(struct buf *ret)
{
	cleanup(close_fd) int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0 || buf_reserve(ret, 1024) < 0)
		return;
	n = read(fd, ret->data, 1024);
	ret->n = n > 0 ? (size_t)n : 0;
	while (ret->n > 0 && ret->data[ret->n - 1] == '\0')
		ret->n--;
	ret->data[ret->n] = '\0';
	for (size_t i = 0; i < ret->n; i++) {
		if (ret->data[i] == '\0')
			ret->data[i] = ' ';
	}
}

/* /proc/sys shows each reader its own namespace's values. */
static const char *namespace_of(const struct change *c)
{
	static const char *const ipc[] = { "/proc/sys/kernel/shm", "/proc/sys/kernel/msg", "/proc/sys/kernel/sem",
					   "/proc/sys/kernel/auto_msgmni", "/proc/sys/fs/mqueue/" };

	if (c->kind == CHANGE_PROCESS)
		return "pid";
	if (strncmp(c->path, "/proc/sys/net/", 14) == 0)
		return "net";
	if (strcmp(c->path, "/proc/sys/kernel/hostname") == 0 ||
	    strcmp(c->path, "/proc/sys/kernel/domainname") == 0)
		return "uts";
	for (size_t i = 0; i < sizeof ipc / sizeof ipc[0]; i++) {
		if (strncmp(c->path, ipc[i], strlen(ipc[i])) == 0)
			return "ipc";
	}
	return NULL;
}

void space_of(const struct change *c, char *ret)
{
	const char *name = namespace_of(c);
	char path[32];
	struct stat st;

	ret[0] = '\0';
	if (!name)
		return;
	snprintf(path, sizeof path, "/proc/self/ns/%s", name);
	if (stat(path, &st) == 0)
		snprintf(ret, SPACE_MAX, "%s:%llu", name, (unsigned long long)st.st_ino);
}
