/* /proc/meminfo. Privilege: none. Cost: one file, ~15 us. Since: MemAvailable 3.14.
 * Units: kB (1024 bytes) in the kernel, bytes here. */
#ifndef OSPREY_SOURCE_MEMORY_MEMINFO_H
#define OSPREY_SOURCE_MEMORY_MEMINFO_H

#include "base/field.h"
#include "kernel/host.h"

/* In the kernel's line order. */
#define MEMINFO_FIELDS(FIELD)                                                                        \
	FIELD(200, total_bytes, "MemTotal", BYTES, GAUGE, "memory the kernel manages")               \
	FIELD(201, free_bytes, "MemFree", BYTES, GAUGE, "memory nobody uses")                        \
	FIELD(202, available_bytes, "MemAvailable", BYTES, GAUGE, "memory to be had without swapping") \
	FIELD(203, buffers_bytes, "Buffers", BYTES, GAUGE, "page cache of block devices")            \
	FIELD(204, cached_bytes, "Cached", BYTES, GAUGE, "page cache of files, with shared memory")  \
	FIELD(205, swap_cached_bytes, "SwapCached", BYTES, GAUGE, "in memory and in swap")           \
	FIELD(206, active_bytes, "Active", BYTES, GAUGE, "recently used")                            \
	FIELD(207, inactive_bytes, "Inactive", BYTES, GAUGE, "first to be reclaimed")                \
	FIELD(208, active_anon_bytes, "Active(anon)", BYTES, GAUGE, "anonymous, recently used")      \
	FIELD(209, inactive_anon_bytes, "Inactive(anon)", BYTES, GAUGE, "anonymous, less used")      \
	FIELD(210, active_file_bytes, "Active(file)", BYTES, GAUGE, "file pages, recently used")     \
	FIELD(211, inactive_file_bytes, "Inactive(file)", BYTES, GAUGE, "file pages, less used")     \
	FIELD(212, unevictable_bytes, "Unevictable", BYTES, GAUGE, "cannot be reclaimed")            \
	FIELD(213, mlocked_bytes, "Mlocked", BYTES, GAUGE, "locked by mlock")                        \
	FIELD(214, swap_total_bytes, "SwapTotal", BYTES, GAUGE, "swap space")                        \
	FIELD(215, swap_free_bytes, "SwapFree", BYTES, GAUGE, "swap space unused")                   \
	FIELD(2150, zswap_bytes, "Zswap", BYTES, GAUGE, "memory that compressed swap pages take")    \
	FIELD(2151, zswapped_bytes, "Zswapped", BYTES, GAUGE, "the same before compression")         \
	FIELD(216, dirty_bytes, "Dirty", BYTES, GAUGE, "waiting to be written back")                 \
	FIELD(217, writeback_bytes, "Writeback", BYTES, GAUGE, "being written back")                 \
	FIELD(218, anon_bytes, "AnonPages", BYTES, GAUGE, "anonymous memory mapped by processes")    \
	FIELD(219, mapped_bytes, "Mapped", BYTES, GAUGE, "file pages mapped by processes")           \
	FIELD(220, shmem_bytes, "Shmem", BYTES, GAUGE, "shared memory and tmpfs")                    \
	FIELD(221, slab_reclaimable_bytes, "SReclaimable", BYTES, GAUGE, "kernel caches that shrink") \
	FIELD(222, slab_unreclaimable_bytes, "SUnreclaim", BYTES, GAUGE, "kernel objects that do not") \
	FIELD(223, kernel_stack_bytes, "KernelStack", BYTES, GAUGE, "kernel stacks of tasks")        \
	FIELD(224, page_tables_bytes, "PageTables", BYTES, GAUGE, "page tables")                     \
	FIELD(2152, secondary_page_tables_bytes, "SecPageTables", BYTES, GAUGE, "page tables of guests and IOMMUs") \
	FIELD(225, commit_limit_bytes, "CommitLimit", BYTES, GAUGE, "overcommit limit (mode 2)")     \
	FIELD(226, committed_bytes, "Committed_AS", BYTES, GAUGE, "memory promised to processes")    \
	FIELD(2153, vmalloc_bytes, "VmallocUsed", BYTES, GAUGE, "kernel memory mapped page by page, stacks included") \
	FIELD(2154, percpu_bytes, "Percpu", BYTES, GAUGE, "kernel data kept for each CPU")           \
	FIELD(2155, corrupted_bytes, "HardwareCorrupted", BYTES, GAUGE, "taken out of use after memory errors") \
	FIELD(2156, anon_huge_bytes, "AnonHugePages", BYTES, GAUGE, "anonymous memory in transparent huge pages") \
	FIELD(2157, shmem_huge_bytes, "ShmemHugePages", BYTES, GAUGE, "shared memory in transparent huge pages") \
	FIELD(2158, file_huge_bytes, "FileHugePages", BYTES, GAUGE, "page cache in transparent huge pages") \
	FIELD(227, huge_pages_total, "HugePages_Total", COUNT, GAUGE, "reserved huge pages")         \
	FIELD(228, huge_pages_free, "HugePages_Free", COUNT, GAUGE, "reserved huge pages unused") \
	FIELD(2159, huge_pages_reserved, "HugePages_Rsvd", COUNT, GAUGE, "free huge pages that are promised") \
	FIELD(2160, huge_pages_surplus, "HugePages_Surp", COUNT, GAUGE, "huge pages beyond what was set up") \
	FIELD(2161, huge_page_bytes, "Hugepagesize", BYTES, GAUGE, "size of a default huge page")    \
	FIELD(2162, hugetlb_bytes, "Hugetlb", BYTES, GAUGE, "memory in huge page pools of all sizes")

struct meminfo {
	enum presence presence;
	MEMINFO_FIELDS(FIELD_MEMBER)
};

extern const struct field meminfo_fields[];
extern const size_t meminfo_nfields;

void meminfo_parse(struct span text, struct meminfo *ret);
void meminfo_read(struct host *h, struct buf *scratch, struct meminfo *ret);

#endif
