#include "source/network/net_counters.h"

#include <stdio.h>

const struct field net_counter_fields[] = {
#define ROW(...) FIELD_ROW(struct net_counters, __VA_ARGS__)
	NET_COUNTER_FIELDS(ROW)
#undef ROW
};
const size_t net_counter_nfields = sizeof net_counter_fields / sizeof net_counter_fields[0];

/* Fields whose kernel name starts with `prefix` stand together: [first, first + n). */
struct range {
	const struct field *first;
	size_t n;
};

static struct range fields_of(struct span prefix)
{
	struct range found = { net_counter_fields, 0 };

	for (size_t i = 0; i < net_counter_nfields; i++) {
		const char *name = net_counter_fields[i].kernel_name;

		if (strncmp(name, prefix.p, prefix.n) != 0)
			continue;
		if (found.n++ == 0)
			found.first = &net_counter_fields[i];
	}
	return found;
}

static const struct field *find(struct range fields, size_t prefix_n, struct span name)
{
	for (size_t i = 0; i < fields.n; i++)
		if (span_is(name, fields.first[i].kernel_name + prefix_n))
			return &fields.first[i];
	return NULL;
}

static reading parse_number(struct span word)
{
	uint64_t v;

	return span_u64(word, &v) && reading_ok(v) ? v : READING_MALFORMED;
}

/* "Tcp: names" over "Tcp: values": `prefix` is "Tcp." */
static void parse_pair(struct span prefix, struct span names, struct span values, struct net_counters *ret)
{
	struct range fields = fields_of(prefix);
	struct span name, value;

	if (fields.n == 0)
		return;
	while (span_word(&names, &name)) {
		bool told = span_word(&values, &value);
		const struct field *field = find(fields, prefix.n, name);

		if (field)
			*field_at(field, ret) = told ? parse_number(value) : READING_MALFORMED;
	}
}

void net_counters_parse(struct span text, struct net_counters *ret)
{
	struct span names, values, first, second;
	char prefix[16];

	while (span_line(&text, &names)) {
		if (!span_until(&names, ':', &first) || first.n + 2 > sizeof prefix)
			continue;
		struct span rest = text;
		if (!span_line(&rest, &values) || !span_until(&values, ':', &second) ||
		    !span_equal(first, second))
			continue;
		text = rest;
		span_copy(first, prefix, sizeof prefix);
		prefix[first.n] = '.';
		parse_pair((struct span){ prefix, first.n + 1 }, names, values, ret);
	}
}

void snmp6_parse(struct span text, struct net_counters *ret)
{
	struct range fields = fields_of(SPAN("Udp6"));

	fields_parse(text, fields.first, fields.n, 1, ret);
}

/* "TCP: inuse 1 orphan 0 tw 0 alloc 1 mem 196" */
void sockstat_parse(struct span text, struct net_counters *ret)
{
	struct range fields = fields_of(SPAN("sockstat."));
	struct span line, protocol, name, value;

	while (span_line(&text, &line)) {
		if (!span_until(&line, ':', &protocol) || !span_is(protocol, "TCP"))
			continue;
		while (span_word(&line, &name)) {
			const struct field *field = find(fields, sizeof "sockstat." - 1, name);
			bool told = span_word(&line, &value);

			if (field)
				*field_at(field, ret) = told ? parse_number(value) : READING_MALFORMED;
		}
	}
}

static int read_file(struct host *h, int pid, const char *name, struct buf *scratch)
{
	char path[64];

	if (pid == 0)
		snprintf(path, sizeof path, "/proc/net/%s", name);
	else
		snprintf(path, sizeof path, "/proc/%d/net/%s", pid, name);
	return host_read(h, path, scratch);
}

/* One file into its fields; when it cannot be read they carry the reason. */
static void read_into(struct host *h, int pid, const char *name, struct span prefix,
		      void (*parse)(struct span, struct net_counters *), struct buf *scratch,
		      struct net_counters *ret)
{
	int r = read_file(h, pid, name, scratch);

	if (r == 0) {
		parse(buf_span(scratch), ret);
	} else {
		struct range fields = fields_of(prefix);
		fields_missing(fields.first, fields.n, reading_from_errno(r), ret);
	}
}

void net_counters_read(struct host *h, int pid, struct buf *scratch, struct net_counters *ret)
{
	int r = read_file(h, pid, "snmp", scratch);

	fields_missing(net_counter_fields, net_counter_nfields, reading_from_errno(r), ret);
	ret->presence = presence_from_errno(r);
	if (r < 0)
		return;
	fields_missing(net_counter_fields, net_counter_nfields, READING_ABSENT, ret);
	net_counters_parse(buf_span(scratch), ret);
	if (!reading_ok(ret->tcp_out_segments) && !reading_ok(ret->udp_in))
		ret->presence = MALFORMED;
	read_into(h, pid, "netstat", SPAN("TcpExt."), net_counters_parse, scratch, ret);
	read_into(h, pid, "sockstat", SPAN("sockstat."), sockstat_parse, scratch, ret);
	read_into(h, pid, "snmp6", SPAN("Udp6"), snmp6_parse, scratch, ret);
}
