/* /proc/vmstat: counters of reclaim, swapping, faults and the OOM killer.
 * Privilege: none. Cost: one file of ~190 lines, ~30 us. Event counters of a memory
 * cgroup's own reclaim do not move the global pgscan_direct; look at the cgroup too.
 * Units: pages or events since boot. Since: oom_kill 4.13, workingset_refault_anon 5.9
 * (before it one workingset_refault), pgscan_direct without zone suffix 4.8. */
#ifndef OSPREY_SOURCE_MEMORY_VMSTAT_H
#define OSPREY_SOURCE_MEMORY_VMSTAT_H

#include "base/field.h"
#include "kernel/host.h"

/* In the kernel's line order. */
#define VMSTAT_FIELDS(FIELD)                                                                                  \
	FIELD(2172, zsmalloc, "nr_zspages", PAGES, GAUGE, "compressed pages of zram and zswap")               \
	FIELD(300, refault_anon, "workingset_refault_anon", PAGES, COUNTER, "swapped out and soon wanted again") \
	FIELD(301, refault_file, "workingset_refault_file", PAGES, COUNTER, "file pages evicted and soon wanted again") \
	FIELD(302, activate_anon, "workingset_activate_anon", PAGES, COUNTER, "refaults that were of the working set") \
	FIELD(303, activate_file, "workingset_activate_file", PAGES, COUNTER, "refaults that were of the working set") \
	FIELD(304, dirtied, "nr_dirtied", PAGES, COUNTER, "pages made dirty")                                 \
	FIELD(305, written, "nr_written", PAGES, COUNTER, "pages written back")                               \
	FIELD(306, dirty_threshold, "nr_dirty_threshold", PAGES, GAUGE, "writers are throttled above")        \
	FIELD(307, pages_in_kib, "pgpgin", COUNT, COUNTER, "KiB read from block devices")                     \
	FIELD(308, pages_out_kib, "pgpgout", COUNT, COUNTER, "KiB written to block devices")                  \
	FIELD(309, swap_in, "pswpin", PAGES, COUNTER, "pages swapped in")                                     \
	FIELD(310, swap_out, "pswpout", PAGES, COUNTER, "pages swapped out")                                  \
	FIELD(2170, alloc_stall_dma, "allocstall_dma", COUNT, COUNTER, "allocations that had to reclaim")     \
	FIELD(2171, alloc_stall_dma32, "allocstall_dma32", COUNT, COUNTER, "allocations that had to reclaim") \
	FIELD(311, alloc_stall_normal, "allocstall_normal", COUNT, COUNTER, "allocations that had to reclaim") \
	FIELD(312, alloc_stall_movable, "allocstall_movable", COUNT, COUNTER, "allocations that had to reclaim") \
	FIELD(313, faults, "pgfault", COUNT, COUNTER, "page faults")                                          \
	FIELD(314, major_faults, "pgmajfault", COUNT, COUNTER, "page faults that read from disk or swap")     \
	FIELD(315, steal_kswapd, "pgsteal_kswapd", PAGES, COUNTER, "reclaimed in the background")             \
	FIELD(316, steal_direct, "pgsteal_direct", PAGES, COUNTER, "reclaimed by allocating tasks")           \
	FIELD(317, scan_kswapd, "pgscan_kswapd", PAGES, COUNTER, "scanned in the background")                 \
	FIELD(318, scan_direct, "pgscan_direct", PAGES, COUNTER, "scanned by allocating tasks")               \
	FIELD(319, oom_kill, "oom_kill", COUNT, COUNTER, "processes killed for want of memory, host or cgroup") \
	FIELD(320, compact_stall, "compact_stall", COUNT, COUNTER, "allocations that waited for compaction")  \
	FIELD(2173, thp_fault_alloc, "thp_fault_alloc", COUNT, COUNTER, "page faults served by a huge page")  \
	FIELD(321, thp_fault_fallback, "thp_fault_fallback", COUNT, COUNTER, "huge page faults served by small pages")

struct vmstat {
	enum presence presence;
	VMSTAT_FIELDS(FIELD_MEMBER)
};

extern const struct field vmstat_fields[];
extern const size_t vmstat_nfields;

void vmstat_parse(struct span text, struct vmstat *ret);
void vmstat_read(struct host *h, struct buf *scratch, struct vmstat *ret);

#endif
