/* Memory: who has it, who waits for it, and how near it is to its end. For the views of free, vmstat,
 * swapon, numastat and of readers of zoneinfo.
 *
 * view_memory is for one look: the host's figures, what they are made of, swap, huge pages, zones, nodes.
 * view_memory_lines is for many: what vmstat shows, one line a look; its other tables on request.
 * Only what the wanted tables need is read. Reads /proc/{meminfo,vmstat,pressure/memory,zoneinfo,
 * buddyinfo,swaps}, /sys/kernel/mm, /sys/devices/system/node, /sys/block/zram*: ~1 ms, or ~60 us when
 * vm is all that is shown. Privilege: none. */
#ifndef OSPREY_VIEW_MEMORY_VIEW_H
#define OSPREY_VIEW_MEMORY_VIEW_H

#include "source/cpu/psi.h"
#include "source/memory/huge_page.h"
#include "source/memory/meminfo.h"
#include "source/memory/node_memory.h"
#include "source/memory/swap.h"
#include "source/memory/vmstat.h"
#include "source/memory/zone.h"
#include "view/view.h"

extern const struct view view_memory, view_memory_lines;

/* A row of the entities memory and vm. */
struct memory_row {
	struct meminfo memory;
	struct vmstat vmstat; /* counters: growth over `seconds`; gauges: now */
	struct psi_line stalls; /* growth */
	struct thp thp;
	struct zswap zswap;
	reading overcommit_mode; /* /proc/sys/vm/overcommit_memory: 0 by guess, 1 always, 2 by the limit */
	uint64_t page_bytes;
	double seconds;
};

reading memory_less(reading a, reading b); /* a - b, 0 when b is more */
reading memory_used_bytes(const struct memory_row *r);	  /* total - available, as free says it */
reading memory_cache_bytes(const struct memory_row *r);	  /* buffers, cached, reclaimable slab: free's buff/cache */
reading memory_file_cache_bytes(const struct memory_row *r); /* pages of files: cached without shared memory */
reading memory_swap_used_bytes(const struct memory_row *r);

/* A part of the memory; all parts add up to the whole. */
struct memory_part {
	const char *name;
	const char *state; /* "used", "cache": given back when programs want it, "free" */
	const char *what;
	reading bytes;
	reading total_bytes; /* of the host */
};

struct zone_row {
	struct zone zone;
	uint64_t page_bytes;
	double unusable_pct; /* for a transparent huge page; NaN: not known */
	char protection[80];
};

/* Free blocks of one order in one zone. */
struct free_row {
	uint32_t node, order;
	const char *zone;
	uint64_t blocks, page_bytes;
	double unusable_pct;
};

struct node_row {
	struct node_memory node;
	struct numastat growth;
	double seconds;
};

struct huge_row {
	struct huge_pool pool;
	char node[16]; /* "all": of the host */
};

/* For the command's first words. */
struct memory_overview {
	const struct memory_row *row;
	const struct zone_row *nearest; /* the zone whose free pages are nearest to its min; NULL: none known */
	const char *no_zones;		/* why there are none; NULL: there are */
};
struct memory_overview memory_overview(void *state);
double zone_free_of_min(const struct zone_row *r);
/* "below min", …: what a zone's free pages mean. */
const char *zone_state(const struct zone_row *r);

extern const struct entity entity_memory, entity_memory_part, entity_vm, entity_zone, entity_free_block, entity_numa_node,
	entity_huge_pool, entity_swap_device, entity_zram;

#endif
