#include "base/check.h"
#include "source/cgroup/cgroup.h"

static struct cgroup empty(void)
{
	struct cgroup c = { 0 };

	cgroup_missing(READING_ABSENT, &c);
	return c;
}

static void cpu(void)
{
	struct cgroup c = empty();

	cgroup_cpu_stat_parse(SPAN("nr_periods 31\nnr_throttled 30\nthrottled_time 2571234567\nnr_bursts 0\n"), false,
			      &c);
	CHECK_U64(c.cpu_periods, 31);
	CHECK_U64(c.cpu_throttled_periods, 30);
	CHECK_U64(c.cpu_throttled_ns, 2571234567);
	CHECK_U64(c.cpu_usage_ns, READING_ABSENT);
	c = empty();
	cgroup_cpu_stat_parse(SPAN("usage_usec 51000\nuser_usec 1\nsystem_usec 2\nnr_periods 4\nnr_throttled 3\n"
				   "throttled_usec 250\n"),
			      true, &c);
	CHECK_U64(c.cpu_usage_ns, 51000000);
	CHECK_U64(c.cpu_throttled_ns, 250000);
	/* v2 without the cpu controller: usage alone */
	c = empty();
	cgroup_cpu_stat_parse(SPAN("usage_usec 51000\n"), true, &c);
	CHECK_U64(c.cpu_periods, READING_ABSENT);

	cgroup_cpu_max_parse(SPAN("20000 100000\n"), &c);
	CHECK_U64(c.cpu_quota_ns, 20000000);
	CHECK_U64(c.cpu_period_ns, 100000000);
	cgroup_cpu_max_parse(SPAN("max 100000\n"), &c);
	CHECK_U64(c.cpu_quota_ns, CGROUP_UNLIMITED);
	cgroup_cpu_max_parse(SPAN("20000"), &c);
	CHECK_U64(c.cpu_quota_ns, READING_MALFORMED);
	cgroup_cpu_max_parse(SPAN("18446744073709551615 100000"), &c);
	CHECK_U64(c.cpu_quota_ns, CGROUP_UNLIMITED);
	cgroup_cpu_max_parse(SPAN("4611686018427387903 100000"), &c);
	CHECK_U64(c.cpu_quota_ns, READING_MALFORMED); /* overflows as ns */
}

static void memory(void)
{
	struct cgroup c = empty();

	cgroup_memory_events_parse(SPAN("low 0\nhigh 7\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n"), &c);
	CHECK_U64(c.memory_high_events, 7);
	CHECK_U64(c.memory_limit_hits, 12);
	CHECK_U64(c.memory_oom_kills, 1);
	c = empty();
	cgroup_memory_events_parse(SPAN("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), &c);
	CHECK_U64(c.memory_oom_kills, 3);
	CHECK_U64(c.memory_limit_hits, READING_ABSENT);

	cgroup_memory_stat_parse(SPAN("anon 4096\nfile 8192\nkernel 1\nworkingset_refault_anon 5\n"
				      "workingset_refault_file 6\npgmajfault 7\n"),
				 true, &c);
	CHECK_U64(c.memory_anon_bytes, 4096);
	CHECK_U64(c.memory_file_bytes, 8192);
	CHECK_U64(c.memory_refault_anon, 5);
	CHECK_U64(c.memory_refault_file, 6);
	CHECK_U64(c.memory_major_faults, 7);
	c = empty();
	cgroup_memory_stat_parse(SPAN("cache 1\nrss 2\nswap 0\npgmajfault 3\nhierarchical_memory_limit 67108864\n"
				      "total_cache 10\ntotal_rss 20\ntotal_swap 4096\ntotal_pgmajfault 30\n"),
				 false, &c);
	CHECK_U64(c.memory_file_bytes, 10);
	CHECK_U64(c.memory_anon_bytes, 20);
	CHECK_U64(c.memory_swap_bytes, 4096);
	CHECK_U64(c.memory_major_faults, 30);
	CHECK_U64(c.memory_refault_file, READING_ABSENT); /* before 5.9 */
	cgroup_memory_stat_parse(SPAN("anon x\nfile\n\nworkingset_refault_anon -1\n"), true, &c);
	CHECK_U64(c.memory_anon_bytes, READING_MALFORMED);
	CHECK_U64(c.memory_file_bytes, READING_MALFORMED);
	CHECK_U64(c.memory_refault_anon, READING_MALFORMED);
}

static void limits(void)
{
	CHECK_U64(cgroup_limit_parse(SPAN("max\n")), CGROUP_UNLIMITED);
	CHECK_U64(cgroup_limit_parse(SPAN("-1\n")), CGROUP_UNLIMITED);
	CHECK_U64(cgroup_limit_parse(SPAN("9223372036854771712\n")), CGROUP_UNLIMITED);
	CHECK_U64(cgroup_limit_parse(SPAN("67108864\n")), 67108864);
	CHECK_U64(cgroup_limit_parse(SPAN("0\n")), 0);
	CHECK_U64(cgroup_limit_parse(SPAN("")), READING_MALFORMED);
	CHECK_U64(cgroup_limit_parse(SPAN("maximum")), READING_MALFORMED);
	CHECK_U64(cgroup_limit_parse(SPAN("1 2")), READING_MALFORMED);
}

static void io_v2(void)
{
	struct cgroup c = empty();

	cgroup_io_max_parse(SPAN("8:16 rbps=2097152 wbps=max riops=max wiops=120\n"), &c);
	CHECK_U64(c.nio, 1);
	CHECK_U64(c.io[0].minor, 16);
	CHECK_U64(c.io[0].read_bytes_limit, 2097152);
	CHECK_U64(c.io[0].write_bytes_limit, CGROUP_UNLIMITED);
	CHECK_U64(c.io[0].writes_limit, 120);
	CHECK_U64(c.io[0].read_bytes, 0);
	cgroup_io_stat_parse(SPAN("8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n"
				  "8:0 rbytes=90430464 wbytes=299008000 rios=8950 wios=1252 dbytes=0 dios=0\n"),
			     &c);
	CHECK_U64(c.nio, 2);
	CHECK_U64(c.io[0].read_bytes, 1459200);
	CHECK_U64(c.io[0].writes, 353);
	CHECK_U64(c.io[1].reads, 8950);
	CHECK_U64(c.io[1].read_bytes_limit, CGROUP_UNLIMITED);
	cgroup_io_max_parse(SPAN(""), &c); /* the limit was taken away */
	CHECK_U64(c.io[0].read_bytes_limit, CGROUP_UNLIMITED);
	CHECK_U64(c.io[0].read_bytes, 1459200);
	/* "8:0 " with nothing behind it is what 5.x writes for idle devices */
	cgroup_io_stat_parse(SPAN("8:0 \n254:0 rbytes=x wios\n8-0 rbytes=1\n:\n"), &c);
	CHECK_U64(c.io[1].reads, 0);
	CHECK_U64(c.nio, 3);
	CHECK_U64(c.io[2].read_bytes, READING_MALFORMED);
	char many[4096];
	size_t n = 0;
	for (int i = 0; i < 50; i++)
		n += (size_t)snprintf(many + n, sizeof many - n, "9:%d rbytes=1\n", i);
	cgroup_io_stat_parse((struct span){ many, n }, &c);
	CHECK_U64(c.nio, CGROUP_MAX_DEVICES);
}

static void io_v1(void)
{
	struct cgroup c = empty();

	cgroup_blkio_parse(SPAN("254:0 4194304\n"), "blkio.throttle.read_bps_device", &c);
	cgroup_blkio_parse(SPAN("254:0 Read 8388608\n254:0 Write 4096\n254:0 Sync 8388608\n254:0 Async 0\n"
				"254:0 Discard 0\n254:0 Total 8392704\nTotal 8392704\n"),
			   "blkio.throttle.io_service_bytes", &c);
	cgroup_blkio_parse(SPAN("254:0 Read 8\n254:0 Write 1\n254:0 Total 9\nTotal 9\n"),
			   "blkio.throttle.io_serviced", &c);
	CHECK_U64(c.nio, 1);
	CHECK_U64(c.io[0].major, 254);
	CHECK_U64(c.io[0].read_bytes_limit, 4194304);
	CHECK_U64(c.io[0].write_bytes_limit, CGROUP_UNLIMITED);
	CHECK_U64(c.io[0].read_bytes, 8388608);
	CHECK_U64(c.io[0].write_bytes, 4096);
	CHECK_U64(c.io[0].reads, 8);
	CHECK_U64(c.io[0].writes, 1);
	cgroup_blkio_parse(SPAN(""), "blkio.throttle.read_bps_device", &c);
	CHECK_U64(c.io[0].read_bytes_limit, CGROUP_UNLIMITED);
	cgroup_blkio_parse(SPAN("Total 0\n"), "blkio.throttle.io_service_bytes", &c);
	CHECK_U64(c.io[0].read_bytes, 0);
	cgroup_blkio_parse(SPAN("254:0 1\n"), "blkio.weight_device", &c);
	CHECK_U64(c.io[0].read_bytes_limit, CGROUP_UNLIMITED);
}

static void mounts(void)
{
	static const char hybrid[] =
		"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
		"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
		"34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
		"35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
		"35 31 0:32 / /other/memory rw - cgroup cgroup rw,memory\n"
		"40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
		"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
	struct cgroup_mounts m;

	cgroup_mounts_parse(SPAN(hybrid), &m);
	CHECK_U64(m.n, 3);
	CHECK_STR(m.v[0].path, "/sys/fs/cgroup/cpu,cpuacct");
	CHECK_U64(m.v[0].controllers, CGROUP_CPU);
	CHECK_STR(m.cpuacct, "/sys/fs/cgroup/cpu,cpuacct");
	CHECK_STR(m.v[1].path, "/sys/fs/cgroup/memory");
	CHECK(m.v[2].v2);
	cgroup_mounts_parse(SPAN(""), &m);
	CHECK_U64(m.n, 0);
	char deep[512] = "32 31 0:29 / /";
	memset(deep + strlen(deep), 'x', 200);
	strcat(deep, " rw - cgroup2 cgroup2 rw\n");
	cgroup_mounts_parse(span_from(deep), &m);
	CHECK_U64(m.n, 0);
	CHECK_U64(cgroup_controllers_parse(SPAN("cpuset cpu io memory hugetlb pids rdma\n")),
		  CGROUP_CPU | CGROUP_IO | CGROUP_MEMORY | CGROUP_PIDS);
	CHECK_U64(cgroup_controllers_parse(SPAN("\n")), 0);
}

static void of_task(void)
{
	static const char hybrid[] = "9:name=systemd:/\n8:pids:/p\n7:blkio:/b\n4:memory:/m/n:o\n2:cpu,cpuacct:/c\n"
				     "0::/unified\n";
	char path[64], small[4];

	CHECK(cgroup_of_task_parse(SPAN(hybrid), CGROUP_CPU, path, sizeof path) == 0);
	CHECK_STR(path, "/c");
	CHECK(cgroup_of_task_parse(SPAN(hybrid), CGROUP_MEMORY, path, sizeof path) == 0);
	CHECK_STR(path, "/m/n:o");
	CHECK(cgroup_of_task_parse(SPAN(hybrid), CGROUP_IO, path, sizeof path) == 0);
	CHECK_STR(path, "/b");
	CHECK(cgroup_of_task_parse(SPAN("0::/system.slice/x.service\n"), CGROUP_IO, path, sizeof path) == 0);
	CHECK_STR(path, "/system.slice/x.service");
	CHECK(cgroup_of_task_parse(SPAN("0::/abcdef\n"), CGROUP_IO, small, sizeof small) == 0);
	CHECK_STR(small, "/ab");
	CHECK(cgroup_of_task_parse(SPAN("3:cpuset:/\n"), CGROUP_IO, path, sizeof path) < 0);
	CHECK(cgroup_of_task_parse(SPAN(""), CGROUP_IO, path, sizeof path) < 0);
	CHECK(cgroup_of_task_parse(SPAN("junk\n::\n0:\n"), CGROUP_IO, path, sizeof path) < 0);
}

int main(void)
{
	cpu();
	memory();
	limits();
	io_v2();
	io_v1();
	mounts();
	of_task();
	return check_exit();
}
