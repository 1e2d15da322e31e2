#include "source/memory/huge_page.h"

#include <errno.h>

#include "base/check.h"
#include "base/cleanup.h"

static void test_names(void)
{
	uint64_t bytes = 0;
	char word[8];

	CHECK(huge_pool_name_parse(SPAN("hugepages-2048kB"), &bytes) && bytes == 2 << 20);
	CHECK(huge_pool_name_parse(SPAN("hugepages-1048576kB"), &bytes) && bytes == 1 << 30);
	CHECK(!huge_pool_name_parse(SPAN("hugepages-"), &bytes));
	CHECK(!huge_pool_name_parse(SPAN("hugepages-kB"), &bytes));
	CHECK(!huge_pool_name_parse(SPAN("hugepages-0kB"), &bytes));
	CHECK(!huge_pool_name_parse(SPAN("hugepages-2048MB"), &bytes));
	CHECK(!huge_pool_name_parse(SPAN("hugepages-99999999999999999kB"), &bytes) || bytes > 0);
	CHECK(!huge_pool_name_parse(SPAN("hugepages-18446744073709551615kB"), &bytes));
	CHECK(sys_choice_parse(SPAN("always [madvise] never\n"), word, sizeof word));
	CHECK_STR(word, "madvise");
	CHECK(sys_choice_parse(SPAN("always defer [defer+madvise] never\n"), word, sizeof word));
	CHECK_STR(word, "defer+m"); /* cut to fit */
	CHECK(!sys_choice_parse(SPAN("always madvise"), word, sizeof word));
	CHECK(!sys_choice_parse(SPAN("[]"), word, sizeof word));
	CHECK(!sys_choice_parse(SPAN("[open"), word, sizeof word));
}

#define HAVE(n, key, data) "have " n " " key "\n" data "\n"

/* Two nodes: the pools of each are read as well; a file that is missing is absent. */
static void test_nodes(void)
{
	static const char text[] =
		"osprey-capture 1\ntick 1 1 1\n"
		HAVE("17", "list:/sys/kernel/mm/hugepages", "hugepages-2048kB\n")
		HAVE("3", "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "12\n")
		HAVE("2", "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "7\n")
		HAVE("2", "/sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", "x\n")
		"miss 13 /sys/kernel/mm/hugepages/hugepages-2048kB/surplus_hugepages\n"
		HAVE("19", "list:/sys/devices/system/node", "online\nnode1\nnode0\n")
		HAVE("17", "list:/sys/devices/system/node/node0/hugepages", "hugepages-2048kB\n")
		HAVE("17", "list:/sys/devices/system/node/node1/hugepages", "hugepages-2048kB\n")
		HAVE("3", "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages", "10\n");
	struct buf capture = { 0 }, b = { 0 };
	huge_pool_vec pools = { 0 };
	enum presence presence;
	struct host *h = NULL;

	CHECK(buf_append(&capture, text, sizeof text - 1) == 0);
	CHECK(host_open_capture_text(&capture, &h, NULL) == 0);
	CHECK(huge_pools_read(h, &b, &pools, &presence) == 0 && presence == PRESENT);
	CHECK_U64(pools.n, 3);
	CHECK(pools.v[0].node == -1 && pools.v[1].node == 0 && pools.v[2].node == 1);
	CHECK_U64(pools.v[0].pages, 12);
	CHECK_U64(pools.v[0].free, 7);
	CHECK_U64(pools.v[0].reserved, READING_MALFORMED);
	CHECK_U64(pools.v[0].surplus, READING_DENIED);
	CHECK_U64(pools.v[0].overcommit, READING_ABSENT);
	CHECK_U64(pools.v[2].pages, 10);
	host_free(h);
	vec_free(&pools);
	buf_deinit(&b);
	buf_deinit(&capture);
}

static void test_live(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };
	huge_pool_vec pools = { 0 };
	enum presence presence;
	struct host *h = NULL;
	struct thp thp;

	CHECK(host_open_live("/proc/self/fdinfo", &h, NULL) == 0);
	CHECK(huge_pools_read(h, &b, &pools, &presence) == 0 && presence == ABSENT);
	thp_read(h, &b, &thp);
	CHECK(thp.presence == ABSENT && thp.page_bytes == READING_ABSENT && thp.enabled[0] == '\0');
	host_free(h);
	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(huge_pools_read(h, &b, &pools, &presence) == 0);
	vec_each(p, &pools)
		CHECK(reading_ok(p->pages) && p->free <= p->pages && p->page_bytes >= 4096);
	thp_read(h, &b, &thp);
	if (thp.presence == PRESENT)
		CHECK(strcmp(thp.enabled, "always") == 0 || strcmp(thp.enabled, "madvise") == 0 ||
		      strcmp(thp.enabled, "never") == 0);
	host_free(h);
	vec_free(&pools);
}

int main(void)
{
	test_names();
	test_nodes();
	test_live();
	return check_exit();
}
