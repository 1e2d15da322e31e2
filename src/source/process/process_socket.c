#include "source/process/process_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/map.h"
#include "kernel/netlink.h"

#define TABLE_MS 300
#define PEERS_NS (200 * NS_PER_MS)

static int compare_inodes(const void *a, const void *b)
{
	const struct process_socket *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

static struct process_socket *find(process_socket_vec *all, uint64_t inode)
{
	struct process_socket like = { .inode = inode };

	return all->n && inode ? bsearch(&like, all->v, all->n, sizeof like, compare_inodes) : NULL;
}

/* ---- tcp, udp, raw, icmp ---- */

/* "0100007F:1F90": each 32-bit word in the byte order of the machine that wrote it (all that we
 * build for are little-endian), the port in hexadecimal. */
static bool format_address(struct span word, char *ret, size_t size)
{
	char text[INET6_ADDRSTRLEN];
	uint32_t address[4];
	struct span hex;
	uint64_t v, port;

	if (!span_until(&word, ':', &hex) || (hex.n != 8 && hex.n != 32) || !span_hex(word, &port) || port > 65535)
		return false;
	for (size_t i = 0; i < hex.n / 8; i++) {
		if (!span_hex((struct span){ hex.p + 8 * i, 8 }, &v))
			return false;
		address[i] = (uint32_t)v;
	}
	bool six = hex.n == 32;
	if (!inet_ntop(six ? AF_INET6 : AF_INET, address, text, sizeof text))
		return false;
	snprintf(ret, size, six ? "[%s]:%u" : "%s:%u", text, (unsigned)port);
	return true;
}

static bool has_no_peer(struct span word)
{
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] != '0' && word.p[i] != ':')
			return false;
	return true;
}

/* include/net/tcp_states.h */
static const char *tcp_state(uint64_t state)
{
	static const char *const names[] = {
		"",	      "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
		"CLOSE",      "CLOSE_WAIT",  "LAST_ACK", "LISTEN",   "CLOSING",	  "NEW_SYN_RECV",
	};

	return state < sizeof names / sizeof names[0] ? names[state] : "";
}

/* "0: local remote state tx:rx tr:when retrnsmt uid timeout inode …" */
struct inet_line {
	struct span local, remote;
	uint64_t state, send, receive, inode;
};

static bool inet_line_parse(struct span line, struct inet_line *ret)
{
	struct span word, send;

	if (!span_word(&line, &word) || !span_word(&line, &ret->local) || !span_word(&line, &ret->remote) ||
	    !span_word(&line, &word) || !span_hex(word, &ret->state) || !span_word(&line, &word) ||
	    !span_until(&word, ':', &send) || !span_hex(send, &ret->send) || !span_hex(word, &ret->receive))
		return false;
	for (int i = 0; i < 4; i++) /* timer, retransmits, uid, timeout */
		if (!span_word(&line, &word))
			return false;
	return span_next_u64(&line, &ret->inode);
}

static bool take_inet(const struct inet_line *line, const char *protocol, struct process_socket *ret)
{
	struct process_socket s = *ret;

	if (!format_address(line->local, s.local, sizeof s.local) ||
	    !format_address(line->remote, s.remote, sizeof s.remote))
		return false;
	bool tcp = protocol[0] == 't';
	if (has_no_peer(line->remote))
		s.remote[0] = '\0';
	/* An unconnected datagram socket is in the state that TCP calls closed. */
	snprintf(s.state, sizeof s.state, "%s", tcp || line->state == 1 ? tcp_state(line->state) : "");
	snprintf(s.protocol, sizeof s.protocol, "%s", protocol);
	s.receive_queue = line->receive;
	s.send_queue = line->send;
	*ret = s;
	return true;
}

/* One connection is two lines on a host that talks to itself. */
static uint64_t pair_key(struct span a, struct span b)
{
	uint64_t halves[2] = { map_hash(a.p, a.n), map_hash(b.p, b.n) };

	return map_hash(halves, sizeof halves);
}

static void find_peers(struct span text, process_socket_vec *all, const struct map *wanted)
{
	struct inet_line line;
	struct span row;

	while (span_line(&text, &row)) {
		if (!inet_line_parse(row, &line) || line.inode == 0)
			continue;
		uint32_t at = map_get(wanted, pair_key(line.remote, line.local));
		if (at != MAP_NONE && at < all->n && all->v[at].inode != line.inode)
			all->v[at].peer_inode = line.inode;
	}
}

static size_t parse_inet(struct span text, const char *protocol, process_socket_vec *all)
{
	cleanup(map_deinit) struct map wanted = { 0 };
	struct span rest = text, row;
	struct inet_line line;
	size_t found = 0;
	int r = 0;

	while (span_line(&rest, &row)) {
		struct process_socket *s = inet_line_parse(row, &line) ? find(all, line.inode) : NULL;
		if (!s || !take_inet(&line, protocol, s))
			continue;
		found++;
		if (s->remote[0] && r == 0)
			r = map_set(&wanted, pair_key(line.local, line.remote), (uint32_t)(s - all->v));
	}
	if (wanted.n)
		find_peers(text, all, &wanted);
	return found;
}

/* ---- unix, netlink, packet ---- */

/* "address: refs protocol flags type state inode path" */
static bool parse_unix(struct span line, process_socket_vec *all)
{
	static const char *const types[] = { [1] = "unix-stream", [2] = "unix-dgram", [5] = "unix-seqpacket" };
	static const char *const states[] = { [1] = "", [2] = "CONNECTING", [3] = "ESTABLISHED", [4] = "" };
	struct span word;
	uint64_t flags, type, state, inode;

	if (!span_word(&line, &word) || !span_word(&line, &word) || !span_word(&line, &word) ||
	    !span_word(&line, &word) || !span_hex(word, &flags) || !span_word(&line, &word) || !span_hex(word, &type) ||
	    !span_word(&line, &word) || !span_hex(word, &state) || !span_next_u64(&line, &inode))
		return false;
	struct process_socket *s = find(all, inode);
	if (!s)
		return false;
	bool listens = flags & 0x10000; /* __SO_ACCEPTCON */
	snprintf(s->protocol, sizeof s->protocol, "%s", type < 6 && types[type] ? types[type] : "unix");
	snprintf(s->state, sizeof s->state, "%s", listens ? "LISTEN" : state < 5 && states[state] ? states[state] : "");
	if (line.n && line.p[0] == ' ')
		line.p++, line.n--;
	span_copy(line, s->local, sizeof s->local);
	return true;
}

static const char *netlink_protocol(uint64_t number)
{
	static const char *const names[] = {
		[0] = "route", [4] = "sock_diag", [5] = "nflog", [6] = "xfrm", [7] = "selinux", [9] = "audit",
		[10] = "fib_lookup", [11] = "connector", [12] = "netfilter", [15] = "uevent", [16] = "generic",
		[21] = "crypto",
	};

	return number < sizeof names / sizeof names[0] && names[number] ? names[number] : "";
}

/* "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode" */
static bool parse_netlink(struct span line, process_socket_vec *all)
{
	struct span word;
	uint64_t protocol, pid, receive, send, inode;

	if (!span_word(&line, &word) || !span_next_u64(&line, &protocol) || !span_next_u64(&line, &pid) ||
	    !span_word(&line, &word) || !span_next_u64(&line, &receive) || !span_next_u64(&line, &send))
		return false;
	for (int i = 0; i < 3; i++)
		if (!span_word(&line, &word))
			return false;
	struct process_socket *s = span_next_u64(&line, &inode) ? find(all, inode) : NULL;
	if (!s)
		return false;
	snprintf(s->protocol, sizeof s->protocol, "netlink");
	snprintf(s->local, sizeof s->local, "%s%s%llu", netlink_protocol(protocol), netlink_protocol(protocol)[0] ? ":" : "",
		 (unsigned long long)pid);
	s->receive_queue = receive;
	s->send_queue = send;
	return true;
}

/* "sk RefCnt Type Proto Iface R Rmem User Inode" */
static bool parse_packet(struct span line, process_socket_vec *all)
{
	struct span word;
	uint64_t receive, user, inode;

	for (int i = 0; i < 6; i++)
		if (!span_word(&line, &word))
			return false;
	if (!span_next_u64(&line, &receive) || !span_next_u64(&line, &user) || !span_next_u64(&line, &inode))
		return false;
	struct process_socket *s = find(all, inode);
	if (!s)
		return false;
	snprintf(s->protocol, sizeof s->protocol, "packet");
	s->receive_queue = receive;
	return true;
}

size_t process_sockets_parse(struct span text, enum process_socket_table kind, const char *protocol,
			  process_socket_vec *all)
{
	struct span line;
	size_t found = 0;

	if (kind == PROCESS_SOCKETS_INET || kind == PROCESS_SOCKETS_INET6)
		return parse_inet(text, protocol, all);
	while (span_line(&text, &line))
		found += kind == PROCESS_SOCKETS_UNIX    ? parse_unix(line, all) :
			 kind == PROCESS_SOCKETS_NETLINK ? parse_netlink(line, all) :
							parse_packet(line, all);
	return found;
}

void unix_peers_parse(struct span text, process_socket_vec *all)
{
	struct span line;
	uint64_t inode, peer;

	while (span_line(&text, &line)) {
		struct process_socket *s;

		if (span_next_u64(&line, &inode) && span_next_u64(&line, &peer) && (s = find(all, inode)))
			s->peer_inode = peer;
	}
}

/* ---- reading ---- */

static int append_peer(const struct netlink_message *message, void *arg)
{
	struct unix_diag_msg m;
	struct span rest, value;
	uint16_t type;
	uint32_t peer;

	if (message->type != SOCK_DIAG_BY_FAMILY || message->payload.n < sizeof m)
		return 0;
	memcpy(&m, message->payload.p, sizeof m);
	rest = (struct span){ message->payload.p + sizeof m, message->payload.n - sizeof m };
	while (netlink_attribute(&rest, &type, &value))
		if (type == UNIX_DIAG_PEER && value.n >= sizeof peer) {
			memcpy(&peer, value.p, sizeof peer);
			return buf_printf(arg, "%u %u\n", m.udiag_ino, peer);
		}
	return 0;
}

/* Of the whole namespace: a dump is one question, single sockets are asked one by one. */
static int live_peers(struct host *h, const char *key, void *arg, struct buf *ret)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req body;
	} request = {
		.header = { .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_show = UDIAG_SHOW_PEER },
	};
	int fd = -1;
	int r = netlink_open(h, NETLINK_SOCK_DIAG, *(int *)arg, 0, &fd);

	(void)key;
	if (r < 0)
		return r;
	r = netlink_dump(fd, &request.header, sizeof request, clock_mono_ns() + PEERS_NS, append_peer, ret);
	close(fd);
	return r;
}

/* pid 0 asks in our own namespace, which needs no privilege. */
static int read_peers(struct proc_dir *d, int pid, struct buf *scratch, process_socket_vec *all)
{
	char key[40], theirs[32] = "";

	if (proc_dir_readlink(d, "ns/net", scratch) == 0)
		span_copy(buf_span(scratch), theirs, sizeof theirs);
	if (host_readlink(d->h, "/proc/self/ns/net", scratch) == 0 && span_is(buf_span(scratch), theirs))
		pid = 0;
	snprintf(key, sizeof key, "unix_diag:%d", pid);
	int r = host_fetch(d->h, key, live_peers, &pid, scratch);
	if (r == 0)
		unix_peers_parse(buf_span(scratch), all);
	return r == -ENOMEM ? r : 0;
}

static const struct {
	const char *file, *protocol;
	enum process_socket_table kind;
} tables[] = {
	{ "net/unix", "unix", PROCESS_SOCKETS_UNIX },
	{ "net/tcp", "tcp", PROCESS_SOCKETS_INET },
	{ "net/tcp6", "tcp6", PROCESS_SOCKETS_INET6 },
	{ "net/udp", "udp", PROCESS_SOCKETS_INET },
	{ "net/udp6", "udp6", PROCESS_SOCKETS_INET6 },
	{ "net/netlink", "netlink", PROCESS_SOCKETS_NETLINK },
	{ "net/packet", "packet", PROCESS_SOCKETS_PACKET },
	{ "net/raw", "raw", PROCESS_SOCKETS_INET },
	{ "net/raw6", "raw6", PROCESS_SOCKETS_INET6 },
	{ "net/icmp", "icmp", PROCESS_SOCKETS_INET },
	{ "net/icmp6", "icmp6", PROCESS_SOCKETS_INET6 },
};

int process_sockets_read(struct proc_dir *d, int pid, struct buf *scratch, process_socket_vec *all)
{
	size_t found = 0;

	if (all->n)
		qsort(all->v, all->n, sizeof *all->v, compare_inodes);
	for (size_t i = 0; i < sizeof tables / sizeof tables[0] && found < all->n; i++) {
		int r = proc_dir_read_bounded(d, tables[i].file, TABLE_MS, scratch);

		if (r == -ENOMEM)
			return r;
		if (r < 0)
			continue;
		size_t here = process_sockets_parse(buf_span(scratch), tables[i].kind, tables[i].protocol, all);
		found += here;
		if (here && tables[i].kind == PROCESS_SOCKETS_UNIX && (r = read_peers(d, pid, scratch, all)) < 0)
			return r;
	}
	return 0;
}
