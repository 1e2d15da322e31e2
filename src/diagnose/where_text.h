/* The lines that where.h puts under a finding. */
#ifndef OSPREY_DIAGNOSE_WHERE_TEXT_H
#define OSPREY_DIAGNOSE_WHERE_TEXT_H

#include "dig/profile/call_tree.h"
#include "kernel/host.h"

enum where_kind { WHERE_NOTHING, WHERE_CPU, WHERE_LOCK, WHERE_DISK };
const char *where_kind_name(enum where_kind kind);

/* The functions that the samples were in, and who called them: "61 % in crunch (app) < serve < main". `tree` is
 * summed. -ENODATA: too few samples to say something. -ENOMEM. */
int where_cpu_text(struct call_tree *tree, uint64_t samples, struct buf *ret) __attribute__((warn_unused_result));

/* Who waits for which lock, who holds it, and where each stands; of WHERE_DISK the threads that wait for data, with their
 * files. Takes the stacks of a live process now. -ENODATA: nobody waits so. */
int where_waiting_text(struct host *h, enum where_kind kind, int pid, bool no_bpf, struct buf *ret) __attribute__((warn_unused_result));

#endif
