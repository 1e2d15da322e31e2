/* Columns of the host's memory: its figures, their parts, its rates. */
#include "source/memory/page_size.h"
#include "view/memory_view.h"

#define ROW ((const struct memory_row *)row)
#define MEMINFO "/proc/meminfo "
#define VMSTAT "/proc/vmstat "

reading memory_less(reading a, reading b)
{
	if (!reading_ok(a) || !reading_ok(b))
		return reading_ok(a) ? b : a;
	return a > b ? a - b : 0;
}

reading memory_used_bytes(const struct memory_row *r)
{
	return memory_less(r->memory.total_bytes, r->memory.available_bytes);
}

reading memory_cache_bytes(const struct memory_row *r)
{
	return reading_sum(reading_sum(r->memory.buffers_bytes, r->memory.cached_bytes), r->memory.slab_reclaimable_bytes);
}

reading memory_file_cache_bytes(const struct memory_row *r)
{
	return memory_less(r->memory.cached_bytes, r->memory.shmem_bytes);
}

reading memory_swap_used_bytes(const struct memory_row *r)
{
	return memory_less(r->memory.swap_total_bytes, r->memory.swap_free_bytes);
}

#define OF_MEMINFO(name) \
	static struct cell get_##name(const void *row) { return cell_reading(ROW->memory.name); }
OF_MEMINFO(total_bytes)
OF_MEMINFO(free_bytes)
OF_MEMINFO(available_bytes)
OF_MEMINFO(buffers_bytes)
OF_MEMINFO(cached_bytes)
OF_MEMINFO(shmem_bytes)
OF_MEMINFO(anon_bytes)
OF_MEMINFO(mapped_bytes)
OF_MEMINFO(slab_reclaimable_bytes)
OF_MEMINFO(slab_unreclaimable_bytes)
OF_MEMINFO(kernel_stack_bytes)
OF_MEMINFO(page_tables_bytes)
OF_MEMINFO(vmalloc_bytes)
OF_MEMINFO(percpu_bytes)
OF_MEMINFO(hugetlb_bytes)
OF_MEMINFO(anon_huge_bytes)
OF_MEMINFO(shmem_huge_bytes)
OF_MEMINFO(file_huge_bytes)
OF_MEMINFO(dirty_bytes)
OF_MEMINFO(writeback_bytes)
OF_MEMINFO(mlocked_bytes)
OF_MEMINFO(unevictable_bytes)
OF_MEMINFO(active_anon_bytes)
OF_MEMINFO(inactive_anon_bytes)
OF_MEMINFO(active_file_bytes)
OF_MEMINFO(inactive_file_bytes)
OF_MEMINFO(swap_total_bytes)
OF_MEMINFO(swap_free_bytes)
OF_MEMINFO(swap_cached_bytes)
OF_MEMINFO(zswap_bytes)
OF_MEMINFO(zswapped_bytes)
OF_MEMINFO(committed_bytes)
OF_MEMINFO(commit_limit_bytes)
OF_MEMINFO(corrupted_bytes)

static struct cell get_used(const void *row) { return cell_reading(memory_used_bytes(ROW)); }
static struct cell get_used_pct(const void *row)
{
	return cell_share(memory_used_bytes(ROW), reading_value(ROW->memory.total_bytes));
}
static struct cell get_cache(const void *row) { return cell_reading(memory_cache_bytes(ROW)); }
static struct cell get_file_cache(const void *row) { return cell_reading(memory_file_cache_bytes(ROW)); }
static struct cell get_slab(const void *row)
{
	return cell_reading(reading_sum(ROW->memory.slab_reclaimable_bytes, ROW->memory.slab_unreclaimable_bytes));
}
static struct cell get_swap_used(const void *row) { return cell_reading(memory_swap_used_bytes(ROW)); }
static struct cell get_committed_pct(const void *row)
{
	return cell_share(ROW->memory.committed_bytes, reading_value(ROW->memory.commit_limit_bytes));
}
static struct cell get_overcommit(const void *row)
{
	static const char *const modes[] = { "guess", "always", "limit" };
	reading mode = ROW->overcommit_mode;

	return reading_ok(mode) && mode < 3 ? cell_text(modes[mode]) : cell_reading(mode);
}
static struct cell stall(reading ns, double seconds)
{
	return cell_share(ns, seconds * 1e9);
}
static struct cell get_some(const void *row) { return stall(ROW->stalls.some_ns, ROW->seconds); }
static struct cell get_full(const void *row) { return stall(ROW->stalls.full_ns, ROW->seconds); }

static struct cell word(const char *text)
{
	return *text ? cell_text(text) : cell_reading(READING_ABSENT);
}
static struct cell get_thp_enabled(const void *row) { return word(ROW->thp.enabled); }
static struct cell get_thp_defrag(const void *row) { return word(ROW->thp.defrag); }
static struct cell get_thp_shmem(const void *row) { return word(ROW->thp.shmem); }
static struct cell get_thp_bytes(const void *row) { return cell_reading(ROW->thp.page_bytes); }
static struct cell get_zsmalloc(const void *row)
{
	return cell_reading(pages_in_bytes(ROW->vmstat.zsmalloc, ROW->page_bytes));
}
static struct cell get_zswap(const void *row)
{
	if (ROW->zswap.presence != PRESENT)
		return cell_reading(READING_ABSENT);
	return cell_text(ROW->zswap.enabled ? ROW->zswap.compressor[0] ? ROW->zswap.compressor : "on" : "off");
}

static const struct column memory_columns[] = {
	COLUMN(2250, total_bytes, "TOTAL", BYTES, GAUGE, get_total_bytes, 1, MEMINFO "MemTotal",
	       "memory the kernel manages"),
	COLUMN(2251, used_bytes, "USED", BYTES, GAUGE, get_used, 1, MEMINFO "MemTotal, MemAvailable",
	       "total less available: what cannot be had without swapping, as free says it"),
	COLUMN(2252, used_pct, "USED%", PCT, GAUGE, get_used_pct, 3, MEMINFO "MemTotal, MemAvailable",
	       "used of the total"),
	COLUMN(2253, free_bytes, "FREE", BYTES, GAUGE, get_free_bytes, 2, MEMINFO "MemFree",
	       "memory nobody uses, not even as cache"),
	COLUMN(2254, available_bytes, "AVAILABLE", BYTES, GAUGE, get_available_bytes, 0, MEMINFO "MemAvailable",
	       "what programs can still have without swapping: free, and the cache that can be given back"),
	COLUMN(2255, cache_bytes, "CACHE", BYTES, GAUGE, get_cache, 3, MEMINFO "Buffers, Cached, SReclaimable",
	       "buffers, page cache, shared memory and reclaimable slab: buff/cache of free"),
	COLUMN(2256, buffers_bytes, "BUFFERS", BYTES, GAUGE, get_buffers_bytes, 7, MEMINFO "Buffers",
	       "page cache of block devices"),
	COLUMN(2257, cached_bytes, "CACHED", BYTES, GAUGE, get_cached_bytes, 7, MEMINFO "Cached",
	       "page cache of files, with shared memory"),
	COLUMN(2258, file_cache_bytes, "FILECACHE", BYTES, GAUGE, get_file_cache, 7, MEMINFO "Cached, Shmem",
	       "page cache of files, without shared memory"),
	COLUMN(2259, shmem_bytes, "SHARED", BYTES, GAUGE, get_shmem_bytes, 4, MEMINFO "Shmem",
	       "shared memory and tmpfs; cached, yet it can only be swapped"),
	COLUMN(2260, anon_bytes, "ANON", BYTES, GAUGE, get_anon_bytes, 6, MEMINFO "AnonPages",
	       "heaps and stacks of processes"),
	COLUMN(2261, mapped_bytes, "MAPPED", BYTES, GAUGE, get_mapped_bytes, 8, MEMINFO "Mapped",
	       "file pages mapped by processes"),
	COLUMN(2262, slab_bytes, "SLAB", BYTES, GAUGE, get_slab, 6, MEMINFO "SReclaimable, SUnreclaim",
	       "kernel objects (osprey slab)"),
	COLUMN(2263, slab_reclaimable_bytes,
	       "SLAB-RECL", BYTES, GAUGE, get_slab_reclaimable_bytes, 8, MEMINFO "SReclaimable",
	       "kernel objects that can be given back"),
	COLUMN(2264, slab_unreclaimable_bytes,
	       "SLAB-UNRECL", BYTES, GAUGE, get_slab_unreclaimable_bytes, 8, MEMINFO "SUnreclaim",
	       "kernel objects that cannot"),
	COLUMN(2265, kernel_stack_bytes, "STACKS", BYTES, GAUGE, get_kernel_stack_bytes, 8, MEMINFO "KernelStack",
	       "kernel stacks of tasks"),
	COLUMN(2266, page_tables_bytes, "PAGETABLES", BYTES, GAUGE, get_page_tables_bytes, 8, MEMINFO "PageTables",
	       "page tables"),
	COLUMN(2267, vmalloc_bytes, "VMALLOC", BYTES, GAUGE, get_vmalloc_bytes, 8, MEMINFO "VmallocUsed",
	       "kernel memory mapped page by page, stacks included"),
	COLUMN(2268, percpu_bytes, "PERCPU", BYTES, GAUGE, get_percpu_bytes, 8, MEMINFO "Percpu",
	       "kernel data kept for each CPU"),
	COLUMN(2269, hugetlb_bytes, "HUGETLB", BYTES, GAUGE, get_hugetlb_bytes, 7, MEMINFO "Hugetlb",
	       "huge page pools, whether used or not"),
	COLUMN(2270, anon_huge_bytes,
	       "ANON-HUGE", BYTES, GAUGE, get_anon_huge_bytes, 8, MEMINFO "AnonHugePages",
	       "heaps and stacks in transparent huge pages"),
	COLUMN(2271, shmem_huge_bytes,
	       "SHARED-HUGE", BYTES, GAUGE, get_shmem_huge_bytes, 9, MEMINFO "ShmemHugePages",
	       "shared memory in transparent huge pages"),
	COLUMN(2272, file_huge_bytes,
	       "FILE-HUGE", BYTES, GAUGE, get_file_huge_bytes, 9, MEMINFO "FileHugePages",
	       "page cache in transparent huge pages"),
	COLUMN(2273, dirty_bytes, "DIRTY", BYTES, GAUGE, get_dirty_bytes, 6, MEMINFO "Dirty",
	       "waiting to be written back"),
	COLUMN(2274, writeback_bytes, "WRITEBACK", BYTES, GAUGE, get_writeback_bytes, 7, MEMINFO "Writeback",
	       "being written back"),
	COLUMN(2275, mlocked_bytes, "LOCKED", BYTES, GAUGE, get_mlocked_bytes, 8, MEMINFO "Mlocked",
	       "locked by mlock"),
	COLUMN(2276, unevictable_bytes,
	       "UNEVICTABLE", BYTES, GAUGE, get_unevictable_bytes, 8, MEMINFO "Unevictable",
	       "pages that cannot be reclaimed"),
	COLUMN(2277, active_anon_bytes, "ACT-ANON", BYTES, GAUGE, get_active_anon_bytes, 9, MEMINFO "Active(anon)",
	       "anonymous, recently used"),
	COLUMN(2278, inactive_anon_bytes,
	       "INACT-ANON", BYTES, GAUGE, get_inactive_anon_bytes, 9, MEMINFO "Inactive(anon)",
	       "anonymous, first to be swapped"),
	COLUMN(2279, active_file_bytes, "ACT-FILE", BYTES, GAUGE, get_active_file_bytes, 9, MEMINFO "Active(file)",
	       "file pages, recently used"),
	COLUMN(2280, inactive_file_bytes,
	       "INACT-FILE", BYTES, GAUGE, get_inactive_file_bytes, 9, MEMINFO "Inactive(file)",
	       "file pages, first to be given back"),
	COLUMN(2281, swap_total_bytes, "SWAP", BYTES, GAUGE, get_swap_total_bytes, 5, MEMINFO "SwapTotal",
	       "swap space"),
	COLUMN(2282, swap_used_bytes, "SWAPUSED", BYTES, GAUGE, get_swap_used, 2, MEMINFO "SwapTotal, SwapFree",
	       "swap space in use"),
	COLUMN(2283, swap_free_bytes, "SWAPFREE", BYTES, GAUGE, get_swap_free_bytes, 7, MEMINFO "SwapFree",
	       "swap space unused"),
	COLUMN(2284, swap_cached_bytes, "SWAPCACHED", BYTES, GAUGE, get_swap_cached_bytes, 8, MEMINFO "SwapCached",
	       "in memory and in swap"),
	COLUMN(2285, zswap_bytes, "ZSWAP", BYTES, GAUGE, get_zswap_bytes, 8, MEMINFO "Zswap",
	       "memory of compressed swap pages (zswap)"),
	COLUMN(2286, zswapped_bytes, "ZSWAPPED", BYTES, GAUGE, get_zswapped_bytes, 8, MEMINFO "Zswapped",
	       "the same before compression"),
	COLUMN(2287, zsmalloc_bytes, "ZSMALLOC", BYTES, GAUGE, get_zsmalloc, 8, VMSTAT "nr_zspages",
	       "memory of zram and zswap"),
	COLUMN(2288, zswap, "ZSWAP-IS", TEXT, LABEL, get_zswap, 9, "/sys/module/zswap/parameters",
	       "off, or how zswap compresses"),
	COLUMN(2289, committed_bytes, "COMMIT", BYTES, GAUGE, get_committed_bytes, 5, MEMINFO "Committed_AS",
	       "memory promised to processes, touched or not"),
	COLUMN(2290, commit_limit_bytes,
	       "LIMIT", BYTES, GAUGE, get_commit_limit_bytes, 8, MEMINFO "CommitLimit",
	       "how much may be promised when the overcommit mode is limit"),
	COLUMN(2291, committed_pct, "COMMIT%", PCT, GAUGE, get_committed_pct, 8, MEMINFO "Committed_AS, CommitLimit",
	       "promised of the limit"),
	COLUMN(2292, overcommit, "OVERCOMMIT", TEXT, LABEL, get_overcommit, 9, "/proc/sys/vm/overcommit_memory",
	       "guess: absurd promises are refused; always: none; limit: what goes beyond it"),
	COLUMN(2293, corrupted_bytes,
	       "CORRUPTED", BYTES, GAUGE, get_corrupted_bytes, 8, MEMINFO "HardwareCorrupted",
	       "taken out of use after memory errors"),
	COLUMN(2294, thp_enabled, "THP", TEXT, LABEL, get_thp_enabled, 9,
	       "/sys/kernel/mm/transparent_hugepage/enabled",
	       "who gets transparent huge pages"),
	COLUMN(2295, thp_defrag, "THP-DEFRAG", TEXT, LABEL, get_thp_defrag, 9,
	       "/sys/kernel/mm/transparent_hugepage/defrag",
	       "who waits for memory to be made contiguous"),
	COLUMN(2296, thp_shmem, "THP-SHARED", TEXT, LABEL, get_thp_shmem, 9,
	       "/sys/kernel/mm/transparent_hugepage/shmem_enabled",
	       "which shared memory gets them"),
	COLUMN(2297, thp_page_bytes, "THP-SIZE", BYTES, GAUGE, get_thp_bytes, 9,
	       "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size",
	       "size of one"),
	COLUMN(2298, memory_some_pct, "STALL%", PCT, RATE, get_some, 1, "/proc/pressure/memory some",
	       "time in which a task waited for memory"),
	COLUMN(2299, memory_full_pct, "FULL%", PCT, RATE, get_full, 6, "/proc/pressure/memory full",
	       "time in which all tasks waited for memory"),
};

const struct entity entity_memory = {
	.name = "memory",
	.help = "the memory of the host",
	COLUMNS(memory_columns),
	.shown = "total_bytes,used_bytes,free_bytes,available_bytes,cache_bytes,shmem_bytes,dirty_bytes,swap_total_bytes,"
		 "swap_used_bytes,committed_bytes,memory_some_pct",
};

#define PART ((const struct memory_part *)row)
static struct cell get_part(const void *row) { return cell_text(PART->name); }
static struct cell get_part_bytes(const void *row) { return cell_reading(PART->bytes); }
static struct cell get_part_pct(const void *row) { return cell_share(PART->bytes, reading_value(PART->total_bytes)); }
static struct cell get_part_state(const void *row) { return cell_text(PART->state); }
static struct cell get_part_what(const void *row) { return cell_text(PART->what); }

static const struct column part_columns[] = {
	COLUMN(2300, part, "PART", TEXT, LABEL, get_part, 0, "/proc/meminfo",
	       "part of the memory; together they are all of it"),
	COLUMN(2301, bytes, "SIZE", BYTES, GAUGE, get_part_bytes, 0, "/proc/meminfo", "its size"),
	COLUMN(2302, total_pct, "SHARE%", PCT, GAUGE, get_part_pct, 1, "/proc/meminfo",
	       "its share of the total"),
	COLUMN(2303, state, "IS", TEXT, LABEL, get_part_state, 2, "-",
	       "used; cache: given back when programs want it; free"),
	COLUMN_ELASTIC(2304, what, "WHAT", TEXT, LABEL, get_part_what, 3, "-", "what it is"),
};

const struct entity entity_memory_part = {
	.name = "memory_part",
	.help = "what the memory is made of",
	COLUMNS(part_columns),
	.shown = "part,bytes,total_pct,state,what",
};

/* ---- rates ---- */

static struct cell rate(const void *row, reading growth)
{
	return cell_rate(growth, ROW->seconds);
}
static struct cell byte_rate(const void *row, reading growth, uint64_t unit)
{
	return reading_ok(growth) ? cell_real((double)growth * (double)unit / ROW->seconds) : cell_reading(growth);
}
#define RATE_OF(name) \
	static struct cell get_##name(const void *row) { return rate(row, ROW->vmstat.name); }
RATE_OF(faults)
RATE_OF(major_faults)
RATE_OF(scan_kswapd)
RATE_OF(scan_direct)
RATE_OF(steal_kswapd)
RATE_OF(steal_direct)
RATE_OF(refault_anon)
RATE_OF(refault_file)
RATE_OF(compact_stall)
RATE_OF(thp_fault_alloc)
RATE_OF(thp_fault_fallback)
static struct cell get_swap_in(const void *row) { return byte_rate(row, ROW->vmstat.swap_in, ROW->page_bytes); }
static struct cell get_swap_out(const void *row) { return byte_rate(row, ROW->vmstat.swap_out, ROW->page_bytes); }
static struct cell get_in(const void *row) { return byte_rate(row, ROW->vmstat.pages_in_kib, 1024); }
static struct cell get_out(const void *row) { return byte_rate(row, ROW->vmstat.pages_out_kib, 1024); }
static struct cell get_dirtied(const void *row) { return byte_rate(row, ROW->vmstat.dirtied, ROW->page_bytes); }
static struct cell get_written(const void *row) { return byte_rate(row, ROW->vmstat.written, ROW->page_bytes); }
/* Zones that a kernel lacks have no counter. */
static struct cell get_alloc_stalls(const void *row)
{
	const struct vmstat *v = &ROW->vmstat;
	const reading zones[] = { v->alloc_stall_dma, v->alloc_stall_dma32, v->alloc_stall_movable };
	reading sum = v->alloc_stall_normal;

	for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++)
		if (zones[i] != READING_ABSENT)
			sum = reading_sum(sum, zones[i]);
	return rate(row, sum);
}
static struct cell get_oom_kills(const void *row) { return cell_reading(ROW->vmstat.oom_kill); }

static const struct column vm_columns[] = {
	COLUMN(2310, available_bytes, "AVAIL", BYTES, GAUGE, get_available_bytes, 0, MEMINFO "MemAvailable",
	       "what programs can still have without swapping"),
	COLUMN(2311, free_bytes, "FREE", BYTES, GAUGE, get_free_bytes, 1, MEMINFO "MemFree",
	       "memory nobody uses"),
	COLUMN(2312, cache_bytes, "CACHE", BYTES, GAUGE, get_cache, 3, MEMINFO "Buffers, Cached, SReclaimable",
	       "buffers, page cache, reclaimable slab"),
	COLUMN(2313, anon_bytes, "ANON", BYTES, GAUGE, get_anon_bytes, 4, MEMINFO "AnonPages",
	       "heaps and stacks of processes"),
	COLUMN(2314, dirty_bytes, "DIRTY", BYTES, GAUGE, get_dirty_bytes, 5, MEMINFO "Dirty",
	       "waiting to be written back"),
	COLUMN(2315, writeback_bytes, "WBACK", BYTES, GAUGE, get_writeback_bytes, 6, MEMINFO "Writeback",
	       "being written back"),
	COLUMN(2316, swap_used_bytes, "SWAP", BYTES, GAUGE, get_swap_used, 3, MEMINFO "SwapTotal, SwapFree",
	       "swap space in use"),
	COLUMN(2317, swap_in_bytes_per_s, "SI/s", BYTES_PER_S, RATE, get_swap_in, 1, VMSTAT "pswpin",
	       "read from swap"),
	COLUMN(2318, swap_out_bytes_per_s, "SO/s", BYTES_PER_S, RATE, get_swap_out, 1, VMSTAT "pswpout",
	       "written to swap"),
	COLUMN(2319, in_bytes_per_s, "IN/s", BYTES_PER_S, RATE, get_in, 4, VMSTAT "pgpgin",
	       "read from block devices"),
	COLUMN(2320, out_bytes_per_s, "OUT/s", BYTES_PER_S, RATE, get_out, 4, VMSTAT "pgpgout",
	       "written to block devices"),
	COLUMN(2321, dirtied_bytes_per_s, "DIRTIED/s", BYTES_PER_S, RATE, get_dirtied, 8, VMSTAT "nr_dirtied",
	       "pages made dirty"),
	COLUMN(2322, written_bytes_per_s, "WRITTEN/s", BYTES_PER_S, RATE, get_written, 8, VMSTAT "nr_written",
	       "pages written back"),
	COLUMN(2323, faults_per_s, "FAULT/s", PER_S, RATE, get_faults, 5, VMSTAT "pgfault",
	       "page faults of all kinds"),
	COLUMN(2324, major_faults_per_s, "MAJFLT/s", PER_S, RATE, get_major_faults, 2, VMSTAT "pgmajfault",
	       "page faults that read from disk or swap"),
	COLUMN(2325, scan_kswapd_per_s, "KSCAN/s", PER_S, RATE, get_scan_kswapd, 6, VMSTAT "pgscan_kswapd",
	       "pages scanned in the background"),
	COLUMN(2326, steal_kswapd_per_s, "KSTEAL/s", PER_S, RATE, get_steal_kswapd, 7, VMSTAT "pgsteal_kswapd",
	       "pages reclaimed in the background"),
	COLUMN(2327, scan_direct_per_s, "DSCAN/s", PER_S, RATE, get_scan_direct, 2, VMSTAT "pgscan_direct",
	       "pages scanned by tasks that wait for memory"),
	COLUMN(2328, steal_direct_per_s, "DSTEAL/s", PER_S, RATE, get_steal_direct, 7, VMSTAT "pgsteal_direct",
	       "pages reclaimed by tasks that wait for memory"),
	COLUMN(2329, refault_file_per_s,
	       "REFILE/s", PER_S, RATE, get_refault_file, 5, VMSTAT "workingset_refault_file",
	       "file pages evicted and soon wanted again"),
	COLUMN(2330, refault_anon_per_s,
	       "REANON/s", PER_S, RATE, get_refault_anon, 6, VMSTAT "workingset_refault_anon",
	       "pages swapped out and soon wanted again"),
	COLUMN(2331, alloc_stalls_per_s, "STALLS/s", PER_S, RATE, get_alloc_stalls, 7, VMSTAT "allocstall_*",
	       "allocations that had to reclaim first"),
	COLUMN(2332, compact_stalls_per_s,
	       "COMPACT/s", PER_S, RATE, get_compact_stall, 8, VMSTAT "compact_stall",
	       "allocations that waited for memory to be made contiguous"),
	COLUMN(2333, thp_faults_per_s, "THP/s", PER_S, RATE, get_thp_fault_alloc, 9, VMSTAT "thp_fault_alloc",
	       "page faults served by a huge page"),
	COLUMN(2334, thp_fallbacks_per_s,
	       "THPFAIL/s", PER_S, RATE, get_thp_fault_fallback, 9, VMSTAT "thp_fault_fallback",
	       "huge page faults served by small pages"),
	COLUMN(2335, oom_kills, "OOM", COUNT, RATE, get_oom_kills, 2, VMSTAT "oom_kill",
	       "processes killed for want of memory, in this time"),
	COLUMN(2336, memory_some_pct, "SOME%", PCT, RATE, get_some, 0, "/proc/pressure/memory some",
	       "time in which a task waited for memory"),
	COLUMN(2337, memory_full_pct, "FULL%", PCT, RATE, get_full, 1, "/proc/pressure/memory full",
	       "time in which all tasks waited for memory"),
};

const struct entity entity_vm = {
	.name = "vm",
	.help = "what the memory management of the host has to do",
	COLUMNS(vm_columns),
	.shown = "available_bytes,free_bytes,cache_bytes,dirty_bytes,writeback_bytes,swap_used_bytes,swap_in_bytes_per_s,"
		 "swap_out_bytes_per_s,in_bytes_per_s,out_bytes_per_s,faults_per_s,major_faults_per_s,scan_kswapd_per_s,"
		 "steal_kswapd_per_s,scan_direct_per_s,steal_direct_per_s,refault_file_per_s,refault_anon_per_s,oom_kills,"
		 "memory_some_pct,memory_full_pct",
};
