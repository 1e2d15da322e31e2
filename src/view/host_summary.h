/* A host in a few lines: what stands above the list of processes on a screen.
 *
 * Reads ten small files a look (/proc/stat, loadavg, meminfo, diskstats, net/dev, pressure/×3, vmstat): ~0.2 ms
 * and 1 us a CPU. Rates are over the time between two looks; at the first they are NaN. What a kernel
 * does not tell is NaN or a missing reading, never 0. */
#ifndef OSPREY_VIEW_HOST_SUMMARY_H
#define OSPREY_VIEW_HOST_SUMMARY_H

#include "source/cpu/cpu_stat.h"
#include "source/cpu/loadavg.h"
#include "source/cpu/psi.h"
#include "source/memory/meminfo.h"
#include "source/network/interface.h"
#include "source/storage/disk.h"

/* One look. */
struct host_look {
	struct host_time at;
	struct cpu_stat cpu;
	cpu_line_vec cpus;
	struct loadavg load;
	struct psi psi;
	struct meminfo memory;
	disk_vec disks;
	interface_vec interfaces;
};

void host_look_deinit(struct host_look *l);
/* -ENOMEM alone; what cannot be read is missing in it. */
int host_look_read(struct host_look *l, struct host *h, struct buf *scratch) __attribute__((warn_unused_result));

/* Where a CPU's time went, in percent of it; guest time is in user. */
struct cpu_shares {
	uint32_t cpu;
	double user, nice, system, irq, softirq, steal, iowait, idle;
};
typedef VEC(struct cpu_shares) cpu_shares_vec;

struct disk_summary {
	char name[32]; /* "": no disk did anything */
	double busy_pct, read_bytes_per_s, write_bytes_per_s;
	double await_ms; /* a request, mean; NaN: none was completed */
};

struct interface_summary {
	char name[16]; /* "": none carried anything */
	double rx_bytes_per_s, tx_bytes_per_s, drops_per_s;
};

struct host_summary {
	double seconds;
	struct cpu_shares total;
	cpu_shares_vec cpus; /* online ones, by number */
	double context_switches_per_s, forks_per_s;
	struct stall {
		double some, full; /* percent of the time */
	} cpu_stall, memory_stall, io_stall;
	/* used is what cannot be had without swapping or dropping caches: total - free - cache. */
	reading memory_total, memory_used, memory_cache, memory_available;
	reading swap_total, swap_used;
	reading load1_milli, load5_milli, load15_milli;
	reading running, blocked;
	double uptime_s;
	struct disk_summary disk; /* the busiest; stacked ones (dm, md) only when they are all */
	struct interface_summary interface; /* the one that carried most; lo only when it is all */
	double drops_per_s; /* of all interfaces */
};

void host_summary_deinit(struct host_summary *s);
/* Pure. `before` NULL: the first look. -ENOMEM. */
int host_summary_make(const struct host_look *before, const struct host_look *now, struct host_summary *ret)
	__attribute__((warn_unused_result));

#endif
