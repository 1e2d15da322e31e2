/* Two readers in a cgroup whose read limit on the disk is far below what the disk can do. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "conditions/conditions.h"
#include "diagnose/storage_evidence.h"
#include "lab/scenario.h"

#define MIB (UINT64_C(1) << 20)
#define READERS 2
#define FILE_BYTES (64 * MIB)
#define BLOCK (64 * 1024) /* a request passes in a fraction of a second even at the strongest limit */

static void file_path(struct lab *lab, char *ret, size_t size)
{
	snprintf(ret, size, "%.250s/throttled", lab_scratch(lab));
}

static int make_file(const char *path, struct note *note)
{
	static char block[MIB];
	cleanup(close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (uint64_t at = 0; fd >= 0 && at < FILE_BYTES; at += sizeof block) {
		memset(block, (int)(at / MIB) + 1, sizeof block);
		if (write(fd, block, sizeof block) != (ssize_t)sizeof block)
			return note_set(note, -EIO, "%s: %s", path, strerror(errno));
	}
	if (fd < 0 || fdatasync(fd) < 0)
		return note_set(note, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

static int set_up(struct lab *lab, struct note *note)
{
	uint32_t major, minor;
	char path[300], disk[32];
	int r = lab_scratch_disk(lab, disk, sizeof disk, &major, &minor);

	if (r < 0)
		return note_set(note, r, "no disk under the scratch directory");
	r = lab_cgroup(lab, CGROUP_IO, path, sizeof path, note);
	if (r == 0)
		r = lab_cgroup_io_limit(lab, major, minor, lab_pick(lab, 16 * MIB, 4 * MIB, MIB), 0, note);
	if (r < 0)
		return r;
	lab_label_name(lab, ACTOR_CGROUP, path);
	file_path(lab, path, sizeof path);
	return make_file(path, note);
}

static int read_past_the_cache(struct lab *lab, void *arg)
{
	char path[300];
	int r = lab_cgroup_enter(lab, NULL), ready = (int)(intptr_t)arg;

	if (r < 0)
		return r;
	file_path(lab, path, sizeof path);
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	void *block = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (fd < 0 || block == MAP_FAILED || write(ready, "", 1) != 1)
		return -errno;
	for (uint64_t at = 0;; at = (at + BLOCK) % FILE_BYTES)
		if (pread(fd, block, BLOCK, (off_t)at) < 0)
			return -errno;
}

/* To move a task into a cgroup takes the kernel some 10 ms: the fault is in force after that. */
static int run(struct lab *lab, struct note *note)
{
	int ready[2], left = READERS;
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return note_set(note, -errno, "pipe: %s", strerror(errno));
	for (int i = 0; i < READERS; i++) {
		pid_t pid = lab_spawn(lab, "io_limited", read_past_the_cache, (void *)(intptr_t)ready[1]);

		if (pid < 0)
			return note_set(note, pid, "cannot start a reader: %s", strerror(-pid));
	}
	close(ready[1]);
	while (left > 0 && read(ready[0], &byte, 1) == 1)
		left--;
	close(ready[0]);
	if (left)
		return note_set(note, -EIO, "a reader ended before it read");
	lab_ready(lab);
	return 0;
}

static bool moved(const struct window *w, struct note *note)
{
	struct io_held_back held;
	double wait = 0;

	window_io_held_back(w, &held);
	for (size_t i = 0; i < w->nprocesses; i++)
		if (io_held_back_by(&held, w, &w->processes[i]))
			wait += process_disk_wait(w, &w->processes[i]);
	note_set(note, 0, "%zu cgroups at their I/O limit, %.1f of their tasks waited", held.n, wait);
	return wait > 0.5;
}

const struct scenario io_throttled_scenario = {
	.name = "io_throttled",
	.summary = "two readers in a cgroup that may read 4 MiB a second of the disk",
	.moves = "PSI io while the disk is idle; io.stat (blkio.throttle.io_service_bytes) at the pace of the limit",
	.needs = LAB_IO_CGROUP | LAB_DISK,
	.memory_bytes = 16 << 20,
	.disk_bytes = FILE_BYTES + MIB,
	.processes = 4,
	.set_up = set_up,
	.run = run,
	.moved = moved,
};
