/* Many readers at random places and a writer, all past the page cache: far more requests than
 * the disk serves at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conditions/conditions.h"
#include "diagnose/storage_evidence.h"
#include "lab/direct_file.h"
#include "lab/scenario.h"

#define MIB (UINT64_C(1) << 20)
#define FILE_BYTES (256 * MIB)
#define WRITE_BYTES (128 * MIB)
#define READ_BLOCK (256 * 1024)

static void file_path(struct lab *lab, const char *name, char *ret, size_t size)
{
	snprintf(ret, size, "%.250s/%s", lab_scratch(lab), name);
}

static int set_up(struct lab *lab, struct note *note)
{
	uint32_t major, minor;
	char path[300], disk[32];
	int r = lab_scratch_disk(lab, disk, sizeof disk, &major, &minor);

	if (r < 0)
		return note_set(note, r, "no disk under the scratch directory");
	lab_label_name(lab, ACTOR_DISK, disk);
	file_path(lab, "read", path, sizeof path);
	return direct_file_make(path, FILE_BYTES, note);
}

static int read_anywhere(struct lab *lab, void *arg)
{
	char path[300];

	file_path(lab, "read", path, sizeof path);
	int fd = direct_file_open(path, O_RDONLY);
	void *block = direct_buffer(READ_BLOCK);
	unsigned seed = (unsigned)(uintptr_t)arg;

	if (fd < 0 || !block)
		return fd < 0 ? fd : -ENOMEM;
	lab_label_self(lab);
	lab_at_work(lab);
	for (;;) {
		uint64_t at = (uint64_t)rand_r(&seed) % (FILE_BYTES / READ_BLOCK);

		if (pread(fd, block, READ_BLOCK, (off_t)(at * READ_BLOCK)) < 0)
			return -errno;
	}
}

static int write_on(struct lab *lab, void *arg)
{
	char path[300];

	(void)arg;
	file_path(lab, "write", path, sizeof path);
	int fd = direct_file_open(path, O_RDWR | O_CREAT | O_TRUNC);
	void *block = direct_buffer(MIB);

	if (fd < 0 || !block)
		return fd < 0 ? fd : -ENOMEM;
	lab_label_self(lab);
	lab_at_work(lab);
	for (uint64_t at = 0;; at = (at + MIB) % WRITE_BYTES)
		if (pwrite(fd, block, MIB, (off_t)at) < 0)
			return -errno;
}

static int run(struct lab *lab, struct note *note)
{
	uint64_t readers = lab_pick(lab, 8, 16, 32);
	pid_t pid = lab_spawn_at_work(lab, "disk_writer", write_on, NULL, note);

	for (uint64_t i = 1; i <= readers && pid >= 0; i++)
		pid = lab_spawn_at_work(lab, "disk_reader", read_anywhere, (void *)(uintptr_t)i, note);
	if (pid < 0)
		return pid;
	lab_ready(lab);
	return 0;
}

static bool moved(const struct window *w, struct note *note)
{
	double longest = 0, wait = 0;

	vec_each(d, &w->last->disks) {
		const struct disk *before = sample_disk(w->first, d->major, d->minor);
		double queue = before ? window_rate(w, reading_delta(before->queue_ns, d->queue_ns)) / 1e9 : 0;

		if (queue > longest)
			longest = queue;
	}
	for (size_t i = 0; i < w->nprocesses; i++)
		wait += process_disk_wait(w, &w->processes[i]);
	note_set(note, 0, "a disk's queue was %.1f long, %.1f tasks waited", longest, wait);
	return longest > 3 && wait > 3;
}

const struct scenario disk_saturated_scenario = {
	.name = "disk_saturated",
	.summary = "16 readers at random places and a writer, all past the page cache, on one disk",
	.moves = "diskstats weighted time and time per request; PSI io; tasks in disk wait",
	.needs = LAB_DISK,
	.memory_bytes = 96 << 20,
	.disk_bytes = FILE_BYTES + WRITE_BYTES + MIB,
	.processes = 40,
	.set_up = set_up,
	.run = run,
	.moved = moved,
};
