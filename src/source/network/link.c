#include "source/network/link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>

#include "source/network/rtnetlink.h"

const struct field link_fields[] = {
#define ROW(...) FIELD_ROW(struct link, __VA_ARGS__)
	LINK_FIELDS(ROW)
#undef ROW
};
const size_t link_nfields = sizeof link_fields / sizeof link_fields[0];

static void take_u32(struct span value, reading *ret)
{
	uint32_t v;

	if (value.n < sizeof v)
		return;
	memcpy(&v, value.p, sizeof v);
	*ret = v;
}

static void take_text(struct span value, char *ret, size_t size)
{
	span_copy((struct span){ value.p, strnlen(value.p, value.n) }, ret, size);
}

static reading counter(struct span statistics, size_t offset)
{
	uint64_t v;

	if (statistics.n < offset + sizeof v)
		return READING_ABSENT;
	memcpy(&v, statistics.p + offset, sizeof v);
	return reading_ok(v) ? v : READING_MALFORMED;
}

static void take_statistics(struct span value, struct link *l)
{
#define TAKE(member, name) l->member = counter(value, offsetof(struct rtnl_link_stats64, name))
	TAKE(rx_length_errors, rx_length_errors);
	TAKE(rx_over_errors, rx_over_errors);
	TAKE(rx_crc_errors, rx_crc_errors);
	TAKE(rx_frame_errors, rx_frame_errors);
	TAKE(rx_fifo_errors, rx_fifo_errors);
	TAKE(rx_missed_errors, rx_missed_errors);
	TAKE(rx_no_handler, rx_nohandler);
	TAKE(tx_aborted_errors, tx_aborted_errors);
	TAKE(tx_carrier_errors, tx_carrier_errors);
	TAKE(tx_fifo_errors, tx_fifo_errors);
	TAKE(tx_heartbeat_errors, tx_heartbeat_errors);
	TAKE(tx_window_errors, tx_window_errors);
	TAKE(collisions, collisions);
#undef TAKE
}

static void take_info(struct span rest, struct link *l)
{
	struct span value;
	uint16_t type;

	while (netlink_attribute(&rest, &type, &value))
		if (type == IFLA_INFO_KIND)
			take_text(value, l->kind, sizeof l->kind);
}

static void take_attribute(uint16_t type, struct span value, struct link *l)
{
	switch (type) {
	case IFLA_IFNAME: take_text(value, l->name, sizeof l->name); break;
	case IFLA_MTU: take_u32(value, &l->mtu_bytes); break;
	case IFLA_TXQLEN: take_u32(value, &l->queue_packets); break;
	case IFLA_MASTER: take_u32(value, &l->master); break;
	case IFLA_NUM_RX_QUEUES: take_u32(value, &l->rx_queues); break;
	case IFLA_NUM_TX_QUEUES: take_u32(value, &l->tx_queues); break;
	case IFLA_CARRIER_CHANGES: take_u32(value, &l->carrier_changes); break;
	case IFLA_QDISC: take_text(value, l->qdisc, sizeof l->qdisc); break;
	case IFLA_STATS64: take_statistics(value, l); break;
	case IFLA_LINKINFO: take_info(value, l); break;
	case IFLA_OPERSTATE: l->state = value.n ? (uint8_t)value.p[0] : 0; break;
	case IFLA_CARRIER: l->has_carrier = value.n && value.p[0]; break;
	}
}

static int parse_message(const struct netlink_message *message, struct link *ret)
{
	struct ifinfomsg m;
	struct span rest, value;
	uint16_t type;

	if (message->type != RTM_NEWLINK || message->payload.n < sizeof m)
		return -EBADMSG;
	memcpy(&m, message->payload.p, sizeof m);
	*ret = (struct link){
		.index = (uint32_t)m.ifi_index,
		.up = m.ifi_flags & IFF_UP,
		.mtu_bytes = READING_ABSENT,
		.queue_packets = READING_ABSENT,
		.rx_queues = READING_ABSENT,
		.tx_queues = READING_ABSENT,
		.master = READING_ABSENT,
		.speed_bits_per_s = READING_ABSENT,
	};
	fields_missing(link_fields, link_nfields, READING_ABSENT, ret);
	rest = rtnetlink_after(message, sizeof m);
	while (netlink_attribute(&rest, &type, &value))
		take_attribute(type, value, ret);
	return ret->name[0] ? 0 : -EBADMSG;
}

int links_parse(struct span netlink, link_vec *ret)
{
	struct netlink_message message;
	struct link parsed;

	while (netlink_next(&netlink, &message)) {
		if (parse_message(&message, &parsed) < 0)
			continue;
		struct link *l = vec_push(ret);
		if (!l)
			return -ENOMEM;
		*l = parsed;
	}
	return netlink.n == 0 ? 0 : -EBADMSG;
}

int links_read(struct host *h, uint64_t net_ns, int pid, struct buf *scratch, link_vec *ret,
	       enum presence *ret_presence)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg body;
	} request = { .header = { .nlmsg_type = RTM_GETLINK }, .body = { .ifi_family = AF_UNSPEC } };

	ret->n = 0;
	int r = rtnetlink_read(h, "link", net_ns, pid, &request.header, sizeof request, scratch);
	if (r == 0)
		r = links_parse(buf_span(scratch), ret);
	*ret_presence = presence_from_errno(r);
	return r == -ENOMEM ? r : 0;
}

reading link_speed_parse(struct span text)
{
	uint64_t megabits;

	if (!span_u64(span_trim(text), &megabits) || megabits == 0 || megabits == UINT32_MAX ||
	    megabits > UINT64_MAX / 1000000 - 1)
		return READING_ABSENT;
	return megabits * 1000000;
}

static int read_attribute(struct host *h, const struct link *l, const char *name, struct buf *scratch)
{
	char path[64];

	snprintf(path, sizeof path, "/sys/class/net/%s/%s", l->name, name);
	return host_read(h, path, scratch);
}

int link_speeds_read(struct host *h, struct buf *scratch, link_vec *links)
{
	vec_each(l, links) {
		if (strchr(l->name, '/'))
			continue; /* no name of a device, so no path either */
		int r = read_attribute(h, l, "speed", scratch);
		if (r == -ENOMEM)
			return r;
		/* Devices without one refuse to be read. */
		l->speed_bits_per_s = r == 0 ? link_speed_parse(buf_span(scratch)) : READING_ABSENT;
		if (!reading_ok(l->speed_bits_per_s))
			continue;
		r = read_attribute(h, l, "duplex", scratch);
		if (r == -ENOMEM)
			return r;
		if (r == 0)
			span_copy(span_trim(buf_span(scratch)), l->duplex, sizeof l->duplex);
	}
	return 0;
}

const char *link_state_name(const struct link *l)
{
	/* RFC 2863's ifOperStatus in the kernel's numbers (IF_OPER_UNKNOWN is 0) */
	static const char *const names[] = { "unknown", "not-present", "down", "lower-down", "testing", "dormant", "up" };

	return l->state < sizeof names / sizeof names[0] ? names[l->state] : "unknown";
}

const struct link *link_find(const link_vec *links, uint32_t index)
{
	vec_each(l, links)
		if (l->index == index)
			return l;
	return NULL;
}
