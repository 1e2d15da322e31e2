/* Each advice function with made-up evidence, both ways: what makes it speak, and what does not. */
#include "act/tune.h"

#include <errno.h>

#include "base/check.h"

#define GIB (1024.0 * 1048576)

static struct tune_evidence seen;
static struct tune_net net;
static struct tune_disk disk;
static struct tune_value values[TUNABLE_COUNT];
static struct tune_advice advice;

/* A quiet host of 16 GiB watched for 2 s: every counter is known and stands still. */
static void quiet(void)
{
	memset(&seen, 0, sizeof seen);
	memset(&net, 0, sizeof net);
	memset(&disk, 0, sizeof disk);
	memset(&advice, 0, sizeof advice);
	for (size_t i = 0; i < TUNABLE_COUNT; i++)
		values[i].error = -ENOENT;
	seen.seconds = 2;
	seen.cpus = 8;
	seen.nodes = 1;
	seen.page_bytes = 4096;
	seen.total_bytes = 16 * GIB;
	seen.available_bytes = 8 * GIB;
	seen.cache_bytes = 6 * GIB;
	seen.anon_bytes = 4 * GIB;
	seen.swap_total_bytes = seen.swap_free_bytes = 2 * GIB;
	seen.committed_bytes = 4 * GIB;
	seen.commit_limit_bytes = 10 * GIB;
	net.rtt_s = NAN;
	snprintf(net.proc, sizeof net.proc, "/proc");
}

static void set(enum tunable_id id, const char *text)
{
	if (tune_value_parse(span_from(text), tunables[id].shape, &values[id]) < 0)
		CHECK(!"the test's value parses");
}

static enum tune_verdict judge(enum tunable_id id)
{
	tune_advise(&(struct tune_case){ .tunable = &tunables[id], .value = &values[id], .values = values, .seen = &seen,
					 .net = &net, .disk = &disk }, &advice);
	return advice.verdict;
}

static struct tune_count grown(double n)
{
	return (struct tune_count){ (reading)n + 1000, (reading)n };
}

/* Advice that acts says what, why, with what effect, and in a form that the tunable takes. */
static void check_whole(enum tunable_id id)
{
	struct tune_value v;

	CHECK(advice.value[0] && advice.because[0] && advice.effect[0]);
	CHECK(tunables[id].shape == SHAPE_CHOICE || tune_value_parse(span_from(advice.value), tunables[id].shape, &v) == 0);
	CHECK(strcmp(advice.value, values[id].text) != 0);
}

#define CHANGES(id, to)                                            \
	do {                                                       \
		CHECK(judge(TUNABLE_##id) == TUNE_CHANGE);         \
		CHECK_STR(advice.value, to);                       \
		check_whole(TUNABLE_##id);                         \
	} while (0)
#define DANGEROUS(id, to)                                          \
	do {                                                       \
		CHECK(judge(TUNABLE_##id) == TUNE_DANGER);         \
		CHECK_STR(advice.value, to);                       \
		check_whole(TUNABLE_##id);                         \
	} while (0)
#define KEEPS(id)                                                  \
	do {                                                       \
		CHECK(judge(TUNABLE_##id) == TUNE_KEEP);           \
		CHECK(advice.because[0] && !advice.value[0]);      \
		CHECK(!strstr(advice.because, "nan"));             \
	} while (0)
#define ELSEWHERE(id)                                              \
	do {                                                       \
		CHECK(judge(TUNABLE_##id) == TUNE_ELSEWHERE);      \
		CHECK(advice.because[0] && !advice.value[0]);      \
	} while (0)
#define GIVEN(id, text) (quiet(), set(TUNABLE_##id, text))

static void test_swappiness(void)
{
	GIVEN(swappiness, "60");
	KEEPS(swappiness);
	seen.refault_anon = grown(2000);
	seen.refault_file = grown(10);
	ELSEWHERE(swappiness); /* a cgroup at its own limit */
	seen.scan_kswapd = grown(20000);
	CHANGES(swappiness, "30");
	CHECK(advice.nproof == 4);
	seen.cache_bytes = 0.01 * GIB;
	ELSEWHERE(swappiness);
	seen.cache_bytes = 6 * GIB;
	seen.refault_file = grown(2000);
	ELSEWHERE(swappiness);
	seen.swap_total_bytes = 0;
	KEEPS(swappiness);

	GIVEN(swappiness, "10");
	seen.refault_file = grown(4000);
	ELSEWHERE(swappiness);
	seen.scan_direct = grown(20000);
	CHANGES(swappiness, "60");
	GIVEN(swappiness, "0");
	DANGEROUS(swappiness, "60");
	seen.swap_total_bytes = 0;
	KEEPS(swappiness);
	GIVEN(swappiness, "60");
	seen.refault_anon.grown = READING_ABSENT;
	KEEPS(swappiness);
}

static void test_watermarks(void)
{
	GIVEN(min_free_kbytes, "67584");
	KEEPS(min_free_kbytes);
	set(TUNABLE_min_free_kbytes, "2097152");
	DANGEROUS(min_free_kbytes, "16384");
	set(TUNABLE_min_free_kbytes, "1000");
	DANGEROUS(min_free_kbytes, "16384");

	GIVEN(watermark_scale_factor, "10");
	KEEPS(watermark_scale_factor);
	seen.alloc_stalls = grown(100);
	seen.scan_direct = grown(1000);
	seen.steal_direct = grown(900);
	CHANGES(watermark_scale_factor, "50");
	seen.available_bytes = 0.5 * GIB;
	ELSEWHERE(watermark_scale_factor);
	seen.alloc_stalls.grown = READING_ABSENT;
	KEEPS(watermark_scale_factor);
}

static void flood(void)
{
	seen.disk_saturated = true;
	seen.pages_written = grown(2 * 10 * 1048576 / 4096.0); /* 10 MiB/s */
	seen.now.pages_dirty = 200000;
	seen.now.dirty_background_pages = 200000;
	seen.now.dirty_threshold_pages = 400000; /* 1.5 GiB: two and a half minutes */
}

static void test_dirty(void)
{
	GIVEN(dirty_bytes, "0");
	KEEPS(dirty_bytes);
	flood();
	CHANGES(dirty_bytes, "52428800");
	set(TUNABLE_dirty_background_bytes, "0");
	CHANGES(dirty_background_bytes, "16777216");
	seen.now.pages_dirty = 1000;
	KEEPS(dirty_bytes);
	flood();
	seen.disk_saturated = false;
	KEEPS(dirty_bytes);
	KEEPS(dirty_background_bytes);
	flood();
	seen.pages_written = grown(2 * 1000 * 1048576 / 4096.0); /* a fast disk: 1.5 s */
	KEEPS(dirty_bytes);

	GIVEN(dirty_ratio, "20");
	KEEPS(dirty_ratio);
	set(TUNABLE_dirty_ratio, "90");
	DANGEROUS(dirty_ratio, "20");
	set(TUNABLE_dirty_ratio, "0");
	KEEPS(dirty_ratio);

	GIVEN(dirty_background_ratio, "10");
	set(TUNABLE_dirty_ratio, "20");
	KEEPS(dirty_background_ratio);
	set(TUNABLE_dirty_ratio, "10");
	DANGEROUS(dirty_background_ratio, "5");

	GIVEN(dirty_writeback, "500");
	KEEPS(dirty_writeback);
	set(TUNABLE_dirty_writeback, "0");
	DANGEROUS(dirty_writeback, "500");
}

static void test_overcommit(void)
{
	GIVEN(overcommit_memory, "0");
	KEEPS(overcommit_memory);
	set(TUNABLE_overcommit_memory, "1");
	KEEPS(overcommit_memory);
	set(TUNABLE_overcommit_memory, "2");
	KEEPS(overcommit_memory);
	seen.swap_total_bytes = 0;
	DANGEROUS(overcommit_memory, "0");
	seen.commit_limit_bytes = 15 * GIB;
	KEEPS(overcommit_memory);

	GIVEN(overcommit_ratio, "50");
	seen.committed_bytes = 9.5 * GIB;
	set(TUNABLE_overcommit_memory, "0");
	KEEPS(overcommit_ratio);
	set(TUNABLE_overcommit_memory, "2");
	CHANGES(overcommit_ratio, "75");
	seen.available_bytes = 1 * GIB;
	KEEPS(overcommit_ratio);
}

static void test_other_memory(void)
{
	GIVEN(max_map_count, "65530");
	KEEPS(max_map_count);
	seen.map_user.value = 60000;
	CHANGES(max_map_count, "131072");
	seen.map_user.value = 600;
	KEEPS(max_map_count);
	seen.map_user.value = NAN;
	KEEPS(max_map_count);

	GIVEN(zone_reclaim_mode, "1");
	seen.refault_file = grown(2000);
	KEEPS(zone_reclaim_mode);
	seen.nodes = 2;
	CHANGES(zone_reclaim_mode, "0");
	seen.refault_file = grown(0);
	KEEPS(zone_reclaim_mode);
	set(TUNABLE_zone_reclaim_mode, "0");
	KEEPS(zone_reclaim_mode);

	GIVEN(vfs_cache_pressure, "100");
	seen.slab_reclaimable_bytes = 6 * GIB;
	KEEPS(vfs_cache_pressure);
	seen.scan_kswapd = grown(20000);
	KEEPS(vfs_cache_pressure);
	seen.available_bytes = 1 * GIB;
	CHANGES(vfs_cache_pressure, "200");
	seen.slab_reclaimable_bytes = 1 * GIB;
	KEEPS(vfs_cache_pressure);
	set(TUNABLE_vfs_cache_pressure, "0");
	DANGEROUS(vfs_cache_pressure, "100");

	GIVEN(nr_hugepages, "2048");
	KEEPS(nr_hugepages);
	seen.huge_total = 2048;
	seen.huge_free = 2000;
	seen.now.huge_reserved = 100;
	seen.now.huge_page_bytes = 2 << 20;
	KEEPS(nr_hugepages);
	seen.scan_kswapd = grown(20000);
	CHANGES(nr_hugepages, "148");
	seen.now.huge_reserved = 1900;
	KEEPS(nr_hugepages);
}

static void test_huge_pages(void)
{
	GIVEN(thp_enabled, "[always] madvise never");
	KEEPS(thp_enabled);
	seen.now.anon_huge_bytes = (reading)(3 * GIB);
	seen.huge_splits = grown(100);
	KEEPS(thp_enabled);
	seen.scan_kswapd = grown(20000);
	CHANGES(thp_enabled, "madvise");
	set(TUNABLE_thp_enabled, "always [madvise] never");
	KEEPS(thp_enabled);

	GIVEN(thp_defrag, "[always] defer defer+madvise madvise never");
	KEEPS(thp_defrag);
	seen.compact_stalls = grown(100);
	CHANGES(thp_defrag, "defer+madvise");
	set(TUNABLE_thp_defrag, "[always] madvise never");
	CHANGES(thp_defrag, "madvise");
	set(TUNABLE_thp_defrag, "always [madvise] never");
	ELSEWHERE(thp_defrag);
}

static void test_tasks(void)
{
	GIVEN(pid_max, "32768");
	seen.now.threads = 500;
	KEEPS(pid_max);
	seen.now.threads = 30000;
	CHANGES(pid_max, "65536");
	set(TUNABLE_pid_max, "4194304");
	seen.now.threads = 4000000;
	KEEPS(pid_max);
	seen.now.threads = READING_ABSENT;
	KEEPS(pid_max);

	GIVEN(threads_max, "10000");
	seen.now.threads = 9000;
	CHANGES(threads_max, "32768");
	seen.now.threads = 900;
	KEEPS(threads_max);

	GIVEN(sched_autogroup, "1");
	seen.cpu_saturated = true;
	KEEPS(sched_autogroup);
	seen.nice_user.pid = 7;
	seen.nice_user.value = 1.5;
	seen.nice_user.other = 19;
	CHANGES(sched_autogroup, "0");
	seen.cpu_saturated = false;
	KEEPS(sched_autogroup);
	set(TUNABLE_sched_autogroup, "0");
	seen.cpu_saturated = true;
	KEEPS(sched_autogroup);

	GIVEN(numa_balancing, "1");
	seen.numa_hint_faults = grown(100000);
	seen.numa_hint_local = grown(99000);
	KEEPS(numa_balancing);
	seen.nodes = 2;
	CHANGES(numa_balancing, "0");
	seen.numa_hint_local = grown(50000);
	KEEPS(numa_balancing);

	GIVEN(task_delayacct, "0");
	KEEPS(task_delayacct);
	seen.disk_saturated = true;
	CHANGES(task_delayacct, "1");
	set(TUNABLE_task_delayacct, "1");
	KEEPS(task_delayacct);

	GIVEN(panic_on_oom, "0");
	KEEPS(panic_on_oom);
	set(TUNABLE_panic_on_oom, "2");
	seen.now.panic_seconds = 10;
	DANGEROUS(panic_on_oom, "0");
	set(TUNABLE_panic_on_oom, "1");
	KEEPS(panic_on_oom);
	seen.now.panic_seconds = 0;
	DANGEROUS(panic_on_oom, "0");

	GIVEN(hung_task_timeout, "0");
	KEEPS(hung_task_timeout);
	seen.stuck.pid = 7;
	seen.stuck.value = 3;
	CHANGES(hung_task_timeout, "120");
	set(TUNABLE_hung_task_timeout, "120");
	KEEPS(hung_task_timeout);

	GIVEN(sched_rt_runtime, "950000");
	KEEPS(sched_rt_runtime);
	set(TUNABLE_sched_rt_runtime, "-1");
	DANGEROUS(sched_rt_runtime, "950000");
}

static void test_files(void)
{
	GIVEN(file_max, "10000");
	seen.files_open = 600;
	KEEPS(file_max);
	seen.files_open = 9000;
	CHANGES(file_max, "32768");
	seen.files_open = NAN;
	KEEPS(file_max);

	GIVEN(nr_open, "1048576");
	KEEPS(nr_open);
	seen.fd_user.pid = 7;
	seen.fd_user.value = 1000000;
	seen.fd_user.other = 1048576;
	CHANGES(nr_open, "2097152");
	seen.fd_user.value = 1000;
	seen.fd_user.other = 1024;
	ELSEWHERE(nr_open);
	seen.fd_user.value = 100;
	KEEPS(nr_open);

	GIVEN(aio_max_nr, "65536");
	KEEPS(aio_max_nr);
	seen.now.aio_requests = 60000;
	CHANGES(aio_max_nr, "131072");

	GIVEN(inotify_instances, "128");
	seen.inotify_instances = (struct inotify_use){ 1000, 120, 500 };
	CHANGES(inotify_instances, "256");
	CHECK(strstr(advice.because, "user 1000") != NULL);
	seen.inotify_instances.instances = READING_ABSENT;
	KEEPS(inotify_instances);
	GIVEN(inotify_watches, "8192");
	seen.inotify_watches = (struct inotify_use){ 1000, 1, 100 };
	KEEPS(inotify_watches);
	seen.inotify_watches.watches = 8000;
	CHANGES(inotify_watches, "16384");
}

static void test_listeners(void)
{
	GIVEN(somaxconn, "128");
	KEEPS(somaxconn);
	net.listen_overflows = grown(80);
	ELSEWHERE(somaxconn); /* whose queue is not known */
	net.listener = (struct tune_listener){ .name = "0.0.0.0:80", .backlog = 128, .queue = 129, .refused = 80, .pid = 12,
					       .comm = "nginx", .story = "works, but not enough" };
	CHANGES(somaxconn, "4096");
	CHECK(strstr(advice.effect, "nginx (pid 12)") != NULL);
	net.listener.shut = true;
	ELSEWHERE(somaxconn);
	net.listener.shut = false;
	net.listener.backlog = 8; /* the program's own choice */
	ELSEWHERE(somaxconn);
	CHECK(strstr(advice.because, "listen()") != NULL);
	net.listen_overflows = grown(1);
	KEEPS(somaxconn);
	net.listen_overflows.grown = READING_DENIED;
	KEEPS(somaxconn);

	GIVEN(tcp_max_syn_backlog, "256");
	net.syn_drops = grown(80);
	KEEPS(tcp_max_syn_backlog); /* whether cookies are on is not known */
	set(TUNABLE_tcp_syncookies, "1");
	KEEPS(tcp_max_syn_backlog);
	set(TUNABLE_tcp_syncookies, "0");
	CHANGES(tcp_max_syn_backlog, "4096");
	net.syn_drops = grown(0);
	KEEPS(tcp_max_syn_backlog);

	GIVEN(tcp_syncookies, "1");
	KEEPS(tcp_syncookies);
	set(TUNABLE_tcp_syncookies, "0");
	DANGEROUS(tcp_syncookies, "1");
	net.syn_drops = grown(80);
	CHANGES(tcp_syncookies, "1");
	set(TUNABLE_tcp_syncookies, "2");
	DANGEROUS(tcp_syncookies, "1");
}

static void test_receive(void)
{
	GIVEN(netdev_max_backlog, "1000");
	KEEPS(netdev_max_backlog);
	seen.backlog_packets = (struct tune_count){ 1000000000, 1000 };
	seen.backlog_drops = (struct tune_count){ 5, 0 }; /* five of a milliard, long ago */
	KEEPS(netdev_max_backlog);
	seen.backlog_drops.grown = 3;
	CHANGES(netdev_max_backlog, "4000");
	seen.backlog_drops = (struct tune_count){ 5000000, 0 };
	CHANGES(netdev_max_backlog, "4000");
	seen.backlog_drops = (struct tune_count){ READING_ABSENT, READING_ABSENT };
	KEEPS(netdev_max_backlog);

	GIVEN(netdev_budget, "300");
	seen.squeezes = grown(100);
	KEEPS(netdev_budget);
	seen.backlog_drops = grown(100);
	CHANGES(netdev_budget, "600");

	GIVEN(rmem_max, "212992");
	set(TUNABLE_rmem_default, "212992");
	KEEPS(rmem_max);
	KEEPS(rmem_default);
	seen.receiver = (struct tune_receiver){ .name = "0.0.0.0:514", .dropped = 2000, .buffer_bytes = 425984, .pid = 3,
						.comm = "syslogd" };
	CHANGES(rmem_max, "4194304");
	KEEPS(rmem_default);
	seen.receiver.buffer_bytes = 212992;
	ELSEWHERE(rmem_max);
	CHANGES(rmem_default, "1048576");
	seen.receiver.buffer_bytes = 50000;
	ELSEWHERE(rmem_max);
	KEEPS(rmem_default);
	seen.receiver.dropped = 10;
	KEEPS(rmem_max);

	GIVEN(wmem_default, "212992");
	KEEPS(wmem_default);
	seen.udp_send_errors = grown(100);
	CHANGES(wmem_default, "1048576");
	GIVEN(wmem_max, "212992");
	KEEPS(wmem_max);
}

static void test_tcp_memory(void)
{
	GIVEN(tcp_rmem, "4096\t131072\t6291456");
	KEEPS(tcp_rmem);
	seen.receive_prunes = grown(100);
	CHANGES(tcp_rmem, "4096 131072 12582912");
	seen.tcp_pressures = grown(1);
	KEEPS(tcp_rmem);
	GIVEN(tcp_wmem, "4096\t16384\t4194304");
	KEEPS(tcp_wmem);

	GIVEN(tcp_mem, "100\t200\t300");
	net.tcp_memory_pages = 10;
	KEEPS(tcp_mem);
	net.tcp_memory_pages = 210;
	CHANGES(tcp_mem, "200 400 600");
	seen.available_bytes = 1 * GIB;
	KEEPS(tcp_mem);

	GIVEN(udp_mem, "100\t200\t300");
	seen.now.udp_memory_pages = 10;
	KEEPS(udp_mem);
	seen.udp_memory_errors = grown(1);
	CHANGES(udp_mem, "200 400 600");
}

static void test_ports(void)
{
	GIVEN(ip_local_port_range, "32768\t60999");
	set(TUNABLE_tcp_tw_reuse, "2");
	net.time_wait = 2500;
	net.established = 10;
	net.opened = grown(2000);
	KEEPS(ip_local_port_range);
	net.time_wait = 25000;
	net.ports_below[0] = 15672;
	net.nports_below = 1;
	CHANGES(ip_local_port_range, "10240 65535");
	CHECK(strstr(advice.effect, "15672") != NULL);
	KEEPS(tcp_tw_reuse);
	net.opened = grown(0); /* a server: they came in, and take no local port */
	KEEPS(ip_local_port_range);
	net.time_wait = 28230; /* all taken: connect fails, and does not count as an opening */
	net.opened = (struct tune_count){ 500000, 0 };
	CHANGES(ip_local_port_range, "10240 65535");
	net.opened = (struct tune_count){ 500, 0 };
	KEEPS(ip_local_port_range);
	net.opened = grown(2000);
	set(TUNABLE_ip_local_port_range, "10240\t65535");
	net.time_wait = 50000;
	KEEPS(ip_local_port_range);
	CHANGES(tcp_tw_reuse, "1");
	net.time_wait = 10;
	net.established = 50000;
	KEEPS(tcp_tw_reuse);
	net.time_wait = READING_ABSENT;
	KEEPS(ip_local_port_range);
}

static void test_tcp(void)
{
	GIVEN(tcp_fin_timeout, "60");
	net.orphans = 10;
	seen.now.orphans_max = 65536;
	KEEPS(tcp_fin_timeout);
	net.orphans = 40000;
	CHANGES(tcp_fin_timeout, "15");
	set(TUNABLE_tcp_fin_timeout, "3");
	DANGEROUS(tcp_fin_timeout, "60");

	GIVEN(tcp_keepalive_time, "7200");
	KEEPS(tcp_keepalive_time);
	set(TUNABLE_tcp_keepalive_time, "5");
	DANGEROUS(tcp_keepalive_time, "7200");
	GIVEN(tcp_slow_start_after_idle, "1");
	KEEPS(tcp_slow_start_after_idle);
	GIVEN(tcp_congestion_control, "cubic");
	KEEPS(tcp_congestion_control);
	seen.tcp_retransmits = true;
	net.rtt_s = 0.1;
	ELSEWHERE(tcp_congestion_control);
}

static void test_tables(void)
{
	GIVEN(nf_conntrack_max, "65536");
	seen.now.conntrack_count = 100;
	KEEPS(nf_conntrack_max);
	seen.now.conntrack_count = 65000;
	CHANGES(nf_conntrack_max, "131072");
	seen.now.conntrack_count = 100;
	seen.conntrack_full_logged = true;
	CHANGES(nf_conntrack_max, "131072");
	net.pid = 7;
	KEEPS(nf_conntrack_max);

	GIVEN(neigh_gc_thresh3, "1024");
	seen.now.neighbours = 10;
	KEEPS(neigh_gc_thresh3);
	seen.now.neighbours = 1000;
	CHANGES(neigh_gc_thresh3, "4096");
	seen.now.neighbours = 10;
	seen.neighbour_overflows = grown(1);
	CHANGES(neigh_gc_thresh3, "4096");
}

static void test_disks(void)
{
	GIVEN(scheduler, "[none] mq-deadline kyber bfq");
	disk = (struct tune_disk){ .name = "sda", .rotational = true };
	KEEPS(scheduler);
	disk.saturated = true;
	CHANGES(scheduler, "mq-deadline");
	disk.stacked = true;
	KEEPS(scheduler);
	disk = (struct tune_disk){ .name = "nvme0n1", .saturated = true, .writes = 900, .reads = 10, .read_s = 0.2 };
	CHANGES(scheduler, "mq-deadline");
	disk.read_s = 0.001;
	KEEPS(scheduler);
	set(TUNABLE_scheduler, "none [bfq]");
	KEEPS(scheduler);
	disk.reads = 90000;
	CHANGES(scheduler, "none");

	GIVEN(nr_requests, "32");
	disk = (struct tune_disk){ .name = "sda", .saturated = true, .queue = 31 };
	CHANGES(nr_requests, "64");
	disk.rotational = true;
	KEEPS(nr_requests);

	GIVEN(read_ahead_kb, "128");
	disk = (struct tune_disk){ .name = "sda", .saturated = true, .rotational = true, .reads = 100, .read_bytes = 100 * 128 * 1024 };
	CHANGES(read_ahead_kb, "512");
	disk.read_bytes = 100 * 4096;
	KEEPS(read_ahead_kb);
	set(TUNABLE_read_ahead_kb, "8192");
	seen.refault_file = grown(1000);
	KEEPS(read_ahead_kb);
	seen.memory_pressure = true;
	disk.read_bytes = 5e6;
	CHANGES(read_ahead_kb, "128");
}

/* Nothing is known at all: nothing may be advised but for what is dangerous by itself. */
static void test_nothing_known(void)
{
	static const char *const texts[] = { [SHAPE_NUMBER] = "100", [SHAPE_PAIR] = "32768 60999", [SHAPE_TRIPLE] = "1 2 3",
					     [SHAPE_CHOICE] = "[always] none", [SHAPE_WORD] = "cubic" };

	quiet();
	memset(&seen, 0xff, sizeof seen); /* every reading absent, every double a NaN */
	memset(&net, 0xff, sizeof net);
	net.listener = (struct tune_listener){ 0 };
	seen.receiver = (struct tune_receiver){ 0 };
	seen.memory_pressure = seen.swap_thrash = seen.oom_kill = seen.disk_saturated = seen.cpu_saturated =
		seen.tcp_retransmits = seen.conntrack_full_logged = seen.neighbour_full_logged = false;
	seen.fd_user.pid = seen.map_user.pid = seen.nice_user.pid = seen.stuck.pid = 0;
	seen.now.congestion_available[0] = '\0';
	net.nports_below = 0;
	net.pid = 0;
	memset(&disk, 0xff, sizeof disk);
	disk.name[0] = '\0';
	disk.rotational = disk.stacked = disk.saturated = false;
	for (size_t i = 0; i < TUNABLE_COUNT; i++) {
		CHECK(judge((enum tunable_id)i) == TUNE_UNREAD);
		CHECK(advice.because[0]);
	}
	for (size_t i = 0; i < TUNABLE_COUNT; i++)
		set((enum tunable_id)i, texts[tunables[i].shape]);
	set(TUNABLE_dirty_ratio, "20");
	for (size_t i = 0; i < TUNABLE_COUNT; i++) {
		enum tune_verdict v = judge((enum tunable_id)i);

		if (v == TUNE_CHANGE || strstr(advice.because, "nan"))
			fprintf(stderr, "%s: %s\n", tunables[i].name, advice.because);
		CHECK(v != TUNE_CHANGE && v != TUNE_UNREAD);
		CHECK(!strstr(advice.because, "nan"));
	}
}

int main(void)
{
	test_swappiness();
	test_watermarks();
	test_dirty();
	test_overcommit();
	test_other_memory();
	test_huge_pages();
	test_tasks();
	test_files();
	test_listeners();
	test_receive();
	test_tcp_memory();
	test_ports();
	test_tcp();
	test_tables();
	test_disks();
	test_nothing_known();
	return check_exit();
}
