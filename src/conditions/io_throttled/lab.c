/* Two readers in a cgroup whose read limit on the disk is far below what the disk can do. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "conditions/conditions.h"
#include "diagnose/storage_evidence.h"
#include "lab/direct_file.h"
#include "lab/scenario.h"

#define MIB (UINT64_C(1) << 20)
#define READERS 2
#define FILE_BYTES (64 * MIB)
#define BLOCK (64 * 1024) /* a request passes in a fraction of a second even at the strongest limit */

static void file_path(struct lab *lab, char *ret, size_t size)
{
	snprintf(ret, size, "%.250s/throttled", lab_scratch(lab));
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
	return direct_file_make(path, FILE_BYTES, note);
}

/* To move a task into a cgroup takes the kernel some 10 ms: the fault is in force after that. */
static int read_past_the_cache(struct lab *lab, void *arg)
{
	char path[300];
	int r = lab_cgroup_enter(lab, NULL);

	(void)arg;
	if (r < 0)
		return r;
	file_path(lab, path, sizeof path);
	int fd = direct_file_open(path, O_RDONLY);
	void *block = direct_buffer(BLOCK);

	if (fd < 0 || !block)
		return fd < 0 ? fd : -ENOMEM;
	lab_at_work(lab);
	for (uint64_t at = 0;; at = (at + BLOCK) % FILE_BYTES)
		if (pread(fd, block, BLOCK, (off_t)at) < 0)
			return -errno;
}

static int run(struct lab *lab, struct note *note)
{
	for (int i = 0; i < READERS; i++) {
		pid_t pid = lab_spawn_at_work(lab, "io_limited", read_past_the_cache, NULL, note);

		if (pid < 0)
			return pid;
	}
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
