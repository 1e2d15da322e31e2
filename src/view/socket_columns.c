/* The columns of sockets. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "view/socket_row.h"

#define ROW ((const struct socket_view_row *)row)
#define SOCKET (ROW->socket)

static struct cell known(struct span text)
{
	return text.n ? cell_span(text) : cell_nothing();
}

/* What every connection of TCP has, and nothing else. */
static bool has_tcp_info(const struct socket_row *s)
{
	return s->protocol == PROTOCOL_TCP && s->state != STATE_LISTEN && s->state != STATE_TIME_WAIT &&
	       s->state != STATE_SYN_RECEIVED && s->state != STATE_FIN_WAIT_2 && s->state != STATE_NEW_SYN_RECEIVED;
}

static struct cell tcp_figure(const struct socket_view_row *row, enum socket_tcp_field field)
{
	reading v = socket_tcp_figure(&row->state->table, row->socket, field);

	/* A kernel that sent its tcp_info up to here lacks nothing: it means "none". */
	if (!reading_ok(v) && (!has_tcp_info(row->socket) || row->socket->tcp_n > 200))
		return cell_nothing();
	return cell_reading(v);
}

/* ---- identity ---- */

static struct cell get_protocol(const void *row) { return cell_text(socket_protocol_name(SOCKET->protocol)); }
static struct cell get_family(const void *row) { return cell_text(SOCKET->family == AF_INET6 ? "ipv6" : "ipv4"); }
static struct cell get_state(const void *row) { return cell_text(socket_state_name(SOCKET)); }
static struct cell get_local(const void *row) { return known(sockets_local(ROW)); }
static struct cell get_remote(const void *row) { return known(sockets_remote(ROW)); }
static struct cell get_local_port(const void *row) { return SOCKET->local_port ? cell_reading(SOCKET->local_port) : cell_nothing(); }
static struct cell get_remote_port(const void *row) { return SOCKET->remote_port ? cell_reading(SOCKET->remote_port) : cell_nothing(); }
static struct cell get_inode(const void *row) { return SOCKET->inode ? cell_reading(SOCKET->inode) : cell_nothing(); }
static struct cell get_cookie(const void *row) { return SOCKET->cookie ? cell_reading(SOCKET->cookie) : cell_nothing(); }
static struct cell get_cgroup(const void *row) { return SOCKET->cgroup ? cell_reading(SOCKET->cgroup) : cell_nothing(); }
static struct cell get_interface(const void *row) { return SOCKET->interface ? cell_reading(SOCKET->interface) : cell_nothing(); }
static struct cell get_namespace(const void *row) { return SOCKET->net_ns ? cell_reading(SOCKET->net_ns) : cell_nothing(); }
static struct cell get_namespace_pid(const void *row)
{
	vec_each(ns, &ROW->state->namespaces)
		if (ns->inode == SOCKET->net_ns && ns->pid)
			return cell_reading((reading)ns->pid);
	return cell_nothing();
}

static struct cell get_shutdown(const void *row)
{
	static const char *const names[] = { "none", "receive", "send", "both" };

	return SOCKET->shutdown < 4 ? cell_text(names[SOCKET->shutdown]) : cell_nothing();
}

static struct cell get_uid(const void *row)
{
	if (SOCKET->has_uid)
		return cell_reading(SOCKET->uid);
	return SOCKET->inode ? cell_reading(READING_ABSENT) : cell_nothing();
}

static struct cell get_user(const void *row)
{
	return SOCKET->has_uid ? cell_text(user_names_find(ROW->state->users, SOCKET->uid)) : get_uid(row);
}

/* ---- queues ---- */

static struct cell get_receive_queue(const void *row)
{
	return SOCKET->has_queues ? cell_reading(SOCKET->receive_queue) : cell_nothing();
}

static struct cell get_send_queue(const void *row)
{
	if (SOCKET->state == STATE_LISTEN && !SOCKET->has_backlog)
		return cell_reading(READING_ABSENT);
	return SOCKET->has_queues ? cell_reading(SOCKET->send_queue) : cell_nothing();
}

static double fill(const struct socket_row *s, enum socket_memory_field used, enum socket_memory_field limit)
{
	return 100.0 * reading_value(socket_memory_figure(s, used)) / reading_value(socket_memory_figure(s, limit));
}

/* The kernel lets one connection more wait than the backlog says. Of what is no listener, the fuller of
 * the two buffers. */
static struct cell get_queue_full(const void *row)
{
	const struct socket_row *s = SOCKET;

	if (s->state == STATE_LISTEN && s->has_backlog)
		return cell_real(100.0 * s->receive_queue / ((double)s->send_queue + 1));
	if (s->nmemory == 0)
		return cell_nothing();
	double receive = fill(s, SOCKET_MEMORY_receive_memory_bytes, SOCKET_MEMORY_receive_buffer_bytes);
	double send = fill(s, SOCKET_MEMORY_queued_memory_bytes, SOCKET_MEMORY_send_buffer_bytes);
	return cell_real(receive > send || send != send ? receive : send);
}

#define MEMORY_GETTER(id, member, kernel_name, unit, kind, help)                                   \
	static struct cell get_##member(const void *row)                                           \
	{                                                                                          \
		reading v = socket_memory_figure(SOCKET, SOCKET_MEMORY_##member);                  \
		return SOCKET->nmemory || reading_ok(v) ? cell_reading(v) : cell_nothing();                \
	}
SOCKET_MEMORY_FIELDS(MEMORY_GETTER)

/* ---- TCP ---- */

#define TCP_GETTER(id, member, kernel_name, unit, kind, help) \
	static struct cell get_##member(const void *row) { return tcp_figure(ROW, SOCKET_TCP_##member); }
SOCKET_TCP_FIELDS(TCP_GETTER)

static struct cell rate(const struct socket_view_row *row, enum socket_tcp_field field)
{
	if (!has_tcp_info(row->socket) || row->state->span.since_boot)
		return cell_nothing();
	return cell_rate(sockets_growth(row, field), row->state->span.seconds);
}

static struct cell get_retransmit_rate(const void *row) { return rate(ROW, SOCKET_TCP_retransmits); }
static struct cell get_acked_rate(const void *row) { return rate(ROW, SOCKET_TCP_bytes_acked); }
static struct cell get_received_rate(const void *row) { return rate(ROW, SOCKET_TCP_bytes_received); }

static struct cell get_drop_rate(const void *row)
{
	reading now = socket_memory_figure(SOCKET, SOCKET_MEMORY_drops);

	if (ROW->state->span.since_boot || !reading_ok(now))
		return cell_nothing();
	reading before = ROW->before ? socket_memory_figure(ROW->before, SOCKET_MEMORY_drops) : 0;
	return cell_rate(reading_delta(before, now), ROW->state->span.seconds);
}

static struct cell get_idle(const void *row)
{
	return has_tcp_info(SOCKET) ? cell_reading(socket_idle_ns(&ROW->state->table, SOCKET)) : cell_nothing();
}

static struct cell get_age(const void *row)
{
	reading age = socket_age_ns(&ROW->state->table, SOCKET);

	return reading_ok(age) ? cell_reading(age) : cell_nothing();
}

static struct cell get_congestion(const void *row)
{
	const char *name = socket_congestion(&ROW->state->table, SOCKET);

	return name ? cell_text(name) : cell_nothing();
}

static struct cell get_timer(const void *row)
{
	static const char *const names[] = { "off", "retransmit", "keepalive", "time-wait", "probe" };

	return SOCKET->protocol == PROTOCOL_TCP && SOCKET->timer < 5 ? cell_text(names[SOCKET->timer]) : cell_nothing();
}

static struct cell get_timer_left(const void *row)
{
	return SOCKET->timer ? cell_reading(SOCKET->timer_ms * NS_PER_MS) : cell_nothing();
}

static struct cell get_timer_tries(const void *row)
{
	return SOCKET->protocol == PROTOCOL_TCP ? cell_reading(SOCKET->timer_tries) : cell_nothing();
}

/* ---- who holds it ---- */

/* Nobody was found: is it that we may not look? */
static struct cell no_holder(const struct socket_view_row *row, uint32_t inode)
{
	if (!inode)
		return cell_nothing();
	if (row->state->holders_missing)
		return cell_reading(row->state->holders_missing);
	return row->state->denied ? cell_reading(READING_DENIED) : cell_nothing();
}

static struct cell get_pid(const void *row)
{
	return ROW->nholders ? cell_reading((reading)ROW->holder->pid) : no_holder(ROW, SOCKET->inode);
}

static struct cell get_fd(const void *row)
{
	return ROW->nholders ? cell_reading((reading)ROW->holder->fd) : no_holder(ROW, SOCKET->inode);
}

static struct cell get_command(const void *row)
{
	return ROW->nholders ? cell_text(ROW->holder->comm) : no_holder(ROW, SOCKET->inode);
}

static struct cell get_holders(const void *row)
{
	return ROW->nholders ? cell_reading(ROW->nholders) : no_holder(ROW, SOCKET->inode);
}

static const struct socket_holder *peer_holder(const void *row)
{
	size_t n;

	return socket_holders_find(&ROW->state->holders, SOCKET->peer_inode, &n);
}

static struct cell get_peer_pid(const void *row)
{
	const struct socket_holder *h = peer_holder(row);

	return h ? cell_reading((reading)h->pid) : no_holder(ROW, SOCKET->peer_inode);
}

static struct cell get_peer_command(const void *row)
{
	const struct socket_holder *h = peer_holder(row);

	return h ? cell_text(h->comm) : no_holder(ROW, SOCKET->peer_inode);
}

/* ---- other families ---- */

static struct cell get_type(const void *row)
{
	static const char *const names[] = {
		[SOCK_STREAM] = "stream", [SOCK_DGRAM] = "dgram", [SOCK_RAW] = "raw", [SOCK_RDM] = "rdm",
		[SOCK_SEQPACKET] = "seqpacket",
	};

	return SOCKET->type && SOCKET->type <= SOCK_SEQPACKET ? cell_text(names[SOCKET->type]) : cell_nothing();
}

static struct cell get_peer_inode(const void *row) { return SOCKET->peer_inode ? cell_reading(SOCKET->peer_inode) : cell_nothing(); }
static struct cell get_ethertype(const void *row)
{
	static const struct {
		uint32_t number;
		const char *name;
	} names[] = { { 0x0003, "all" }, { 0x0800, "ipv4" }, { 0x0806, "arp" }, { 0x86dd, "ipv6" }, { 0x88cc, "lldp" }, { 0x8100, "vlan" } };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i].number == SOCKET->number)
			return cell_text(names[i].name);
	return cell_reading(SOCKET->number);
}
/* include/uapi/linux/netlink.h */
static struct cell get_netlink_family(const void *row)
{
	static const char *const names[] = {
		"route", "unused", "usersock", "firewall", "sock_diag", "nflog", "xfrm", "selinux", "iscsi", "audit",
		"fib_lookup", "connector", "netfilter", "ip6_fw", "dnrtmsg", "kobject_uevent", "generic", NULL,
		"scsitransport", "ecryptfs", "rdma", "crypto", "smc",
	};

	if (SOCKET->number < sizeof names / sizeof names[0] && names[SOCKET->number])
		return cell_text(names[SOCKET->number]);
	return cell_reading(SOCKET->number);
}
static struct cell get_port_id(const void *row) { return cell_reading(SOCKET->port_id); }

/* ---- tables ---- */

/* Columns made from the source's fields keep their ids. HEADER_x and RANK_x follow. */
#define TCP_COLUMN(id_, member, kernel_name, unit_, kind_, help_)                                       \
	{ .id = (id_), .name = #member, .header = HEADER_##member, .unit = UNIT_##unit_, .kind = (kind_), \
	  .source = "INET_DIAG_INFO " kernel_name, .help = (help_), .get = get_##member, .rank = RANK_##member },

#define HEADER_rtt_ns "RTT"
#define HEADER_rtt_variation_ns "RTTVAR"
#define HEADER_min_rtt_ns "MINRTT"
#define HEADER_receive_rtt_ns "RCVRTT"
#define HEADER_retransmit_timeout_ns "RTO"
#define HEADER_congestion_window "CWND"
#define HEADER_slow_start_threshold "SSTHRESH"
#define HEADER_send_mss_bytes "MSS"
#define HEADER_receive_mss_bytes "RCVMSS"
#define HEADER_path_mtu_bytes "PMTU"
#define HEADER_unacked "UNACKED"
#define HEADER_sacked "SACKED"
#define HEADER_lost "LOST"
#define HEADER_retransmits_under_way "RETRANS-NOW"
#define HEADER_retransmits "RETRANS"
#define HEADER_timeouts_in_a_row "TIMEOUTS"
#define HEADER_probes "PROBES"
#define HEADER_backoff "BACKOFF"
#define HEADER_reordering "REORDER"
#define HEADER_reorderings_seen "REORD-SEEN"
#define HEADER_duplicates "DSACK-DUPS"
#define HEADER_out_of_order "OUT-OF-ORDER"
#define HEADER_bytes_acked "ACKED"
#define HEADER_bytes_received "RECEIVED"
#define HEADER_bytes_sent "SENT"
#define HEADER_bytes_retransmitted "RESENT"
#define HEADER_bytes_unsent "UNSENT"
#define HEADER_segments_out "SEGS-OUT"
#define HEADER_segments_in "SEGS-IN"
#define HEADER_data_segments_out "DSEGS-OUT"
#define HEADER_data_segments_in "DSEGS-IN"
#define HEADER_delivery_bytes_per_s "DELIVERY/s"
#define HEADER_pacing_bytes_per_s "PACING/s"
#define HEADER_busy_ns "BUSY"
#define HEADER_receiver_limited_ns "RWND-LIMITED"
#define HEADER_send_buffer_limited_ns "SNDBUF-LIMITED"
#define HEADER_since_data_sent_ns "LAST-SENT"
#define HEADER_since_data_received_ns "LAST-RCVD"
#define HEADER_since_ack_received_ns "LAST-ACK"
#define HEADER_receive_space_bytes "RCVSPACE"
#define HEADER_peer_window_bytes "PEER-WINDOW"

#define RANK_rtt_ns 5
#define RANK_rtt_variation_ns 7
#define RANK_min_rtt_ns 7
#define RANK_receive_rtt_ns 7
#define RANK_retransmit_timeout_ns 7
#define RANK_congestion_window 6
#define RANK_slow_start_threshold 7
#define RANK_send_mss_bytes 7
#define RANK_receive_mss_bytes 7
#define RANK_path_mtu_bytes 7
#define RANK_unacked 7
#define RANK_sacked 7
#define RANK_lost 7
#define RANK_retransmits_under_way 7
#define RANK_retransmits 4
#define RANK_timeouts_in_a_row 7
#define RANK_probes 7
#define RANK_backoff 7
#define RANK_reordering 7
#define RANK_reorderings_seen 7
#define RANK_duplicates 7
#define RANK_out_of_order 7
#define RANK_bytes_acked 7
#define RANK_bytes_received 7
#define RANK_bytes_sent 7
#define RANK_bytes_retransmitted 7
#define RANK_bytes_unsent 7
#define RANK_segments_out 7
#define RANK_segments_in 7
#define RANK_data_segments_out 7
#define RANK_data_segments_in 7
#define RANK_delivery_bytes_per_s 7
#define RANK_pacing_bytes_per_s 7
#define RANK_busy_ns 7
#define RANK_receiver_limited_ns 7
#define RANK_send_buffer_limited_ns 7
#define RANK_since_data_sent_ns 7
#define RANK_since_data_received_ns 7
#define RANK_since_ack_received_ns 7
#define RANK_receive_space_bytes 7
#define RANK_peer_window_bytes 7

#define DIAG "sock_diag"
#define MEMINFO "INET_DIAG_SKMEMINFO"
#define HOLDERS "/proc/PID/fd"

static const struct column socket_columns[] = {
	COLUMN(2500, protocol, "PROTO", TEXT, LABEL, get_protocol, 2, DIAG, "tcp, udp or raw"),
	COLUMN(2501, family, "FAMILY", TEXT, LABEL, get_family, 6, DIAG, "ipv4 or ipv6"),
	COLUMN(2502, state, "STATE", TEXT, LABEL, get_state, 0, DIAG, "state of the connection; UNCONN: takes from anybody"),
	COLUMN(2503, receive_queue, "RECV-Q", COUNT, GAUGE, get_receive_queue, 3, DIAG,
	       "bytes not read yet; of a listener: connections that wait for accept"),
	COLUMN(2504, send_queue, "SEND-Q", COUNT, GAUGE, get_send_queue, 3, DIAG,
	       "bytes not acknowledged yet; of a listener: its backlog"),
	COLUMN(2505, queue_full_pct, "FULL%", PCT, GAUGE, get_queue_full, 4, DIAG " " MEMINFO,
	       "accept queue of its backlog + 1; else the fuller of receive and send buffer"),
	COLUMN(2506, local, "LOCAL", TEXT, LABEL, get_local, 0, DIAG, "local address and port; *: every address"),
	COLUMN(2507, remote, "REMOTE", TEXT, LABEL, get_remote, 1, DIAG, "address and port of the peer"),
	COLUMN(2508, local_port, "LPORT", COUNT, LABEL, get_local_port, 6, DIAG, "local port; of raw sockets: the IP protocol"),
	COLUMN(2509, remote_port, "RPORT", COUNT, LABEL, get_remote_port, 6, DIAG, "port of the peer"),
	COLUMN(2510, retransmits_per_s, "RETR/s", PER_S, RATE, get_retransmit_rate, 2, "INET_DIAG_INFO tcpi_total_retrans",
	       "segments sent again, over the interval"),
	COLUMN(2511, acked_bytes_per_s, "OUT/s", BYTES_PER_S, RATE, get_acked_rate, 3, "INET_DIAG_INFO tcpi_bytes_acked",
	       "bytes that the peer has acknowledged, over the interval"),
	COLUMN(2512, received_bytes_per_s, "IN/s", BYTES_PER_S, RATE, get_received_rate, 3,
	       "INET_DIAG_INFO tcpi_bytes_received", "bytes received, over the interval"),
	COLUMN(2513, drops_per_s, "DROP/s", PER_S, RATE, get_drop_rate, 5, MEMINFO " drops", "packets this socket dropped, over the interval"),
	COLUMN(2514, idle_ns, "IDLE", NS, GAUGE, get_idle, 7, "INET_DIAG_INFO tcpi_last_data_sent, tcpi_last_data_recv",
	       "time since data last went either way"),
	COLUMN(2515, age_ns, "AGE", NS, GAUGE, get_age, 8, "INET_DIAG_INFO tcpi_last_data_sent, tcpi_last_data_recv",
	       "time since it was established; known while one direction has carried no data"),
	COLUMN(2516, congestion_control, "CC", TEXT, LABEL, get_congestion, 7, "INET_DIAG_CONG", "congestion control"),
	COLUMN(2517, timer, "TIMER", TEXT, LABEL, get_timer, 7, DIAG, "the timer that runs"),
	COLUMN(2518, timer_left_ns, "TIMER-LEFT", NS, GAUGE, get_timer_left, 7, DIAG, "time until it runs out"),
	COLUMN(2519, timer_tries, "TRIES", COUNT, GAUGE, get_timer_tries, 7, DIAG, "times it has run out"),
	COLUMN(2520, shutdown, "SHUTDOWN", TEXT, LABEL, get_shutdown, 7, "INET_DIAG_SHUTDOWN", "directions that are closed"),
	COLUMN(2521, pid, "PID", COUNT, LABEL, get_pid, 2, HOLDERS, "process that holds it, of several the lowest"),
	COLUMN(2522, fd, "FD", COUNT, LABEL, get_fd, 7, HOLDERS, "descriptor of that process"),
	COLUMN(2523, command, "COMMAND", TEXT, LABEL, get_command, 1, HOLDERS, "name of that process"),
	COLUMN(2524, holders, "HOLDERS", COUNT, GAUGE, get_holders, 7, HOLDERS, "descriptors that refer to it, of all processes"),
	COLUMN(2525, uid, "UID", COUNT, LABEL, get_uid, 7, DIAG, "user that made it"),
	COLUMN(2526, user, "USER", TEXT, LABEL, get_user, 7, DIAG, "name of that user"),
	COLUMN(2527, inode, "INODE", COUNT, LABEL, get_inode, 7, DIAG, "number of the socket, as in /proc/PID/fd"),
	COLUMN(2528, cookie, "COOKIE", COUNT, LABEL, get_cookie, 7, DIAG, "names it for its lifetime"),
	COLUMN(2529, cgroup_id, "CGROUP", COUNT, LABEL, get_cgroup, 7, "INET_DIAG_CGROUP_ID", "inode of its cgroup (v2)"),
	COLUMN(2530, interface_index, "IFINDEX", COUNT, LABEL, get_interface, 7, DIAG, "device that it is bound to"),
	COLUMN(2531, network_namespace, "NETNS", COUNT, LABEL, get_namespace, 3, "/proc/PID/ns/net",
	       "inode of its namespace; with --all-namespaces"),
	COLUMN(2532, network_namespace_pid, "NETNS-PID", COUNT, LABEL, get_namespace_pid, 4, "/proc/PID/ns/net",
	       "lowest process in a namespace that is not ours"),
	COLUMN(2533, receive_memory_bytes, "RMEM", BYTES, GAUGE, get_receive_memory_bytes, 7, MEMINFO, "memory of what waits to be read"),
	COLUMN(2534, receive_buffer_bytes, "RCVBUF", BYTES, GAUGE, get_receive_buffer_bytes, 7, MEMINFO, "receive buffer at most, as the kernel counts it"),
	COLUMN(2535, send_memory_bytes, "WMEM", BYTES, GAUGE, get_send_memory_bytes, 7, MEMINFO, "memory of what was handed to the network"),
	COLUMN(2536, send_buffer_bytes, "SNDBUF", BYTES, GAUGE, get_send_buffer_bytes, 7, MEMINFO, "send buffer at most, as the kernel counts it"),
	COLUMN(2537, forward_memory_bytes, "FWD", BYTES, GAUGE, get_forward_memory_bytes, 7, MEMINFO, "memory reserved and not used yet"),
	COLUMN(2538, queued_memory_bytes, "WQUEUED", BYTES, GAUGE, get_queued_memory_bytes, 7, MEMINFO, "memory of what waits to be sent"),
	COLUMN(2539, option_memory_bytes, "OPTMEM", BYTES, GAUGE, get_option_memory_bytes, 7, MEMINFO, "memory of options and filters"),
	COLUMN(2540, backlog_memory_bytes, "BACKLOG", BYTES, GAUGE, get_backlog_memory_bytes, 7, MEMINFO, "memory of what waits for the socket's lock"),
	COLUMN(2541, drops, "DROPS", COUNT, COUNTER, get_drops, 4, MEMINFO, "packets or connections that this socket dropped"),
	SOCKET_TCP_FIELDS(TCP_COLUMN)
};

const struct entity entity_socket = {
	.name = "socket",
	.help = "a TCP, UDP or raw socket",
	COLUMNS(socket_columns),
	.shown = "protocol,state,receive_queue,send_queue,queue_full_pct,local,remote,retransmits,rtt_ns,"
		 "congestion_window,idle_ns,age_ns,pid,command",
};
const struct entity entity_socket_rates = {
	.name = "socket",
	.help = "a TCP, UDP or raw socket",
	COLUMNS(socket_columns),
	.shown = "protocol,state,acked_bytes_per_s,received_bytes_per_s,retransmits_per_s,receive_queue,send_queue,"
		 "queue_full_pct,local,remote,retransmits,drops_per_s,rtt_ns,congestion_window,idle_ns,pid,command",
	.sort = "acked_bytes_per_s,received_bytes_per_s", /* who talks most */
};
const struct entity entity_socket_namespaces = {
	.name = "socket",
	.help = "a TCP, UDP or raw socket",
	COLUMNS(socket_columns),
	.shown = "network_namespace,network_namespace_pid,protocol,state,receive_queue,send_queue,queue_full_pct,local,"
		 "remote,retransmits,rtt_ns,pid,command",
};
const struct entity entity_listener = {
	.name = "socket",
	.help = "a socket that waits for connections",
	COLUMNS(socket_columns),
	.shown = "protocol,state,receive_queue,send_queue,queue_full_pct,local,drops,user,pid,command",
};

static const struct column unix_columns[] = {
	COLUMN(2550, type, "TYPE", TEXT, LABEL, get_type, 2, DIAG, "stream, dgram or seqpacket"),
	COLUMN(2551, state, "STATE", TEXT, LABEL, get_state, 1, DIAG, "LISTEN, ESTAB, or UNCONN without a peer"),
	COLUMN(2552, receive_queue, "RECV-Q", COUNT, GAUGE, get_receive_queue, 3, "UNIX_DIAG_RQLEN",
	       "bytes not read yet; of a listener: connections that wait for accept"),
	COLUMN(2553, send_queue, "SEND-Q", COUNT, GAUGE, get_send_queue, 4, "UNIX_DIAG_RQLEN",
	       "bytes sent and not read; of a listener: its backlog"),
	COLUMN(2554, queue_full_pct, "FULL%", PCT, GAUGE, get_queue_full, 4, "UNIX_DIAG_RQLEN, UNIX_DIAG_MEMINFO",
	       "accept queue of its backlog + 1; else the fuller of receive and send buffer"),
	COLUMN_ELASTIC(2555, path, "PATH", TEXT, LABEL, get_local, 0, "UNIX_DIAG_NAME", "its name; @: an abstract one"),
	COLUMN(2556, peer_path, "PEER-PATH", TEXT, LABEL, get_remote, 5, "UNIX_DIAG_PEER, UNIX_DIAG_NAME", "name of its peer"),
	COLUMN(2557, inode, "INODE", COUNT, LABEL, get_inode, 6, DIAG, "number of the socket, as in /proc/PID/fd"),
	COLUMN(2558, peer_inode, "PEER", COUNT, LABEL, get_peer_inode, 6, "UNIX_DIAG_PEER", "number of the peer"),
	COLUMN(2559, pid, "PID", COUNT, LABEL, get_pid, 2, HOLDERS, "process that holds it, of several the lowest"),
	COLUMN(2560, fd, "FD", COUNT, LABEL, get_fd, 7, HOLDERS, "descriptor of that process"),
	COLUMN(2561, command, "COMMAND", TEXT, LABEL, get_command, 1, HOLDERS, "name of that process"),
	COLUMN(2562, holders, "HOLDERS", COUNT, GAUGE, get_holders, 7, HOLDERS, "descriptors that refer to it, of all processes"),
	COLUMN(2563, peer_pid, "PEER-PID", COUNT, LABEL, get_peer_pid, 5, HOLDERS, "process that holds the other end"),
	COLUMN(2564, peer_command, "PEER-COMMAND", TEXT, LABEL, get_peer_command, 3, HOLDERS, "name of that process"),
	COLUMN(2565, uid, "UID", COUNT, LABEL, get_uid, 7, "UNIX_DIAG_UID", "user that made it (5.3)"),
	COLUMN(2566, user, "USER", TEXT, LABEL, get_user, 7, "UNIX_DIAG_UID", "name of that user (5.3)"),
	COLUMN(2567, cookie, "COOKIE", COUNT, LABEL, get_cookie, 7, DIAG, "names it for its lifetime"),
	COLUMN(2568, shutdown, "SHUTDOWN", TEXT, LABEL, get_shutdown, 7, "UNIX_DIAG_SHUTDOWN", "directions that are closed"),
	COLUMN(2569, network_namespace, "NETNS", COUNT, LABEL, get_namespace, 7, "/proc/PID/ns/net",
	       "inode of its namespace; with --all-namespaces"),
	COLUMN(2570, receive_memory_bytes, "RMEM", BYTES, GAUGE, get_receive_memory_bytes, 7, "UNIX_DIAG_MEMINFO", "memory of what waits to be read"),
	COLUMN(2571, receive_buffer_bytes, "RCVBUF", BYTES, GAUGE, get_receive_buffer_bytes, 7, "UNIX_DIAG_MEMINFO", "receive buffer at most"),
	COLUMN(2572, send_memory_bytes, "WMEM", BYTES, GAUGE, get_send_memory_bytes, 7, "UNIX_DIAG_MEMINFO", "memory of what the peer has not read"),
	COLUMN(2573, send_buffer_bytes, "SNDBUF", BYTES, GAUGE, get_send_buffer_bytes, 7, "UNIX_DIAG_MEMINFO", "send buffer at most"),
};

const struct entity entity_unix_socket = {
	.name = "unix_socket",
	.help = "a socket between processes of one host",
	COLUMNS(unix_columns),
	.shown = "type,state,receive_queue,send_queue,queue_full_pct,path,peer_path,inode,peer_inode,pid,command,peer_pid,peer_command",
};

static const struct column packet_columns[] = {
	COLUMN(2580, type, "TYPE", TEXT, LABEL, get_type, 1, "/proc/net/packet", "raw: whole frames; dgram: without their head"),
	COLUMN(2581, ethertype, "PROTOCOL", TEXT, LABEL, get_ethertype, 0, "/proc/net/packet", "what it takes; a number is that of the frames"),
	COLUMN(2582, device, "DEVICE", TEXT, LABEL, get_local, 0, "/proc/net/packet", "device it is bound to; none: all of them"),
	COLUMN(2583, receive_memory_bytes, "RMEM", BYTES, GAUGE, get_receive_queue, 2, "/proc/net/packet", "memory of what waits to be read"),
	COLUMN(2584, pid, "PID", COUNT, LABEL, get_pid, 1, HOLDERS, "process that holds it, of several the lowest"),
	COLUMN(2585, command, "COMMAND", TEXT, LABEL, get_command, 1, HOLDERS, "name of that process"),
	COLUMN(2586, uid, "UID", COUNT, LABEL, get_uid, 4, "/proc/net/packet", "user that made it"),
	COLUMN(2587, inode, "INODE", COUNT, LABEL, get_inode, 5, "/proc/net/packet", "number of the socket"),
};

const struct entity entity_packet_socket = {
	.name = "packet_socket",
	.help = "a socket that takes whole packets from devices: packet captures, DHCP clients",
	COLUMNS(packet_columns),
	.shown = "type,ethertype,device,receive_memory_bytes,pid,command,uid,inode",
};

static const struct column netlink_columns[] = {
	COLUMN(2590, family, "FAMILY", TEXT, LABEL, get_netlink_family, 0, "/proc/net/netlink", "what it talks about with the kernel"),
	COLUMN(2591, port_id, "PORT-ID", COUNT, LABEL, get_port_id, 1, "/proc/net/netlink", "its address, often a pid; 0: the kernel's own"),
	COLUMN(2592, receive_memory_bytes, "RMEM", BYTES, GAUGE, get_receive_queue, 2, "/proc/net/netlink", "memory of what waits to be read"),
	COLUMN(2593, drops, "DROPS", COUNT, COUNTER, get_drops, 2, "/proc/net/netlink", "messages dropped: receive buffer full"),
	COLUMN(2594, pid, "PID", COUNT, LABEL, get_pid, 1, HOLDERS, "process that holds it, of several the lowest"),
	COLUMN(2595, command, "COMMAND", TEXT, LABEL, get_command, 1, HOLDERS, "name of that process"),
	COLUMN(2596, inode, "INODE", COUNT, LABEL, get_inode, 5, "/proc/net/netlink", "number of the socket"),
};

const struct entity entity_netlink_socket = {
	.name = "netlink_socket",
	.help = "a socket that talks with the kernel",
	COLUMNS(netlink_columns),
	.shown = "family,port_id,receive_memory_bytes,drops,pid,command,inode",
};
