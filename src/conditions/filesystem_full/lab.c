/* A small filesystem that a writer fills, and keeps trying to write to. Part of its space is
 * held by a file that is deleted and still open. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "conditions/conditions.h"
#include "lab/scenario.h"

#define MIB (UINT64_C(1) << 20)
#define FILESYSTEM_BYTES (64 * MIB)
#define CHUNK (64 * 1024)

static char mounted[256];

static int set_up(struct lab *lab, struct note *note)
{
	int r = lab_mount(lab, "ext4", FILESYSTEM_BYTES, mounted, sizeof mounted, note);

	if (r == 0)
		lab_label_name(lab, ACTOR_MOUNT, mounted);
	return r;
}

static int open_file(const char *name)
{
	char path[300];

	snprintf(path, sizeof path, "%s/%s", mounted, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

/* Until `limit` bytes are written or no more fit: how many were. */
static uint64_t fill(int fd, uint64_t limit)
{
	static char chunk[CHUNK];
	uint64_t done = 0;
	ssize_t n = 1;

	memset(chunk, 'o', sizeof chunk);
	while (done < limit && n > 0) {
		n = write(fd, chunk, sizeof chunk);
		if (n > 0)
			done += (uint64_t)n;
	}
	return done;
}

static int write_log(struct lab *lab, void *arg)
{
	int held = open_file("rotated.log"), fd = open_file("service.log");
	char path[300];

	(void)arg;
	if (held < 0 || fd < 0)
		return held < 0 ? held : fd;
	fill(held, lab_pick(lab, 12 * MIB, 12 * MIB, 40 * MIB));
	snprintf(path, sizeof path, "%s/rotated.log", mounted);
	unlink(path);
	/* Weak: it fills slowly while the doctor watches. */
	fill(fd, lab_strength(lab) == STRENGTH_WEAK ? 36 * MIB : UINT64_MAX);
	fsync(fd);
	lab_at_work(lab);
	for (;;) {
		fill(fd, CHUNK / 2);
		(void)!clock_sleep_until(clock_mono_ns() + 200 * NS_PER_MS);
	}
}

static int run(struct lab *lab, struct note *note)
{
	pid_t pid = lab_spawn_at_work(lab, "log_writer", write_log, NULL, note);

	if (pid < 0)
		return pid;
	lab_ready(lab);
	return 0;
}

static bool moved(const struct window *w, struct note *note)
{
	double fullest = 0;

	vec_each(fs, &w->last->filesystems)
		if (!fs->read_only && filesystem_used_pct(fs) > fullest)
			fullest = filesystem_used_pct(fs);
	note_set(note, 0, "the fullest writable filesystem is %.0f %% full", fullest);
	return fullest >= FILESYSTEM_FULL_PCT;
}

const struct scenario filesystem_full_scenario = {
	.name = "filesystem_full",
	.summary = "a writer fills an ext4 of 64 MiB, and holds a deleted file on it open",
	.moves = "statvfs of the filesystem: 100 % used",
	.needs = LAB_LOOP,
	.memory_bytes = 32 << 20,
	.disk_bytes = FILESYSTEM_BYTES + 4 * MIB,
	.processes = 4,
	.set_up = set_up,
	.run = run,
	.moved = moved,
};
