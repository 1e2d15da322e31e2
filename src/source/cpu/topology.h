/* What does not change while we look: CPUs, nodes, memory, names. Read once. */
#ifndef OSPREY_SOURCE_CPU_TOPOLOGY_H
#define OSPREY_SOURCE_CPU_TOPOLOGY_H

#include <stdbool.h>

#include "base/reading.h"
#include "kernel/host.h"

struct topology {
	uint32_t cpus;	/* online: /sys/devices/system/cpu/online, else /proc/stat */
	uint32_t nodes; /* NUMA nodes: /sys/devices/system/node/online; 1 when there is none */
	char model[64]; /* /proc/cpuinfo "model name" */
	char kernel[96]; /* /proc/sys/kernel/osrelease */
	char hostname[64];
};

/* "0-3,8" -> 5; -EBADMSG */
int cpu_list_count(struct span text, uint32_t *ret) __attribute__((warn_unused_result));
void topology_read(struct host *h, struct buf *scratch, struct topology *ret);

#endif
