/* Memory of each NUMA node: /sys/devices/system/node/nodeN/{meminfo,numastat,cpulist,distance}.
 *
 * numastat: a hit is a page that was taken from this node as wanted; a miss one that was taken from
 * it though another was wanted; foreign one that was wanted here and taken elsewhere. local_node
 * and other_node tell where the task ran that took it.
 * Since: 2.6; hosts without NUMA have one node or, without CONFIG_NUMA, no directory: absent.
 * Privilege: none. Units: kB in the kernel, bytes here; numastat in pages since boot.
 * Cost: four files a node, ~50 us. Source: Documentation/admin-guide/numastat.rst. */
#ifndef OSPREY_SOURCE_MEMORY_NODE_MEMORY_H
#define OSPREY_SOURCE_MEMORY_NODE_MEMORY_H

#include "base/field.h"
#include "base/vec.h"
#include "kernel/host.h"

/* In the kernel's line order. */
#define NODE_MEMORY_FIELDS(FIELD)                                                                    \
	FIELD(2100, total_bytes, "MemTotal", BYTES, GAUGE, "memory of the node")                     \
	FIELD(2101, free_bytes, "MemFree", BYTES, GAUGE, "memory nobody uses")                       \
	FIELD(2102, used_bytes, "MemUsed", BYTES, GAUGE, "all that is not free, page cache included") \
	FIELD(2103, active_bytes, "Active", BYTES, GAUGE, "recently used")                           \
	FIELD(2104, inactive_bytes, "Inactive", BYTES, GAUGE, "first to be reclaimed")               \
	FIELD(2105, dirty_bytes, "Dirty", BYTES, GAUGE, "waiting to be written back")                \
	FIELD(2106, writeback_bytes, "Writeback", BYTES, GAUGE, "being written back")                \
	FIELD(2107, file_bytes, "FilePages", BYTES, GAUGE, "page cache, with shared memory")         \
	FIELD(2108, mapped_bytes, "Mapped", BYTES, GAUGE, "file pages mapped by processes")          \
	FIELD(2109, anon_bytes, "AnonPages", BYTES, GAUGE, "anonymous memory of processes")          \
	FIELD(2110, shmem_bytes, "Shmem", BYTES, GAUGE, "shared memory and tmpfs")                   \
	FIELD(2111, kernel_stack_bytes, "KernelStack", BYTES, GAUGE, "kernel stacks of tasks")       \
	FIELD(2112, page_tables_bytes, "PageTables", BYTES, GAUGE, "page tables")                    \
	FIELD(2113, slab_bytes, "Slab", BYTES, GAUGE, "kernel objects")                              \
	FIELD(2114, slab_reclaimable_bytes, "SReclaimable", BYTES, GAUGE, "of those, caches that shrink") \
	FIELD(2115, anon_huge_bytes, "AnonHugePages", BYTES, GAUGE, "in transparent huge pages")

#define NUMASTAT_FIELDS(FIELD)                                                                       \
	FIELD(2130, hit, "numa_hit", PAGES, COUNTER, "taken here as wanted")                         \
	FIELD(2131, miss, "numa_miss", PAGES, COUNTER, "taken here though wanted elsewhere")         \
	FIELD(2132, foreign, "numa_foreign", PAGES, COUNTER, "wanted here and taken elsewhere")      \
	FIELD(2133, interleave_hit, "interleave_hit", PAGES, COUNTER, "interleaved, taken here as wanted") \
	FIELD(2134, local, "local_node", PAGES, COUNTER, "taken by a task that ran here")            \
	FIELD(2135, other, "other_node", PAGES, COUNTER, "taken by a task that ran elsewhere")

struct node_memory {
	uint32_t node;
	char cpus[64];	   /* "0-31,64-95"; "": no CPU, or not known */
	char distance[64]; /* "10 20": to each node, 10 is local */
	NODE_MEMORY_FIELDS(FIELD_MEMBER)
	struct numastat {
		NUMASTAT_FIELDS(FIELD_MEMBER)
	} numastat;
};
typedef VEC(struct node_memory) node_memory_vec;

extern const struct field node_memory_fields[], numastat_fields[];
extern const size_t node_memory_nfields, numastat_nfields;

typedef VEC(uint32_t) node_id_vec;

/* Names in a directory ("node0", "online"…) -> the numbers of nodes, in order. */
int node_ids_parse(struct span names, node_id_vec *ret) __attribute__((warn_unused_result));
/* 0; -ENOENT: this kernel knows no nodes; -ENOMEM. */
int node_ids_read(struct host *h, struct buf *scratch, node_id_vec *ret) __attribute__((warn_unused_result));

/* "Node 0 MemTotal:  11233484 kB" lines; fields that do not occur are absent. */
void node_meminfo_parse(struct span text, struct node_memory *ret);
void numastat_parse(struct span text, struct numastat *ret);
/* 0 or -ENOMEM. */
int node_memory_read(struct host *h, struct buf *scratch, node_memory_vec *ret, enum presence *ret_presence)
	__attribute__((warn_unused_result));

#endif
