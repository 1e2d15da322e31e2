#include "source/network/socket_counts.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"

/* The kernel's names of one protocol, and ours. */
static const struct alias {
	const char *kernel, *name;
	enum { ONE, V4, V6 } family;
} aliases[] = {
	{ "TCP", "tcp", V4 },	  { "TCPv6", "tcp", V6 },	  { "UDP", "udp", V4 },	 { "UDPv6", "udp", V6 },
	{ "RAW", "raw", V4 },	  { "RAWv6", "raw", V6 },	  { "PING", "ping", V4 }, { "PINGv6", "ping", V6 },
	{ "MPTCP", "mptcp", V4 }, { "MPTCPv6", "mptcp", V6 },	  { "UDP-Lite", "udplite", V4 },
	{ "UDPLITEv6", "udplite", V6 }, { "SCTP", "sctp", V4 },	  { "SCTPv6", "sctp", V6 },
	{ "DCCP", "dccp", V4 },	  { "DCCPv6", "dccp", V6 },	  { "UNIX", "unix", ONE },
	{ "UNIX-STREAM", "unix", ONE }, { "NETLINK", "netlink", ONE }, { "PACKET", "packet", ONE },
	{ "AF_VSOCK", "vsock", ONE }, { "XDP", "xdp", ONE },
};

static struct alias alias_of(struct span kernel, char *lower, size_t size)
{
	for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
		if (span_is(kernel, aliases[i].kernel))
			return aliases[i];
	span_copy(kernel, lower, size);
	for (char *p = lower; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + ('a' - 'A'));
	return (struct alias){ NULL, lower, ONE };
}

static struct socket_count *count_of(socket_count_vec *counts, const char *name)
{
	vec_each(c, counts)
		if (strcmp(c->protocol, name) == 0)
			return c;
	struct socket_count *c = vec_push(counts);
	if (!c)
		return NULL;
	*c = (struct socket_count){ .sockets = 0, .ipv4 = READING_ABSENT, .ipv6 = READING_ABSENT, .memory_pages = READING_ABSENT };
	snprintf(c->protocol, sizeof c->protocol, "%s", name);
	return c;
}

static bool take_number(struct span *line, reading *ret)
{
	struct span word;
	uint64_t v;

	if (!span_word(line, &word))
		return false;
	*ret = span_u64(word, &v) && reading_ok(v) ? v : READING_ABSENT; /* -1: it does not count */
	return true;
}

/* "protocol  size sockets  memory press maxhdr …" */
static int parse_line(struct span line, socket_count_vec *ret)
{
	struct span kernel, press;
	reading size, sockets, memory;
	char lower[16];

	if (!span_word(&line, &kernel) || !take_number(&line, &size) || !reading_ok(size) ||
	    !take_number(&line, &sockets) || !take_number(&line, &memory) || !span_word(&line, &press))
		return -EBADMSG;
	struct alias a = alias_of(kernel, lower, sizeof lower);
	struct socket_count *c = count_of(ret, a.name);
	if (!c)
		return -ENOMEM;
	c->sockets = reading_ok(c->sockets) && reading_ok(sockets) ? c->sockets + sockets : READING_ABSENT;
	if (a.family == V4)
		c->ipv4 = sockets;
	if (a.family == V6)
		c->ipv6 = sockets;
	if (reading_ok(memory))
		c->memory_pages = memory;
	c->pressed = c->pressed || span_is(press, "yes");
	return 0;
}

int socket_counts_parse(struct span text, socket_count_vec *ret)
{
	struct span line;

	while (span_line(&text, &line))
		if (parse_line(line, ret) == -ENOMEM)
			return -ENOMEM;
	return ret->n ? 0 : -EBADMSG;
}

/* The number called `what` in the line that starts with `name`: "FRAG: inuse 0 memory 0". */
static bool number_of(struct span text, const char *name, const char *what, uint64_t *ret)
{
	struct span line, word;

	while (span_line(&text, &line))
		if (span_word(&line, &word) && span_is(word, name))
			return span_word(&line, &word) && span_is(word, what) && span_next_u64(&line, ret);
	return false;
}

int socket_counts_parse_used(struct span sockstat, socket_count_vec *ret)
{
	uint64_t used;

	if (!number_of(sockstat, "sockets:", "used", &used))
		return 0;
	struct socket_count *c = count_of(ret, "all");
	if (!c)
		return -ENOMEM;
	c->sockets = used;
	return 0;
}

int socket_counts_parse_frag(struct span sockstat, struct span sockstat6, socket_count_vec *ret)
{
	uint64_t v4, v6;
	bool has4 = number_of(sockstat, "FRAG:", "inuse", &v4), has6 = number_of(sockstat6, "FRAG6:", "inuse", &v6);

	if (!has4 && !has6)
		return 0;
	struct socket_count *c = count_of(ret, "frag");
	if (!c)
		return -ENOMEM;
	if (has4)
		c->ipv4 = v4;
	if (has6)
		c->ipv6 = v6;
	c->sockets = (has4 ? v4 : 0) + (has6 ? v6 : 0);
	return 0;
}

static int read_file(struct host *h, int pid, const char *name, struct buf *ret)
{
	char path[64];

	if (pid)
		snprintf(path, sizeof path, "/proc/%d/net/%s", pid, name);
	else
		snprintf(path, sizeof path, "/proc/net/%s", name);
	return host_read(h, path, ret);
}

/* Those that one asks for first stand first. */
static void put_first(socket_count_vec *counts)
{
	static const char *const order[] = { "all", "tcp", "udp", "raw", "unix" };
	size_t at = 0;

	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
		for (size_t k = at; k < counts->n; k++) {
			struct socket_count c = counts->v[k];

			if (strcmp(c.protocol, order[i]) != 0)
				continue;
			memmove(&counts->v[at + 1], &counts->v[at], (k - at) * sizeof c);
			counts->v[at++] = c;
			break;
		}
}

int socket_counts_read(struct host *h, int pid, struct buf *scratch, socket_count_vec *ret, enum presence *ret_presence)
{
	cleanup(buf_deinit) struct buf sockstat6 = { 0 };

	ret->n = 0;
	int r = read_file(h, pid, "protocols", scratch);
	if (r == 0)
		r = socket_counts_parse(buf_span(scratch), ret);
	*ret_presence = presence_from_errno(r);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (read_file(h, pid, "sockstat", scratch) < 0)
		buf_clear(scratch);
	if (read_file(h, pid, "sockstat6", &sockstat6) < 0)
		buf_clear(&sockstat6);
	r = socket_counts_parse_used(buf_span(scratch), ret);
	if (r == 0)
		r = socket_counts_parse_frag(buf_span(scratch), buf_span(&sockstat6), ret);
	put_first(ret);
	return r;
}
