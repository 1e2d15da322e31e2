/* What several rules ask of a window about storage: who waits for disks, who does the I/O, and
 * which cgroups run into an I/O limit. Pure; nothing here allocates. */
#ifndef OSPREY_DIAGNOSE_STORAGE_EVIDENCE_H
#define OSPREY_DIAGNOSE_STORAGE_EVIDENCE_H

#include "diagnose/evidence.h"

/* Threads of the process that waited for a disk, on average over the looks: task-seconds a
 * second. From /proc alone a disk wait cannot be told from other waits in D state: then
 * those count too. */
double process_disk_wait(const struct window *w, const struct process_span *p);
/* Bytes it read from and wrote to block devices; pages it dirtied count as written. 0: unknown. */
double process_io_bytes(const struct process_span *p);
double process_written_bytes(const struct process_span *p);

/* Share of the window in which some task stalled on I/O (PSI); NaN without PSI. */
double window_io_pressure(const struct window *w);

/* A cgroup's encounter with one of its I/O limits: the one it came nearest to. */
struct io_throttling {
	const struct cgroup *cgroup;
	uint32_t major, minor;
	const char *what; /* "read", "write" */
	const char *unit; /* "bytes/s", "requests/s" */
	const char *file; /* that holds the limit, below the cgroup's directory */
	const char *key;  /* v2: of io.max; v1: NULL */
	double rate, limit;
};
#define IO_LIMIT_SHARE 0.8 /* of the limit: what passes falls short of it by a slice now and then */

/* False: no I/O limit, or nothing to compare with. */
bool cgroup_io_throttling(const struct window *w, const struct cgroup *c, struct io_throttling *ret);
static inline bool io_throttling_near(const struct io_throttling *t)
{
	return t->rate >= IO_LIMIT_SHARE * t->limit;
}

/* The cgroups that run at an I/O limit; more than fit are left out. */
struct io_held_back {
	struct io_throttling v[32];
	size_t n;
};
void window_io_held_back(const struct window *w, struct io_held_back *ret);
/* By which of them the process is held back: its own cgroup's limit or one above. NULL: none. */
const struct io_throttling *io_held_back_by(const struct io_held_back *held, const struct window *w,
					    const struct process_span *p);

/* "vda", or "8:0" for a device that /proc/diskstats does not have. */
void window_disk_name(const struct window *w, uint32_t major, uint32_t minor, char *ret, size_t size);

#endif
