/* The cgroups that commands act on: found by what people call them, with the processes in them.
 * Reads the mounted hierarchies of the live host; no privilege, killing and limiting need that of
 * the files. */
#ifndef OSPREY_ACT_CGROUP_MEMBERS_H
#define OSPREY_ACT_CGROUP_MEMBERS_H

#include "act/process_select.h"
#include "source/cgroup/cgroup.h"

#define CGROUP_DIR_MAX 512

/* The directory of `name`: a directory below a mounted hierarchy, or a path as /proc/PID/cgroup
 * shows it, looked for in the v2 hierarchy first and then in those of v1. -ENOENT: none has it. */
int cgroup_find(struct host *h, const char *name, char *ret_dir, struct note *note)
	__attribute__((warn_unused_result));
/* The directory that holds `controller` for a process. -ENOENT: no hierarchy has it. `ret_v2`
 * tells which files are there. */
int cgroup_dir_of(struct host *h, int pid, enum cgroup_controller controller, char *ret_dir, bool *ret_v2,
		  struct note *note) __attribute__((warn_unused_result));
/* Adds the processes in it and below, but not this osprey. The number of those added, or -errno. */
int cgroup_add_members(struct host *h, const char *dir, process_vec *v) __attribute__((warn_unused_result));
/* Whether this osprey is in it, or below. */
bool cgroup_has_self(struct host *h, const char *dir);
/* cgroup.kill (v2, 5.14): all in it and below end at once, none escapes. -ENOENT: not here. */
int cgroup_kill(const char *dir) __attribute__((warn_unused_result));

#endif
