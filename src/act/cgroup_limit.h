/* Limits of the cgroups that processes run in, v1 and v2:
 *
 *	attribute	v2 file			v1 file
 *	cpu		cpu.max			cpu.cfs_quota_us; the period stays as it is
 *	memory		memory.max		memory.limit_in_bytes
 *	memory-high	memory.high		none
 *	swap		memory.swap.max		memory.memsw.limit_in_bytes, with that of memory added
 *	pids		pids.max		pids.max
 *	io 8:0 rbps	io.max			blkio.throttle.read_bps_device; so wbps, riops, wiops
 *
 * A limit is that of all processes in the cgroup and below it. The root of a hierarchy has none. One
 * attribute of one file is one change of the journal: of io the word of one device. Live host;
 * privilege: that of the files, root or whom the cgroup was given to. */
#ifndef OSPREY_ACT_CGROUP_LIMIT_H
#define OSPREY_ACT_CGROUP_LIMIT_H

#include "act/cgroup_members.h"
#include "act/change_journal.h"
#include "act/run.h"

struct cgroup_write {
	char dir[CGROUP_DIR_MAX]; /* the cgroup */
	char path[CGROUP_DIR_MAX + 48];
	char attribute[64];
	char text[64];	   /* as the file shows it; of io the value of the word */
	uint64_t in_use;   /* memory or pids there now, where the new limit is below that; else 0 */
};
#define CGROUP_WRITES_MAX (5 + 4 * RUN_MAX_IO_LIMITS)

/* What the wish comes to for a process. -ENOENT: no hierarchy has the controller, or not this limit; -EPERM: it is
 * in the root cgroup; -EINVAL, -ESRCH; with a note. *ret_n is at most CGROUP_WRITES_MAX. */
int cgroup_limit_plan(struct host *h, int pid, const struct run_group_wish *wish, struct cgroup_write *ret,
		      size_t *ret_n, struct note *note) __attribute__((warn_unused_result));
/* Present value, as `text` has it. */
int cgroup_limit_read(const struct cgroup_write *w, struct buf *ret, struct note *note)
	__attribute__((warn_unused_result));
/* Makes it, in the journal first. -EALREADY: it was so. *ret_after: as read back. */
int cgroup_limit_set(struct change_journal *j, const char *command, const struct cgroup_write *w,
		     uint64_t *ret_id, struct buf *ret_after, struct note *note)
	__attribute__((warn_unused_result));
/* For change_undo, of what this file has set. */
const struct change_access *cgroup_limit_access(const struct change *c);

#endif
