/* Emptying and removing cgroups that osprey has made: a directory of v1 or v2, and those below it.
 *
 * Privilege: that of the directory. Kernel: cgroup.kill is v2's since 5.14; elsewhere members are
 * killed one after another, each held by a pidfd (5.3) while it is made sure that it still is one. */
#ifndef OSPREY_KERNEL_CGROUP_TREE_H
#define OSPREY_KERNEL_CGROUP_TREE_H

#include <stdbool.h>

/* SIGKILL to all in it but the caller. Whether somebody was there: who forks meanwhile may have
 * got away in v1, so it is asked again until nobody was. */
bool cgroup_tree_kill(const char *directory);
/* 0, also when it is gone; -EBUSY: somebody is in it; -EACCES… */
int cgroup_tree_remove(const char *directory) __attribute__((warn_unused_result));

#endif
