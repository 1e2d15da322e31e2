/* User and system time of a task that add up to its time on a CPU.
 *
 * Time on a CPU is exact; its parts are sampled by the timer tick. Scales the parts so
 * that their sum is `run_ns`, and lets neither run backwards: what the kernel's
 * cputime_adjust() does for /proc, without its step of 10 ms. Internal to source/process. */
#ifndef OSPREY_SOURCE_PROCESS_CPU_SPLIT_H
#define OSPREY_SOURCE_PROCESS_CPU_SPLIT_H

#include "base/reading.h"

struct cpu_split {
	uint64_t user_ns, system_ns;
};

/* *kept is of the same task at the last look, zero at first. A run_ns below its sum leaves
 * it as it is. */
void cpu_split_scale(uint64_t user_ns, uint64_t system_ns, uint64_t run_ns, struct cpu_split *kept);

#endif
