/* /proc/net/softnet_stat: packets through each CPU's backlog. Hexadecimal columns, a line a
 * CPU; the CPU number is column 13 since 5.14 (before: the line number, offline CPUs left out).
 * Privilege: none. time_squeeze alone is no loss. The kernel's counters are 32 bits wide and
 * wrap; a delta over the wrap is malformed, as any counter that runs backwards. */
#ifndef OSPREY_SOURCE_NETWORK_SOFTNET_H
#define OSPREY_SOURCE_NETWORK_SOFTNET_H

#include "base/reading.h"
#include "base/vec.h"
#include "kernel/host.h"

struct softnet {
	uint32_t cpu;
	reading processed, dropped, time_squeeze;
};
typedef VEC(struct softnet) softnet_vec;

/* 0; -EBADMSG: text without a single good line (lines that are damaged are left out); -ENOMEM. */
int softnet_parse(struct span text, softnet_vec *ret) __attribute__((warn_unused_result));
int softnet_read(struct host *h, struct buf *scratch, softnet_vec *ret, enum presence *ret_presence)
	__attribute__((warn_unused_result));

#endif
