/* Ahead of ordinary tasks for a while, where privilege (CAP_SYS_NICE) allows: who measures a
 * host whose run queues are full cannot wait its turn. Under a storm of context switches some
 * kernels (6.18 with autogroups) let a task that wants 50 ms of CPU wait for half a minute.
 *
 * Round robin at the lowest real-time priority, for the calling thread; threads and processes
 * that it starts begin as ordinary ones. */
#ifndef OSPREY_BASE_URGENT_H
#define OSPREY_BASE_URGENT_H

#include <sched.h>
#include <stdbool.h>

struct urgent {
	bool changed;
	int policy;
	struct sched_param param;
};

/* Nothing happens without the privilege, or when the thread is a real-time one already. */
void urgent_begin(struct urgent *ret);
/* As before. Harmless on a zeroed one, and twice. */
void urgent_end(struct urgent *u);

#endif
