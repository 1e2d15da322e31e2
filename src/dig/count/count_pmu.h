/* Which PMUs the CPU has, and what keeps us from counting.
 *
 * Reads /sys/bus/event_source/devices (cpu, cpu_core, cpu_atom, armv8_*), /proc/cpuinfo's flag "hypervisor" (x86) or
 * /sys/firmware/devicetree/base/hypervisor and /sys/hypervisor, /proc/sys/kernel/perf_event_paranoid. Privilege: none. */
#ifndef OSPREY_DIG_COUNT_COUNT_PMU_H
#define OSPREY_DIG_COUNT_COUNT_PMU_H

#include <stdbool.h>
#include <stdint.h>

#include "base/note.h"

#define COUNT_MAX_CORES 4

struct count_pmus {
	unsigned ncores; /* kinds of core that have a PMU; 0: none */
	uint32_t core[COUNT_MAX_CORES]; /* their types, as perf_event_attr has them */
	bool virtual_machine;
};

void count_pmus_read(struct count_pmus *ret);

/* Writes what is missing after EACCES or EPERM: the level of perf_event_paranoid and the capability. */
void count_pmu_denied(struct note *ret, bool tracepoint);

#endif
