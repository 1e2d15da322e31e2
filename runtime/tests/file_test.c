/* Files, by io_uring and without: what is written is read, by many at a time; errors; calls under way when
 * their scope is cancelled. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"

#define BLOCK 4096
#define BLOCKS 64

static char directory[] = "/tmp/osprey-file-test-XXXXXX";
static char path[64];
static int file;

static void fill(char *block, intptr_t i)
{
	for (int at = 0; at < BLOCK; at++)
		block[at] = (char)(i * 31 + at);
}

static int writes(void *arg)
{
	char block[BLOCK];

	fill(block, (intptr_t)arg);
	CHECK(rt_pwrite(file, block, BLOCK, (intptr_t)arg * BLOCK) == BLOCK);
	CHECK(rt_fsync(file, (intptr_t)arg % 2) == 0);
	return 0;
}

static int reads(void *arg)
{
	char block[BLOCK], expected[BLOCK];

	fill(expected, (intptr_t)arg);
	for (int i = 0; i < 5; i++) {
		memset(block, 0, sizeof block);
		CHECK(rt_pread(file, block, BLOCK, (intptr_t)arg * BLOCK) == BLOCK);
		CHECK(memcmp(block, expected, BLOCK) == 0);
	}
	return 0;
}

static void all_blocks(rt_function *function)
{
	struct rt_scope s;

	rt_scope_open(&s, RT_FOREVER);
	for (intptr_t i = 0; i < BLOCKS; i++)
		CHECK(rt_scope_go(&s, function, (void *)i) == 0);
	CHECK(rt_scope_close(&s) == 0);
}

static int roundtrip(void *arg)
{
	static char all[BLOCKS * BLOCK + 100];

	(void)arg;
	file = rt_file_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(file >= 0);
	CHECK(fcntl(file, F_GETFD) == FD_CLOEXEC);
	all_blocks(writes);
	all_blocks(reads);
	/* Out of the cache, where the file system has one. */
	CHECK(rt_fsync(file, false) == 0);
	posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
	all_blocks(reads);
	posix_fadvise(file, BLOCK, BLOCK, POSIX_FADV_DONTNEED);
	CHECK(rt_pread(file, all, sizeof all, 0) == BLOCKS * BLOCK);
	CHECK(rt_pread(file, all, 10, BLOCKS * BLOCK - 3) == 3);
	CHECK(rt_pread(file, all, 10, BLOCKS * BLOCK) == 0);
	CHECK(rt_pread(file, all, 0, 0) == 0);
	CHECK(rt_pwrite(file, all, 0, 0) == 0);
	CHECK(rt_file_close(file) == 0);
	return 0;
}

static int errors(void *arg)
{
	char block[BLOCK] = { 0 };

	(void)arg;
	CHECK(rt_file_open("/nowhere/at/all", O_RDONLY, 0) == -ENOENT);
	CHECK(rt_pread(-1, block, 1, 0) == -EBADF);
	CHECK(rt_pwrite(-1, block, 1, 0) == -EBADF);
	CHECK(rt_fsync(-1, false) == -EBADF);
	CHECK(rt_file_close(-1) == -EBADF);
	int full = rt_file_open("/dev/full", O_WRONLY, 0);
	CHECK(full >= 0 && rt_pwrite(full, block, BLOCK, 0) == -ENOSPC);
	CHECK(rt_file_close(full) == 0);
	int dir = rt_file_open(directory, O_RDONLY | O_DIRECTORY, 0);
	CHECK(dir >= 0 && rt_pread(dir, block, 1, 0) == -EISDIR);
	CHECK(rt_file_close(dir) == 0);
	file = rt_file_open(path, O_RDONLY, 0);
	CHECK(file >= 0);
	CHECK(rt_pwrite(file, block, 1, 0) == -EBADF);
	CHECK(rt_pread(file, block, 1, -1) == -EINVAL);
	CHECK(rt_pread(file, (void *)16, 1, 0) == -EFAULT);
	CHECK(rt_file_close(file) == 0);
	return 0;
}

static _Atomic int done;

static int syncs(void *arg)
{
	char block[BLOCK];

	fill(block, (intptr_t)arg);
	for (int i = 0; i < 20; i++) {
		CHECK(rt_pwrite(file, block, BLOCK, (intptr_t)arg * BLOCK) == BLOCK);
		CHECK(rt_fsync(file, true) == 0);
	}
	done++;
	return 0;
}

/* Cancelled or not, a call has ended when it returns. */
static int cancelled(void *arg)
{
	struct rt_scope s;

	(void)arg;
	done = 0;
	file = rt_file_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	rt_scope_open(&s, RT_FOREVER);
	for (intptr_t i = 0; i < 8; i++)
		CHECK(rt_scope_go(&s, syncs, (void *)i) == 0);
	rt_sleep(MS / 2);
	rt_scope_cancel(&s);
	CHECK(rt_scope_close(&s) == 0);
	CHECK(done == 8);
	CHECK(rt_file_close(file) == 0);
	return 0;
}

/* With no number left there is no ring, and files work all the same. */
static int without_numbers(void *arg)
{
	struct rlimit before, few;
	char block[BLOCK];

	(void)arg;
	file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(file >= 0);
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = 0;
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	fill(block, 3);
	CHECK(rt_pwrite(file, block, BLOCK, 0) == BLOCK);
	CHECK(rt_fsync(file, false) == 0);
	CHECK(rt_pread(file, block, BLOCK, 0) == BLOCK);
	CHECK(rt_file_open(path, O_RDONLY, 0) == -EMFILE);
	CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
	CHECK(rt_file_close(file) == 0);
	return 0;
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "without numbers", without_numbers },
		{ "what is written is read", roundtrip },
		{ "errors", errors },
		{ "cancelled", cancelled },
	};
	int r = 0;

	CHECK(mkdtemp(directory) != NULL);
	snprintf(path, sizeof path, "%s/file", directory);
	r |= check_all(tests, sizeof tests / sizeof *tests);
	r |= check_all_without_ring(tests, sizeof tests / sizeof *tests);
	unlink(path);
	rmdir(directory);
	return r;
}
