/* Parsers of src/source/network and the framing of netlink; the first byte selects. */
#include <stdlib.h>

#include "source/network/interface.h"
#include "source/network/net_counters.h"
#include "source/network/socket.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct span text = { (const char *)data + 1, size - 1 };
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
