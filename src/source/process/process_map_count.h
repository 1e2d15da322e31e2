/* How many mappings a process has: what vm.max_map_count limits. Counts the lines of /proc/PID/maps,
 * under the key "map_count:PID", so that captures hold the count alone.
 * Takes the process's mmap_lock: bounded. Privilege: the same user or CAP_SYS_PTRACE. Cost: ~50 us and
 * 1 us a mapping. */
#ifndef OSPREY_SOURCE_PROCESS_PROCESS_MAP_COUNT_H
#define OSPREY_SOURCE_PROCESS_PROCESS_MAP_COUNT_H

#include "base/reading.h"
#include "source/process/proc_dir.h"

/* -ETIMEDOUT after 100 ms; else -errno is told by the reading and 0 returned. -ENOMEM. */
int process_map_count_read(struct proc_dir *d, int pid, struct buf *scratch, reading *ret) __attribute__((warn_unused_result));

#endif
