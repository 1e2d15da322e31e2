/* The sampler: watches a host for a window. Owns all storage of the windows it hands out;
 * allocates nothing per step once running (vectors keep their capacity).
 *
 *     sampler_new(host, &s);                     takes the first samples
 *     while (sampler_step(s, end_ns) > 0)         sleeps to the next tick and samples
 *             if (sampler_looked(s)) … sampler_window(s, &w) …
 *
 * From new to free the calling thread is urgent (base/urgent.h), for at most URGENT_NS of CPU
 * time a step: what takes longer goes on as an ordinary thread.
 * Pace: counters every 100 ms, samples and the task table every 1 s and at both ends. */
#ifndef OSPREY_SAMPLE_SAMPLER_H
#define OSPREY_SAMPLE_SAMPLER_H

#include "base/clock.h"
#include "sample/window.h"

#define SAMPLER_TICK_NS (100 * NS_PER_MS)
#define SAMPLER_LOOK_NS NS_PER_S

struct sampler;

struct sampler_options {
	bool no_bpf; /* take everything from /proc */
};

int sampler_new(struct host *h, const struct sampler_options *options, struct sampler **ret,
		struct note *note) __attribute__((warn_unused_result));
void sampler_free(struct sampler *s);

/* Sleeps until the next tick (or `end_mono_ns`, when that is earlier) and samples. 1: go
 * on; 0: the end was reached, or the capture is over (*its last look is complete*);
 * -EINTR: a signal came; other -errno: nothing can be read. */
int sampler_step(struct sampler *s, uint64_t end_mono_ns) __attribute__((warn_unused_result));
/* Whether the last step was a whole look (samples and tasks). */
bool sampler_looked(const struct sampler *s);
/* The window from the first look to the last look. -ENOMEM. */
int sampler_window(struct sampler *s, struct window *ret) __attribute__((warn_unused_result));

#endif
