/* Connection tracking of netfilter: how full its table is, and what it lost.
 * /proc/sys/net/netfilter/nf_conntrack_{count,max} and /proc/net/stat/nf_conntrack (hexadecimal, a line
 * a CPU). Absent without the module nf_conntrack. Privilege: none; the count is that of our own namespace,
 * the limit that of the host. Cost: three small files. */
#ifndef OSPREY_SOURCE_NETWORK_CONNTRACK_H
#define OSPREY_SOURCE_NETWORK_CONNTRACK_H

#include <stdbool.h>

#include "base/field.h"
#include "kernel/host.h"

#define CONNTRACK_FIELDS(FIELD)                                                                         \
	FIELD(2490, entries, "nf_conntrack_count", COUNT, GAUGE, "connections tracked now")             \
	FIELD(2491, entries_max, "nf_conntrack_max", COUNT, GAUGE, "connections tracked at most")       \
	FIELD(2492, insert_failed, "insert_failed", COUNT, COUNTER, "entries not made: another was there first") \
	FIELD(2493, dropped, "drop", COUNT, COUNTER, "packets dropped: table full, or no memory")       \
	FIELD(2494, early_dropped, "early_drop", COUNT, COUNTER, "entries thrown out to make room")

struct conntrack {
	CONNTRACK_FIELDS(FIELD_MEMBER)
};

void conntrack_read(struct host *h, struct buf *scratch, struct conntrack *ret);
/* /proc/net/stat/nf_conntrack: fills the counters, sums over CPUs; absent when there is no such column. */
void conntrack_parse(struct span text, struct conntrack *ret);

#endif
