#include "source/process/time_namespace.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

static void test_parse(void)
{
	int64_t ns = 7;

	CHECK(time_offsets_parse(SPAN("monotonic           0         0\nboottime            0         0\n"), &ns) && ns == 0);
	CHECK(time_offsets_parse(SPAN("monotonic  86400 5\nboottime -1 0\n"), &ns) && ns == 86400000000005);
	CHECK(time_offsets_parse(SPAN("boottime 3 0\nmonotonic -2 500000000\n"), &ns) && ns == -1500000000);
	CHECK(!time_offsets_parse(SPAN(""), &ns));
	CHECK(!time_offsets_parse(SPAN("monotonic 5\n"), &ns));
	CHECK(!time_offsets_parse(SPAN("monotonic 5 1000000000\n"), &ns));
	CHECK(!time_offsets_parse(SPAN("monotonic 9223372036854775807 0\n"), &ns));
	CHECK(ns == -1500000000);
}

#define OFFSET_S 86400

static int write_offset(void)
{
	FILE *f = fopen("/proc/self/timens_offsets", "w");
	int r = f ? fprintf(f, "monotonic %d 0\n", OFFSET_S) : -1;

	return f && fclose(f) == 0 && r > 0 ? 0 : -1;
}

/* In a namespace whose clock is a day ahead: says so, waits, then makes another one for its children. */
static void inside(int say, int wait)
{
	struct timespec now;
	char byte = 0;
	pid_t self = getpid();

	clock_gettime(CLOCK_MONOTONIC, &now);
	(void)!write(say, &now, sizeof now);
	(void)!write(say, &self, sizeof self);
	(void)!read(wait, &byte, 1);
	(void)!unshare(CLONE_NEWTIME);
	(void)!write(say, &byte, 1);
	(void)!read(wait, &byte, 1);
	_exit(0);
}

static void test_other(struct host *h)
{
	int said[2], wait[2];
	struct timespec theirs;
	int64_t ahead = -1;
	pid_t outer, inner;
	char byte = 'x';

	CHECK(time_namespace_ahead(h, getpid(), &ahead) == 0 && ahead == 0);
	CHECK(pipe(said) == 0 && pipe(wait) == 0);
	outer = fork();
	if (outer == 0) {
		close(said[0]);
		close(wait[1]);
		if (unshare(CLONE_NEWTIME) < 0 || write_offset() < 0)
			_exit(1);
		inner = fork();
		if (inner == 0)
			inside(said[1], wait[0]);
		waitpid(inner, NULL, 0);
		_exit(0);
	}
	close(said[1]);
	close(wait[0]);
	if (read(said[0], &theirs, sizeof theirs) != sizeof theirs || read(said[0], &inner, sizeof inner) != sizeof inner) {
		waitpid(outer, NULL, 0);
		check_skip("needs root and CONFIG_TIME_NS (5.6)");
		return;
	}
	CHECK(time_namespace_ahead(h, inner, &ahead) == 0);
	CHECK(ahead == (int64_t)OFFSET_S * (int64_t)NS_PER_S);
	CHECK((uint64_t)theirs.tv_sec * NS_PER_S <= clock_mono_ns() + (uint64_t)ahead);
	/* The outer one is in ours; that its children are not is no matter. */
	CHECK(time_namespace_ahead(h, outer, &ahead) == 0 && ahead == 0);
	CHECK(write(wait[1], &byte, 1) == 1 && read(said[0], &byte, 1) == 1);
	/* Now the inner one's offsets are those of its children. */
	CHECK(time_namespace_ahead(h, inner, &ahead) == -ENODATA && ahead == 0);
	close(wait[1]);
	waitpid(outer, NULL, 0);
	CHECK(time_namespace_ahead(h, outer, &ahead) < 0);
}

int main(void)
{
	struct host *h;

	test_parse();
	if (host_open_live("/", &h, NULL) < 0)
		return 1;
	test_other(h);
	host_free(h);
	return check_exit();
}
