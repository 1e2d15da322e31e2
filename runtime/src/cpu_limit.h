/* How many CPUs the process may use.
 *
 * Reads /proc/self/cgroup (Linux 2.6.24), /proc/self/mountinfo and, in the hierarchy of the cpu controller,
 * cpu.max (cgroup v2, Linux 4.15) or cpu.cfs_quota_us and cpu.cfs_period_us (v1) of the process's own group
 * and of all groups above it, as far as they are visible: the tightest counts. No privilege. Some tens of
 * microseconds, no allocation; fit for once a second. */
#ifndef RT_CPU_LIMIT_H
#define RT_CPU_LIMIT_H

#include <stdint.h>

#define CPU_LIMIT_NONE UINT64_MAX

/* The quota in thousandths of a CPU, or CPU_LIMIT_NONE. `root` is what stands before each path: "", but for
 * tests. What cannot be read, or makes no sense, limits nothing. */
uint64_t cpu_limit_milli(const char *root);

/* The CPUs of the affinity mask, or fewer: a quota is rounded up, and never means fewer than 2, since with
 * one processor whatever computes keeps all others waiting (Go does the same since 1.25). At least 1. */
uint32_t cpu_limit_processors(const char *root);

#endif
