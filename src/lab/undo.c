#include "lab/undo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/span.h"
#include "kernel/cgroup_tree.h"
#include "lab/file.h"
#include "lab/journal.h"

#define PATIENCE_NS (5 * NS_PER_S)
#define PAUSE_NS (10 * NS_PER_MS)

static void pause_shortly(void)
{
	(void)!clock_sleep_until(clock_mono_ns() + PAUSE_NS);
}

/* Tries again while the kernel still lets go of something. */
static int patiently(int (*call)(const char *), const char *path)
{
	uint64_t end = clock_mono_ns() + PATIENCE_NS;

	while (call(path) < 0) {
		if (errno != EBUSY && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (clock_mono_ns() > end)
			return -EBUSY;
		pause_shortly();
	}
	return 0;
}

static int gone_is_fine(int r)
{
	return r == -ENOENT ? 0 : r;
}

/* ---- cgroups ---- */

static int cgroup_end(const char *path)
{
	int r;

	(void)cgroup_tree_kill(path);
	r = cgroup_tree_remove(path);
	errno = -r;
	return r;
}

int undo_cgroup(const char *path, struct note *note)
{
	int r = patiently(cgroup_end, path);

	return r < 0 ? note_set(note, r, "cgroup %s could not be removed: %s", path, strerror(-r)) : 0;
}

static int undo_controller(const char *id, const char *control, const char *name, struct note *note)
{
	cleanup(close_fd) int lock = journal_lock();
	char text[64];
	int r;

	if (journal_held_elsewhere(id, JOURNAL_CONTROLLER, control, name))
		return 0; /* it undoes it */
	snprintf(text, sizeof text, "-%s", name);
	r = gone_is_fine(file_write(control, text));
	/* Somebody else gave it to a child meanwhile: it is theirs now. */
	return r == -EBUSY ? 0 : r < 0 ? note_set(note, r, "%s: %s", control, strerror(-r)) : 0;
}

/* ---- files ---- */

static int undo_file(const char *path, const char *old, struct note *note)
{
	int r;

	if (strncmp(path, "/proc/sys/", 10) != 0 && strncmp(path, "/sys/", 5) != 0)
		return note_set(note, -EINVAL, "undo journal: %s is no tunable", path);
	r = gone_is_fine(file_write(path, old));
	return r < 0 ? note_set(note, r, "%s could not be set back to \"%.60s\": %s", path, old, strerror(-r)) :
		       0;
}

static int empty_dir(int fd, dev_t device);

static int remove_child(int parent, const char *name, dev_t device)
{
	struct stat st;
	int r, fd;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return gone_is_fine(-errno);
	if (!S_ISDIR(st.st_mode))
		return unlinkat(parent, name, 0) < 0 ? -errno : 0;
	/* Not into what is mounted there. Of directories alone: on an overlay other files may
	 * carry the device number of the layer they lie in. */
	if (st.st_dev != device)
		return -EXDEV;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = empty_dir(fd, device);
	if (r < 0)
		return r;
	return unlinkat(parent, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* Takes the fd. */
static int empty_dir(int fd, dev_t device)
{
	DIR *dir = fdopendir(fd);
	struct dirent *d;
	int r = 0;

	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	while (r == 0 && (d = readdir(dir)))
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			r = remove_child(dirfd(dir), d->d_name, device);
	closedir(dir);
	return r;
}

int undo_tree(const char *path, struct note *note)
{
	const char *name = strrchr(path, '/');
	struct stat st;
	int fd, r;

	if (!name || path[0] != '/' || strncmp(name, "/osprey-lab-", 12) != 0)
		return note_set(note, -EINVAL, "undo journal: %s is no directory of a lab", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return gone_is_fine(-errno);
	if (fstat(fd, &st) < 0) {
		r = -errno;
		close(fd);
	} else {
		r = empty_dir(fd, st.st_dev);
	}
	if (r == 0 && rmdir(path) < 0)
		r = gone_is_fine(-errno);
	return r < 0 ? note_set(note, r, "%s could not be removed: %s", path, strerror(-r)) : 0;
}

/* ---- mounts, loop devices, swap ---- */

static int unmount(const char *path)
{
	return umount2(path, UMOUNT_NOFOLLOW);
}

static int undo_mount(const char *path, struct note *note)
{
	int r;

	if (!strstr(path, "/osprey-lab-"))
		return note_set(note, -EINVAL, "undo journal: %s is no mount of a lab", path);
	r = patiently(unmount, path);
	/* EINVAL: not a mount point: the mount was never made. */
	if (r == 0 || r == -EINVAL || r == -ENOENT)
		return 0;
	/* Somebody of the host stands in it; it leaves the tree now and goes when they do. */
	if (umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH) == 0)
		return 0;
	return note_set(note, r, "%s could not be unmounted: %s", path, strerror(-r));
}

static bool loop_holds(const char *device, const char *image)
{
	char path[128], backing[512];
	const char *name = strrchr(device, '/');
	size_t n = strlen(image);

	snprintf(path, sizeof path, "/sys/block%.64s/loop/backing_file", name ? name : "/none");
	return file_read(path, backing, sizeof backing) >= 0 && strncmp(backing, image, n) == 0 &&
	       (backing[n] == '\0' || strcmp(backing + n, " (deleted)") == 0);
}

static int undo_loop(const char *device, const char *image, struct note *note)
{
	uint64_t end = clock_mono_ns() + PATIENCE_NS;

	/* Detaching is lazy while the device is open; so look again. */
	while (loop_holds(device, image)) {
		cleanup(close_fd) int fd = open(device, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || (ioctl(fd, LOOP_CLR_FD) < 0 && errno != EBUSY && errno != ENXIO))
			return note_set(note, -errno, "%s could not be detached: %s", device, strerror(errno));
		if (clock_mono_ns() > end)
			return note_set(note, -EBUSY, "%s is still in use", device);
		close_fd(&fd);
		fd = -1;
		pause_shortly();
	}
	return 0;
}

static int undo_swap(const char *device, struct note *note)
{
	/* EINVAL: it is no swap area now. */
	if (swapoff(device) == 0 || errno == EINVAL || errno == ENOENT)
		return 0;
	return note_set(note, -errno, "swapoff %s: %s", device, strerror(errno));
}

static int zram_reset(const char *path)
{
	int r = file_write(path, "1");

	errno = r < 0 ? -r : 0;
	return r < 0 ? -1 : 0;
}

static int zram_remove(const char *number)
{
	int r = file_write("/sys/class/zram-control/hot_remove", number);

	errno = r < 0 ? -r : 0;
	return r < 0 ? -1 : 0;
}

static int undo_zram(const char *number, const char *bytes, struct note *note)
{
	char path[96], text[64];
	int r;

	snprintf(path, sizeof path, "/sys/block/zram%.12s/disksize", number);
	if (file_read(path, text, sizeof text) < 0)
		return 0;
	if (strcmp(text, bytes) != 0 && strcmp(text, "0") != 0)
		return 0; /* another's by now */
	snprintf(path, sizeof path, "/sys/block/zram%.12s/reset", number);
	r = patiently(zram_reset, path);
	if (r == 0)
		r = patiently(zram_remove, number);
	return r < 0 ? note_set(note, r, "zram%s could not be removed: %s", number, strerror(-r)) : 0;
}

static int undo_module(const char *name)
{
	/* Best effort: somebody else may use it by now. */
	(void)!syscall(SYS_delete_module, name, O_NONBLOCK);
	return 0;
}

int undo_entry(const char *id, const char *verb, const char *first, const char *second, struct note *note)
{
	if (strcmp(verb, JOURNAL_CGROUP) == 0)
		return undo_cgroup(first, note);
	if (strcmp(verb, JOURNAL_CONTROLLER) == 0)
		return undo_controller(id, first, second, note);
	if (strcmp(verb, JOURNAL_FILE) == 0)
		return undo_file(first, second, note);
	if (strcmp(verb, JOURNAL_TREE) == 0)
		return undo_tree(first, note);
	if (strcmp(verb, JOURNAL_LOOP) == 0)
		return undo_loop(first, second, note);
	if (strcmp(verb, JOURNAL_MOUNT) == 0)
		return undo_mount(first, note);
	if (strcmp(verb, JOURNAL_SWAP) == 0)
		return undo_swap(first, note);
	if (strcmp(verb, JOURNAL_ZRAM) == 0)
		return undo_zram(first, second, note);
	if (strcmp(verb, JOURNAL_MODULE) == 0)
		return undo_module(first);
	return note_set(note, -EBADMSG, "undo journal: unknown entry \"%s\"", verb);
}
