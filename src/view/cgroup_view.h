/* Control groups with their use, limits and stalls, as systemd-cgtop and more. What v1 keeps in a tree for
 * each controller is one row here: groups of the same path are one. Cost: that of source/cgroup. */
#ifndef OSPREY_VIEW_CGROUP_VIEW_H
#define OSPREY_VIEW_CGROUP_VIEW_H

#include "source/cgroup/cgroup.h"
#include "view/view.h"

extern const struct view view_cgroups;

/* A group over the controllers that have it. Readings that no controller gives are absent. */
struct cgroup_row {
	const char *path;
	char name[96]; /* of the service or container behind it */
	const struct cgroup *cpu, *memory, *pids, *io; /* whose numbers count; NULL: not enabled here */
	const struct cgroup *stall;		       /* v2 alone */
	reading cpu_ns, periods, throttled_periods, throttled_ns, oom_kills, limit_hits, major_faults; /* growth */
	reading read_bytes, write_bytes, reads, writes;
	reading cpu_stall_ns, memory_stall_ns, io_stall_ns;
	double seconds;
};

#endif
