#include "source/memory/zone.h"

#include <errno.h>

#include "base/check.h"
#include "base/cleanup.h"

static const char real_text[] =
	"Node 0, zone      DMA\n"
	"  per-node stats\n"
	"      nr_inactive_anon 2532\n"
	"      workingset_nodes 16089\n"
	"      pgpromote_success 0\n"
	"  pages free     3840\n"
	"        boost    0\n"
	"        min      23\n"
	"        low      28\n"
	"        high     33\n"
	"        promo    38\n"
	"        spanned  4095\n"
	"        present  3998\n"
	"        managed  3840\n"
	"        cma      0\n"
	"        protection: (0, 3019, 10955, 10955, 10955)\n"
	"      nr_free_pages 3840\n"
	"      numa_hit     0\n"
	"  pagesets\n"
	"    cpu: 0\n"
	"              count:    7\n"
	"              high:     14\n"
	"              batch:    1\n"
	"              high_min: 14\n"
	"    cpu: 1\n"
	"              count:    5\n"
	"              high:     14\n"
	"  vm stats threshold: 4\n"
	"  node_unreclaimable:  0\n"
	"  start_pfn:           1\n"
	"Node 1, zone   Normal\n"
	"  pages free     772915\n"
	"        min      4650\n"
	"        low      5812\n"
	"        high     6974\n"
	"        spanned  1044480\n"
	"        present  782336\n"
	"        managed  772914\n"
	"        protection: (0, 0, 0, 0, 0)\n";

static void test_zones(void)
{
	zone_vec zones = { 0 };

	CHECK(zones_parse(SPAN(real_text), &zones) == 0);
	CHECK_U64(zones.n, 2);
	const struct zone *dma = &zones.v[0], *normal = &zones.v[1];
	CHECK(dma->node == 0 && normal->node == 1);
	CHECK_STR(dma->name, "DMA");
	CHECK_U64(dma->free, 3840);
	CHECK_U64(dma->boost, 0);
	CHECK_U64(dma->min, 23);
	CHECK_U64(dma->low, 28);
	CHECK_U64(dma->high, 33); /* the zone's, not that of a CPU's list */
	CHECK_U64(dma->promo, 38);
	CHECK_U64(dma->managed, 3840);
	CHECK_U64(dma->per_cpu, 12);
	CHECK_U64(dma->nprotection, 5);
	CHECK_U64(dma->protection[1], 3019);
	CHECK_STR(normal->name, "Normal");
	CHECK_U64(normal->managed, 772914);
	CHECK_U64(normal->boost, READING_ABSENT); /* an older kernel */
	CHECK_U64(normal->per_cpu, READING_ABSENT);
	vec_free(&zones);
}

static void test_damaged_zones(void)
{
	zone_vec zones = { 0 };

	CHECK(zones_parse(SPAN(""), &zones) == -EBADMSG);
	CHECK(zones_parse(SPAN("pages free 3\nNode x, zone DMA\n  pages free 4\n"), &zones) == -EBADMSG);
	CHECK(zones_parse(SPAN("Node 0, zone A\n  pages free -4\n min 99999999999999999999\n low\n count: x\n count: 3\n"
			       " protection: (1, 99999999999999999999, 2)\nNode 1 zone B\n  pages free 4\n"),
			  &zones) == 0);
	CHECK_U64(zones.n, 1);
	CHECK_U64(zones.v[0].free, READING_MALFORMED);
	CHECK_U64(zones.v[0].min, READING_MALFORMED);
	CHECK_U64(zones.v[0].low, READING_MALFORMED);
	CHECK_U64(zones.v[0].per_cpu, READING_MALFORMED);
	CHECK_U64(zones.v[0].nprotection, 1);
	for (size_t n = 0; n < sizeof real_text - 1; n++)
		(void)!zones_parse((struct span){ real_text, n }, &zones);
	vec_free(&zones);
}

static void test_buddies(void)
{
	buddy_vec buddies = { 0 };

	CHECK(buddies_parse(SPAN("Node 0, zone      DMA      0      0      1 \n"
				 "Node 1, zone   Normal      4      2      1      0 \n"
				 "Node 2, zone   Movable      0      0 \n"),
			    &buddies) == 0);
	CHECK_U64(buddies.n, 3);
	CHECK_U64(buddies.v[0].orders, 3);
	CHECK_NEAR(buddy_unusable(&buddies.v[0], 2), 0, 0);
	const struct buddy *b = &buddies.v[1];
	CHECK(b->node == 1 && b->orders == 4);
	CHECK_STR(b->zone, "Normal");
	CHECK_U64(buddy_pages(b), 4 + 4 + 4);
	CHECK_NEAR(buddy_unusable(b, 0), 0, 0);
	CHECK_NEAR(buddy_unusable(b, 1), 4.0 / 12, 1e-9);
	CHECK_NEAR(buddy_unusable(b, 2), 8.0 / 12, 1e-9);
	CHECK_NEAR(buddy_unusable(b, 3), 1, 0);
	CHECK_NEAR(buddy_unusable(b, 15), 1, 0);
	CHECK(isnan(buddy_unusable(&buddies.v[2], 0)));
	CHECK(buddies_parse(SPAN(""), &buddies) == -EBADMSG);
	CHECK(buddies_parse(SPAN("Node 0, zone A\nNode 0, zone B x\nNode 0, zone C 1 2 x\n"
				 "Node 0, zone D 18446744073709551615\n"
				 "Node 0, zone E 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n"),
			    &buddies) == -EBADMSG);
	vec_free(&buddies);
}

static void test_live(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };
	buddy_vec buddies = { 0 };
	zone_vec zones = { 0 };
	enum presence presence;
	struct host *h = NULL;

	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(zones_read(h, &b, &zones, &presence) == 0);
	if (presence != PRESENT)
		check_skip("no /proc/zoneinfo here");
	uint64_t managed = 0;
	vec_each(z, &zones) {
		CHECK(reading_ok(z->free) && reading_ok(z->min) && reading_ok(z->managed));
		CHECK(z->min <= z->low && z->low <= z->high && z->managed <= z->present);
		managed += z->managed;
	}
	CHECK(managed > 1000);
	CHECK(buddies_read(h, &b, &buddies, &presence) == 0);
	CHECK(presence == PRESENT && buddies.n > 0);
	vec_each(buddy, &buddies)
		CHECK(buddy->orders >= 8 && buddy_pages(buddy) <= managed);
	host_free(h);
	CHECK(host_open_live("/proc/self/fdinfo", &h, NULL) == 0);
	CHECK(zones_read(h, &b, &zones, &presence) == 0 && presence == ABSENT && zones.n == 0);
	CHECK(buddies_read(h, &b, &buddies, &presence) == 0 && presence == ABSENT && buddies.n == 0);
	host_free(h);
	vec_free(&zones);
	vec_free(&buddies);
}

int main(void)
{
	test_zones();
	test_damaged_zones();
	test_buddies();
	test_live();
	return check_exit();
}
