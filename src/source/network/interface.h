/* Network interfaces: /proc/PID/net/dev, one line each. Privilege: none.
 * Rates are to be taken over >= 1 s: some drivers update counters late. */
#ifndef OSPREY_SOURCE_NETWORK_INTERFACE_H
#define OSPREY_SOURCE_NETWORK_INTERFACE_H

#include "base/field.h"
#include "base/vec.h"
#include "kernel/host.h"

/* In the kernel's column order. */
#define INTERFACE_FIELDS(FIELD)                                                                \
	FIELD(600, rx_bytes, "rx_bytes", BYTES, COUNTER, "received")                           \
	FIELD(601, rx_packets, "rx_packets", COUNT, COUNTER, "received")                       \
	FIELD(602, rx_errors, "rx_errors", COUNT, COUNTER, "received damaged")                 \
	FIELD(603, rx_dropped, "rx_dropped", COUNT, COUNTER, "dropped, unknown protocols among them") \
	FIELD(604, rx_fifo, "rx_fifo", COUNT, COUNTER, "dropped: ring full")                   \
	FIELD(605, rx_frame, "rx_frame", COUNT, COUNTER, "framing errors")                     \
	FIELD(606, rx_compressed, "rx_compressed", COUNT, COUNTER, "compressed packets")       \
	FIELD(607, rx_multicast, "rx_multicast", COUNT, COUNTER, "multicast packets")          \
	FIELD(608, tx_bytes, "tx_bytes", BYTES, COUNTER, "sent")                               \
	FIELD(609, tx_packets, "tx_packets", COUNT, COUNTER, "sent")                           \
	FIELD(610, tx_errors, "tx_errors", COUNT, COUNTER, "not sent: errors")                 \
	FIELD(611, tx_dropped, "tx_dropped", COUNT, COUNTER, "not sent: dropped by the queue") \
	FIELD(612, tx_fifo, "tx_fifo", COUNT, COUNTER, "not sent: ring full")                  \
	FIELD(613, tx_collisions, "tx_collisions", COUNT, COUNTER, "collisions")               \
	FIELD(614, tx_carrier, "tx_carrier", COUNT, COUNTER, "carrier lost")                   \
	FIELD(615, tx_compressed, "tx_compressed", COUNT, COUNTER, "compressed packets")

struct interface {
	char name[16];
	INTERFACE_FIELDS(FIELD_MEMBER)
};
typedef VEC(struct interface) interface_vec;

extern const struct field interface_fields[];
extern const size_t interface_nfields;

/* One line; -EBADMSG for the headers too. */
int interface_parse(struct span line, struct interface *ret) __attribute__((warn_unused_result));
/* Of the namespace of `pid`; 0: our own. */
int interfaces_read(struct host *h, int pid, struct buf *scratch, interface_vec *ret,
		    enum presence *ret_presence) __attribute__((warn_unused_result));

#endif
