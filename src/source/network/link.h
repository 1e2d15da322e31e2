/* Network interfaces by rtnetlink (RTM_GETLINK): what they are, and errors by kind. What
 * /proc/net/dev sums up (interface.h) is told apart here, as `ip -s -s link` does; beyond that the
 * index, kind, state, queue discipline and MTU.
 *
 * Speed and duplex are no part of it: /sys/class/net/NAME/{speed,duplex} tell them, for the
 * namespace in which /sys was mounted. Virtual devices have none, or say -1 where it is unknown.
 *
 * Since: 2.6.35 (64-bit statistics; without them absent). Privilege: none in our own namespace. Cost: one
 * dump, ~20 us and ~4 us an interface; speed and duplex two files each. Format:
 * include/uapi/linux/if_link.h. */
#ifndef OSPREY_SOURCE_NETWORK_LINK_H
#define OSPREY_SOURCE_NETWORK_LINK_H

#include <stdbool.h>

#include "base/field.h"
#include "base/vec.h"
#include "kernel/host.h"

/* kernel_name: the member of struct rtnl_link_stats64. */
#define LINK_FIELDS(FIELD)                                                                              \
	FIELD(2460, rx_length_errors, "rx_length_errors", COUNT, COUNTER, "received: wrong length")     \
	FIELD(2461, rx_over_errors, "rx_over_errors", COUNT, COUNTER, "received: overran the device")   \
	FIELD(2462, rx_crc_errors, "rx_crc_errors", COUNT, COUNTER, "received: wrong checksum (cable, plug, optics)") \
	FIELD(2463, rx_frame_errors, "rx_frame_errors", COUNT, COUNTER, "received: wrong alignment")    \
	FIELD(2464, rx_fifo_errors, "rx_fifo_errors", COUNT, COUNTER, "received: FIFO of the device full") \
	FIELD(2465, rx_missed_errors, "rx_missed_errors", COUNT, COUNTER, "received: no room in the ring, the host was too slow") \
	FIELD(2466, rx_no_handler, "rx_nohandler", COUNT, COUNTER, "received: nobody wanted it (4.6)")  \
	FIELD(2467, tx_aborted_errors, "tx_aborted_errors", COUNT, COUNTER, "not sent: given up by the device") \
	FIELD(2468, tx_carrier_errors, "tx_carrier_errors", COUNT, COUNTER, "not sent: carrier lost")   \
	FIELD(2469, tx_fifo_errors, "tx_fifo_errors", COUNT, COUNTER, "not sent: FIFO of the device ran empty") \
	FIELD(2470, tx_heartbeat_errors, "tx_heartbeat_errors", COUNT, COUNTER, "not sent: heartbeat lost (old Ethernet)") \
	FIELD(2471, tx_window_errors, "tx_window_errors", COUNT, COUNTER, "not sent: late collision")   \
	FIELD(2472, collisions, "collisions", COUNT, COUNTER, "collisions")                             \
	FIELD(2473, carrier_changes, "IFLA_CARRIER_CHANGES", COUNT, COUNTER, "times the carrier came or went (3.15)")

struct link {
	uint32_t index;
	char name[16];
	char kind[24];	/* "veth", "bridge"…; "": a plain device */
	char qdisc[16]; /* "fq_codel", "noqueue"… */
	uint8_t state;	/* IF_OPER_…; link_state_name */
	bool up;	/* switched on (IFF_UP) */
	bool has_carrier;
	reading mtu_bytes, queue_packets; /* txqueuelen */
	reading rx_queues, tx_queues;
	reading master; /* index of the bridge or bond it belongs to */
	reading speed_bits_per_s; /* filled by link_speeds_read; absent: the device has none */
	char duplex[8]; /* "full", "half"; "": not known */
	LINK_FIELDS(FIELD_MEMBER)
};
typedef VEC(struct link) link_vec;

extern const struct field link_fields[];
extern const size_t link_nfields;

/* Of the namespace `net_ns` (inode; 0: any) of process `pid`; 0: our own. */
int links_read(struct host *h, uint64_t net_ns, int pid, struct buf *scratch, link_vec *ret,
	       enum presence *ret_presence) __attribute__((warn_unused_result));
/* -EBADMSG: cut or damaged (what stood before is kept); -ENOMEM. */
int links_parse(struct span netlink, link_vec *ret) __attribute__((warn_unused_result));
/* /sys/class/net/NAME/{speed,duplex} of each. -ENOMEM alone. */
int link_speeds_read(struct host *h, struct buf *scratch, link_vec *links) __attribute__((warn_unused_result));
/* "1000\n" (Mbit/s) in bit/s; "-1" and all else: absent. */
reading link_speed_parse(struct span text);
/* "up", "down", "dormant", "unknown"… as `ip link` says them. */
const char *link_state_name(const struct link *l);
/* NULL: there is none. */
const struct link *link_find(const link_vec *links, uint32_t index);

#endif
