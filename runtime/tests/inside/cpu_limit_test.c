/* How many CPUs the process may use: from trees of files as kernels show them, from a live group, and while a
 * run lasts. */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "cpu_limit.h"
#include "delays.h"
#include "in_use.h"

static char root[] = "/tmp/osprey-rt-limit.XXXXXX";

static void make_directories(const char *path)
{
	char part[PATH_MAX];

	snprintf(part, sizeof part, "%s", path);
	for (char *at = part + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(part, 0755);
		*at = '/';
	}
}

static void file(const char *name, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s%s", root, name);
	make_directories(path);
	FILE *f = fopen(path, "w");
	CHECK(f && fputs(text, f) >= 0);
	if (f)
		fclose(f);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return strcmp(path, root) == 0 ? 0 : remove(path);
}

static void empty(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define V2_MOUNT "25 20 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"

static void check_v2(void)
{
	file("/proc/self/cgroup", "0::/app/leaf\n");
	file("/proc/self/mountinfo", "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n" V2_MOUNT);
	CHECK(cpu_limit_milli(root) == CPU_LIMIT_NONE);
	file("/sys/fs/cgroup/app/leaf/cpu.max", "max 100000\n");
	CHECK(cpu_limit_milli(root) == CPU_LIMIT_NONE);
	file("/sys/fs/cgroup/app/leaf/cpu.max", "350000 100000\n");
	CHECK(cpu_limit_milli(root) == 3500);
	/* The tightest of all above it. */
	file("/sys/fs/cgroup/app/cpu.max", "150000 100000\n");
	CHECK(cpu_limit_milli(root) == 1500);
	file("/sys/fs/cgroup/app/cpu.max", "800000 100000\n");
	CHECK(cpu_limit_milli(root) == 3500);
	file("/sys/fs/cgroup/app/leaf/cpu.max", "1 0\n");
	CHECK(cpu_limit_milli(root) == 8000);
	file("/sys/fs/cgroup/app/cpu.max", "what");
	CHECK(cpu_limit_milli(root) == CPU_LIMIT_NONE);
	/* Not what lies outside of the mount. */
	file("/sys/fs/cpu.max", "100000 100000\n");
	CHECK(cpu_limit_milli(root) == CPU_LIMIT_NONE);
	empty();
}

static void check_v1(void)
{
	file("/proc/self/cgroup", "5:memory:/m\n4:cpuset:/s\n3:cpuacct,cpu:/a/b\n0::/other\n");
	file("/proc/self/mountinfo", "31 30 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
				     "32 30 0:29 / /sys/fs/cgroup/a\\040b rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
				     V2_MOUNT);
	file("/sys/fs/cgroup/a b/a/b/cpu.cfs_quota_us", "-1\n");
	file("/sys/fs/cgroup/a b/a/b/cpu.cfs_period_us", "100000\n");
	file("/sys/fs/cgroup/other/cpu.max", "100000 100000\n");
	CHECK(cpu_limit_milli(root) == CPU_LIMIT_NONE);
	file("/sys/fs/cgroup/a b/a/cpu.cfs_quota_us", "250000\n");
	file("/sys/fs/cgroup/a b/a/cpu.cfs_period_us", "50000\n");
	CHECK(cpu_limit_milli(root) == 5000);
	file("/sys/fs/cgroup/a b/a/b/cpu.cfs_quota_us", "1234\n");
	CHECK(cpu_limit_milli(root) == 13);
	empty();
}

/* A container's mount shows only its own part of the tree. */
static void check_parts(void)
{
	file("/proc/self/cgroup", "2:cpu:/docker/1234/in\n");
	file("/proc/self/mountinfo",
	     "32 30 0:29 /docker/1234 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
	file("/sys/fs/cgroup/cpu/in/cpu.cfs_quota_us", "400000\n");
	file("/sys/fs/cgroup/cpu/in/cpu.cfs_period_us", "100000\n");
	CHECK(cpu_limit_milli(root) == 4000);
	file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");
	file("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
	CHECK(cpu_limit_milli(root) == 3000);
	file("/proc/self/cgroup", "2:cpu:/../../elsewhere\n");
	CHECK(cpu_limit_milli(root) == 3000);
	/* Without what it needs to know. */
	file("/proc/self/cgroup", "nonsense\n::\n");
	CHECK(cpu_limit_milli(root) == CPU_LIMIT_NONE);
	empty();
	CHECK(cpu_limit_milli(root) == CPU_LIMIT_NONE);
}

static void check_rounding(void)
{
	uint32_t all = cpu_limit_processors(root);

	file("/proc/self/cgroup", "0::/\n");
	file("/proc/self/mountinfo", V2_MOUNT);
	CHECK(all >= 1 && cpu_limit_processors(root) == all);
	file("/sys/fs/cgroup/cpu.max", "10000 100000\n");
	CHECK(cpu_limit_processors(root) == (all < 2 ? all : 2));
	file("/sys/fs/cgroup/cpu.max", "210000 100000\n");
	CHECK(cpu_limit_processors(root) == (all < 3 ? all : 3));
	file("/sys/fs/cgroup/cpu.max", "99900000 100000\n");
	CHECK(cpu_limit_processors(root) == (all < 999 ? all : 999));
	empty();
}

static bool write_to(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	bool written = f && fputs(text, f) >= 0;

	if (f && fclose(f))
		written = false;
	return written;
}

/* In a group of its own, made below v1's cpu controller; elsewhere, or without the right to, only the trees
 * are checked. */
static void check_live(void)
{
	static const char group[] = "/sys/fs/cgroup/cpu/osprey-rt-limit";
	char path[PATH_MAX];

	if (mkdir(group, 0755) < 0 && errno != EEXIST) {
		fprintf(stderr, "left out: a live group: %s\n", strerror(errno));
		return;
	}
	snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", group);
	CHECK(write_to(path, "175000"));
	snprintf(path, sizeof path, "%s/cgroup.procs", group);
	CHECK(write_to(path, "0"));
	CHECK(cpu_limit_milli("") == 1750);
	CHECK(write_to("/sys/fs/cgroup/cpu/cgroup.procs", "0"));
	CHECK(rmdir(group) == 0);
}

static _Atomic int stop;
static _Atomic long rounds;

static struct rt_mutex mutex;
static long guarded, locked, sent, received;
static struct rt_chan *channel;

/* What needs no atomic instruction while one processor is in use, and needs one afterwards. */
static void shares(void)
{
	long one = 1;

	CHECK(rt_lock(&mutex, RT_FOREVER) == 0);
	guarded++;
	rt_unlock(&mutex);
	__atomic_fetch_add(&locked, 1, __ATOMIC_RELAXED);
	if (rt_try_send(channel, &one) == 0)
		__atomic_fetch_add(&sent, 1, __ATOMIC_RELAXED);
	else if (rt_try_receive(channel, &one) == 0)
		__atomic_fetch_add(&received, 1, __ATOMIC_RELAXED);
}

static int works(void *arg)
{
	while (!stop) {
		shares();
		rt_yield();
		if (++rounds % 16 == (long)arg)
			CHECK(rt_sleep(MS / 10) == 0);
	}
	return 0;
}

static int wait_for_used(unsigned n)
{
	int64_t until = rt_now() + 20000 * MS;

	while (rt_processors() != n && rt_now() < until)
		rt_sleep(MS / 5);
	return rt_processors() == n;
}

/* From outside, as the watcher does it: at any moment of those that run. With delays in what goes by one being
 * alone, since others have to wake, and come to the same lock, before who goes on so can be seen. */
static void *flips(void *arg)
{
	delays_begin((uint64_t)rt_now(), 200);
	delays_alone(20);
	for (int i = 0; i < 800; i++) {
		in_use_set(i % 2 ? 4 : 1);
		usleep(i % 7 * 100);
	}
	delays_begin(0, 0);
	delays_alone(0);
	in_use_set(4);
	return arg;
}

static void flip_outside(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, flips, NULL) != 0)
		abort();
	while (pthread_tryjoin_np(thread, NULL) == EBUSY)
		rt_sleep(MS);
}

/* Fewer and more, while all of them have work; nobody is left behind in what was set aside. */
static int changes(void *arg)
{
	static const uint32_t steps[] = { 1, 3, 2, 8, 1, 100, 1, 2, 1, 4, 1, 3, 1, 4 };
	struct rt_fiber f[24];

	(void)arg;
	stop = 0;
	CHECK(rt_processors() == 4);
	CHECK(rt_chan_new(sizeof(long), 7, &channel) == 0);
	for (long i = 0; i < 24; i++)
		CHECK(rt_spawn(works, (void *)(i % 16), NULL, &f[i]) == 0);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		uint32_t n = steps[i] < 4 ? steps[i] : 4;
		in_use_set(steps[i]);
		CHECK(wait_for_used(n));
		long before = rounds;
		while (rounds < before + 1000)
			rt_sleep(MS / 10);
	}
	flip_outside();
	stop = 1;
	for (int i = 0; i < 24; i++)
		CHECK(rt_join(f[i], NULL, RT_FOREVER) == 0);
	CHECK(guarded == locked);
	CHECK((long)rt_chan_length(channel) == sent - received);
	rt_chan_free(channel);
	return 0;
}

static int count(void *arg)
{
	(void)arg;
	return (int)rt_processors();
}

static void check_options(void)
{
	struct rt_options options = { .processors = 3 };

	CHECK(rt_run(NULL, count, NULL) == (int)cpu_limit_processors(""));
	setenv("RT_PROCESSORS", "7", 1);
	CHECK(rt_run(NULL, count, NULL) == 7);
	CHECK(rt_run(&options, count, NULL) == 3);
	setenv("RT_PROCESSORS", "seven", 1);
	CHECK(rt_run(NULL, count, NULL) == (int)cpu_limit_processors(""));
	unsetenv("RT_PROCESSORS");
}

int main(void)
{
	struct rt_options options = { .processors = 4 };

	if (!mkdtemp(root)) {
		perror(root);
		return EXIT_FAILURE;
	}
	check_v2();
	check_v1();
	check_parts();
	check_rounding();
	rmdir(root);
	check_live();
	check_options();
	CHECK(rt_run(&options, changes, NULL) == 0);
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
