/* The cgroups made for one run: v1, v2 and hybrid hosts.
 *
 * They are made where the caller is, so that the limits it is under stay in force: in v1 below its
 * own group; in v2, where a group with controllers for its children has no processes, beside
 * it (or below the root, when it is there). On a host with v2, even an empty one, there is a group in v2
 * too: for cgroup.kill (5.14) and stalls.
 *
 * Names: osprey-run-NAMESPACE-PID-START[-CONTROLLERS]: the pid namespace (inode), pid and start time of the
 * keeper, and one letter for each v2 controller that was switched on in the parent for it and shall be
 * switched off after the last. So whoever comes later sees whether a keeper lives, and removes what a killed
 * one left. Made, removed and looked through under flock of the parent directory.
 *
 * Privilege: write access to the parent directory, that is root or a delegated subtree.
 * Sources: Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/. */
#ifndef OSPREY_ACT_RUN_GROUP_H
#define OSPREY_ACT_RUN_GROUP_H

#include "act/run.h"

#define RUN_GROUP_MAX 5

struct run_group_part {
	char parent[192];
	char path[256];
	bool v2;
	unsigned controllers; /* enum cgroup_controller */
};

struct run_group {
	struct run_group_part part[RUN_GROUP_MAX];
	size_t n;
	char swept[192]; /* a group that a killed run had left was removed; "": none */
};

/* Makes the groups and sets the limits. On failure nothing is left. -EOPNOTSUPP: this host has no such
 * controller or limit; -EACCES, -EPERM, -EROFS. */
int run_group_make(const struct run_group_wish *wish, struct run_group *ret, struct note *note)
	__attribute__((warn_unused_result));
/* cgroup.procs of each, opened for writing. 0 or -errno. */
int run_group_open(const struct run_group *g, int ret_fds[RUN_GROUP_MAX], struct note *note)
	__attribute__((warn_unused_result));
/* What it used, and how often it was held up. */
void run_group_read(const struct run_group *g, struct run_result *ret);
/* CPU time of all that ever was in it; missing without v2 or cpuacct. */
reading run_group_cpu_ns(const struct run_group *g);
/* SIGKILL to all in it. Whether somebody was there. */
bool run_group_kill(const struct run_group *g);
/* Kills what is left, removes. Up to 5 s when something does not die. */
int run_group_remove(struct run_group *g, struct note *note) __attribute__((warn_unused_result));
/* Removes what keepers that no longer live have left beside where groups of the caller would be made. The
 * number; ret_path: the last of them. */
unsigned run_group_sweep(char ret_path[192]);

/* "osprey-run-4026531836-12-345-cm" */
struct run_group_name {
	uint64_t namespace_inode, start_ticks;
	pid_t pid;
	unsigned controllers;
};
/* Pure. False: it is no such name. */
bool run_group_name_parse(struct span text, struct run_group_name *ret);
void run_group_name_text(const struct run_group_name *n, char *ret, size_t size);

#endif
