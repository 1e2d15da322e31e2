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
	FIELD(216, dirty_bytes, "Dirty", BYTES, GAUGE, "waiting to be written back")                 \
	FIELD(217, writeback_bytes, "Writeback", BYTES, GAUGE, "being written back")                 \
	FIELD(218, anon_bytes, "AnonPages", BYTES, GAUGE, "anonymous memory mapped by processes")    \
	FIELD(219, mapped_bytes, "Mapped", BYTES, GAUGE, "file pages mapped by processes")           \
	FIELD(220, shmem_bytes, "Shmem", BYTES, GAUGE, "shared memory and tmpfs")                    \
	FIELD(221, slab_reclaimable_bytes, "SReclaimable", BYTES, GAUGE, "kernel caches that shrink") \
	FIELD(222, slab_unreclaimable_bytes, "SUnreclaim", BYTES, GAUGE, "kernel objects that do not") \
	FIELD(223, kernel_stack_bytes, "KernelStack", BYTES, GAUGE, "kernel stacks of tasks")        \
	FIELD(224, page_tables_bytes, "PageTables", BYTES, GAUGE, "page tables")                     \
	FIELD(225, commit_limit_bytes, "CommitLimit", BYTES, GAUGE, "overcommit limit (mode 2)")     \
	FIELD(226, committed_bytes, "Committed_AS", BYTES, GAUGE, "memory promised to processes")    \
	FIELD(227, huge_pages_total, "HugePages_Total", COUNT, GAUGE, "reserved huge pages")         \
	FIELD(228, huge_pages_free, "HugePages_Free", COUNT, GAUGE, "reserved huge pages unused")

struct meminfo {
	enum presence presence;
	MEMINFO_FIELDS(FIELD_MEMBER)
};

extern const struct field meminfo_fields[];
extern const size_t meminfo_nfields;

void meminfo_parse(struct span text, struct meminfo *ret);
void meminfo_read(struct host *h, struct buf *scratch, struct meminfo *ret);

#endif
