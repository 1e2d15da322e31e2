/* Queue disciplines by rtnetlink (RTM_GETQDISC): what waits before a device, and what was dropped
 * there; what `tc -s qdisc` shows. A multi-queue device has a root (mq) and one discipline a queue;
 * the root counts what its queues count.
 *
 * Since: 2.6.12 (TCA_STATS2). A device of kind noqueue has none, or one that counts nothing.
 * Privilege: none in our own namespace. Cost: one dump, ~20 us and ~1 us a discipline.
 * Format: include/uapi/linux/{pkt_sched,gen_stats}.h. */
#ifndef OSPREY_SOURCE_NETWORK_QDISC_H
#define OSPREY_SOURCE_NETWORK_QDISC_H

#include <stdbool.h>

#include "base/field.h"
#include "base/vec.h"
#include "kernel/host.h"

/* kernel_name: member of struct gnet_stats_basic and gnet_stats_queue. */
#define QDISC_FIELDS(FIELD)                                                                             \
	FIELD(2480, sent_bytes, "bytes", BYTES, COUNTER, "passed through")                              \
	FIELD(2481, sent_packets, "packets", COUNT, COUNTER, "passed through")                          \
	FIELD(2482, queued_packets, "qlen", COUNT, GAUGE, "wait now")                                   \
	FIELD(2483, queued_bytes, "backlog", BYTES, GAUGE, "wait now")                                  \
	FIELD(2484, drops, "drops", COUNT, COUNTER, "packets dropped: queue full, too old, or over the rate") \
	FIELD(2485, requeues, "requeues", COUNT, COUNTER, "packets put back, the device would not take them") \
	FIELD(2486, overlimits, "overlimits", COUNT, COUNTER, "times the rate limit held packets back")

struct qdisc {
	uint32_t interface; /* index of the device */
	uint32_t handle, parent; /* major << 16 | minor; parent 0xffffffff: root of the device */
	char kind[16]; /* "fq_codel" */
	bool ingress;  /* of what is received (ingress, clsact) */
	QDISC_FIELDS(FIELD_MEMBER)
};
typedef VEC(struct qdisc) qdisc_vec;

extern const struct field qdisc_fields[];
extern const size_t qdisc_nfields;

/* Of the namespace `net_ns` (inode; 0: any) of process `pid`; 0: our own. */
int qdiscs_read(struct host *h, uint64_t net_ns, int pid, struct buf *scratch, qdisc_vec *ret,
		enum presence *ret_presence) __attribute__((warn_unused_result));
/* -EBADMSG: cut or damaged (what stood before is kept); -ENOMEM. */
int qdiscs_parse(struct span netlink, qdisc_vec *ret) __attribute__((warn_unused_result));
bool qdisc_is_root(const struct qdisc *q);

#endif
