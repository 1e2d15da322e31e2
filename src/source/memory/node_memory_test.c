#include "source/memory/node_memory.h"

#include <errno.h>

#include "base/check.h"
#include "base/cleanup.h"

static void test_parse(void)
{
	struct node_memory n = { .node = 1 };
	struct numastat s;

	node_meminfo_parse(SPAN("Node 1 MemTotal:       11233484 kB\nNode 1 MemFree:         9276176 kB\n"
				"Node 1 FilePages:       1584720 kB\nNode 1 AnonPages:         24272 kB\n"
				"Node 1 Slab:             229824 kB\nNode 1 HugePages_Total:     0\n"),
			   &n);
	CHECK_U64(n.total_bytes, UINT64_C(11233484) * 1024);
	CHECK_U64(n.free_bytes, UINT64_C(9276176) * 1024);
	CHECK_U64(n.anon_bytes, 24272 * 1024);
	CHECK_U64(n.slab_bytes, 229824 * 1024);
	CHECK_U64(n.dirty_bytes, READING_ABSENT);
	node_meminfo_parse(SPAN("Node 1 MemTotal: much kB\nNode 1 MemFree\nMemUsed: 3 kB\nNode\n"
				"Node 1 Dirty: 18446744073709551615 kB\n"),
			   &n);
	CHECK_U64(n.total_bytes, READING_MALFORMED);
	CHECK_U64(n.free_bytes, READING_ABSENT);
	CHECK_U64(n.used_bytes, READING_ABSENT);
	CHECK_U64(n.dirty_bytes, READING_MALFORMED);
	numastat_parse(SPAN("numa_hit 390151898\nnuma_miss 3\nnuma_foreign 0\ninterleave_hit 1136\nlocal_node 5\n"), &s);
	CHECK_U64(s.hit, 390151898);
	CHECK_U64(s.miss, 3);
	CHECK_U64(s.local, 5);
	CHECK_U64(s.other, READING_ABSENT);
}

static void test_ids(void)
{
	node_id_vec ids = { 0 };

	CHECK(node_ids_parse(SPAN("has_cpu\nnode10\nnode2\nnode\nnodex\nnode99999999\npower\nnode0"), &ids) == 0);
	CHECK_U64(ids.n, 3);
	CHECK(ids.v[0] == 0 && ids.v[1] == 2 && ids.v[2] == 10);
	CHECK(node_ids_parse(SPAN(""), &ids) == 0 && ids.n == 0);
	vec_free(&ids);
}

static void test_live(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };
	node_memory_vec nodes = { 0 };
	enum presence presence;
	struct host *h = NULL;

	CHECK(host_open_live("/proc/self/fdinfo", &h, NULL) == 0);
	CHECK(node_memory_read(h, &b, &nodes, &presence) == 0 && presence == ABSENT && nodes.n == 0);
	host_free(h);
	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(node_memory_read(h, &b, &nodes, &presence) == 0);
	vec_each(n, &nodes)
		CHECK(reading_ok(n->total_bytes) && n->free_bytes <= n->total_bytes && reading_ok(n->numastat.hit));
	host_free(h);
	vec_free(&nodes);
}

int main(void)
{
	test_parse();
	test_ids();
	test_live();
	return check_exit();
}
