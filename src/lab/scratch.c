/* Scratch directories and the disk under them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/span.h"
#include "lab/file.h"
#include "lab/tree.h"

const char *const scratch_bases[] = { "/var/tmp", "/tmp", "/root", NULL };

/* btrfs and its like have a device number of their own; mountinfo names the device. */
static dev_t device_of_source(dev_t number)
{
	static char text[256 * 1024];
	char wanted[32], device[128];
	struct span rest, line, word;
	struct stat st;

	snprintf(wanted, sizeof wanted, "%u:%u", major(number), minor(number));
	if (file_read("/proc/self/mountinfo", text, sizeof text) < 0)
		return number;
	rest = span_from(text);
	while (span_line(&rest, &line)) {
		if (!span_word(&line, &word) || !span_word(&line, &word) || !span_word(&line, &word) ||
		    !span_is(word, wanted))
			continue;
		while (span_word(&line, &word) && !span_is(word, "-"))
			;
		if (!span_word(&line, &word) || !span_word(&line, &word))
			continue;
		span_copy(word, device, sizeof device);
		if (stat(device, &st) == 0 && S_ISBLK(st.st_mode))
			return st.st_rdev;
	}
	return number;
}

/* The name of a disk by its directory in /sys/dev/block; a partition's parent. */
static bool disk_name(dev_t number, char *ret, size_t size)
{
	char path[96], real[512], part[600];

	snprintf(path, sizeof path, "/sys/dev/block/%u:%u", major(number), minor(number));
	ssize_t n = readlink(path, real, sizeof real - 1);

	if (n < 0)
		return false;
	real[n] = '\0';
	snprintf(part, sizeof part, "%s/partition", path);
	if (access(part, F_OK) == 0)
		*strrchr(real, '/') = '\0';
	const char *name = strrchr(real, '/');

	if (!name)
		return false;
	snprintf(ret, size, "%s", name + 1);
	return strncmp(ret, "ram", 3) != 0 && strncmp(ret, "zram", 4) != 0 && strncmp(ret, "loop", 4) != 0;
}

static void find_disk(struct scratch_place *p)
{
	char path[96], text[32];
	struct span major_minor, word;
	uint64_t a, b;
	struct stat st;

	p->disk[0] = '\0';
	if (stat(p->directory, &st) < 0)
		return;
	if (major(st.st_dev) == 0)
		st.st_dev = device_of_source(st.st_dev);
	if (major(st.st_dev) == 0 || !disk_name(st.st_dev, p->disk, sizeof p->disk)) {
		p->disk[0] = '\0';
		return;
	}
	snprintf(path, sizeof path, "/sys/block/%s/dev", p->disk);
	if (file_read(path, text, sizeof text) < 0) {
		p->disk[0] = '\0';
		return;
	}
	major_minor = span_from(text);
	if (span_until(&major_minor, ':', &word) && span_u64(word, &a) && span_u64(major_minor, &b)) {
		p->major = (uint32_t)a;
		p->minor = (uint32_t)b;
	}
}

int scratch_place_find(struct scratch_place *ret)
{
	struct scratch_place first = { 0 };

	for (size_t i = 0; scratch_bases[i]; i++) {
		struct scratch_place p = { 0 };

		if (access(scratch_bases[i], W_OK) < 0)
			continue;
		snprintf(p.directory, sizeof p.directory, "%s", scratch_bases[i]);
		find_disk(&p);
		if (p.disk[0]) {
			*ret = p;
			return 0;
		}
		if (!first.directory[0])
			first = p;
	}
	if (!first.directory[0])
		return -ENODEV;
	*ret = first;
	return 0;
}

const char *lab_scratch(struct lab *lab)
{
	struct scratch_place p;
	char path[256];

	if (lab->scratch[0])
		return lab->scratch;
	if (scratch_place_find(&p) < 0)
		return NULL;
	snprintf(path, sizeof path, "%s/%s", p.directory, lab->id);
	if (journal_add(lab->journal, JOURNAL_TREE, path, NULL, NULL) < 0)
		return NULL;
	/* Not EEXIST: somebody else's directory is no scratch of ours. */
	if (mkdir(path, 0700) < 0)
		return NULL;
	memcpy(lab->scratch, path, sizeof path);
	return lab->scratch;
}

int lab_scratch_disk(struct lab *lab, char *ret_name, size_t size, uint32_t *ret_major, uint32_t *ret_minor)
{
	struct scratch_place p;

	(void)lab;
	if (scratch_place_find(&p) < 0 || !p.disk[0])
		return -ENODEV;
	snprintf(ret_name, size, "%s", p.disk);
	*ret_major = p.major;
	*ret_minor = p.minor;
	return 0;
}
