#include "source/memory/swap.h"

#include <errno.h>

#include "base/check.h"
#include "base/cleanup.h"

#define HEADING "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"

static void test_swaps(void)
{
	swap_vec swaps = { 0 };

	CHECK(swaps_parse(SPAN(HEADING "/dev/zram0                              partition\t4194300\t\t1024\t\t100\n"
				       "/srv/my\\040swap\\011\\134file\\040(deleted)  file\t8\t0\t-2\n"),
			  &swaps) == 0);
	CHECK_U64(swaps.n, 2);
	CHECK_STR(swaps.v[0].name, "/dev/zram0");
	CHECK_STR(swaps.v[0].type, "partition");
	CHECK_U64(swaps.v[0].total_bytes, UINT64_C(4194300) * 1024);
	CHECK_U64(swaps.v[0].used_bytes, 1024 * 1024);
	CHECK(swaps.v[0].priority == 100 && swaps.v[1].priority == -2);
	CHECK_STR(swaps.v[1].name, "/srv/my swap\t\\file (deleted)");
	CHECK(swaps_parse(SPAN(HEADING), &swaps) == 0 && swaps.n == 0);
	CHECK(swaps_parse(SPAN(""), &swaps) == -EBADMSG);
	CHECK(swaps_parse(SPAN(HEADING "/a file 1 2\n/b file x 2 3\n/c file 18446744073709551615 0 1\n/d\\04 file 4 0 1"),
			  &swaps) == 0);
	CHECK_U64(swaps.n, 1);
	CHECK_STR(swaps.v[0].name, "/d\\04");
	vec_free(&swaps);
}

static void test_zram(void)
{
	struct zram z;

	CHECK(zram_stat_parse(SPAN("  104857600  20971520 22020096        0 23068672      12        3       40       41\n"), &z));
	CHECK_U64(z.stored_bytes, 104857600);
	CHECK_U64(z.compressed_bytes, 20971520);
	CHECK_U64(z.memory_bytes, 22020096);
	CHECK_U64(z.peak_bytes, 23068672);
	CHECK_U64(z.huge_pages, 40);
	CHECK(zram_stat_parse(SPAN("1 2 3 4 5 6 7\n"), &z)); /* an older kernel */
	CHECK_U64(z.compacted_pages, 7);
	CHECK_U64(z.huge_pages, READING_ABSENT);
	CHECK(!zram_stat_parse(SPAN("1 2 3\n"), &z));
	CHECK_U64(z.stored_bytes, READING_MALFORMED);
	CHECK(!zram_stat_parse(SPAN(""), &z) && !zram_stat_parse(SPAN("1 2 3 4 5 6 7 x\n"), &z));
}

#define HAVE(n, key, data) "have " n " " key "\n" data "\n"

static void test_captured_zram(void)
{
	static const char text[] =
		"osprey-capture 1\ntick 1 1 1\n"
		HAVE("16", "list:/sys/block", "sda\nzram0\nzram1\n")
		HAVE("2", "/sys/block/zram0/disksize", "0\n")
		HAVE("8", "/sys/block/zram1/disksize", "1048576\n")
		HAVE("14", "/sys/block/zram1/mm_stat", "9 8 7 6 5 4 3\n")
		HAVE("16", "/sys/block/zram1/comp_algorithm", "lzo [zstd] lz4 \n")
		HAVE("2", "/sys/module/zswap/parameters/enabled", "Y\n")
		HAVE("3", "/sys/module/zswap/parameters/max_pool_percent", "20\n");
	struct buf capture = { 0 }, b = { 0 };
	zram_vec zrams = { 0 };
	enum presence presence;
	struct host *h = NULL;
	struct zswap zswap;

	CHECK(buf_append(&capture, text, sizeof text - 1) == 0);
	CHECK(host_open_capture_text(&capture, &h, NULL) == 0);
	CHECK(zrams_read(h, &b, &zrams, &presence) == 0 && presence == PRESENT);
	CHECK_U64(zrams.n, 1); /* the other is not set up */
	CHECK_STR(zrams.v[0].name, "zram1");
	CHECK_STR(zrams.v[0].algorithm, "zstd");
	CHECK_U64(zrams.v[0].disk_bytes, 1048576);
	CHECK_U64(zrams.v[0].memory_bytes, 7);
	zswap_read(h, &b, &zswap);
	CHECK(zswap.presence == PRESENT && zswap.enabled && zswap.max_pool_pct == 20);
	host_free(h);
	vec_free(&zrams);
	buf_deinit(&b);
	buf_deinit(&capture);
}

static void test_live(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };
	enum presence presence;
	swap_vec swaps = { 0 };
	zram_vec zrams = { 0 };
	struct host *h = NULL;
	struct zswap zswap;

	CHECK(host_open_live("/proc/self/fdinfo", &h, NULL) == 0);
	CHECK(swaps_read(h, &b, &swaps, &presence) == 0 && presence == ABSENT);
	CHECK(zrams_read(h, &b, &zrams, &presence) == 0 && presence == ABSENT);
	zswap_read(h, &b, &zswap);
	CHECK(zswap.presence == ABSENT && !zswap.enabled && zswap.max_pool_pct == READING_ABSENT);
	host_free(h);
	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(swaps_read(h, &b, &swaps, &presence) == 0);
	vec_each(s, &swaps)
		CHECK(s->used_bytes <= s->total_bytes && s->name[0] == '/');
	CHECK(zrams_read(h, &b, &zrams, &presence) == 0);
	host_free(h);
	vec_free(&swaps);
	vec_free(&zrams);
}

int main(void)
{
	test_swaps();
	test_zram();
	test_captured_zram();
	test_live();
	return check_exit();
}
