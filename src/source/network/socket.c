#include "source/network/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "kernel/netlink.h"

#define MAX_KEPT 4096
#define DUMP_NS (250 * NS_PER_MS)
#define LET_GO_NS (1500 * NS_PER_MS)
#define MAX_NAMESPACES 32

/* include/net/tcp_states.h; no header of user space has them without its own tcp_info. */
enum { ESTABLISHED = 1, SYN_SENT = 2, FIN_WAIT1 = 4, CLOSE_WAIT = 8, LAST_ACK = 9, LISTEN = 10, CLOSING = 11 };

/* One open netlink socket. */
struct namespace {
	uint64_t inode;
	int fd;
	uint64_t used_ns;
};

/* What the look before knew of a socket's owner. */
struct known_owner {
	uint64_t cookie;
	int32_t pid;
	char comm[16];
};

#define MAX_KNOWN 64

struct socket_reader {
	struct host *host;
	struct buf answer;
	struct known_owner known[MAX_KNOWN];
	size_t nknown;
	struct namespace namespaces[MAX_NAMESPACES];
	size_t n;
};

struct kind {
	const char *name;
	uint8_t protocol;
	uint8_t extensions; /* attributes asked for */
	uint32_t states;
};

#define EXTENSION(attribute) (1u << ((attribute) - 1))

static const struct kind kinds[] = {
	[SOCKET_TCP_LISTEN] = { "tcp_listen", IPPROTO_TCP, EXTENSION(INET_DIAG_SKMEMINFO), 1u << LISTEN },
	[SOCKET_TCP] = { "tcp", IPPROTO_TCP, EXTENSION(INET_DIAG_INFO) | EXTENSION(INET_DIAG_SKMEMINFO),
			 1u << ESTABLISHED | 1u << SYN_SENT | 1u << FIN_WAIT1 | 1u << CLOSE_WAIT |
				 1u << LAST_ACK | 1u << CLOSING },
	[SOCKET_UDP] = { "udp", IPPROTO_UDP, EXTENSION(INET_DIAG_SKMEMINFO), ~0u },
};

/* ---- parsing ---- */

static void format_address(uint8_t family, const uint32_t *address, uint16_t port_be, char *ret, size_t size)
{
	char text[INET6_ADDRSTRLEN] = "?";

	inet_ntop(family, address, text, sizeof text);
	snprintf(ret, size, family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, ntohs(port_be));
}

/* A 32-bit member of an attribute that grew over time: absent when it is not there yet. */
static reading member_u32(struct span value, size_t offset)
{
	uint32_t v;

	if (value.n < offset + sizeof v)
		return READING_ABSENT;
	memcpy(&v, value.p + offset, sizeof v);
	return v;
}

static reading member_us(struct span value, size_t offset)
{
	reading us = member_u32(value, offset);

	return reading_ok(us) ? us * NS_PER_US : us;
}

static void parse_tcp_info(struct span value, struct socket *ret)
{
	ret->retransmits = member_u32(value, offsetof(struct tcp_info, tcpi_total_retrans));
	ret->segments_out = member_u32(value, offsetof(struct tcp_info, tcpi_segs_out));
	ret->duplicates = member_u32(value, offsetof(struct tcp_info, tcpi_dsack_dups));
	ret->rtt_ns = member_us(value, offsetof(struct tcp_info, tcpi_rtt));
	ret->rto_ns = member_us(value, offsetof(struct tcp_info, tcpi_rto));
}

static void parse_attributes(struct span rest, struct socket *ret)
{
	struct span value;
	uint16_t type;

	while (netlink_attribute(&rest, &type, &value)) {
		if (type == INET_DIAG_INFO) {
			parse_tcp_info(value, ret);
		} else if (type == INET_DIAG_SKMEMINFO) {
			ret->drops = member_u32(value, SK_MEMINFO_DROPS * sizeof(uint32_t));
			ret->receive_buffer_bytes = member_u32(value, SK_MEMINFO_RCVBUF * sizeof(uint32_t));
		}
	}
}

/* 0, or -EBADMSG: no message about a socket. */
static int parse_message(const struct netlink_message *message, enum socket_kind kind, struct socket *ret)
{
	struct inet_diag_msg m;

	if (message->type != SOCK_DIAG_BY_FAMILY || message->payload.n < sizeof m)
		return -EBADMSG;
	memcpy(&m, message->payload.p, sizeof m);
	if (m.idiag_family != AF_INET && m.idiag_family != AF_INET6)
		return -EBADMSG;
	*ret = (struct socket){
		.kind = kind,
		.cookie = (uint64_t)m.id.idiag_cookie[1] << 32 | m.id.idiag_cookie[0],
		.inode = m.idiag_inode,
		.receive_queue = m.idiag_rqueue,
		.send_queue = m.idiag_wqueue,
		.drops = READING_ABSENT,
		.receive_buffer_bytes = READING_ABSENT,
		.retransmits = READING_ABSENT,
		.segments_out = READING_ABSENT,
		.duplicates = READING_ABSENT,
		.rtt_ns = READING_ABSENT,
		.rto_ns = READING_ABSENT,
	};
	format_address(m.idiag_family, m.id.idiag_src, m.id.idiag_sport, ret->local, sizeof ret->local);
	format_address(m.idiag_family, m.id.idiag_dst, m.id.idiag_dport, ret->remote, sizeof ret->remote);
	size_t head = NLMSG_ALIGN(sizeof m);
	if (message->payload.n > head)
		parse_attributes((struct span){ message->payload.p + head, message->payload.n - head }, ret);
	return 0;
}

/* What a dump is searched for. */
static bool tells_of_trouble(const struct socket *s)
{
	switch (s->kind) {
	case SOCKET_TCP_LISTEN:
		return true;
	case SOCKET_TCP:
		return reading_or(s->retransmits, 0) > 0;
	case SOCKET_UDP:
		return reading_or(s->drops, 0) > 0 || s->receive_queue > 0;
	}
	return false;
}

static void count_left_out(const struct netlink_message *message, size_t *ret_skipped)
{
	uint64_t n;

	if (message->payload.n < sizeof n)
		return;
	memcpy(&n, message->payload.p, sizeof n);
	*ret_skipped += n;
}

int sockets_parse(struct span netlink, enum socket_kind kind, socket_vec *ret, size_t *ret_skipped)
{
	struct netlink_message message;
	struct socket parsed;
	size_t kept = 0;

	while (netlink_next(&netlink, &message)) {
		if (message.type == NLMSG_OVERRUN)
			count_left_out(&message, ret_skipped);
		if (parse_message(&message, kind, &parsed) < 0)
			continue;
		if (kept++ >= MAX_KEPT) {
			++*ret_skipped;
			continue;
		}
		struct socket *s = vec_push(ret);
		if (!s)
			return -ENOMEM;
		*s = parsed;
	}
	return netlink.n == 0 ? 0 : -EBADMSG;
}

/* ---- asking the kernel ---- */

static void let_go(struct socket_reader *r, struct namespace *ns)
{
	close(ns->fd);
	*ns = r->namespaces[--r->n];
}

static void let_go_of_idle(struct socket_reader *r)
{
	uint64_t now = host_time(r->host).mono_ns;

	for (size_t i = 0; i < r->n;) {
		if (now - r->namespaces[i].used_ns > LET_GO_NS)
			let_go(r, &r->namespaces[i]);
		else
			i++;
	}
}

static struct namespace *find_namespace(struct socket_reader *r, uint64_t inode)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->namespaces[i].inode == inode)
			return &r->namespaces[i];
	return NULL;
}

/* The least lately used one makes room. */
static void make_room(struct socket_reader *r)
{
	struct namespace *oldest = &r->namespaces[0];

	if (r->n < MAX_NAMESPACES)
		return;
	for (size_t i = 1; i < r->n; i++)
		if (r->namespaces[i].used_ns < oldest->used_ns)
			oldest = &r->namespaces[i];
	let_go(r, oldest);
}

/* The slot of an open netlink socket in that namespace. */
static int enter(struct socket_reader *r, uint64_t inode, int pid, struct namespace **ret)
{
	struct namespace *ns = find_namespace(r, inode);
	int fd;

	if (!ns) {
		int error = netlink_open(r->host, NETLINK_SOCK_DIAG, pid, inode, &fd);
		if (error < 0)
			return error;
		make_room(r);
		ns = &r->namespaces[r->n++];
		*ns = (struct namespace){ .inode = inode, .fd = fd };
	}
	ns->used_ns = host_time(r->host).mono_ns;
	*ret = ns;
	return 0;
}

/* One question, of one kind in one namespace. */
struct dump {
	struct socket_reader *reader;
	uint64_t net_ns;
	int pid;
	enum socket_kind kind;
	uint64_t deadline_ns;
	size_t kept;
	uint64_t skipped;
	struct buf *answer;
};

static int keep_message(const struct netlink_message *message, void *arg)
{
	static const char padding[NLMSG_ALIGNTO];
	struct dump *d = arg;
	struct socket s;

	if (parse_message(message, d->kind, &s) < 0 || !tells_of_trouble(&s))
		return 0;
	if (d->kept >= MAX_KEPT) {
		d->skipped++;
		return 0;
	}
	d->kept++;
	int r = buf_append(d->answer, message->whole.p, message->whole.n);
	return r < 0 ? r : buf_append(d->answer, padding, NLMSG_ALIGN(message->whole.n) - message->whole.n);
}

static int dump_family(struct dump *d, uint8_t family)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 body;
	} request = {
		.header = { .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .sdiag_family = family,
			  .sdiag_protocol = kinds[d->kind].protocol,
			  .idiag_ext = kinds[d->kind].extensions,
			  .idiag_states = kinds[d->kind].states },
	};
	struct namespace *ns;
	int r = enter(d->reader, d->net_ns, d->pid, &ns);

	if (r < 0)
		return r;
	r = netlink_dump(ns->fd, &request.header, sizeof request, d->deadline_ns, keep_message, d);
	if (r < 0)
		let_go(d->reader, ns);
	if (r == -ETIMEDOUT) {
		d->skipped++;
		return 0;
	}
	return r;
}

static int live_dump(struct host *h, const char *key, void *arg, struct buf *ret)
{
	struct dump *d = arg;

	(void)h, (void)key;
	d->answer = ret;
	d->deadline_ns = clock_mono_ns() + DUMP_NS;
	int r = dump_family(d, AF_INET);
	if (r < 0)
		return r;
	r = dump_family(d, AF_INET6);
	if (r < 0 && r != -ENOENT) /* a kernel without IPv6 */
		return r;
	return netlink_append_overrun(d->answer, d->skipped);
}

static int read_kind(struct socket_reader *r, uint64_t net_ns, int pid, enum socket_kind kind,
		     socket_vec *ret, size_t *ret_skipped)
{
	struct dump d = { .reader = r, .net_ns = net_ns, .pid = pid, .kind = kind };
	char key[64];

	snprintf(key, sizeof key, "sock_diag:%s:%llu", kinds[kind].name, (unsigned long long)net_ns);
	int error = host_fetch(r->host, key, live_dump, &d, &r->answer);
	return error < 0 ? error : sockets_parse(buf_span(&r->answer), kind, ret, ret_skipped);
}

static void remember_owners(struct socket_reader *r, const socket_vec *before)
{
	r->nknown = 0;
	vec_each(s, before) {
		if (!s->owner_sought || r->nknown == MAX_KNOWN)
			continue;
		struct known_owner *known = &r->known[r->nknown++];
		known->cookie = s->cookie;
		known->pid = s->owner_pid;
		memcpy(known->comm, s->owner_comm, sizeof known->comm);
	}
}

static void recall_owner(const struct socket_reader *r, struct socket *s)
{
	for (size_t i = 0; i < r->nknown; i++) {
		if (r->known[i].cookie != s->cookie)
			continue;
		s->owner_sought = true;
		s->owner_pid = r->known[i].pid;
		memcpy(s->owner_comm, r->known[i].comm, sizeof s->owner_comm);
	}
}

int sockets_read(struct socket_reader *r, uint64_t net_ns, int pid, socket_vec *ret, size_t *ret_skipped,
		 enum presence *ret_presence)
{
	int failure = 0;
	unsigned answers = 0;

	remember_owners(r, ret);
	ret->n = 0;
	*ret_skipped = 0;
	if (host_is_live(r->host))
		let_go_of_idle(r);
	for (enum socket_kind kind = SOCKET_TCP_LISTEN; kind <= SOCKET_UDP; kind++) {
		int error = read_kind(r, net_ns, pid, kind, ret, ret_skipped);

		if (error == -ENOMEM)
			return error;
		if (error == 0)
			answers++;
		else if (failure == 0)
			failure = error;
	}
	vec_each(s, ret) {
		s->net_ns = net_ns;
		recall_owner(r, s);
	}
	*ret_presence = answers ? PRESENT : presence_from_errno(failure);
	return 0;
}

int socket_reader_new(struct host *h, struct socket_reader **ret)
{
	struct socket_reader *r = calloc(1, sizeof *r);

	if (!r)
		return -ENOMEM;
	r->host = h;
	*ret = r;
	return 0;
}

void socket_reader_free(struct socket_reader *r)
{
	if (!r)
		return;
	while (r->n)
		let_go(r, &r->namespaces[0]);
	buf_deinit(&r->answer);
	free(r);
}
