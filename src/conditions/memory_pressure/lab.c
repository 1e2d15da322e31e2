/* Processes work on a mapped file that does not quite fit under the memory limit of their
 * cgroup: each page that is let go is soon wanted again. Nothing is swapped. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "conditions/conditions.h"
#include "lab/scenario.h"

#define MIB (UINT64_C(1) << 20)
#define LIMIT_BYTES (48 * MIB)

static uint64_t file_bytes(const struct lab *lab)
{
	return lab_pick(lab, 54 * MIB, 60 * MIB, 80 * MIB);
}

static int file_path(struct lab *lab, char *ret, size_t size, struct note *note)
{
	const char *scratch = lab_scratch(lab);

	if (!scratch)
		return note_set(note, -ENODEV, "needs a directory on a disk");
	snprintf(ret, size, "%s/working-set", scratch);
	return 0;
}

static int make_file(const char *path, uint64_t bytes, struct note *note)
{
	static char chunk[MIB];
	cleanup(close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (uint64_t done = 0; fd >= 0 && done < bytes; done += sizeof chunk) {
		memset(chunk, (int)(done / MIB) + 1, sizeof chunk);
		if (write(fd, chunk, sizeof chunk) != (ssize_t)sizeof chunk)
			return note_set(note, -EIO, "%s: %s", path, strerror(errno));
	}
	if (fd < 0 || fsync(fd) < 0)
		return note_set(note, -errno, "%s: %s", path, strerror(errno));
	/* Pages that are in memory now are charged to nobody of the scenario. */
	return -posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static int set_up(struct lab *lab, struct note *note)
{
	char path[320], group[256];
	int r = file_path(lab, path, sizeof path, note);

	if (r == 0)
		r = make_file(path, file_bytes(lab), note);
	if (r == 0)
		r = lab_cgroup(lab, CGROUP_MEMORY, group, sizeof group, note);
	if (r == 0)
		r = lab_cgroup_memory_limit(lab, LIMIT_BYTES, note);
	if (r == 0)
		lab_label_name(lab, ACTOR_CGROUP, group);
	return r;
}

static volatile unsigned char touched; /* keeps the reads in the program */

static int touch_at_random(struct lab *lab, void *arg)
{
	const size_t bytes = file_bytes(lab), page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t random = (uint64_t)(uintptr_t)arg * 2654435761 + 88172645463325252;
	char path[320];
	int r = file_path(lab, path, sizeof path, NULL);

	if (r == 0)
		r = lab_cgroup_enter(lab, NULL);
	cleanup(close_fd) int fd = r == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return r < 0 ? r : -errno;
	const unsigned char *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	for (uint64_t i = 0;; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		touched = map[random % (bytes / page) * page];
		if (i % 64 == 0)
			usleep(200); /* with its file in memory it would hardly need a CPU */
	}
}

static int run(struct lab *lab, struct note *note)
{
	const uint64_t workers = lab_pick(lab, 1, 4, 8);

	for (uintptr_t i = 0; i < workers; i++) {
		pid_t pid = lab_spawn(lab, "page_hungry", touch_at_random, (void *)i);
		if (pid < 0)
			return note_set(note, pid, "cannot start a worker");
	}
	sleep(1); /* until the limit is reached and pages come back */
	lab_ready(lab);
	return 0;
}

static bool moved(const struct window *w, struct note *note)
{
	double refaults = reading_value(WINDOW_DELTA(w, vmstat.refault_file));

	note_set(note, 0, "%.0f file pages were read again soon after they were let go", refaults);
	return refaults > 100 * w->seconds;
}

const struct scenario memory_pressure_scenario = {
	.name = "memory_pressure",
	.summary = "processes work on a mapped file larger than the memory limit of their cgroup",
	.moves = "workingset_refault_file, failcnt (memory.events max) of the cgroup, PSI memory",
	.needs = LAB_MEMORY_CGROUP | LAB_DISK,
	.memory_bytes = 128 << 20,
	.disk_bytes = 96 << 20,
	.processes = 12,
	.set_up = set_up,
	.run = run,
	.moved = moved,
};
