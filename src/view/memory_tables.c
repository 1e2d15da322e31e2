/* Columns of zones, free blocks, nodes, huge pages and swap. */
#include "source/memory/page_size.h"
#include "view/memory_view.h"

/* ---- zones ---- */

#define ZONE ((const struct zone_row *)row)
#define ZONEINFO "/proc/zoneinfo "
static struct cell get_zone_node(const void *row) { return cell_reading(ZONE->zone.node); }
static struct cell get_zone(const void *row) { return cell_text(ZONE->zone.name); }
#define ZONE_BYTES(name) \
	static struct cell get_zone_##name(const void *row)                                   \
	{                                                                                     \
		return cell_reading(pages_in_bytes(ZONE->zone.name, ZONE->page_bytes));       \
	}
ZONE_BYTES(free)
ZONE_BYTES(boost)
ZONE_BYTES(min)
ZONE_BYTES(low)
ZONE_BYTES(high)
ZONE_BYTES(promo)
ZONE_BYTES(spanned)
ZONE_BYTES(present)
ZONE_BYTES(managed)
ZONE_BYTES(cma)
ZONE_BYTES(per_cpu)

double zone_free_of_min(const struct zone_row *r)
{
	double min = reading_value(r->zone.min);

	return min > 0 ? reading_value(r->zone.free) / min : NAN;
}

const char *zone_state(const struct zone_row *r)
{
	const struct zone *z = &r->zone;

	if (!reading_ok(z->free) || !reading_ok(z->min) || !reading_ok(z->low) || !reading_ok(z->high))
		return "";
	return z->free < z->min ? "below min" : z->free < z->low ? "below low" : z->free < z->high ? "below high" : "fine";
}

static struct cell get_zone_ratio(const void *row) { return cell_real(zone_free_of_min(ZONE)); }
static struct cell get_zone_state(const void *row)
{
	const char *state = zone_state(ZONE);

	return *state ? cell_text(state) : cell_reading(READING_ABSENT);
}
static struct cell get_zone_unusable(const void *row) { return cell_real(ZONE->unusable_pct); }
static struct cell get_zone_protection(const void *row)
{
	return ZONE->protection[0] ? cell_text(ZONE->protection) : cell_reading(READING_ABSENT);
}

static const struct column zone_columns[] = {
	COLUMN(2340, node, "NODE", COUNT, LABEL, get_zone_node, 0, ZONEINFO, "NUMA node"),
	COLUMN(2341, zone, "ZONE", TEXT, LABEL, get_zone, 0, ZONEINFO, "zone of the node's memory"),
	COLUMN(2342, managed_bytes, "SIZE", BYTES, GAUGE, get_zone_managed, 1, ZONEINFO "managed",
	       "memory that can be allocated"),
	COLUMN(2343, free_bytes, "FREE", BYTES, GAUGE, get_zone_free, 0, ZONEINFO "free", "free memory"),
	COLUMN(2344, min_bytes, "MIN", BYTES, GAUGE, get_zone_min, 1, ZONEINFO "min",
	       "below it allocating tasks reclaim themselves"),
	COLUMN(2345, low_bytes, "LOW", BYTES, GAUGE, get_zone_low, 3, ZONEINFO "low",
	       "below it kswapd reclaims"),
	COLUMN(2346, high_bytes, "HIGH", BYTES, GAUGE, get_zone_high, 4, ZONEINFO "high",
	       "up to it kswapd reclaims"),
	COLUMN(2347, free_of_min, "FREE/MIN", COUNT, GAUGE, get_zone_ratio, 2, ZONEINFO "free, min",
	       "free memory as a multiple of min"),
	COLUMN(2348, state, "STATE", TEXT, LABEL, get_zone_state, 1, ZONEINFO,
	       "fine; below high, low: kswapd reclaims; below min: allocations wait"),
	COLUMN(2349, huge_unusable_pct, "SCATTERED%", PCT, GAUGE, get_zone_unusable, 5, "/proc/buddyinfo",
	       "of the free memory, what stands in pieces too small for a transparent huge page"),
	COLUMN(2350, boost_bytes, "BOOST", BYTES, GAUGE, get_zone_boost, 8, ZONEINFO "boost",
	       "what min, low and high are raised by for now"),
	COLUMN(2351, promo_bytes, "PROMO", BYTES, GAUGE, get_zone_promo, 9, ZONEINFO "promo",
	       "up to it pages are promoted to this node"),
	COLUMN(2352, per_cpu_bytes, "PERCPU", BYTES, GAUGE, get_zone_per_cpu, 7, ZONEINFO "pagesets",
	       "free memory that CPUs keep for themselves, not in free"),
	COLUMN(2353, cma_bytes, "CMA", BYTES, GAUGE, get_zone_cma, 8, ZONEINFO "cma",
	       "contiguous-memory areas"),
	COLUMN(2354, present_bytes, "PRESENT", BYTES, GAUGE, get_zone_present, 8, ZONEINFO "present",
	       "memory that exists"),
	COLUMN(2355, spanned_bytes, "SPANNED", BYTES, GAUGE, get_zone_spanned, 9, ZONEINFO "spanned",
	       "first to last page, holes included"),
	COLUMN_ELASTIC(2356, protection_pages,
	               "PROTECTION", TEXT, LABEL, get_zone_protection, 9, ZONEINFO "protection",
		       "pages kept from allocations that would rather have each of the zones"),
};

const struct entity entity_zone = {
	.name = "zone",
	.help = "one zone of memory with its watermarks",
	COLUMNS(zone_columns),
	.shown = "node,zone,managed_bytes,free_bytes,min_bytes,low_bytes,high_bytes,free_of_min,state,huge_unusable_pct",
};

/* ---- free blocks ---- */

#define BLOCK ((const struct free_row *)row)
#define BUDDYINFO "/proc/buddyinfo"
static struct cell get_block_node(const void *row) { return cell_reading(BLOCK->node); }
static struct cell get_block_zone(const void *row) { return cell_text(BLOCK->zone); }
static struct cell get_block_order(const void *row) { return cell_reading(BLOCK->order); }
static struct cell get_block_size(const void *row) { return cell_reading(BLOCK->page_bytes << BLOCK->order); }
static struct cell get_blocks(const void *row) { return cell_reading(BLOCK->blocks); }
static struct cell get_block_bytes(const void *row)
{
	return cell_reading(pages_in_bytes(BLOCK->blocks << BLOCK->order, BLOCK->page_bytes));
}
static struct cell get_block_unusable(const void *row) { return cell_real(BLOCK->unusable_pct); }

static const struct column free_columns[] = {
	COLUMN(2360, node, "NODE", COUNT, LABEL, get_block_node, 0, BUDDYINFO, "NUMA node"),
	COLUMN(2361, zone, "ZONE", TEXT, LABEL, get_block_zone, 0, BUDDYINFO, "zone of the node's memory"),
	COLUMN(2362, order, "ORDER", COUNT, LABEL, get_block_order, 0, BUDDYINFO, "blocks of 2^order pages"),
	COLUMN(2363, block_bytes, "BLOCK", BYTES, GAUGE, get_block_size, 1, BUDDYINFO, "size of one block"),
	COLUMN(2364, blocks, "BLOCKS", COUNT, GAUGE, get_blocks, 1, BUDDYINFO, "free blocks of that size"),
	COLUMN(2365, bytes, "FREE", BYTES, GAUGE, get_block_bytes, 2, BUDDYINFO, "memory in them"),
	COLUMN(2366, unusable_pct, "UNUSABLE%", PCT, GAUGE, get_block_unusable, 1, BUDDYINFO,
	       "of the zone's free memory, what stands in smaller blocks and cannot serve an allocation of this size"),
};

const struct entity entity_free_block = {
	.name = "free_block",
	.help = "free memory of a zone by the size of its blocks: fragmentation",
	COLUMNS(free_columns),
	.shown = "node,zone,order,block_bytes,blocks,bytes,unusable_pct",
};

/* ---- nodes ---- */

#define NODE ((const struct node_row *)row)
#define NODE_MEMINFO "/sys/devices/system/node/node*/meminfo "
#define NUMASTAT "/sys/devices/system/node/node*/numastat "
static struct cell get_node(const void *row) { return cell_reading(NODE->node.node); }
#define NODE_BYTES(name) \
	static struct cell get_node_##name(const void *row) { return cell_reading(NODE->node.name##_bytes); }
NODE_BYTES(total)
NODE_BYTES(free)
NODE_BYTES(used)
NODE_BYTES(file)
NODE_BYTES(anon)
NODE_BYTES(shmem)
NODE_BYTES(slab)
NODE_BYTES(slab_reclaimable)
NODE_BYTES(dirty)
NODE_BYTES(writeback)
NODE_BYTES(active)
NODE_BYTES(inactive)
NODE_BYTES(mapped)
NODE_BYTES(kernel_stack)
NODE_BYTES(page_tables)
NODE_BYTES(anon_huge)
static struct cell get_node_used_pct(const void *row)
{
	return cell_share(NODE->node.used_bytes, reading_value(NODE->node.total_bytes));
}
#define NODE_RATE(name) \
	static struct cell get_node_##name(const void *row) { return cell_rate(NODE->growth.name, NODE->seconds); }
NODE_RATE(hit)
NODE_RATE(miss)
NODE_RATE(foreign)
NODE_RATE(interleave_hit)
NODE_RATE(local)
NODE_RATE(other)
static struct cell get_node_cpus(const void *row)
{
	return NODE->node.cpus[0] ? cell_text(NODE->node.cpus) : cell_reading(READING_ABSENT);
}
static struct cell get_node_distance(const void *row)
{
	return NODE->node.distance[0] ? cell_text(NODE->node.distance) : cell_reading(READING_ABSENT);
}

static const struct column node_columns[] = {
	COLUMN(2370, node, "NODE", COUNT, LABEL, get_node, 0, NODE_MEMINFO, "NUMA node"),
	COLUMN(2371, total_bytes, "TOTAL", BYTES, GAUGE, get_node_total, 1, NODE_MEMINFO "MemTotal",
	       "memory of the node"),
	COLUMN(2372, used_bytes, "TAKEN", BYTES, GAUGE, get_node_used, 2, NODE_MEMINFO "MemUsed",
	       "all that is not free, page cache included"),
	COLUMN(2373, used_pct, "TAKEN%", PCT, GAUGE, get_node_used_pct, 4, NODE_MEMINFO "MemUsed, MemTotal",
	       "the same of the total"),
	COLUMN(2374, free_bytes, "FREE", BYTES, GAUGE, get_node_free, 0, NODE_MEMINFO "MemFree",
	       "memory nobody uses"),
	COLUMN(2375, file_bytes, "CACHE", BYTES, GAUGE, get_node_file, 3, NODE_MEMINFO "FilePages",
	       "page cache, with shared memory"),
	COLUMN(2376, anon_bytes, "ANON", BYTES, GAUGE, get_node_anon, 3, NODE_MEMINFO "AnonPages",
	       "heaps and stacks of processes"),
	COLUMN(2377, shmem_bytes, "SHARED", BYTES, GAUGE, get_node_shmem, 7, NODE_MEMINFO "Shmem",
	       "shared memory and tmpfs"),
	COLUMN(2378, slab_bytes, "SLAB", BYTES, GAUGE, get_node_slab, 5, NODE_MEMINFO "Slab", "kernel objects"),
	COLUMN(2379, slab_reclaimable_bytes,
	       "SLAB-RECL", BYTES, GAUGE, get_node_slab_reclaimable, 8, NODE_MEMINFO "SReclaimable",
	       "of those, what can be given back"),
	COLUMN(2380, dirty_bytes, "DIRTY", BYTES, GAUGE, get_node_dirty, 7, NODE_MEMINFO "Dirty",
	       "waiting to be written back"),
	COLUMN(2381, writeback_bytes, "WRITEBACK", BYTES, GAUGE, get_node_writeback, 8, NODE_MEMINFO "Writeback",
	       "being written back"),
	COLUMN(2382, active_bytes, "ACTIVE", BYTES, GAUGE, get_node_active, 8, NODE_MEMINFO "Active",
	       "recently used"),
	COLUMN(2383, inactive_bytes, "INACTIVE", BYTES, GAUGE, get_node_inactive, 8, NODE_MEMINFO "Inactive",
	       "first to be reclaimed"),
	COLUMN(2384, mapped_bytes, "MAPPED", BYTES, GAUGE, get_node_mapped, 8, NODE_MEMINFO "Mapped",
	       "file pages mapped by processes"),
	COLUMN(2385, kernel_stack_bytes, "STACKS", BYTES, GAUGE, get_node_kernel_stack, 9, NODE_MEMINFO "KernelStack",
	       "kernel stacks of tasks"),
	COLUMN(2386, page_tables_bytes, "PAGETABLES", BYTES, GAUGE, get_node_page_tables, 9, NODE_MEMINFO "PageTables",
	       "page tables"),
	COLUMN(2387, anon_huge_bytes,
	       "ANON-HUGE", BYTES, GAUGE, get_node_anon_huge, 9, NODE_MEMINFO "AnonHugePages",
	       "heaps and stacks in transparent huge pages"),
	COLUMN(2388, local_pages_per_s, "LOCAL/s", PER_S, RATE, get_node_local, 4, NUMASTAT "local_node",
	       "pages taken by tasks that ran here"),
	COLUMN(2389, other_pages_per_s, "REMOTE/s", PER_S, RATE, get_node_other, 3, NUMASTAT "other_node",
	       "pages taken by tasks that ran on another node"),
	COLUMN(2390, hit_pages_per_s, "HIT/s", PER_S, RATE, get_node_hit, 6, NUMASTAT "numa_hit",
	       "pages taken here as wanted"),
	COLUMN(2391, miss_pages_per_s, "MISS/s", PER_S, RATE, get_node_miss, 5, NUMASTAT "numa_miss",
	       "pages taken here though wanted elsewhere"),
	COLUMN(2392, foreign_pages_per_s,
	       "FOREIGN/s", PER_S, RATE, get_node_foreign, 6, NUMASTAT "numa_foreign",
	       "pages wanted here and taken elsewhere"),
	COLUMN(2393, interleave_pages_per_s,
	       "INTERLEAVE/s", PER_S, RATE, get_node_interleave_hit, 9, NUMASTAT "interleave_hit",
	       "pages interleaved, taken here as wanted"),
	COLUMN(2394, cpus, "CPUS", TEXT, LABEL, get_node_cpus, 6, "/sys/devices/system/node/node*/cpulist",
	       "CPUs of the node"),
	COLUMN(2395, distance, "DISTANCE", TEXT, LABEL, get_node_distance, 8,
	       "/sys/devices/system/node/node*/distance",
	       "to each node; 10 is its own"),
};

const struct entity entity_numa_node = {
	.name = "numa_node",
	.help = "memory of one NUMA node",
	COLUMNS(node_columns),
	.shown = "node,total_bytes,used_bytes,used_pct,free_bytes,file_bytes,anon_bytes,slab_bytes,local_pages_per_s,"
		 "other_pages_per_s,miss_pages_per_s,cpus",
};

/* ---- huge pages ---- */

#define POOL (&((const struct huge_row *)row)->pool)
#define HUGEPAGES "/sys/kernel/mm/hugepages/*/"
static struct cell get_pool_node(const void *row) { return cell_text(((const struct huge_row *)row)->node); }
static struct cell get_pool_size(const void *row) { return cell_reading(POOL->page_bytes); }
static struct cell get_pool_pages(const void *row) { return cell_reading(POOL->pages); }
static struct cell get_pool_free(const void *row) { return cell_reading(POOL->free); }
static struct cell get_pool_reserved(const void *row) { return cell_reading(POOL->reserved); }
static struct cell get_pool_surplus(const void *row) { return cell_reading(POOL->surplus); }
static struct cell get_pool_overcommit(const void *row) { return cell_reading(POOL->overcommit); }
static reading pool_used(const struct huge_pool *p)
{
	return reading_delta(p->free, p->pages);
}
static struct cell get_pool_used(const void *row) { return cell_reading(pool_used(POOL)); }
static struct cell get_pool_bytes(const void *row)
{
	return cell_reading(pages_in_bytes(POOL->pages, POOL->page_bytes));
}
/* Promised pages are not to be had. */
static struct cell get_pool_idle(const void *row)
{
	reading reserved = POOL->reserved == READING_ABSENT ? 0 : POOL->reserved;

	return cell_reading(pages_in_bytes(reading_delta(reserved, POOL->free), POOL->page_bytes));
}

static const struct column pool_columns[] = {
	COLUMN(2010, node, "NODE", TEXT, LABEL, get_pool_node, 0, HUGEPAGES, "NUMA node; all: the host"),
	COLUMN(2011, page_bytes, "PAGE", BYTES, LABEL, get_pool_size, 0, HUGEPAGES, "size of its pages"),
	COLUMN(2012, pages, "PAGES", COUNT, GAUGE, get_pool_pages, 0, HUGEPAGES "nr_hugepages",
	       "pages in the pool, surplus included"),
	COLUMN(2013, bytes, "SIZE", BYTES, GAUGE, get_pool_bytes, 1, HUGEPAGES "nr_hugepages",
	       "memory the pool takes, used or not"),
	COLUMN(2014, used_pages, "USED", COUNT, GAUGE, get_pool_used, 1, HUGEPAGES "nr_hugepages, free_hugepages",
	       "pages that are used"),
	COLUMN(2015, free_pages, "FREE", COUNT, GAUGE, get_pool_free, 1, HUGEPAGES "free_hugepages",
	       "pages nobody uses"),
	COLUMN(2016, reserved_pages, "PROMISED", COUNT, GAUGE, get_pool_reserved, 3, HUGEPAGES "resv_hugepages",
	       "free pages that are promised"),
	COLUMN(2017, surplus_pages, "SURPLUS", COUNT, GAUGE, get_pool_surplus, 4, HUGEPAGES "surplus_hugepages",
	       "pages beyond what was set up"),
	COLUMN(2018, overcommit_pages,
	       "MAXSURPLUS", COUNT, GAUGE, get_pool_overcommit, 5, HUGEPAGES "nr_overcommit_hugepages",
	       "how many of those there may be"),
	COLUMN(2019, idle_bytes,
	       "IDLE", BYTES, GAUGE, get_pool_idle, 2, HUGEPAGES "free_hugepages, resv_hugepages",
	       "memory set aside that nobody uses or was promised"),
};

const struct entity entity_huge_pool = {
	.name = "huge_pool",
	.help = "a pool of huge pages (hugetlbfs)",
	COLUMNS(pool_columns),
	.shown = "node,page_bytes,pages,bytes,used_pages,free_pages,reserved_pages,surplus_pages,overcommit_pages,idle_bytes",
};

/* ---- swap ---- */

#define SWAP ((const struct swap_device *)row)
static struct cell get_swap_name(const void *row) { return cell_text(SWAP->name); }
static struct cell get_swap_type(const void *row) { return cell_text(SWAP->type); }
static struct cell get_swap_total(const void *row) { return cell_reading(SWAP->total_bytes); }
static struct cell get_swap_used(const void *row) { return cell_reading(SWAP->used_bytes); }
static struct cell get_swap_pct(const void *row) { return cell_share(SWAP->used_bytes, (double)SWAP->total_bytes); }
static struct cell get_swap_priority(const void *row) { return cell_real((double)SWAP->priority); }

static const struct column swap_columns[] = {
	COLUMN_ELASTIC(2060, device, "DEVICE", TEXT, LABEL, get_swap_name, 0, "/proc/swaps",
	               "path of the device or file"),
	COLUMN(2061, type, "TYPE", TEXT, LABEL, get_swap_type, 3, "/proc/swaps", "partition or file"),
	COLUMN(2062, total_bytes, "SIZE", BYTES, GAUGE, get_swap_total, 1, "/proc/swaps", "its size"),
	COLUMN(2063, used_bytes, "USED", BYTES, GAUGE, get_swap_used, 0, "/proc/swaps",
	       "what is swapped out to it"),
	COLUMN(2064, used_pct, "USED%", PCT, GAUGE, get_swap_pct, 2, "/proc/swaps", "the same of its size"),
	COLUMN(2065, priority, "PRIORITY", COUNT, LABEL, get_swap_priority, 4, "/proc/swaps",
	       "the highest is filled first"),
};

const struct entity entity_swap_device = {
	.name = "swap_device",
	.help = "a device or file to which memory is swapped",
	COLUMNS(swap_columns),
	.shown = "device,type,total_bytes,used_bytes,used_pct,priority",
};

#define ZRAM ((const struct zram *)row)
#define MM_STAT "/sys/block/zram*/mm_stat "
static struct cell get_zram_name(const void *row) { return cell_text(ZRAM->name); }
static struct cell get_zram_disk(const void *row) { return cell_reading(ZRAM->disk_bytes); }
#define ZRAM_READING(name) \
	static struct cell get_zram_##name(const void *row) { return cell_reading(ZRAM->name); }
ZRAM_READING(stored_bytes)
ZRAM_READING(compressed_bytes)
ZRAM_READING(memory_bytes)
ZRAM_READING(limit_bytes)
ZRAM_READING(peak_bytes)
ZRAM_READING(same_pages)
ZRAM_READING(huge_pages)
static struct cell get_zram_ratio(const void *row)
{
	return cell_real(reading_value(ZRAM->stored_bytes) / reading_value(ZRAM->memory_bytes));
}
static struct cell get_zram_algorithm(const void *row)
{
	return ZRAM->algorithm[0] ? cell_text(ZRAM->algorithm) : cell_reading(READING_ABSENT);
}

static const struct column zram_columns[] = {
	COLUMN(2070, device, "DEVICE", TEXT, LABEL, get_zram_name, 0, "/sys/block", "compressed memory device"),
	COLUMN(2071, disk_bytes, "SIZE", BYTES, GAUGE, get_zram_disk, 2, "/sys/block/zram*/disksize",
	       "what it pretends to be"),
	COLUMN(2072, stored_bytes, "STORED", BYTES, GAUGE, get_zram_stored_bytes, 0, MM_STAT "orig_data_size",
	       "data in it, before compression"),
	COLUMN(2073, compressed_bytes, "COMPRESSED", BYTES, GAUGE, get_zram_compressed_bytes, 3, MM_STAT "compr_data_size",
	       "the same compressed"),
	COLUMN(2074, memory_bytes, "MEMORY", BYTES, GAUGE, get_zram_memory_bytes, 0, MM_STAT "mem_used_total",
	       "memory it takes"),
	COLUMN(2075, ratio, "RATIO", COUNT, GAUGE, get_zram_ratio, 1, MM_STAT, "data for each byte of memory"),
	COLUMN(2076, limit_bytes, "LIMIT", BYTES, GAUGE, get_zram_limit_bytes, 6, MM_STAT "mem_limit",
	       "memory it may take; 0: any"),
	COLUMN(2077, peak_bytes, "PEAK", BYTES, GAUGE, get_zram_peak_bytes, 5, MM_STAT "mem_used_max",
	       "memory it took at most"),
	COLUMN(2078, same_pages, "SAME", COUNT, GAUGE, get_zram_same_pages, 7, MM_STAT "same_pages",
	       "pages of one value, which take no memory"),
	COLUMN(2079, incompressible_pages, "INCOMPR", COUNT, GAUGE, get_zram_huge_pages, 6, MM_STAT "huge_pages",
	       "pages that do not compress"),
	COLUMN(2088, algorithm, "ALGORITHM", TEXT, LABEL, get_zram_algorithm, 4, "/sys/block/zram*/comp_algorithm",
	       "how it compresses"),
};

const struct entity entity_zram = {
	.name = "zram",
	.help = "a compressed memory device",
	COLUMNS(zram_columns),
	.shown = "device,disk_bytes,stored_bytes,compressed_bytes,memory_bytes,ratio,peak_bytes,incompressible_pages,algorithm",
};
