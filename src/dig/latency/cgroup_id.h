/* Cgroups of the default hierarchy by id, as BPF programs have them.
 *
 * Reads the tree below /sys/fs/cgroup (cgroup2) or /sys/fs/cgroup/unified; an id is the inode number of the directory
 * (5.5). Privilege: none. Cost of names: the tree is walked once, ~5 us a cgroup. */
#ifndef OSPREY_DIG_LATENCY_CGROUP_ID_H
#define OSPREY_DIG_LATENCY_CGROUP_ID_H

#include <stdint.h>

#include "base/note.h"

/* `path` as /proc/PID/cgroup has it ("/system.slice/x"), or the directory. -ENOENT: there is none such;
 * -EOPNOTSUPP: no cgroup2 is mounted. */
int cgroup_id_find(const char *path, uint64_t *ret_id, int *ret_level, struct note *note) __attribute__((warn_unused_result));

struct cgroup_ids;
int cgroup_ids_new(struct cgroup_ids **ret) __attribute__((warn_unused_result));
void cgroup_ids_free(struct cgroup_ids *n);
/* "/system.slice/x"; NULL: it has gone, or came since. */
const char *cgroup_id_name(const struct cgroup_ids *n, uint64_t id);

#endif
