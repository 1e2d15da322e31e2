/* The cgroups of one process: for each controller the groups from its own up to the root, with limits
 * and use. A limit of any of them holds for the process.
 *
 * Reads /proc/PID/cgroup and the files of the groups, as cgroup.h says. Privilege: none. Cost: 2 to 8
 * small files a group. Groups beyond the root of our own cgroup namespace are not seen. */
#ifndef OSPREY_SOURCE_PROCESS_PROCESS_CGROUP_H
#define OSPREY_SOURCE_PROCESS_PROCESS_CGROUP_H

#include "source/cgroup/cgroup.h"

struct process_cgroup {
	enum cgroup_controller controller; /* what it was sought for */
	struct cgroup group; /* only that controller's figures are set */
	bool own;	     /* the process's own; else one above it */
};
typedef VEC(struct process_cgroup) process_cgroup_vec;

/* `memberships`: /proc/PID/cgroup. Own group first, then those above it, by controller: cpu, memory,
 * pids. 0 or -ENOMEM; groups that cannot be read are left out. */
int process_cgroups_read(struct host *h, struct span memberships, struct buf *scratch, process_cgroup_vec *ret)
	__attribute__((warn_unused_result));

#endif
