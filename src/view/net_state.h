/* What has been collected of the network, and the rows made from it. Internal to src/view/net_*.c. */
#ifndef OSPREY_VIEW_NET_STATE_H
#define OSPREY_VIEW_NET_STATE_H

#include "source/network/conntrack.h"
#include "source/network/interface.h"
#include "source/network/link.h"
#include "source/network/mib.h"
#include "source/network/qdisc.h"
#include "source/network/softnet.h"
#include "view/net_view.h"

struct net_look {
	interface_vec interfaces;
	link_vec links;
	qdisc_vec qdiscs;
	softnet_vec softnet;
	struct mib mib;
	struct conntrack conntrack;
	enum presence interface_presence, link_presence, qdisc_presence, softnet_presence;
};

struct net_state;

struct interface_row {
	const struct net_state *state;
	const struct interface *now, *before; /* NULL: at boot, or it has come since */
	const struct link *link, *link_before; /* NULL: not told */
	const struct qdisc *qdisc, *qdisc_before; /* of its root; NULL: not told, or it has none */
};

struct qdisc_row {
	const struct net_state *state;
	const struct qdisc *now, *before;
	char interface[24], handle[16], parent[16];
};

struct softnet_row {
	const struct net_state *state;
	char cpu[16];
	reading processed, dropped, squeezed; /* growth */
};

struct counter_row {
	const struct net_state *state;
	const struct mib_counter *now;
	reading growth;
};

struct net_state {
	struct host *host;
	struct buf scratch;
	bool wants_counters, wants_qdiscs;
	struct net_look now, before;
	struct host_time last;
	struct view_span span;
	VEC(struct interface_row) interfaces;
	VEC(struct qdisc_row) qdiscs;
	VEC(struct softnet_row) softnet; /* the sum first */
	VEC(struct counter_row) counters;
};

extern const struct entity entity_interface, entity_tcp, entity_udp, entity_ip, entity_softnet, entity_qdisc,
	entity_net_counter;

#endif
