/* Advice on memory: swappiness, watermarks, dirty pages, overcommit, huge pages. */
#include <math.h>
#include <stdio.h>

#include "act/tune.h"
#include "base/units.h"

#define REFAULTS_PER_S 100.0 /* pages that come back: below it nobody notices */
#define STALLS_PER_S 10.0    /* allocations that had to reclaim themselves */
#define COMPACTIONS_PER_S 10.0
#define AMPLE 0.10	     /* of memory available: it is not short, only slow to come */
#define SYNC_S 20.0	     /* of writing that may pile up */
#define SYNC_AIM_S 5.0

static double available_share(const struct tune_case *c)
{
	return c->seen->available_bytes / c->seen->total_bytes;
}

/* Whether the host itself reclaims. A cgroup at its own limit refaults and swaps too, and nothing that
 * is set for the host mends that; its reclaim does not move these counters. */
static bool host_is_short(const struct tune_case *c)
{
	return tune_rate(c, c->seen->scan_kswapd) > REFAULTS_PER_S || tune_rate(c, c->seen->scan_direct) > REFAULTS_PER_S;
}

static void proof_scans(const struct tune_case *c, struct tune_advice *ret)
{
	tune_proof(ret, "pgscan_kswapd", tune_rate(c, c->seen->scan_kswapd), "pages/s",
		    "> 100/s: the host itself is short",
		   "/proc/vmstat");
}

/* ---- swapping ---- */

static void proof_refaults(const struct tune_case *c, struct tune_advice *ret)
{
	tune_proof(ret, "workingset_refault_anon", tune_rate(c, c->seen->refault_anon), "pages/s", "",
		   "/proc/vmstat");
	tune_proof(ret, "workingset_refault_file", tune_rate(c, c->seen->refault_file), "pages/s", "",
		   "/proc/vmstat");
	proof_scans(c, ret);
	tune_proof(ret, "page cache", c->seen->cache_bytes, "bytes", "", "/proc/meminfo "
		    "Active(file)+Inactive(file)");
}

/* swappiness shares out reclaim between two kinds of pages, so that the one that comes back while the other
 * does not is the one that is taken from too much. When both come back memory is short. */
TUNE_ADVISE(swappiness)
{
	double now = tune_number(c->value), anon = tune_rate(c, c->seen->refault_anon);
	double file = tune_rate(c, c->seen->refault_file), cache = c->seen->cache_bytes / c->seen->total_bytes;
	char value[24];

	if (now == 0 && c->seen->swap_total_bytes > 0) {
		tune_danger(ret, "60", "0 keeps the kernel from swapping until file pages are nearly gone: "
			    "the OOM killer comes while %s of swap stand empty. 1 to 10 is what is usually "
			    "meant.",
			    bytes_text(c->seen->swap_free_bytes).text);
		tune_proof(ret, "oom_kill since boot", tune_total(c->seen->oom_kills), "", "", "/proc/vmstat");
		tune_effect(ret, "idle anonymous pages can be swapped before anything is killed");
	} else if (!(c->seen->swap_total_bytes > 0)) {
		tune_keep(ret, "there is no swap: it has no effect");
	} else if ((anon > REFAULTS_PER_S || (file > 10 * REFAULTS_PER_S && now < 60)) && !host_is_short(c)) {
		tune_elsewhere(ret, "pages come back soon after they were let go, but the host itself does "
			    "not reclaim: a cgroup is at its own memory limit. Its limit is what counts; see "
			    "`osprey doctor`");
		proof_refaults(c, ret);
	} else if (anon > REFAULTS_PER_S && file > REFAULTS_PER_S / 4 && anon < 10 * file) {
		tune_elsewhere(ret, "both anonymous and file pages come back soon after they were let go: "
			    "memory is short, and no split of reclaim between them helps; see `osprey doctor`");
		proof_refaults(c, ret);
	} else if (anon > REFAULTS_PER_S && cache > AMPLE && now > 10) {
		tune_change(ret, tune_whole(fmax(10, floor(now / 2)), value), "anonymous pages are swapped "
			    "out and soon wanted again, while %s of page cache stay, and hardly any of it is "
			    "missed when dropped",
			    bytes_text(c->seen->cache_bytes).text);
		proof_refaults(c, ret);
		tune_effect(ret, "reclaim takes file pages first; workingset_refault_anon should fall");
	} else if (anon > REFAULTS_PER_S) {
		tune_elsewhere(ret, "swapped pages come back, and there is too little page cache to take from "
			    "in their place: memory is short; see `osprey doctor`");
		proof_refaults(c, ret);
	} else if (file > 10 * REFAULTS_PER_S && now < 60 && c->seen->swap_free_bytes > 0.2 * c->seen->swap_total_bytes) {
		tune_change(ret, "60", "file pages are dropped and soon read again, while anonymous pages "
			    "stay, idle or not");
		proof_refaults(c, ret);
		tune_effect(ret, "idle anonymous pages go to swap and the cache keeps what is read; "
			    "workingset_refault_file should fall");
	} else {
		tune_keep(ret, "%.0f swapped pages a second come back, %.0f file pages", anon, file);
		if (isnan(anon))
			tune_keep(ret, "nothing is known of pages that come back");
	}
}

/* ---- watermarks ---- */

static double default_min_free(double total_bytes)
{
	return fmin(fmax(4 * sqrt(total_bytes / 1024), 128), 262144);
}

TUNE_ADVISE(min_free_kbytes)
{
	double now = tune_number(c->value), usual = default_min_free(c->seen->total_bytes);
	double share = now * 1024 / c->seen->total_bytes;
	char value[24];

	if (share > 0.05 && now > 2 * usual) {
		tune_danger(ret, tune_whole(usual, value), "%.0f %% of all memory is kept free: programs "
			    "cannot have it, and the OOM killer comes that much earlier", 100 * share);
		tune_proof(ret, "vm.min_free_kbytes", now * 1024, "bytes", "", "%s", c->tunable->path);
		tune_proof(ret, "MemTotal", c->seen->total_bytes, "bytes", "", "/proc/meminfo");
		tune_effect(ret, "MemAvailable grows by the difference");
	} else if (now < usual / 4 && now < 4096) {
		tune_danger(ret, tune_whole(usual, value), "so little is kept free that allocations which may "
			    "not wait (network receive) fail in any burst; the kernel would choose %.0f KiB "
			    "here", usual);
		tune_effect(ret, "no more \"page allocation failure\" in the kernel log");
	} else if (isnan(share)) {
		tune_keep(ret, "the size of memory is not known");
	} else {
		tune_keep(ret, "%.2f %% of memory; the kernel's formula gives %.0f KiB", 100 * share, usual);
	}
}

/* Tasks that reclaim for themselves while plenty could be reclaimed: kswapd was woken too late. */
TUNE_ADVISE(watermark_scale_factor)
{
	double now = tune_number(c->value), stalls = tune_rate(c, c->seen->alloc_stalls);
	double reclaimed = tune_grown(c->seen->steal_direct) / tune_grown(c->seen->scan_direct);
	char value[24];

	if (stalls > STALLS_PER_S && available_share(c) > AMPLE && reclaimed > 0.5 && now < 200) {
		tune_change(ret, tune_whole(fmin(now * 5, 200), value), "tasks had to reclaim memory "
			    "themselves %.0f times a second though %.0f %% of it is available and most pages "
			    "they scan are free to take: kswapd starts too late for these bursts", stalls, 100 * available_share(c));
		tune_proof(ret, "allocstall", stalls, "/s", "> 10/s", "/proc/vmstat");
		tune_proof(ret, "pgsteal_direct / pgscan_direct", 100 * reclaimed, "%", "> 50 %", "/proc/vmstat");
		tune_proof(ret, "MemAvailable", c->seen->available_bytes, "bytes", "> 10 % of memory",
			    "/proc/meminfo");
		tune_effect(ret, "kswapd starts earlier and keeps more free; allocstall should stand still");
	} else if (stalls > STALLS_PER_S) {
		tune_elsewhere(ret, "tasks reclaim for themselves %.0f times a second, but memory is truly "
			    "short: earlier reclaim only takes it away sooner", stalls);
		tune_proof(ret, "allocstall", stalls, "/s", "> 10/s", "/proc/vmstat");
		tune_proof(ret, "MemAvailable", 100 * available_share(c), "%", "> 10 %", "/proc/meminfo");
	} else if (isnan(stalls)) {
		tune_keep(ret, "allocation stalls are not counted here");
	} else {
		tune_keep(ret, "%.0f allocations a second had to reclaim for themselves (more than 10 would "
			    "speak)", stalls);
	}
}

/* ---- dirty pages ---- */

struct flood {
	double threshold_bytes, disk_bytes_s, seconds;
};

/* How long the disk would write at its present pace what may be dirty. */
static struct flood flood_of(const struct tune_case *c, reading threshold_pages)
{
	double written = tune_rate(c, c->seen->pages_written) * c->seen->page_bytes;
	struct flood f = { reading_value(threshold_pages) * c->seen->page_bytes, written, NAN };

	f.seconds = f.threshold_bytes / written;
	return f;
}

static void proof_flood(const struct tune_case *c, const struct flood *f, const char *field, struct tune_advice *ret)
{
	tune_proof(ret, field, f->threshold_bytes, "bytes", "", "/proc/vmstat");
	tune_proof(ret, "nr_dirty", reading_value(c->seen->now.pages_dirty) * c->seen->page_bytes, "bytes",
		   "> half the background threshold", "/proc/vmstat");
	tune_proof(ret, "nr_written", f->disk_bytes_s, "bytes/s", "", "/proc/vmstat");
	tune_proof(ret, "time to write that much", f->seconds, "s", "> 20 s", "the quotient");
}

/* Only where the flood is under way: a threshold that nothing comes near does nothing. */
static bool flooding(const struct tune_case *c, const struct flood *f)
{
	double dirty = reading_value(c->seen->now.pages_dirty), background = reading_value(c->seen->now.dirty_background_pages);

	return c->seen->disk_saturated && dirty > background / 2 && f->seconds > SYNC_S;
}

static double whole_mib(double bytes)
{
	return fmax(ceil(bytes / 1048576), 16) * 1048576;
}

static void keep_dirty(const struct tune_case *c, struct tune_advice *ret)
{
	double dirty = reading_value(c->seen->now.pages_dirty) * c->seen->page_bytes;

	if (isnan(dirty))
		tune_keep(ret, "nothing is known of dirty pages");
	else if (c->seen->disk_saturated)
		tune_keep(ret, "a disk is saturated, but with only %s dirty it is not writeback that piles up", bytes_text(dirty).text);
	else
		tune_keep(ret, "%s are dirty and no disk is saturated", bytes_text(dirty).text);
}

static void advise_dirty(const struct tune_case *c, reading threshold, double aim_s, const char *field, bool counts,
			 struct tune_advice *ret)
{
	struct flood f = flood_of(c, threshold);
	char value[24];

	if (!counts || !flooding(c, &f)) {
		keep_dirty(c, ret);
		return;
	}
	tune_change(ret, tune_whole(whole_mib(f.disk_bytes_s * aim_s), value),
		    "the disk is saturated by writeback and up to %s may be dirty: at the %s/s it writes now "
		    "that is %s of writing that each fsync, and each reader, waits behind", bytes_text(f.threshold_bytes).text,
		    bytes_text(f.disk_bytes_s).text, duration_text(f.seconds).text);
	proof_flood(c, &f, field, ret);
	tune_effect(ret, "writers are slowed earlier and evenly; the longest fsync should take about %s", duration_text(aim_s).text);
}

TUNE_ADVISE(dirty_bytes)
{
	advise_dirty(c, c->seen->now.dirty_threshold_pages, SYNC_AIM_S, "nr_dirty_threshold", true, ret);
}

TUNE_ADVISE(dirty_background_bytes)
{
	advise_dirty(c, c->seen->now.dirty_background_pages, SYNC_AIM_S / 4, "nr_dirty_background_threshold", true, ret);
}

TUNE_ADVISE(dirty_ratio)
{
	double now = tune_number(c->value);

	if (now > 60) {
		tune_danger(ret, "20", "%.0f %% of available memory may be dirty: a crash loses all of it, "
			    "and when it must be written, reclaim finds hardly a clean page to take", now);
		tune_effect(ret, "writers wait for the disk before most of memory is dirty");
	} else if (now == 0) {
		tune_keep(ret, "vm.dirty_bytes is used in its place");
	} else {
		keep_dirty(c, ret);
	}
}

TUNE_ADVISE(dirty_background_ratio)
{
	double now = tune_number(c->value), limit = tune_present(c, TUNABLE_dirty_ratio);
	char value[24];

	if (now > 0 && limit > 0 && now >= limit) {
		tune_danger(ret, tune_whole(fmax(1, floor(limit / 2)), value), "it is not below "
			    "vm.dirty_ratio (%.0f): the kernel uses half of that, not what stands here", limit);
		tune_effect(ret, "nothing changes, but the value says what happens");
	} else if (now == 0) {
		tune_keep(ret, "vm.dirty_background_bytes is used in its place");
	} else {
		keep_dirty(c, ret);
	}
}

TUNE_ADVISE(dirty_writeback)
{
	if (tune_number(c->value) == 0) {
		tune_danger(ret, "500", "periodic writeback is off: data that nobody syncs stays in memory "
			    "alone, and is lost with a crash");
		tune_proof(ret, "nr_dirty", reading_value(c->seen->now.pages_dirty) * c->seen->page_bytes,
			    "bytes", "",
			   "/proc/vmstat");
		tune_effect(ret, "data is on disk within about 35 s");
	} else {
		tune_keep(ret, "writeback runs every %s", duration_text(tune_number(c->value) / 100).text);
	}
}

/* ---- overcommit ---- */

static double promised(const struct tune_case *c)
{
	return c->seen->committed_bytes / c->seen->commit_limit_bytes;
}

static void proof_commit(const struct tune_case *c, struct tune_advice *ret)
{
	tune_proof(ret, "Committed_AS", c->seen->committed_bytes, "bytes", "", "/proc/meminfo");
	tune_proof(ret, "CommitLimit", c->seen->commit_limit_bytes, "bytes", "", "/proc/meminfo");
	tune_proof(ret, "MemAvailable", c->seen->available_bytes, "bytes", "", "/proc/meminfo");
}

TUNE_ADVISE(overcommit_memory)
{
	double now = tune_number(c->value);

	if (now == 2 && !(c->seen->swap_total_bytes > 0) && c->seen->commit_limit_bytes < 0.8 * c->seen->total_bytes) {
		tune_danger(ret, "0", "strict accounting without swap: only %s of %s can be promised, so fork "
			    "and mmap fail with ENOMEM while the rest is free", bytes_text(c->seen->commit_limit_bytes).text,
			    bytes_text(c->seen->total_bytes).text);
		proof_commit(c, ret);
		tune_effect(ret, "memory that is free can be had; or keep 2 and raise vm.overcommit_ratio");
	} else if (now == 2) {
		tune_keep(ret, "strict on purpose; %.0f %% of CommitLimit is promised", 100 * promised(c));
	} else if (now == 1) {
		tune_keep(ret, "no request is refused; some programs (Redis) want it so that fork never fails");
	} else {
		tune_keep(ret, "only absurd requests are refused");
	}
}

TUNE_ADVISE(overcommit_ratio)
{
	double now = tune_number(c->value);
	char value[24];

	if (tune_present(c, TUNABLE_overcommit_memory) != 2) {
		tune_keep(ret, "not looked at while vm.overcommit_memory is not 2");
	} else if (promised(c) > 0.9 && available_share(c) > 0.25 && now > 0 && now < 95) {
		tune_change(ret, tune_whole(fmin(95, now + 25), value), "%.0f %% of CommitLimit is promised "
			    "while %.0f %% of memory is available: the next fork or mmap fails with ENOMEM "
			    "for want of a promise, not of memory",
			    100 * promised(c), 100 * available_share(c));
		proof_commit(c, ret);
		tune_effect(ret, "CommitLimit grows; allocations succeed again");
	} else {
		tune_keep(ret, "%.0f %% of CommitLimit is promised (above 90 would speak)", 100 * promised(c));
	}
}

/* ---- others ---- */

TUNE_ADVISE(max_map_count)
{
	double now = tune_number(c->value), used = c->seen->map_user.value;
	char value[24];

	if (used >= 0.8 * now) {
		tune_change(ret, tune_power(2 * now, value), "%s (pid %d) has %.0f memory maps of %.0f: at "
			    "the limit mmap fails with ENOMEM though memory is free", c->seen->map_user.comm, c->seen->map_user.pid, used, now);
		tune_proof(ret, "maps of the process", used, "", "> 80 % of the limit", "/proc/%d/maps", c->seen->map_user.pid);
		tune_effect(ret, "the process can map on");
	} else if (used > 0) {
		tune_keep(ret, "%s (pid %d) has the most maps seen: %.0f", c->seen->map_user.comm, c->seen->map_user.pid, used);
	} else {
		tune_keep(ret, "no process's maps could be counted");
	}
}

TUNE_ADVISE(zone_reclaim_mode)
{
	double now = tune_number(c->value), failed = tune_rate(c, c->seen->zone_reclaim_failed);
	double file = tune_rate(c, c->seen->refault_file);

	if (now == 0) {
		tune_keep(ret, "memory of other nodes is taken before anything is reclaimed");
	} else if (c->seen->nodes < 2) {
		tune_keep(ret, "there is one node: it has no effect");
	} else if (file > REFAULTS_PER_S && available_share(c) > AMPLE) {
		tune_change(ret, "0", "file pages are thrown away on their node and soon read again (%.0f a "
			    "second) while %.0f %% of memory is available on all nodes together", file, 100 * available_share(c));
		tune_proof(ret, "workingset_refault_file", file, "pages/s", "> 100/s", "/proc/vmstat");
		tune_proof(ret, "zone_reclaim_failed", failed, "/s", "", "/proc/vmstat");
		tune_effect(ret, "the far node's free memory is used; refaults should stop");
	} else {
		tune_keep(ret, "on, and page cache is not missed while memory is free: %s file pages a second "
			    "come back",
			  number_text(file).text);
	}
}

TUNE_ADVISE(vfs_cache_pressure)
{
	double now = tune_number(c->value), share = c->seen->slab_reclaimable_bytes / c->seen->total_bytes;

	if (now == 0) {
		tune_danger(ret, "100", "names and inodes are never reclaimed: a walk over many files fills "
			    "memory until the OOM killer comes");
		tune_proof(ret, "SReclaimable", c->seen->slab_reclaimable_bytes, "bytes", "", "/proc/meminfo");
		tune_effect(ret, "caches shrink again when memory is wanted");
	} else if (host_is_short(c) && available_share(c) < 0.5 && share > 0.3 && now < 200) {
		tune_change(ret, "200", "memory is short and %.0f %% of it is cached names and inodes", 100 * share);
		tune_proof(ret, "SReclaimable", c->seen->slab_reclaimable_bytes, "bytes", "> 30 % of memory",
			    "/proc/meminfo");
		proof_scans(c, ret);
		tune_effect(ret, "reclaim takes more of them; SReclaimable should fall");
	} else {
		tune_keep(ret, "%s %% of memory is cached names and inodes", number_text(100 * share).text);
	}
}

TUNE_ADVISE(nr_hugepages)
{
	double spare = c->seen->huge_free - reading_value(c->seen->now.huge_reserved);
	double bytes = spare * reading_value(c->seen->now.huge_page_bytes);
	char value[24];

	if (!(c->seen->huge_total > 0)) {
		tune_keep(ret, "none are set aside");
	} else if (host_is_short(c) && bytes > 0.1 * c->seen->total_bytes) {
		tune_change(ret, tune_whole(c->seen->huge_total - spare, value), "memory is short while %s of "
			    "huge pages are set aside and unused", bytes_text(bytes).text);
		proof_scans(c, ret);
		tune_proof(ret, "HugePages_Free", c->seen->huge_free, "pages", "", "/proc/meminfo");
		tune_proof(ret, "HugePages_Rsvd", reading_value(c->seen->now.huge_reserved), "pages", "",
			    "/proc/meminfo");
		tune_effect(ret, "that memory is everybody's again");
	} else {
		tune_keep(ret, "%.0f of %.0f are unused, and memory is not short", c->seen->huge_free, c->seen->huge_total);
	}
}

TUNE_ADVISE(thp_enabled)
{
	double huge = reading_value(c->seen->now.anon_huge_bytes), splits = tune_rate(c, c->seen->huge_splits);
	bool always = strcmp(c->value->word, "always") == 0;

	if (always && host_is_short(c) && huge > 0.5 * c->seen->anon_bytes && splits > 10) {
		tune_change(ret, "madvise", "memory is short, most anonymous memory is huge pages, and %.0f "
			    "of them a second are split to be reclaimed: programs hold more than they touch", splits);
		proof_scans(c, ret);
		tune_proof(ret, "AnonHugePages", huge, "bytes", "> half of AnonPages", "/proc/meminfo");
		tune_proof(ret, "thp_split_page", splits, "/s", "> 10/s", "/proc/vmstat");
		tune_effect(ret, "new memory comes in small pages unless a program asks; what is mapped stays "
			    "as it is");
	} else {
		tune_keep(ret, "%s are huge pages, %s a second are split", bytes_text(huge).text, number_text(splits).text);
	}
}

TUNE_ADVISE(thp_defrag)
{
	double stalls = tune_rate(c, c->seen->compact_stalls);
	bool waits = strcmp(c->value->word, "always") == 0;

	if (waits && stalls > COMPACTIONS_PER_S) {
		tune_change(ret, tune_value_offers(c->value, "defer+madvise") ? "defer+madvise" : "madvise",
			    "%.0f page faults a second wait until memory is compacted for a huge page", stalls);
		tune_proof(ret, "compact_stall", stalls, "/s", "> 10/s", "/proc/vmstat");
		tune_proof(ret, "compact_fail", tune_rate(c, c->seen->compact_fails), "/s", "", "/proc/vmstat");
		tune_proof(ret, "thp_fault_fallback", tune_rate(c, c->seen->huge_fallbacks), "/s", "",
			    "/proc/vmstat");
		tune_effect(ret, "kcompactd works in the background instead; compact_stall should stand still");
	} else if (stalls > COMPACTIONS_PER_S) {
		tune_elsewhere(ret, "%.0f allocations a second wait for compaction, but page faults that did "
			    "not ask for huge pages do not: drivers, or programs that use madvise, want "
			    "contiguous memory", stalls);
		tune_proof(ret, "compact_stall", stalls, "/s", "> 10/s", "/proc/vmstat");
	} else if (isnan(stalls)) {
		tune_keep(ret, "compaction is not counted here");
	} else {
		tune_keep(ret, "%.0f allocations a second wait for compaction", stalls);
	}
}
