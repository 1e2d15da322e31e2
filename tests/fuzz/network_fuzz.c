/* Parsers of src/source/network and the framing of netlink; the first byte selects. */
#include <stdlib.h>
#include <sys/socket.h>

#include "source/network/conntrack.h"
#include "source/network/interface.h"
#include "source/network/link.h"
#include "source/network/mib.h"
#include "source/network/net_counters.h"
#include "source/network/qdisc.h"
#include "source/network/socket.h"
#include "source/network/socket_counts.h"
#include "source/network/socket_holder.h"
#include "source/network/socket_table.h"
#include "source/network/softnet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void counters(struct span text, void (*parse)(struct span, struct net_counters *))
{
	struct net_counters c = { PRESENT };

	fields_missing(net_counter_fields, net_counter_nfields, READING_ABSENT, &c);
	parse(text, &c);
}

static void interface(struct span text)
{
	struct span line;
	struct interface i;

	while (span_line(&text, &line))
		if (interface_parse(line, &i) == 0 && (!i.name[0] || !memchr(i.name, '\0', sizeof i.name)))
			abort();
}

static void softnet(struct span text)
{
	softnet_vec cpus = { 0 };

	if (softnet_parse(text, &cpus) == 0 && cpus.n == 0)
		abort();
	vec_free(&cpus);
}

static void sockets(struct span text, enum socket_kind kind)
{
	socket_vec found = { 0 };
	size_t skipped = 0;

	(void)!sockets_parse(text, kind, &found, &skipped);
	vec_each(s, &found)
		if (!memchr(s->local, '\0', sizeof s->local) || !memchr(s->remote, '\0', sizeof s->remote))
			abort();
	vec_free(&found);
}

/* Every figure of every row is looked at: they are decoded when they are asked for. */
static void socket_table(struct span text, enum socket_protocol protocol)
{
	static const struct socket_query all = { .protocols = ~0u, .states = STATES_ALL, .details = true };
	struct socket_table t = { 0 };
	char address[SOCKET_ADDRESS_SIZE];
	uint64_t sum = 0;

	if (protocol == PROTOCOL_PACKET)
		(void)!socket_table_parse_packet(text, &t);
	else if (protocol == PROTOCOL_NETLINK)
		(void)!socket_table_parse_netlink(text, &t);
	else
		(void)!socket_table_parse(text, protocol, &all, &t);
	if (protocol == PROTOCOL_UNIX)
		(void)!socket_table_parse_unix(text, &all, &t);
	else if (protocol < PROTOCOL_UNIX)
		(void)!socket_table_parse_inet(text, protocol, text.n & 1 ? AF_INET : AF_INET6, &all, &t);
	vec_each(s, &t.rows) {
		for (enum socket_tcp_field f = 0; f < SOCKET_TCP_COUNT; f++)
			sum += socket_tcp_figure(&t, s, f);
		for (enum socket_memory_field f = 0; f < SOCKET_MEMORY_COUNT; f++)
			sum += socket_memory_figure(s, f);
		socket_address_text(s, sum & 1, address);
		struct span name = socket_name(&t, s);
		if (s->name_at + name.n > t.names.n || !socket_state_name(s) ||
		    (socket_congestion(&t, s) && strlen(socket_congestion(&t, s)) > 15))
			abort();
	}
	socket_table_deinit(&t);
}

static void holders(struct span text)
{
	socket_holder_vec found = { 0 };
	net_namespace_vec namespaces = { 0 };
	size_t denied, n;

	(void)!socket_holders_parse(text, &found, &denied);
	vec_each(holder, &found)
		if (holder->inode && !socket_holders_find(&found, holder->inode, &n))
			abort();
	vec_free(&found);
	(void)!net_namespaces_parse(text, &namespaces, &denied);
	vec_free(&namespaces);
}

static void links(struct span text)
{
	link_vec found = { 0 };

	(void)!links_parse(text, &found);
	vec_each(l, &found)
		if (!memchr(l->name, '\0', sizeof l->name) || !memchr(l->kind, '\0', sizeof l->kind) || !link_state_name(l))
			abort();
	vec_free(&found);
	link_speed_parse(text);
}

static void qdiscs(struct span text)
{
	qdisc_vec found = { 0 };

	(void)!qdiscs_parse(text, &found);
	vec_each(q, &found)
		if (!memchr(q->kind, '\0', sizeof q->kind))
			abort();
	vec_free(&found);
}

static void mib(struct span text)
{
	struct mib m = { 0 };

	(void)!mib_parse(text, &m);
	(void)!mib_parse_snmp6(text, &m);
	(void)!mib_index(&m);
	vec_each(c, &m.counters)
		if (mib_get(&m, c->name) == READING_ABSENT)
			abort();
	mib_deinit(&m);
}

static void counts(struct span text)
{
	socket_count_vec found = { 0 };
	struct conntrack tracked;

	(void)!socket_counts_parse(text, &found);
	(void)!socket_counts_parse_frag(text, text, &found);
	(void)!socket_counts_parse_used(text, &found);
	vec_each(c, &found)
		if (!memchr(c->protocol, '\0', sizeof c->protocol))
			abort();
	vec_free(&found);
	conntrack_parse(text, &tracked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct span text = { (const char *)data + 1, size - 1 };
	if (data[0] >= 128 && data[0] < 128 + PROTOCOL_COUNT)
		return socket_table(text, data[0] - 128), 0;
	switch (data[0]) {
	case 160:
		return holders(text), 0;
	case 161:
		return links(text), 0;
	case 162:
		return qdiscs(text), 0;
	case 163:
		return mib(text), 0;
	case 164:
		return counts(text), 0;
	}
	switch (data[0] % 8) {
	case 0:
		counters(text, net_counters_parse);
		break;
	case 1:
		counters(text, snmp6_parse);
		break;
	case 2:
		counters(text, sockstat_parse);
		break;
	case 3:
		interface(text);
		break;
	case 4:
		softnet(text);
		break;
	default:
		sockets(text, data[0] % 8 - 5);
	}
	return 0;
}
