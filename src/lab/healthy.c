#include "lab/healthy.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "lab/tree.h"

#define MIB (UINT64_C(1) << 20)

static void burn(uint64_t ns)
{
	uint64_t end = clock_mono_ns() + ns;

	while (clock_mono_ns() < end)
		;
}

/* Keeps a pace: sleeps until `next` and moves it on; a late worker does not catch up. */
static void pace(uint64_t *next, uint64_t step_ns)
{
	uint64_t now = clock_mono_ns();

	if (*next < now)
		*next = now;
	(void)!clock_sleep_until(*next);
	*next += step_ns;
}

static int spawn_each(struct lab *lab, unsigned n, const char *comm, int (*fn)(struct lab *, void *))
{
	for (unsigned i = 0; i < n; i++) {
		pid_t pid = lab_spawn(lab, comm, fn, (void *)(uintptr_t)i);

		if (pid < 0)
			return pid;
	}
	return 0;
}

/* ---- idle ---- */

static int idle_run(struct lab *lab, struct note *note)
{
	(void)note;
	lab_ready(lab);
	return 0;
}

/* ---- 30 % of each CPU ---- */

static int third(struct lab *lab, void *arg)
{
	/* Workers out of step, as requests are. */
	uint64_t next = clock_mono_ns() + (uintptr_t)arg * 3 * NS_PER_MS;

	(void)lab;
	for (;;) {
		pace(&next, 10 * NS_PER_MS);
		burn(3 * NS_PER_MS);
	}
	return 0;
}

static int cpu30_run(struct lab *lab, struct note *note)
{
	int r = spawn_each(lab, lab_cpus(lab), "steady_service", third);

	if (r < 0)
		return note_set(note, r, "cannot start workers: %s", strerror(-r));
	lab_ready(lab);
	return 0;
}

/* ---- a disk stream ---- */

#define STREAM_FILE_BYTES (64 * MIB)
#define STREAM_BLOCK (512 * 1024)
#define STREAM_STEP_NS (16 * NS_PER_MS) /* 32 MiB/s */

/* One request at a time past the page cache: the disk is busy and never queues. */
static int stream_disk(struct lab *lab, void *arg)
{
	char path[300];
	uint64_t next = clock_mono_ns();

	(void)arg;
	snprintf(path, sizeof path, "%.250s/stream", lab_scratch(lab));
	int fd = open(path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
	void *block = mmap(NULL, STREAM_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (fd < 0 || block == MAP_FAILED)
		return -errno;
	memset(block, 'o', STREAM_BLOCK);
	for (bool writing = true;; writing = !writing)
		for (uint64_t at = 0; at < STREAM_FILE_BYTES; at += STREAM_BLOCK) {
			ssize_t n = writing ? pwrite(fd, block, STREAM_BLOCK, (off_t)at) :
					      pread(fd, block, STREAM_BLOCK, (off_t)at);

			if (n < 0)
				return -errno;
			pace(&next, STREAM_STEP_NS);
		}
}

static int disk_run(struct lab *lab, struct note *note)
{
	int r = lab_scratch(lab) ? spawn_each(lab, 1, "backup_stream", stream_disk) : -ENODEV;

	if (r < 0)
		return note_set(note, r, "cannot start the stream: %s", strerror(-r));
	lab_ready(lab);
	return 0;
}

/* ---- a network stream ---- */

#define NET_BLOCK (64 * 1024)
#define NET_STEP_NS (2 * NS_PER_MS) /* 32 MiB/s */

static int sink(struct lab *lab, void *arg)
{
	static char block[NET_BLOCK];
	int fd = accept((int)(intptr_t)arg, NULL, NULL);

	(void)lab;
	while (fd >= 0 && read(fd, block, sizeof block) > 0)
		;
	return fd < 0 ? -errno : 0;
}

static int pour(struct lab *lab, void *arg)
{
	static char block[NET_BLOCK];
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)(uintptr_t)arg),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t next = clock_mono_ns();

	(void)lab;
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
		return -errno;
	for (;;) {
		if (write(fd, block, sizeof block) < 0)
			return -errno;
		pace(&next, NET_STEP_NS);
	}
}

static int net_run(struct lab *lab, struct note *note)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	cleanup(close_fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 8) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &size) < 0)
		return note_set(note, -errno, "loopback: %s", strerror(errno));
	pid = lab_spawn(lab, "bulk_reader", sink, (void *)(intptr_t)fd);
	if (pid > 0)
		pid = lab_spawn(lab, "bulk_writer", pour, (void *)(uintptr_t)ntohs(at.sin_port));
	if (pid < 0)
		return note_set(note, pid, "cannot start the stream: %s", strerror(-pid));
	lab_ready(lab);
	return 0;
}

/* ---- a build ---- */

#define BUILD_FUNCTIONS 400

static int write_program(const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		return -errno;
	for (int i = 0; i < BUILD_FUNCTIONS; i++)
		fprintf(f,
			"int f%d(const int *v, int n)\n{\n\tint s = %d;\n\tfor (int i = 0; i < n; i++)\n"
			"\t\ts = v[i] > s ? s * 31 + v[i] %% %d : s ^ (v[i] << %d);\n\treturn s;\n}\n",
			i, i, i + 2, i % 13);
	return fclose(f) == 0 ? 0 : -errno;
}

/* -pipe: a compiler that is killed leaves no file in /tmp. */
static int compile_again(struct lab *lab, void *arg)
{
	char source[300], object[300];
	struct note note;

	snprintf(source, sizeof source, "%.250s/program.c", lab_scratch(lab));
	snprintf(object, sizeof object, "%.250s/program%u.o", lab_scratch(lab), (unsigned)(uintptr_t)arg);
	const char *const argv[] = { "gcc", "-pipe", "-O2", "-c", "-o", object, source, NULL };

	for (;;) {
		int r = lab_command(lab, &note, argv);

		if (r < 0) {
			lab_say(lab, "%s", note.text);
			return r;
		}
	}
}

/* What a build is to a kernel, without a compiler: short processes that compute, one after
 * another. */
static int short_processes(struct lab *lab, void *arg)
{
	(void)lab;
	(void)arg;
	for (;;) {
		pid_t pid = fork();

		if (pid == 0) {
			burn(150 * NS_PER_MS);
			_exit(0);
		}
		if (pid < 0)
			return -errno;
		waitpid(pid, NULL, 0);
	}
}

/* As `make -j$(nproc)` does. */
static int build_run(struct lab *lab, struct note *note)
{
	bool compiler = command_exists("gcc");
	char source[300];
	int r;

	if (!lab_scratch(lab))
		return note_set(note, -ENODEV, "no scratch directory could be made");
	snprintf(source, sizeof source, "%.250s/program.c", lab_scratch(lab));
	r = compiler ? write_program(source) : 0;
	if (r == 0)
		r = spawn_each(lab, lab_cpus(lab), "make", compiler ? compile_again : short_processes);
	if (r < 0)
		return note_set(note, r, "cannot start the build: %s", strerror(-r));
	lab_ready(lab);
	return 0;
}

static const struct scenario idle = {
	.name = "healthy_idle",
	.summary = "nothing: the host as it is",
	.moves = "nothing",
	.memory_bytes = 16 * MIB,
	.processes = 1,
	.run = idle_run,
};

static const struct scenario cpu30 = {
	.name = "healthy_cpu30",
	.summary = "a service that uses 30 % of each CPU in slices of 3 ms",
	.moves = "CPU time, context switches",
	.memory_bytes = 64 * MIB,
	.processes = 1100,
	.run = cpu30_run,
};

static const struct scenario disk_stream = {
	.name = "healthy_disk_stream",
	.summary = "a backup that writes and reads 32 MiB/s, one request at a time",
	.moves = "disk reads and writes",
	.needs = LAB_DISK,
	.memory_bytes = 64 * MIB,
	.disk_bytes = STREAM_FILE_BYTES,
	.processes = 4,
	.run = disk_run,
};

static const struct scenario net_stream = {
	.name = "healthy_net_stream",
	.summary = "one TCP connection that carries 32 MiB/s over a loopback interface",
	.moves = "TCP segments",
	.needs = LAB_NET_NS,
	.memory_bytes = 64 * MIB,
	.processes = 4,
	.run = net_run,
};

static const struct scenario build = {
	.name = "healthy_build",
	.summary = "a compiler on each CPU, as make -j does",
	.moves = "CPU time, forks, faults",
	.memory_bytes = 1024 * MIB,
	.disk_bytes = 64 * MIB,
	.processes = 4200,
	.run = build_run,
};

const struct scenario *const *healthy_all(size_t *ret_n)
{
	static const struct scenario *const all[] = { &idle, &cpu30, &disk_stream, &net_stream, &build };

	*ret_n = sizeof all / sizeof all[0];
	return all;
}
