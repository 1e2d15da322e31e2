/* Answers of inet_diag and unix_diag, and the two files of /proc/net, into rows. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <linux/unix_diag.h>
#include <stdio.h>

#include "base/clock.h"
#include "kernel/netlink.h"
#include "source/network/socket_table.h"

/* ---- attributes ---- */

static void take_u8(struct span value, uint8_t *ret)
{
	if (value.n >= 1)
		*ret = (uint8_t)value.p[0];
}

static bool take_u32(struct span value, uint32_t *ret)
{
	if (value.n < sizeof *ret)
		return false;
	memcpy(ret, value.p, sizeof *ret);
	return true;
}

static void take_memory(struct span value, struct socket_row *s)
{
	size_t n = value.n / sizeof s->memory[0];

	s->nmemory = (uint8_t)(n < SOCKET_MEMORY_COUNT ? n : SOCKET_MEMORY_COUNT);
	memcpy(s->memory, value.p, s->nmemory * sizeof s->memory[0]);
}

/* Its position + 1; 0 when the list is full, which no kernel's list of algorithms comes near. */
static uint8_t intern_congestion(struct socket_table *t, struct span value)
{
	char name[sizeof t->congestion[0]];
	size_t i = 0;

	span_copy((struct span){ value.p, strnlen(value.p, value.n) }, name, sizeof name);
	while (i < t->ncongestion && strcmp(t->congestion[i], name) != 0)
		i++;
	if (i == SOCKET_CONGESTIONS)
		return 0;
	if (i == t->ncongestion)
		memcpy(t->congestion[t->ncongestion++], name, sizeof name);
	return (uint8_t)(i + 1);
}

/* What is known of tcp_info grows with kernels: the rest is of no use here. */
static int keep_tcp_info(struct socket_table *t, struct span value, struct socket_row *s)
{
	size_t n = value.n < sizeof(struct tcp_info) ? value.n : sizeof(struct tcp_info);

	if (t->tcp_info.n > UINT32_MAX - n)
		return 0;
	s->tcp_at = (uint32_t)t->tcp_info.n;
	s->tcp_n = (uint16_t)n;
	return buf_append(&t->tcp_info, value.p, n);
}

static int keep_name(struct socket_table *t, struct span value, struct socket_row *s)
{
	if (value.n > UINT16_MAX || t->names.n > UINT32_MAX - value.n)
		return 0;
	s->name_at = (uint32_t)t->names.n;
	s->name_n = (uint16_t)value.n;
	return buf_append(&t->names, value.p, value.n);
}

static int take_inet_attribute(struct socket_table *t, uint16_t type, struct span value, struct socket_row *s)
{
	uint8_t flag = 0;

	switch (type) {
	case INET_DIAG_INFO:
		return keep_tcp_info(t, value, s);
	case INET_DIAG_SKMEMINFO:
		take_memory(value, s);
		break;
	case INET_DIAG_CONG:
		s->congestion = intern_congestion(t, value);
		break;
	case INET_DIAG_SHUTDOWN:
		take_u8(value, &s->shutdown);
		break;
	case INET_DIAG_SKV6ONLY:
		take_u8(value, &flag);
		s->ipv6_only = flag != 0;
		break;
	case INET_DIAG_CGROUP_ID:
		if (value.n >= sizeof s->cgroup)
			memcpy(&s->cgroup, value.p, sizeof s->cgroup);
		break;
	}
	return 0;
}

static int take_unix_attribute(struct socket_table *t, uint16_t type, struct span value, struct socket_row *s)
{
	switch (type) {
	case UNIX_DIAG_NAME:
		return keep_name(t, value, s);
	case UNIX_DIAG_PEER:
		take_u32(value, &s->peer_inode);
		break;
	case UNIX_DIAG_RQLEN:
		if (value.n < 2 * sizeof(uint32_t))
			break;
		s->has_queues = s->has_backlog = take_u32(value, &s->receive_queue);
		memcpy(&s->send_queue, value.p + sizeof(uint32_t), sizeof s->send_queue);
		break;
	case UNIX_DIAG_MEMINFO:
		take_memory(value, s);
		break;
	case UNIX_DIAG_SHUTDOWN:
		take_u8(value, &s->shutdown);
		break;
	case UNIX_DIAG_UID:
		s->has_uid = take_u32(value, &s->uid);
		break;
	}
	return 0;
}

/* ---- messages ---- */

static int take_head(const struct netlink_message *message, size_t size, void *ret)
{
	if ((message->type != SOCK_DIAG_BY_FAMILY && message->type != TCPDIAG_GETSOCK) || message->payload.n < size)
		return -EBADMSG;
	memcpy(ret, message->payload.p, size);
	return 0;
}

static struct span after_head(const struct netlink_message *message, size_t size)
{
	size_t head = NLMSG_ALIGN(size);

	if (message->payload.n <= head)
		return (struct span){ "", 0 };
	return (struct span){ message->payload.p + head, message->payload.n - head };
}

static int inet_head(const struct netlink_message *message, enum socket_protocol protocol, struct socket_row *ret)
{
	struct inet_diag_msg m;
	int r = take_head(message, sizeof m, &m);

	if (r < 0)
		return r;
	if (m.idiag_family != AF_INET && m.idiag_family != AF_INET6)
		return -EBADMSG;
	*ret = (struct socket_row){
		.protocol = (uint8_t)protocol,
		.family = m.idiag_family,
		.state = m.idiag_state,
		.timer = m.idiag_timer,
		.timer_tries = m.idiag_retrans,
		.timer_ms = m.idiag_expires,
		.cookie = (uint64_t)m.id.idiag_cookie[1] << 32 | m.id.idiag_cookie[0],
		.local_port = ntohs(m.id.idiag_sport),
		.remote_port = ntohs(m.id.idiag_dport),
		.interface = m.id.idiag_if,
		.inode = m.idiag_inode,
		/* Halves of connections that no process holds carry no user. */
		.uid = m.idiag_uid,
		.has_uid = m.idiag_inode != 0,
		.receive_queue = m.idiag_rqueue,
		.send_queue = m.idiag_wqueue,
		.has_queues = true,
		.has_backlog = true,
	};
	memcpy(ret->local, m.id.idiag_src, sizeof ret->local);
	memcpy(ret->remote, m.id.idiag_dst, sizeof ret->remote);
	return 0;
}

static int unix_head(const struct netlink_message *message, struct socket_row *ret)
{
	struct unix_diag_msg m;
	int r = take_head(message, sizeof m, &m);

	if (r < 0)
		return r;
	if (m.udiag_family != AF_UNIX)
		return -EBADMSG;
	*ret = (struct socket_row){
		.protocol = PROTOCOL_UNIX,
		.family = AF_UNIX,
		.type = m.udiag_type,
		.state = m.udiag_state,
		.cookie = (uint64_t)m.udiag_cookie[1] << 32 | m.udiag_cookie[0],
		.inode = m.udiag_ino,
	};
	return 0;
}

static bool asked_for(const struct socket_query *query, const struct socket_row *s)
{
	if (query->port && s->protocol != PROTOCOL_UNIX && s->local_port != query->port && s->remote_port != query->port)
		return false;
	return s->state < 32 && query->states >> s->state & 1;
}

/* A new row at the end; NULL without memory. */
static struct socket_row *push(struct socket_table *t, const struct socket_row *s)
{
	struct socket_row *row = vec_push(&t->rows);

	if (row)
		*row = *s;
	return row;
}

int socket_table_take(const struct netlink_message *message, enum socket_protocol protocol,
		      const struct socket_query *query, struct socket_table *ret)
{
	bool local = protocol == PROTOCOL_UNIX;
	struct span rest, value;
	struct socket_row s;
	uint16_t type;
	int r = local ? unix_head(message, &s) : inet_head(message, protocol, &s);

	if (r < 0)
		return r;
	if (!asked_for(query, &s))
		return 0;
	if (ret->rows.n >= SOCKET_TABLE_MAX) {
		ret->skipped++;
		return 0;
	}
	rest = after_head(message, local ? sizeof(struct unix_diag_msg) : sizeof(struct inet_diag_msg));
	while (netlink_attribute(&rest, &type, &value)) {
		r = local ? take_unix_attribute(ret, type, value, &s) : take_inet_attribute(ret, type, value, &s);
		if (r < 0)
			return r;
	}
	return push(ret, &s) ? 1 : -ENOMEM;
}

/* A message of the dump's own: how many sockets were left out. */
static void count_skipped(const struct netlink_message *message, struct socket_table *ret)
{
	uint64_t n;

	if (message->payload.n < sizeof n)
		return;
	memcpy(&n, message->payload.p, sizeof n);
	ret->skipped += n;
}

int socket_table_parse(struct span netlink, enum socket_protocol protocol, const struct socket_query *query,
		       struct socket_table *ret)
{
	struct netlink_message message;

	while (netlink_next(&netlink, &message)) {
		if (message.type == NLMSG_OVERRUN)
			count_skipped(&message, ret);
		if (socket_table_take(&message, protocol, query, ret) == -ENOMEM)
			return -ENOMEM;
	}
	return netlink.n == 0 ? 0 : -EBADMSG;
}

/* ---- figures ---- */

#define AT(member, unit) { offsetof(struct tcp_info, member), sizeof((struct tcp_info *)0)->member, unit }

static const struct tcp_figure {
	size_t offset, size;
	uint64_t scale;
} tcp_figures[SOCKET_TCP_COUNT] = {
	[SOCKET_TCP_rtt_ns] = AT(tcpi_rtt, NS_PER_US),
	[SOCKET_TCP_rtt_variation_ns] = AT(tcpi_rttvar, NS_PER_US),
	[SOCKET_TCP_min_rtt_ns] = AT(tcpi_min_rtt, NS_PER_US),
	[SOCKET_TCP_receive_rtt_ns] = AT(tcpi_rcv_rtt, NS_PER_US),
	[SOCKET_TCP_retransmit_timeout_ns] = AT(tcpi_rto, NS_PER_US),
	[SOCKET_TCP_congestion_window] = AT(tcpi_snd_cwnd, 1),
	[SOCKET_TCP_slow_start_threshold] = AT(tcpi_snd_ssthresh, 1),
	[SOCKET_TCP_send_mss_bytes] = AT(tcpi_snd_mss, 1),
	[SOCKET_TCP_receive_mss_bytes] = AT(tcpi_rcv_mss, 1),
	[SOCKET_TCP_path_mtu_bytes] = AT(tcpi_pmtu, 1),
	[SOCKET_TCP_unacked] = AT(tcpi_unacked, 1),
	[SOCKET_TCP_sacked] = AT(tcpi_sacked, 1),
	[SOCKET_TCP_lost] = AT(tcpi_lost, 1),
	[SOCKET_TCP_retransmits_under_way] = AT(tcpi_retrans, 1),
	[SOCKET_TCP_retransmits] = AT(tcpi_total_retrans, 1),
	[SOCKET_TCP_timeouts_in_a_row] = AT(tcpi_retransmits, 1),
	[SOCKET_TCP_probes] = AT(tcpi_probes, 1),
	[SOCKET_TCP_backoff] = AT(tcpi_backoff, 1),
	[SOCKET_TCP_reordering] = AT(tcpi_reordering, 1),
	[SOCKET_TCP_reorderings_seen] = AT(tcpi_reord_seen, 1),
	[SOCKET_TCP_duplicates] = AT(tcpi_dsack_dups, 1),
	[SOCKET_TCP_out_of_order] = AT(tcpi_rcv_ooopack, 1),
	[SOCKET_TCP_bytes_acked] = AT(tcpi_bytes_acked, 1),
	[SOCKET_TCP_bytes_received] = AT(tcpi_bytes_received, 1),
	[SOCKET_TCP_bytes_sent] = AT(tcpi_bytes_sent, 1),
	[SOCKET_TCP_bytes_retransmitted] = AT(tcpi_bytes_retrans, 1),
	[SOCKET_TCP_bytes_unsent] = AT(tcpi_notsent_bytes, 1),
	[SOCKET_TCP_segments_out] = AT(tcpi_segs_out, 1),
	[SOCKET_TCP_segments_in] = AT(tcpi_segs_in, 1),
	[SOCKET_TCP_data_segments_out] = AT(tcpi_data_segs_out, 1),
	[SOCKET_TCP_data_segments_in] = AT(tcpi_data_segs_in, 1),
	[SOCKET_TCP_delivery_bytes_per_s] = AT(tcpi_delivery_rate, 1),
	[SOCKET_TCP_pacing_bytes_per_s] = AT(tcpi_pacing_rate, 1),
	[SOCKET_TCP_busy_ns] = AT(tcpi_busy_time, NS_PER_US),
	[SOCKET_TCP_receiver_limited_ns] = AT(tcpi_rwnd_limited, NS_PER_US),
	[SOCKET_TCP_send_buffer_limited_ns] = AT(tcpi_sndbuf_limited, NS_PER_US),
	[SOCKET_TCP_since_data_sent_ns] = AT(tcpi_last_data_sent, NS_PER_MS),
	[SOCKET_TCP_since_data_received_ns] = AT(tcpi_last_data_recv, NS_PER_MS),
	[SOCKET_TCP_since_ack_received_ns] = AT(tcpi_last_ack_recv, NS_PER_MS),
	[SOCKET_TCP_receive_space_bytes] = AT(tcpi_rcv_space, 1),
	[SOCKET_TCP_peer_window_bytes] = AT(tcpi_snd_wnd, 1),
};

/* The kernel's words for "none": an endless threshold or rate, a round trip never measured. */
static bool says_nothing(enum socket_tcp_field field, uint64_t v)
{
	switch (field) {
	case SOCKET_TCP_slow_start_threshold:
		return v >= 0x7fffffff;
	case SOCKET_TCP_min_rtt_ns:
		return v == UINT32_MAX;
	case SOCKET_TCP_pacing_bytes_per_s:
		return v == UINT64_MAX || v == UINT32_MAX;
	case SOCKET_TCP_rtt_ns:
	case SOCKET_TCP_rtt_variation_ns:
	case SOCKET_TCP_receive_rtt_ns:
	case SOCKET_TCP_delivery_bytes_per_s:
		return v == 0;
	default:
		return false;
	}
}

/* A listener's tcp_info has its queue where a connection counts segments, and nothing else. */
static bool of_listener(enum socket_tcp_field field)
{
	return field == SOCKET_TCP_unacked || field == SOCKET_TCP_sacked;
}

reading socket_tcp_figure(const struct socket_table *t, const struct socket_row *s, enum socket_tcp_field field)
{
	const struct tcp_figure *f = &tcp_figures[field];
	uint64_t v = 0;

	if (s->tcp_n < f->offset + f->size || (s->state == STATE_LISTEN && !of_listener(field)))
		return READING_ABSENT;
	memcpy(&v, t->tcp_info.data + s->tcp_at + f->offset, f->size); /* little end first, or the whole */
	if (says_nothing(field, v))
		return READING_ABSENT;
	if (__builtin_mul_overflow(v, f->scale, &v) || !reading_ok(v))
		return READING_MALFORMED;
	return v;
}

reading socket_memory_figure(const struct socket_row *s, enum socket_memory_field field)
{
	if (field == SOCKET_MEMORY_drops && s->protocol == PROTOCOL_NETLINK)
		return s->memory[field];
	return (unsigned)field < s->nmemory ? s->memory[field] : READING_ABSENT;
}

/* The kernel starts both clocks when the connection is established, and sets each to zero when
 * data goes its way. */
reading socket_age_ns(const struct socket_table *t, const struct socket_row *s)
{
	if (s->state == STATE_LISTEN || s->state == STATE_SYN_SENT)
		return READING_ABSENT;
	if (socket_tcp_figure(t, s, SOCKET_TCP_data_segments_out) == 0)
		return socket_tcp_figure(t, s, SOCKET_TCP_since_data_sent_ns);
	if (socket_tcp_figure(t, s, SOCKET_TCP_data_segments_in) == 0)
		return socket_tcp_figure(t, s, SOCKET_TCP_since_data_received_ns);
	return READING_ABSENT;
}

reading socket_idle_ns(const struct socket_table *t, const struct socket_row *s)
{
	reading sent = socket_tcp_figure(t, s, SOCKET_TCP_since_data_sent_ns);
	reading received = socket_tcp_figure(t, s, SOCKET_TCP_since_data_received_ns);

	return sent < received ? sent : received;
}

const char *socket_congestion(const struct socket_table *t, const struct socket_row *s)
{
	return s->congestion ? t->congestion[s->congestion - 1] : NULL;
}

struct span socket_name(const struct socket_table *t, const struct socket_row *s)
{
	return (struct span){ s->name_n ? t->names.data + s->name_at : "", s->name_n };
}

bool socket_is_listener(const struct socket_row *s)
{
	return s->state == STATE_LISTEN;
}

const char *socket_state_name(const struct socket_row *s)
{
	static const char *const names[STATE_COUNT] = {
		[STATE_ESTABLISHED] = "ESTAB", [STATE_SYN_SENT] = "SYN-SENT", [STATE_SYN_RECEIVED] = "SYN-RECV",
		[STATE_FIN_WAIT_1] = "FIN-WAIT-1", [STATE_FIN_WAIT_2] = "FIN-WAIT-2",
		[STATE_TIME_WAIT] = "TIME-WAIT", [STATE_CLOSED] = "UNCONN", [STATE_CLOSE_WAIT] = "CLOSE-WAIT",
		[STATE_LAST_ACK] = "LAST-ACK", [STATE_LISTEN] = "LISTEN", [STATE_CLOSING] = "CLOSING",
		[STATE_NEW_SYN_RECEIVED] = "SYN-RECV",
	};
	return s->state < STATE_COUNT && names[s->state] ? names[s->state] : "?";
}

const char *socket_protocol_name(enum socket_protocol p)
{
	static const char *const names[PROTOCOL_COUNT] = { "tcp", "udp", "raw", "unix", "packet", "netlink" };

	return names[p];
}

static bool is_any(const uint32_t *address)
{
	return !(address[0] | address[1] | address[2] | address[3]);
}

/* inet_ntop of IPv4 goes through sprintf: too slow for 100 000 addresses. */
static char *put_octet(char *p, unsigned v)
{
	if (v >= 100)
		*p++ = (char)('0' + v / 100);
	if (v >= 10)
		*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

static void format_ipv4(const uint32_t *address, char *ret)
{
	unsigned char octet[4];

	memcpy(octet, address, sizeof octet);
	for (size_t i = 0; i < 4; i++) {
		ret = put_octet(ret, octet[i]);
		*ret++ = i < 3 ? '.' : '\0';
	}
}

void socket_address_text(const struct socket_row *s, bool remote, char ret[SOCKET_ADDRESS_SIZE])
{
	const uint32_t *address = remote ? s->remote : s->local;
	char text[INET6_ADDRSTRLEN] = "?";

	if (s->family == AF_INET) {
		format_ipv4(address, ret);
	} else if (s->family != AF_INET6 || (is_any(address) && !s->ipv6_only)) {
		snprintf(ret, SOCKET_ADDRESS_SIZE, "*"); /* both families */
	} else {
		inet_ntop(AF_INET6, address, text, sizeof text);
		snprintf(ret, SOCKET_ADDRESS_SIZE, "[%s]", text);
	}
}
