/* lab_mount: a filesystem of the scenario's own, seen by the whole host. */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/tree.h"

static int make_image(const char *image, uint64_t bytes, struct note *note)
{
	const char *const argv[] = { "mkfs.ext4", "-q", "-F", "-m", "0", image, NULL };
	cleanup(close_fd) int fd = open(image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		return note_set(note, -errno, "%s: %s", image, strerror(errno));
	return lab_program_run(argv, note);
}

static int attach(const char *device, int image_fd, const char *image)
{
	cleanup(close_fd) int fd = open(device, O_RDWR | O_CLOEXEC);
	struct loop_info64 info = { .lo_flags = LO_FLAGS_AUTOCLEAR };

	if (fd < 0 || ioctl(fd, LOOP_SET_FD, image_fd) < 0)
		return -errno;
	snprintf((char *)info.lo_file_name, sizeof info.lo_file_name, "%.63s", image);
	/* AUTOCLEAR detaches at the last close: the caller's open keeps it until it is mounted. */
	if (ioctl(fd, LOOP_SET_STATUS64, &info) < 0) {
		int r = -errno;

		ioctl(fd, LOOP_CLR_FD);
		return r;
	}
	int kept = fd;

	fd = -1;
	return kept;
}

/* An open fd of a loop device that holds the image. Others look for free ones too: so try
 * again when the one that was free is taken. */
static int loop_device(struct lab *lab, const char *image, char *ret, size_t size, struct note *note)
{
	cleanup(close_fd) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	cleanup(close_fd) int image_fd = open(image, O_RDWR | O_CLOEXEC);
	int r = -EBUSY;

	if (control < 0 || image_fd < 0)
		return note_set(note, -errno, "loop device: %s", strerror(errno));
	for (int tries = 0; tries < 10 && r == -EBUSY; tries++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);

		if (number < 0)
			return note_set(note, -errno, "no free loop device: %s", strerror(errno));
		snprintf(ret, size, "/dev/loop%d", number);
		r = journal_add(lab->journal, JOURNAL_LOOP, ret, image, note);
		if (r < 0)
			return r;
		r = attach(ret, image_fd, image);
	}
	return r < 0 ? note_set(note, r, "%s: %s", ret, strerror(-r)) : r;
}

static int mount_at(struct lab *lab, const char *source, const char *type, const char *options,
		    const char *path, struct note *note)
{
	int r;

	if (mkdir(path, 0755) < 0)
		return note_set(note, -errno, "%s: %s", path, strerror(errno));
	r = journal_add(lab->journal, JOURNAL_MOUNT, path, NULL, note);
	if (r < 0)
		return r;
	if (mount(source, path, type, MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
		return note_set(note, -errno, "mount %s at %s: %s", type, path, strerror(errno));
	return 0;
}

static int mount_ext4(struct lab *lab, uint64_t bytes, const char *path, struct note *note)
{
	char image[300], device[32];
	int r;

	snprintf(image, sizeof image, "%.250s/image%u", lab->scratch, lab->mounts);
	r = make_image(image, bytes, note);
	if (r == 0)
		r = module_load(lab, "loop", NULL, "/dev/loop-control", note);
	if (r < 0)
		return r;
	cleanup(close_fd) int fd = loop_device(lab, image, device, sizeof device, note);

	return fd < 0 ? fd : mount_at(lab, device, "ext4", "", path, note);
}

static int mount_tmpfs(struct lab *lab, uint64_t bytes, const char *path, struct note *note)
{
	char options[64];

	snprintf(options, sizeof options, "size=%llu,mode=755", (unsigned long long)bytes);
	return mount_at(lab, "osprey-lab", "tmpfs", options, path, note);
}

int lab_mount(struct lab *lab, const char *type, uint64_t bytes, char *ret_mount, size_t size,
	      struct note *note)
{
	char path[300];
	int r;

	if (lab->own_mounts)
		return note_set(note, -EINVAL, "lab_mount works in set_up alone");
	if (!lab_scratch(lab))
		return note_set(note, -ENODEV, "no scratch directory could be made");
	snprintf(path, sizeof path, "%.250s/mount%u", lab->scratch, lab->mounts);
	if (strcmp(type, "tmpfs") == 0)
		r = mount_tmpfs(lab, bytes, path, note);
	else if (strcmp(type, "ext4") == 0)
		r = mount_ext4(lab, bytes, path, note);
	else
		r = note_set(note, -EINVAL, "lab_mount: filesystem type %s", type);
	if (r < 0)
		return r;
	lab->mounts++;
	snprintf(ret_mount, size, "%s", path);
	return 0;
}
