#include "source/memory/vmstat.h"

#include <sys/mman.h>

#include "base/check.h"
#include "base/cleanup.h"

static void test_parse(void)
{
	struct vmstat v;

	vmstat_parse(SPAN("nr_free_pages 5958839\nworkingset_refault_anon 11\nworkingset_refault_file 12\n"
			  "nr_dirty_threshold 1211111\npgpgin 812350\npswpin 7\npswpout 8\nallocstall_normal 3\n"
			  "pgfault 1234567\npgmajfault 321\npgscan_direct 9\npgscan_direct_throttle 99\noom_kill 2\n"), &v);
	CHECK(v.presence == PRESENT);
	CHECK_U64(v.refault_anon, 11);
	CHECK_U64(v.pages_in_kib, 812350);
	CHECK_U64(v.swap_out, 8);
	CHECK_U64(v.major_faults, 321);
	CHECK_U64(v.scan_direct, 9);
	CHECK_U64(v.oom_kill, 2);
	CHECK_U64(v.compact_stall, READING_ABSENT);
	/* Before 5.9 there was one counter for both kinds. */
	vmstat_parse(SPAN("workingset_refault 5\npgfault 1\n"), &v);
	CHECK_U64(v.refault_file, READING_ABSENT);
	vmstat_parse(SPAN(""), &v);
	CHECK(v.presence == MALFORMED && v.oom_kill == READING_ABSENT);
	vmstat_parse(SPAN("pgfault -3\npswpin\noom_kill 99999999999999999999\n"), &v);
	CHECK(v.presence == MALFORMED);
	CHECK_U64(v.swap_in, READING_MALFORMED);
	CHECK_U64(v.oom_kill, READING_MALFORMED);
}

/* Touching fresh pages is counted as faults. */
static void test_live(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };
	struct host *h = NULL;
	struct vmstat before, after;
	const size_t pages = 2000;

	CHECK(host_open_live("/", &h, NULL) == 0);
	vmstat_read(h, &b, &before);
	if (before.presence != PRESENT)
		check_skip("no event counters in /proc/vmstat here");
	char *p = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED && madvise(p, pages * 4096, MADV_NOHUGEPAGE) == 0);
	for (size_t i = 0; i < pages; i++)
		p[i * 4096] = 1;
	vmstat_read(h, &b, &after);
	CHECK(reading_ok(after.faults) && after.faults - before.faults >= pages);
	CHECK(reading_ok(after.refault_file) && reading_ok(after.swap_in));
	munmap(p, pages * 4096);
	host_free(h);
	CHECK(host_open_live("/proc/self/fdinfo", &h, NULL) == 0); /* a root without /proc */
	vmstat_read(h, &b, &after);
	CHECK(after.presence == ABSENT && after.faults == READING_ABSENT);
	host_free(h);
}

int main(void)
{
	test_parse();
	test_live();
	return check_exit();
}
