#include "source/network/mib.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* RFC 1213 has a few of them among its counters. */
static bool is_gauge(const char *name)
{
	static const char *const gauges[] = {
		"Ip.Forwarding", "Ip.DefaultTTL", "Tcp.RtoAlgorithm", "Tcp.RtoMin", "Tcp.RtoMax", "Tcp.MaxConn", "Tcp.CurrEstab",
		"MPTcpExt.MPCurrEstab",
	};

	for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++)
		if (strcmp(name, gauges[i]) == 0)
			return true;
	return false;
}

static int add(struct mib *m, struct span prefix, struct span name, struct span value)
{
	struct mib_counter *c;
	uint64_t v;

	if (name.n == 0 || prefix.n + 1 + name.n >= sizeof c->name || memchr(name.p, 0, name.n) || memchr(prefix.p, 0, prefix.n))
		return 0; /* no kernel's */
	c = vec_push(&m->counters);
	if (!c)
		return -ENOMEM;
	snprintf(c->name, sizeof c->name, "%.*s%s%.*s", (int)prefix.n, prefix.p, prefix.n ? "." : "", (int)name.n, name.p);
	c->value = span_u64(value, &v) && reading_ok(v) ? v : READING_MALFORMED;
	c->is_gauge = is_gauge(c->name);
	return 0;
}

int mib_parse(struct span text, struct mib *ret)
{
	struct span names, values, name, value, first, second;
	int r = 0;

	while (r == 0 && span_line(&text, &names)) {
		struct span rest = text;

		if (!span_until(&names, ':', &first) || !span_line(&rest, &values) || !span_until(&values, ':', &second) ||
		    !span_equal(first, second))
			continue;
		text = rest;
		while (r == 0 && span_word(&names, &name)) {
			if (!span_word(&values, &value))
				value = (struct span){ "", 0 };
			r = add(ret, first, name, value);
		}
	}
	return r;
}

int mib_parse_snmp6(struct span text, struct mib *ret)
{
	struct span line, name, value;
	int r = 0;

	while (r == 0 && span_line(&text, &line))
		if (span_word(&line, &name) && span_word(&line, &value))
			r = add(ret, (struct span){ "", 0 }, name, value);
	return r;
}

static int compare(const void *a, const void *b, void *counters)
{
	const struct mib_counter *c = counters;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int order = strcmp(c[x].name, c[y].name);

	return order ? order : (x > y) - (x < y);
}

int mib_index(struct mib *m)
{
	m->by_name.n = 0;
	for (size_t i = 0; i < m->counters.n; i++) {
		uint32_t *place = vec_push(&m->by_name);

		if (!place)
			return -ENOMEM;
		*place = (uint32_t)i;
	}
	if (m->by_name.n)
		qsort_r(m->by_name.v, m->by_name.n, sizeof *m->by_name.v, compare, m->counters.v);
	return 0;
}

reading mib_get(const struct mib *m, const char *name)
{
	size_t low = 0, high = m->by_name.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct mib_counter *c = &m->counters.v[m->by_name.v[middle]];
		int order = strcmp(c->name, name);

		if (order == 0)
			return c->value;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return READING_ABSENT;
}

reading mib_growth(const struct mib *before, const struct mib *now, const char *name)
{
	return reading_delta(before ? mib_get(before, name) : 0, mib_get(now, name));
}

static int read_one(struct host *h, int pid, const char *name, int (*parse)(struct span, struct mib *),
		    struct buf *scratch, struct mib *ret)
{
	char path[64];

	if (pid)
		snprintf(path, sizeof path, "/proc/%d/net/%s", pid, name);
	else
		snprintf(path, sizeof path, "/proc/net/%s", name);
	int r = host_read(h, path, scratch);
	return r < 0 ? r : parse(buf_span(scratch), ret);
}

int mib_read(struct host *h, int pid, struct buf *scratch, struct mib *ret)
{
	ret->counters.n = 0;
	int r = read_one(h, pid, "snmp", mib_parse, scratch, ret);
	ret->presence = presence_from_errno(r);
	if (r != -ENOMEM)
		r = read_one(h, pid, "netstat", mib_parse, scratch, ret);
	if (r != -ENOMEM)
		r = read_one(h, pid, "snmp6", mib_parse_snmp6, scratch, ret);
	return r == -ENOMEM ? r : mib_index(ret);
}

void mib_deinit(struct mib *m)
{
	vec_free(&m->counters);
	vec_free(&m->by_name);
}
