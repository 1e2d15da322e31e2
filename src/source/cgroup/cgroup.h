/* Control groups, v1 and v2 and the hybrid of both: every cgroup with its limits, use and
 * stalls, in one list.
 *
 * A cgroup is (controller hierarchy, path). In v2 one directory has all; in v1 each
 * controller has its own tree. A group of the same path in several v1 trees is one row
 * each; `controllers` says which of the members below are its own.
 * Since: cgroup v1 2.6.24, v2 4.5, PSI per cgroup 4.20, memory.events oom_kill 4.13.
 * Privilege: none to read. At most 4096 cgroups are walked, an equal share of each hierarchy at
 * least; `truncated` says when there were more. Cost: a stat and 2 to 11 small files a cgroup,
 * 3 to 8 us each; what cannot have changed is not read again (cgroup_walk.c says how that is known). Limits are read at first
 * and then every 16th time, so a limit that is changed while we look shows late.
 * Units: bytes, ns. "max" (no limit) is UNLIMITED.
 * Sources: Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/{memory,blkio-controller,pids}.rst,
 * scheduler/sched-bwc.rst. */
#ifndef OSPREY_SOURCE_CGROUP_CGROUP_H
#define OSPREY_SOURCE_CGROUP_CGROUP_H

#include <stdbool.h>

#include "base/reading.h"
#include "base/vec.h"
#include "kernel/host.h"
#include "source/cpu/psi.h"

enum cgroup_controller { CGROUP_CPU = 1, CGROUP_MEMORY = 2, CGROUP_IO = 4, CGROUP_PIDS = 8 };

/* Larger than any limit in use, smaller than the missing readings. */
#define CGROUP_UNLIMITED (UINT64_MAX / 2)

/* io.max, or blkio.throttle.*_device, with what passed that device. */
struct cgroup_io {
	uint32_t major, minor;
	reading read_bytes, write_bytes, reads, writes;				  /* since creation */
	reading read_bytes_limit, write_bytes_limit, reads_limit, writes_limit; /* a second; or UNLIMITED */
};
#define CGROUP_MAX_DEVICES 8

struct cgroup {
	uint64_t id;	     /* inode of its directory: what struct task names */
	char path[256];	     /* below the controller's mount, "/" is the root */
	char mount[64];	     /* "/sys/fs/cgroup/cpu"; evidence names mount + path + file */
	bool v2;
	unsigned controllers; /* enum cgroup_controller: which are enabled here */

	/* cpu */
	reading cpu_quota_ns, cpu_period_ns; /* quota UNLIMITED: none */
	reading cpu_usage_ns;
	reading cpu_periods, cpu_throttled_periods, cpu_throttled_ns;
	/* memory */
	reading memory_bytes, memory_limit_bytes, memory_high_bytes;
	reading memory_swap_bytes;
	reading memory_limit_hits;  /* events max; v1: failcnt, with that of memsw */
	reading memory_high_events; /* events high */
	reading memory_oom_kills;
	reading memory_anon_bytes, memory_file_bytes;
	reading memory_refault_anon, memory_refault_file, memory_major_faults; /* pages, faults */
	/* pids */
	reading pids, pids_limit, pids_limit_hits;
	/* io */
	struct cgroup_io io[CGROUP_MAX_DEVICES];
	size_t nio;
	/* stalls of its tasks (v2) */
	struct psi_line cpu_stall, memory_stall, io_stall;
};
typedef VEC(struct cgroup) cgroup_vec;

struct cgroup_mounts {
	struct cgroup_mount {
		char path[64];
		bool v2;
		unsigned controllers;
	} v[16];
	size_t n;
	char cpuacct[64]; /* v1: where cpuacct.usage is, with the cpu controller or apart; "": nowhere */
};

/* From /proc/self/mountinfo text. Pure. */
void cgroup_mounts_parse(struct span mountinfo, struct cgroup_mounts *ret);
int cgroup_mounts_read(struct host *h, struct buf *scratch, struct cgroup_mounts *ret)
	__attribute__((warn_unused_result));

/* Inode number of a directory or a /proc/PID/ns file: what the kernel calls a cgroup or a namespace by.
 * Under the key "inode:<path>"; follows links. 0 or -errno. */
int host_inode(struct host *h, const char *path, uint64_t *ret) __attribute__((warn_unused_result));

struct cgroup_reader; /* remembers the tree between reads */
int cgroup_reader_new(struct host *h, struct cgroup_reader **ret) __attribute__((warn_unused_result));
void cgroup_reader_free(struct cgroup_reader *r);
int cgroups_read(struct cgroup_reader *r, cgroup_vec *ret, bool *ret_truncated)
	__attribute__((warn_unused_result));

/* All readings missing for the reason given, no devices. */
void cgroup_missing(reading why, struct cgroup *ret);

/* Pure parsers of single files, each leaves what it does not know untouched. memory_events
 * also takes v1's memory.oom_control; blkio all of blkio.throttle.*, told apart by `file`. A
 * file that lists devices says of those it leaves out: nothing passed, or no limit. */
void cgroup_cpu_stat_parse(struct span text, bool v2, struct cgroup *ret);
void cgroup_cpu_max_parse(struct span text, struct cgroup *ret);
void cgroup_memory_events_parse(struct span text, struct cgroup *ret);
void cgroup_memory_stat_parse(struct span text, bool v2, struct cgroup *ret);
void cgroup_io_stat_parse(struct span text, struct cgroup *ret);
void cgroup_io_max_parse(struct span text, struct cgroup *ret);
void cgroup_blkio_parse(struct span text, const char *file, struct cgroup *ret);
reading cgroup_limit_parse(struct span text); /* "max" or a number */

/* cgroup.controllers: "cpu io memory pids" as enum cgroup_controller; others are passed over. */
unsigned cgroup_controllers_parse(struct span text);

/* The path of a task's cgroup for one controller, from /proc/PID/cgroup text.
 * -ENOENT: in none. */
int cgroup_of_task_parse(struct span text, enum cgroup_controller controller, char *ret, size_t size)
	__attribute__((warn_unused_result));

#endif
