/* Where in the code a finding happens: the hottest stacks of who burns the CPU, the stacks of those who wait for a lock or
 * a disk and of who holds it.
 *
 * What the culprit does is sampled within the window, from the look on that names it (dig/profile: 49 Hz, BPF); stacks of
 * those who wait are taken at its end (dig/stack). Nothing is stopped. The text goes through host_fetch under the key
 * "where:KIND:PID", so that captures replay it. Privilege and kernels: as of these; where they are lacking the finding
 * has no such lines, and says nothing wrong. Cost: ~30 ms of CPU for each process that is looked into, at most three, and some tens of MiB for large programs:
 * it is left out where less than 192 MiB are left, of the host or of our own memory cgroup. */
#ifndef OSPREY_DIAGNOSE_WHERE_H
#define OSPREY_DIAGNOSE_WHERE_H

#include "diagnose/engine.h"
#include "kernel/host.h"

struct where;
/* `no_bpf`: nothing is sampled, and stacks come from /proc. */
int where_new(struct host *h, bool no_bpf, struct where **ret) __attribute__((warn_unused_result));
void where_free(struct where *w);
/* After each judgement: starts to sample whom it names. */
void where_follow(struct where *w, const struct diagnosis *d);
/* Between looks: takes what the sampling gave. */
void where_pump(struct where *w);
/* At the end: fills `where` of the findings. */
void where_tell(struct where *w, struct diagnosis *d);

#endif
