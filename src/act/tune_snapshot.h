/* What tune reads of a host beside the samples of the doctor: counters since boot that no view
 * needs, sizes of tables, who uses inotify. Taken twice, before and after the doctor's window, so that both
 * the sum since boot and the growth are known.
 *
 * Reads /proc/vmstat, /proc/meminfo, /proc/net/{softnet_stat,netstat,snmp,sockstat},
 * /proc/net/stat/{nf_conntrack,arp_cache,ndisc_cache}, counts under /proc/sys, and walks /proc/PID/fd
 * for inotify (once; bounded to 300 ms; descriptors of other users need root). Cost: ~1 ms
 * and that walk. Missing is told by the readings; units are those of the names, else events. */
#ifndef OSPREY_ACT_TUNE_SNAPSHOT_H
#define OSPREY_ACT_TUNE_SNAPSHOT_H

#include "base/reading.h"
#include "kernel/host.h"

/* X(member, name in /proc/vmstat) */
#define TUNE_VMSTAT(X)                                                     \
	X(kswapd_missed_high, "kswapd_high_wmark_hit_quickly")             \
	X(kswapd_missed_low, "kswapd_low_wmark_hit_quickly")               \
	X(pages_dirty, "nr_dirty")                                         \
	X(pages_dirtied, "nr_dirtied")                                     \
	X(pages_written, "nr_written")                                     \
	X(dirty_threshold_pages, "nr_dirty_threshold")                     \
	X(dirty_background_pages, "nr_dirty_background_threshold")         \
	X(swapped_in, "pswpin")                                            \
	X(swapped_out, "pswpout")                                          \
	X(refault_anon, "workingset_refault_anon")                         \
	X(refault_file, "workingset_refault_file")                         \
	X(scan_direct, "pgscan_direct")                                    \
	X(steal_direct, "pgsteal_direct")                                  \
	X(scan_kswapd, "pgscan_kswapd")                                    \
	X(steal_kswapd, "pgsteal_kswapd")                                  \
	X(oom_kills, "oom_kill")                                           \
	X(compact_stalls, "compact_stall")                                 \
	X(compact_fails, "compact_fail")                                   \
	X(huge_faults, "thp_fault_alloc")                                  \
	X(huge_fallbacks, "thp_fault_fallback")                            \
	X(huge_splits, "thp_split_page")                                   \
	X(zone_reclaim_failed, "zone_reclaim_failed")                      \
	X(numa_hint_faults, "numa_hint_faults")                            \
	X(numa_hint_local, "numa_hint_faults_local")                       \
	X(numa_migrated, "numa_pages_migrated")

/* X(member, group, name) of /proc/net/netstat and snmp. */
#define TUNE_NETSTAT(X)                                            \
	X(tcp_pressures, "TcpExt", "TCPMemoryPressures")           \
	X(tcp_memory_aborts, "TcpExt", "TCPAbortOnMemory")         \
	X(receive_prunes, "TcpExt", "RcvPruned")                   \
	X(receive_collapsed, "TcpExt", "PruneCalled")              \
	X(receive_queue_drops, "TcpExt", "TCPRcvQDrop")            \
	X(time_wait_overflows, "TcpExt", "TCPTimeWaitOverflow")    \
	X(udp_memory_errors, "Udp", "MemErrors")                   \
	X(udp_send_errors, "Udp", "SndbufErrors")

struct inotify_use {
	uint32_t uid; /* with the most watches, or instances: one each */
	reading instances, watches;
};

struct tune_snapshot {
	struct host_time at;
#define X(member, ...) reading member;
	TUNE_VMSTAT(X)
	TUNE_NETSTAT(X)
#undef X
	reading alloc_stalls; /* of all zones */
	reading anon_huge_bytes, huge_page_bytes, huge_reserved; /* meminfo */
	reading backlog_packets, backlog_drops, squeezes; /* softnet_stat, all CPUs */
	reading udp_memory_pages; /* sockstat */
	reading conntrack_count, conntrack_drops, conntrack_early_drops;
	reading neighbours, neighbour_overflows; /* ARP */
	reading aio_requests;
	reading threads; /* of the host, from /proc/loadavg */
	reading orphans_max, panic_seconds, forwarding, gc_thresh1, gc_thresh2, conntrack_buckets;
	char congestion_available[128];
};

/* Whole host and our own network namespace. */
void tune_snapshot_read(struct host *h, struct buf *scratch, struct tune_snapshot *ret);

/* Of all users the one nearest to each limit. Absent: nobody uses any. */
void inotify_use_read(struct host *h, struct buf *scratch, struct inotify_use *ret_instances,
		      struct inotify_use *ret_watches);
/* Lines "UID INSTANCES WATCHES"; pure. */
void inotify_use_parse(struct span text, struct inotify_use *ret_instances, struct inotify_use *ret_watches);

/* Memory maps of a process; asks in a thread that is left behind when the process holds its
 * mmap_lock. */
reading map_count_read(struct host *h, int pid, struct buf *scratch);

/* ---- pure parsers ---- */

/* "name value" or "Name: value kB" lines (kB counts as 1024). Absent, malformed, or the number. */
reading named_value(struct span text, const char *name);
/* Sum of all lines whose name starts so; absent without any. */
reading named_sum(struct span text, const char *prefix);
/* Pairs of lines: "TcpExt: A B" and "TcpExt: 1 2". */
reading paired_value(struct span text, const char *group, const char *name);
/* "UDP: inuse 2 mem 1": the number behind the word. */
reading worded_value(struct span text, const char *group, const char *word);
/* /proc/net/stat: a head of names, a line of hexadecimal columns for each CPU. The sum; with
 * `same`, of a column that is alike on each line, the first. */
reading column_value(struct span text, const char *name, bool same);

#endif
