#include "source/network/qdisc.h"

#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "source/network/rtnetlink.h"

const struct field qdisc_fields[] = {
#define ROW(...) FIELD_ROW(struct qdisc, __VA_ARGS__)
	QDISC_FIELDS(ROW)
#undef ROW
};
const size_t qdisc_nfields = sizeof qdisc_fields / sizeof qdisc_fields[0];

static uint32_t u32_at(struct span value, size_t offset)
{
	uint32_t v;

	memcpy(&v, value.p + offset, sizeof v);
	return v;
}

static void take_basic(struct span value, struct qdisc *q)
{
	uint64_t bytes;

	if (value.n < offsetof(struct gnet_stats_basic, packets) + sizeof(uint32_t))
		return;
	memcpy(&bytes, value.p, sizeof bytes);
	q->sent_bytes = reading_ok(bytes) ? bytes : READING_MALFORMED;
	if (!reading_ok(q->sent_packets))
		q->sent_packets = u32_at(value, offsetof(struct gnet_stats_basic, packets));
}

static void take_queue(struct span value, struct qdisc *q)
{
	if (value.n < sizeof(struct gnet_stats_queue))
		return;
	q->queued_packets = u32_at(value, offsetof(struct gnet_stats_queue, qlen));
	q->queued_bytes = u32_at(value, offsetof(struct gnet_stats_queue, backlog));
	q->drops = u32_at(value, offsetof(struct gnet_stats_queue, drops));
	q->requeues = u32_at(value, offsetof(struct gnet_stats_queue, requeues));
	q->overlimits = u32_at(value, offsetof(struct gnet_stats_queue, overlimits));
}

static void take_statistics(struct span rest, struct qdisc *q)
{
	struct span value;
	uint16_t type;

	while (netlink_attribute(&rest, &type, &value)) {
		if (type == TCA_STATS_BASIC) {
			take_basic(value, q);
		} else if (type == TCA_STATS_QUEUE) {
			take_queue(value, q);
		} else if (type == TCA_STATS_PKT64 && value.n >= sizeof(uint64_t)) {
			memcpy(&q->sent_packets, value.p, sizeof(uint64_t)); /* where 32 bits did not suffice */
			if (!reading_ok(q->sent_packets))
				q->sent_packets = READING_MALFORMED;
		}
	}
}

static int parse_message(const struct netlink_message *message, struct qdisc *ret)
{
	struct tcmsg m;
	struct span rest, value;
	uint16_t type;

	if (message->type != RTM_NEWQDISC || message->payload.n < sizeof m)
		return -EBADMSG;
	memcpy(&m, message->payload.p, sizeof m);
	*ret = (struct qdisc){
		.interface = (uint32_t)m.tcm_ifindex,
		.handle = m.tcm_handle,
		.parent = m.tcm_parent,
		.ingress = m.tcm_parent == TC_H_INGRESS,
	};
	fields_missing(qdisc_fields, qdisc_nfields, READING_ABSENT, ret);
	rest = rtnetlink_after(message, sizeof m);
	while (netlink_attribute(&rest, &type, &value)) {
		if (type == TCA_KIND)
			span_copy((struct span){ value.p, strnlen(value.p, value.n) }, ret->kind, sizeof ret->kind);
		else if (type == TCA_STATS2)
			take_statistics(value, ret);
	}
	return 0;
}

int qdiscs_parse(struct span netlink, qdisc_vec *ret)
{
	struct netlink_message message;
	struct qdisc parsed;

	while (netlink_next(&netlink, &message)) {
		if (parse_message(&message, &parsed) < 0)
			continue;
		struct qdisc *q = vec_push(ret);
		if (!q)
			return -ENOMEM;
		*q = parsed;
	}
	return netlink.n == 0 ? 0 : -EBADMSG;
}

int qdiscs_read(struct host *h, uint64_t net_ns, int pid, struct buf *scratch, qdisc_vec *ret,
		enum presence *ret_presence)
{
	struct {
		struct nlmsghdr header;
		struct tcmsg body;
	} request = { .header = { .nlmsg_type = RTM_GETQDISC } };

	ret->n = 0;
	int r = rtnetlink_read(h, "qdisc", net_ns, pid, &request.header, sizeof request, scratch);
	if (r == 0)
		r = qdiscs_parse(buf_span(scratch), ret);
	*ret_presence = presence_from_errno(r);
	return r == -ENOMEM ? r : 0;
}

bool qdisc_is_root(const struct qdisc *q)
{
	return q->parent == TC_H_ROOT;
}
