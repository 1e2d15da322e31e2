#include "source/network/socket_table.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "kernel/netlink.h"

#define EXTENSION(attribute) (1u << ((attribute) - 1))
#define DETAILS (EXTENSION(INET_DIAG_INFO) | EXTENSION(INET_DIAG_CONG) | EXTENSION(INET_DIAG_SKMEMINFO))
#define UNIX_DETAILS (UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN | UDIAG_SHOW_MEMINFO | UDIAG_SHOW_UID)

/* One question: the sockets of one protocol. The netlink socket is opened once for all of them. */
struct dump {
	struct host *host;
	uint64_t net_ns;
	int pid;
	int fd; /* -1: not opened yet */
	enum socket_protocol protocol;
	const struct socket_query *query; /* asked of the kernel: all there is, for a capture */
	struct socket_table *table;
	size_t kept, skipped;
	struct buf *answer; /* NULL: rows are made as messages come */
};

static int keep(struct dump *d, const struct netlink_message *message)
{
	static const char padding[NLMSG_ALIGNTO];

	if (d->kept >= SOCKET_TABLE_MAX) {
		d->skipped++;
		return 0;
	}
	d->kept++;
	int r = buf_append(d->answer, message->whole.p, message->whole.n);
	return r < 0 ? r : buf_append(d->answer, padding, NLMSG_ALIGN(message->whole.n) - message->whole.n);
}

static int on_message(const struct netlink_message *message, void *arg)
{
	struct dump *d = arg;

	if (d->answer)
		return keep(d, message);
	return socket_table_take(message, d->protocol, d->query, d->table) == -ENOMEM ? -ENOMEM : 0;
}

static int ask(struct dump *d, struct nlmsghdr *request, size_t size)
{
	int r = 0;

	if (!request->nlmsg_type)
		request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	if (d->fd < 0)
		r = netlink_open(d->host, NETLINK_SOCK_DIAG, d->pid, d->net_ns, &d->fd);
	if (r == 0)
		r = netlink_dump(d->fd, request, size, clock_mono_ns() + SOCKET_TABLE_NS, on_message, d);
	if (r < 0) { /* an answer may still be under way */
		close_fd(&d->fd);
		d->fd = -1;
	}
	if (r == -ETIMEDOUT) {
		d->skipped++;
		r = 0;
	}
	return r;
}

/* "source port is P, or destination port is P" as a program of inet_diag. Each comparison takes two
 * operations, the second holds the port; a jump to the end accepts, one beyond it refuses. */
struct port_filter {
	struct nlattr header;
	struct inet_diag_bc_op op[9];
};

#define PORT_FILTER(port)                                                                                     \
	{                                                                                                     \
		.header = { sizeof(struct port_filter), INET_DIAG_REQ_BYTECODE },                             \
		.op = { { INET_DIAG_BC_S_GE, 8, 20 }, { .no = (port) }, { INET_DIAG_BC_S_LE, 8, 12 }, { .no = (port) }, \
			{ INET_DIAG_BC_JMP, 4, 20 },                                                          \
			{ INET_DIAG_BC_D_GE, 8, 20 }, { .no = (port) }, { INET_DIAG_BC_D_LE, 8, 12 }, { .no = (port) } }, \
	}

static int dump_inet(struct dump *d, uint8_t family)
{
	static const uint8_t protocols[] = {
		[PROTOCOL_TCP] = IPPROTO_TCP, [PROTOCOL_UDP] = IPPROTO_UDP, [PROTOCOL_RAW] = IPPROTO_RAW,
	};
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 body;
		struct port_filter filter;
	} request = {
		.body = { .sdiag_family = family,
			  .sdiag_protocol = protocols[d->protocol],
			  .idiag_ext = d->query->details ? DETAILS : 0,
			  .idiag_states = d->query->states },
		.filter = PORT_FILTER(d->query->port),
	};
	return ask(d, &request.header, d->query->port ? sizeof request : offsetof(__typeof__(request), filter));
}

/* Both families in one walk over the hash table, which is long: only the question of old can ask for
 * that. */
static int dump_tcp(struct dump *d)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req body;
		struct port_filter filter;
	} request = {
		.header = { .nlmsg_type = TCPDIAG_GETSOCK },
		.body = { .idiag_ext = d->query->details ? DETAILS : 0, .idiag_states = d->query->states },
		.filter = PORT_FILTER(d->query->port),
	};
	return ask(d, &request.header, d->query->port ? sizeof request : offsetof(__typeof__(request), filter));
}

static int dump_by_family(struct dump *d)
{
	int r = dump_inet(d, AF_INET), r6 = r < 0 ? 0 : dump_inet(d, AF_INET6);

	return r6 < 0 && r6 != -ENOENT ? r6 : r; /* -ENOENT: a kernel without IPv6 */
}

static int dump_unix(struct dump *d)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req body;
	} request = {
		.body = { .sdiag_family = AF_UNIX,
			  .udiag_states = d->query->states,
			  .udiag_show = d->query->details ? UNIX_DETAILS : 0 },
	};
	return ask(d, &request.header, sizeof request);
}

static int live_dump(struct host *h, const char *key, void *arg, struct buf *ret)
{
	struct dump *d = arg;
	int r;

	(void)key;
	/* 200 000 connections are 80 MB of answers: nobody needs them beside the rows. */
	d->answer = host_is_textual(h) ? ret : NULL;
	if (d->protocol == PROTOCOL_UNIX)
		r = dump_unix(d);
	else if (d->protocol != PROTOCOL_TCP || (r = dump_tcp(d)) == -ENOENT || r == -EINVAL || r == -EOPNOTSUPP)
		r = dump_by_family(d);
	if (r == 0 && d->answer)
		return netlink_append_overrun(d->answer, d->skipped);
	if (r == 0)
		d->table->skipped += d->skipped;
	return r;
}

static int read_diag(struct dump *d, const struct socket_query *query, struct buf *scratch)
{
	static const struct socket_query everything = { .states = STATES_ALL, .details = true };
	char key[64];

	d->query = host_is_textual(d->host) ? &everything : query;
	d->kept = d->skipped = 0;
	snprintf(key, sizeof key, "sock_diag:all-%s:%llu", socket_protocol_name(d->protocol),
		 (unsigned long long)d->net_ns);
	int r = host_fetch(d->host, key, live_dump, d, scratch);
	return r < 0 ? r : socket_table_parse(buf_span(scratch), d->protocol, query, d->table);
}

static int read_net(struct dump *d, const char *name, const char *suffix, struct buf *scratch)
{
	char path[64], who[16] = "self";

	if (d->pid)
		snprintf(who, sizeof who, "%d", d->pid);
	snprintf(path, sizeof path, "/proc/%s/net/%s%s", who, name, suffix);
	return host_read(d->host, path, scratch);
}

static int read_file(struct dump *d, const struct socket_query *query, struct buf *scratch)
{
	bool packet = d->protocol == PROTOCOL_PACKET;

	if (!(query->states >> STATE_CLOSED & 1))
		return 0; /* the one state they have */
	int r = read_net(d, packet ? "packet" : "netlink", "", scratch);
	if (r < 0)
		return r;
	return packet ? socket_table_parse_packet(buf_span(scratch), d->table) :
			socket_table_parse_netlink(buf_span(scratch), d->table);
}

/* A kernel without the module of sock_diag, or a sandbox that does not let it through. */
static int read_in_its_place(struct dump *d, const struct socket_query *query, struct buf *scratch)
{
	const char *name = socket_protocol_name(d->protocol);
	int r = read_net(d, name, "", scratch);

	if (r < 0)
		return r;
	if (d->protocol == PROTOCOL_UNIX)
		return socket_table_parse_unix(buf_span(scratch), query, d->table);
	r = socket_table_parse_inet(buf_span(scratch), d->protocol, AF_INET, query, d->table);
	if (r == 0 && read_net(d, name, "6", scratch) == 0)
		r = socket_table_parse_inet(buf_span(scratch), d->protocol, AF_INET6, query, d->table);
	return r;
}

static int read_protocol(struct dump *d, const struct socket_query *query, struct buf *scratch)
{
	int r;

	if (d->protocol >= PROTOCOL_PACKET)
		return read_file(d, query, scratch);
	size_t before = d->table->rows.n;
	r = read_diag(d, query, scratch);
	if (r >= 0 || r == -ENOMEM || r == -ESTALE || r == -ESRCH)
		return r;
	d->table->rows.n = before;
	return read_in_its_place(d, query, scratch) == 0 ? 0 : r;
}

void socket_table_deinit(struct socket_table *t)
{
	vec_free(&t->rows);
	buf_deinit(&t->tcp_info);
	buf_deinit(&t->names);
}

void socket_table_clear(struct socket_table *t)
{
	t->rows.n = 0;
	buf_clear(&t->tcp_info);
	buf_clear(&t->names);
	t->ncongestion = 0;
	t->skipped = 0;
	for (size_t i = 0; i < PROTOCOL_COUNT; i++)
		t->presence[i] = UNREAD;
}

int socket_table_read(struct host *h, const struct socket_query *query, uint64_t net_ns, int pid,
		      struct buf *scratch, struct socket_table *ret)
{
	struct dump d = { .host = h, .net_ns = net_ns, .pid = pid, .fd = -1, .table = ret };
	size_t first = ret->rows.n;
	int r = 0;

	for (enum socket_protocol p = 0; p < PROTOCOL_COUNT && r != -ENOMEM; p++) {
		if (!(query->protocols >> p & 1))
			continue;
		d.protocol = p;
		r = read_protocol(&d, query, scratch);
		ret->presence[p] = presence_from_errno(r);
		ret->error[p] = r;
		if (r == -ESTALE || r == -ESRCH)
			break; /* the process, and perhaps the namespace with it, is gone */
	}
	close_fd(&d.fd);
	for (size_t i = first; i < ret->rows.n; i++)
		ret->rows.v[i].net_ns = net_ns;
	return r == -ENOMEM || r == -ESTALE || r == -ESRCH ? r : 0;
}
