/* Ahead of ordinary tasks for a while, where privilege (CAP_SYS_NICE) allows: who measures a
 * host whose run queues are full cannot wait its turn. Under a storm of context switches some
 * kernels (6.18 with autogroups) let a task that wants 50 ms of CPU wait for half a minute.
 *
 * Round robin at the lowest real-time priority, for the calling thread; threads and processes
 * that it starts begin as ordinary ones (but for those of base/bounded.h, which it waits for).
 *
 * Nobody else runs on a CPU that an urgent thread keeps: on a machine of one CPU a long piece of
 * work would stop the host that it is to heal. So urgency is lent for a stretch of work alone:
 * URGENT_NS of CPU time, after which urgent_check makes the thread an ordinary one until
 * urgent_renew. */
#ifndef OSPREY_BASE_URGENT_H
#define OSPREY_BASE_URGENT_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#define URGENT_NS UINT64_C(100000000)

struct urgent {
	bool able;    /* privilege was there */
	bool changed; /* the thread is ahead now */
	int policy;
	struct sched_param param;
	uint64_t from_cpu_ns; /* CPU time of the thread at the start of the stretch */
};

/* Nothing happens without the privilege, or when the thread is a real-time one already. */
void urgent_begin(struct urgent *ret);
/* A new stretch of work begins. */
void urgent_renew(struct urgent *u);
/* Ends the stretch when it took too long. To be called now and then while working, by the thread
 * that began. ~0.2 us. */
void urgent_check(struct urgent *u);
/* As before. Harmless on a zeroed one, and twice. */
void urgent_end(struct urgent *u);

#endif
