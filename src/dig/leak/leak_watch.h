/* Who allocates memory in a process and does not give it back, while we watch.
 *
 * Probes at the entries of the allocator's functions (leak_allocator.h) count every call and sample a share by bytes
 * (leak_draw.bpf.h); of a sample the registers and the top of the stack are copied, and unwound here. A free
 * takes the sample out of the table of live ones. At the end, what is left there is what was allocated since
 * the start and is still held: a leak, or a cache that fills. Memory that was held before the start is not
 * seen, nor what is mapped past the allocator.
 *
 * The mean of the sampling adapts itself so that stacks are taken about LEAK_SAMPLES_PER_S times a second;
 * where a process allocates less often than that, every allocation is taken and sums are exact. But every
 * call of the allocator is a trap into the kernel (1 us, in virtual machines up to 15 us), which nothing
 * bounds: `trap_ns` is measured, `counts` tells how many there were. Privilege: root (CAP_BPF, CAP_PERFMON,
 * CAP_SYS_PTRACE). Kernel: 5.8 with uprobes; 6.13 spares half of the traps. x86-64. Other processes are not
 * slowed: the probes are in this one's memory. Ends with our descriptors. Memory: 8 MiB of ring, ~60 B a live
 * sample in the kernel, 64 B a sample here. */
#ifndef OSPREY_DIG_LEAK_LEAK_WATCH_H
#define OSPREY_DIG_LEAK_LEAK_WATCH_H

#include "dig/leak/leak_allocator.h"
#include "dig/leak/leak_estimate.h"
#include "dig/leak/leak_site.h"
#include "kernel/host.h"

#define LEAK_SAMPLES_PER_S 1000
#define LEAK_SAMPLES_MAX 300000 /* in the time asked for: longer watches take fewer a second */
#define LEAK_STEP_NS 50000000u /* between two calls of leak_watch_step: the ring holds what comes in between */

struct leak_options {
	uint64_t for_ns;     /* how long it is meant to last: for the rate of samples */
	uint64_t mean_bytes; /* stays so when not 0 */
	bool no_session;     /* as kernels before 6.13; for tests */
};

enum leak_end { LEAK_GOES_ON, LEAK_EXITED, LEAK_EXECED };

struct leak_counts {
	/* Calls that the probes saw: realloc(NULL) is two where it goes on to malloc. */
	uint64_t allocations, allocated_bytes, frees;
	uint64_t samples;
	uint64_t ring_full, table_full; /* samples that were lost: estimates are too small by these */
	uint64_t no_stack;		/* samples whose stack could not be unwound beyond the caller */
	uint64_t missed;		/* hits that the kernel left out */
};

struct leak_watch {
	int pid;
	char comm[16];
	bool session;
	struct leak_allocator allocator;
	struct address_space *space;
	struct leak_sites sites;
	leak_sample_vec samples;
	struct leak_counts counts;
	uint64_t start_ns, end_ns; /* end_ns 0: it goes on */
	enum leak_end end;
	uint64_t mean_bytes; /* now */
	uint64_t trap_ns;    /* what one hit costs here, measured on ourselves; 0: not known */
	struct leak_inside *inside;
};

/* Attaches, and counts for 50 ms to find the mean to start with. `store` is used until leak_watch_free.
 * -errno with the note ("not measurable: …"). */
int leak_watch_new(struct host *h, struct image_store *store, int pid, const struct leak_options *options,
		   struct leak_watch **ret, struct note *note) __attribute__((warn_unused_result));
/* Takes out what is there and adapts; w->end tells whether the target is still the same program. To be called every
 * LEAK_STEP_NS. -ENOMEM. */
int leak_watch_step(struct leak_watch *w) __attribute__((warn_unused_result));
/* Detaches, and marks the samples that are live. */
int leak_watch_end(struct leak_watch *w) __attribute__((warn_unused_result));
void leak_watch_free(struct leak_watch *w);

#endif
