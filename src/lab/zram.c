/* lab_zram_swap: swap in compressed memory, so that swapping needs no disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/file.h"
#include "lab/tree.h"

#define CONTROL "/sys/class/zram-control"
#define SWAP_PRIORITY 32000

/* Reading hot_add makes a device. Until its number is in the journal a kill would leave an
 * empty device, which holds no memory: the number is not known before. */
static int add_device(struct lab *lab, uint64_t bytes, char number[16], struct note *note)
{
	char text[32];
	ssize_t n = file_read(CONTROL "/hot_add", number, 16);

	if (n < 0)
		return note_set(note, (int)n, CONTROL "/hot_add: %s", strerror((int)-n));
	snprintf(text, sizeof text, "%llu", (unsigned long long)bytes);
	return journal_add(lab->journal, JOURNAL_ZRAM, number, text, note);
}

static int set_size(const char *number, uint64_t bytes, struct note *note)
{
	char path[96], text[32];
	int r;

	snprintf(path, sizeof path, "/sys/block/zram%s/disksize", number);
	snprintf(text, sizeof text, "%llu", (unsigned long long)bytes);
	r = file_write(path, text);
	return r < 0 ? note_set(note, r, "%s: %s", path, strerror(-r)) : 0;
}

/* Where udev does not run, or not at once. */
static int device_node(const char *number, const char *device, struct note *note)
{
	char path[96], text[32];
	unsigned a, b;

	if (access(device, F_OK) == 0)
		return 0;
	snprintf(path, sizeof path, "/sys/block/zram%s/dev", number);
	if (file_read(path, text, sizeof text) < 0 || sscanf(text, "%u:%u", &a, &b) != 2)
		return note_set(note, -ENODEV, "%s: no such device", path);
	if (mknod(device, S_IFBLK | 0600, makedev(a, b)) < 0 && errno != EEXIST)
		return note_set(note, -errno, "%s: %s", device, strerror(errno));
	return 0;
}

/* The header of a swap area: union swap_header of include/linux/swap.h, version 1. */
static int make_swap(const char *device, uint64_t bytes, struct note *note)
{
	cleanup(close_fd) int fd = open(device, O_WRONLY | O_CLOEXEC);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char header[65536] = { 0 };
	uint32_t version = 1, last_page = (uint32_t)(bytes / page - 1);

	if (fd < 0)
		return note_set(note, -errno, "%s: %s", device, strerror(errno));
	if (page > sizeof header)
		return note_set(note, -EOPNOTSUPP, "pages of %zu bytes", page);
	memcpy(header + 1024, &version, sizeof version);
	memcpy(header + 1028, &last_page, sizeof last_page);
	memcpy(header + page - 10, "SWAPSPACE2", 10);
	if (write(fd, header, page) != (ssize_t)page || fsync(fd) < 0)
		return note_set(note, -EIO, "%s: %s", device, strerror(errno));
	return 0;
}

int lab_zram_swap(struct lab *lab, uint64_t bytes, struct note *note)
{
	char number[16], device[48];
	int r = module_load(lab, "zram", "num_devices=0", CONTROL, note);

	if (r == 0)
		r = add_device(lab, bytes, number, note);
	if (r < 0)
		return r;
	snprintf(device, sizeof device, "/dev/zram%s", number);
	r = set_size(number, bytes, note);
	if (r == 0)
		r = device_node(number, device, note);
	if (r == 0)
		r = make_swap(device, bytes, note);
	if (r == 0)
		r = journal_add(lab->journal, JOURNAL_SWAP, device, NULL, note);
	if (r < 0)
		return r;
	if (swapon(device, SWAP_FLAG_PREFER | (SWAP_PRIORITY & SWAP_FLAG_PRIO_MASK)) < 0)
		return note_set(note, -errno, "swapon %s: %s", device, strerror(errno));
	lab->has_swap = true;
	return 0;
}
