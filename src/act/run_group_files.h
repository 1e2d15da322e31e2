/* Where the groups of a run go, and the files in them. Internal to act/run_group. */
#ifndef OSPREY_ACT_RUN_GROUP_FILES_H
#define OSPREY_ACT_RUN_GROUP_FILES_H

#include "act/run_group.h"

struct run_group_place {
	struct run_group_part v[RUN_GROUP_MAX]; /* without path */
	size_t n;
};

#define RUN_GROUP_ALL (CGROUP_CPU | CGROUP_MEMORY | CGROUP_IO | CGROUP_PIDS)

/* Parents for groups with the controllers `useful`; of those in v2 that are not `needed` only what is switched
 * on already. v2 is among the places also when it has none of them. -EOPNOTSUPP: one that is needed lives
 * nowhere. */
int run_group_places(unsigned useful, unsigned needed, struct run_group_place *ret, struct note *note)
	__attribute__((warn_unused_result));
/* The controllers without which the wish cannot be had. */
unsigned run_group_needs(const struct run_group_wish *wish);
int run_group_limit(const struct run_group *g, const struct run_group_wish *wish, struct note *note)
	__attribute__((warn_unused_result));

#endif
