/* All sockets of one network namespace: what ss lists. (socket.h keeps the few that tell of
 * trouble, for the doctor.)
 *
 * TCP, UDP, RAW and UNIX come by sock_diag (NETLINK_SOCK_DIAG), PACKET and NETLINK from
 * /proc/net/packet and /proc/net/netlink. The kernel leaves out the TCP states that are not
 * asked for, and ports: listeners alone cost nothing for 200 000 connections beside them.
 *
 * Since: 3.3; single attributes are younger and are then absent (uid of UNIX 5.3, cgroup 5.9,
 * tcp_info has grown with most releases). The kernel loads inet_diag, tcp_diag, udp_diag,
 * raw_diag and unix_diag when it is asked. A protocol without its module is read from /proc/net/{tcp,
 * udp,raw}{,6} and unix in its place: without tcp_info, buffers, backlogs and peers, and all states are
 * read to keep those asked for.
 * Privilege: none in our own namespace; CAP_SYS_ADMIN to enter another.
 * Cost: ~0.2 ms a protocol and address family, ~1 us a socket, ~2 us with `details`. A row takes
 * 160 bytes, and its tcp_info up to 280 beside it, so 200 000 connections take 90 MB, 200 000
 * listeners or UDP sockets 32 MB. On a live host that is not captured nothing else is kept of
 * the kernel's answer.
 * Formats: include/uapi/linux/{inet_diag,unix_diag,sock_diag,tcp}.h. */
#ifndef OSPREY_SOURCE_NETWORK_SOCKET_TABLE_H
#define OSPREY_SOURCE_NETWORK_SOCKET_TABLE_H

#include <stdbool.h>

#include "base/field.h"
#include "base/note.h"
#include "base/vec.h"
#include "kernel/host.h"

enum socket_protocol {
	PROTOCOL_TCP,
	PROTOCOL_UDP,
	PROTOCOL_RAW,
	PROTOCOL_UNIX,
	PROTOCOL_PACKET,
	PROTOCOL_NETLINK,
	PROTOCOL_COUNT
};

/* include/net/tcp_states.h; every protocol uses these numbers. */
enum socket_state {
	STATE_ESTABLISHED = 1,
	STATE_SYN_SENT,
	STATE_SYN_RECEIVED,
	STATE_FIN_WAIT_1,
	STATE_FIN_WAIT_2,
	STATE_TIME_WAIT,
	STATE_CLOSED, /* of all but TCP: not connected */
	STATE_CLOSE_WAIT,
	STATE_LAST_ACK,
	STATE_LISTEN,
	STATE_CLOSING,
	STATE_NEW_SYN_RECEIVED,
	STATE_COUNT
};
#define STATES_ALL ((1u << STATE_COUNT) - 1)
#define STATES_LISTEN (1u << STATE_LISTEN)

/* Figures of tcp_info; socket_tcp_figure decodes one. */
#define SOCKET_TCP_FIELDS(FIELD)                                                                        \
	FIELD(2400, rtt_ns, "tcpi_rtt", NS, GAUGE, "smoothed round-trip time")                          \
	FIELD(2401, rtt_variation_ns, "tcpi_rttvar", NS, GAUGE, "how far round trips vary")             \
	FIELD(2402, min_rtt_ns, "tcpi_min_rtt", NS, GAUGE, "shortest round trip of late (4.6)")         \
	FIELD(2403, receive_rtt_ns, "tcpi_rcv_rtt", NS, GAUGE, "round trip as the receiving side guesses it") \
	FIELD(2404, retransmit_timeout_ns, "tcpi_rto", NS, GAUGE, "wait before an unanswered segment is sent again") \
	FIELD(2405, congestion_window, "tcpi_snd_cwnd", COUNT, GAUGE, "segments that may be under way") \
	FIELD(2406, slow_start_threshold, "tcpi_snd_ssthresh", COUNT, GAUGE, "segments at which slow start ends") \
	FIELD(2407, send_mss_bytes, "tcpi_snd_mss", BYTES, GAUGE, "largest segment sent")               \
	FIELD(2408, receive_mss_bytes, "tcpi_rcv_mss", BYTES, GAUGE, "largest segment received")        \
	FIELD(2409, path_mtu_bytes, "tcpi_pmtu", BYTES, GAUGE, "largest packet of the path")            \
	FIELD(2410, unacked, "tcpi_unacked", COUNT, GAUGE, "segments under way; of a listener: waiting for accept") \
	FIELD(2411, sacked, "tcpi_sacked", COUNT, GAUGE, "segments that arrived out of order; of a listener: its backlog") \
	FIELD(2412, lost, "tcpi_lost", COUNT, GAUGE, "segments under way that count as lost")           \
	FIELD(2413, retransmits_under_way, "tcpi_retrans", COUNT, GAUGE, "segments under way for a second time") \
	FIELD(2414, retransmits, "tcpi_total_retrans", COUNT, COUNTER, "segments sent again since it opened") \
	FIELD(2415, timeouts_in_a_row, "tcpi_retransmits", COUNT, GAUGE, "retransmission timeouts without an answer since") \
	FIELD(2416, probes, "tcpi_probes", COUNT, GAUGE, "window or keep-alive probes without an answer") \
	FIELD(2417, backoff, "tcpi_backoff", COUNT, GAUGE, "times the timeout has been doubled")        \
	FIELD(2418, reordering, "tcpi_reordering", COUNT, GAUGE, "segments that may overtake before loss is assumed") \
	FIELD(2419, reorderings_seen, "tcpi_reord_seen", COUNT, COUNTER, "reorderings seen (4.19)")     \
	FIELD(2420, duplicates, "tcpi_dsack_dups", COUNT, COUNTER, "segments that the peer got twice (4.19)") \
	FIELD(2421, out_of_order, "tcpi_rcv_ooopack", COUNT, COUNTER, "segments received out of order (5.5)") \
	FIELD(2422, bytes_acked, "tcpi_bytes_acked", BYTES, COUNTER, "bytes that the peer has acknowledged (4.1)") \
	FIELD(2423, bytes_received, "tcpi_bytes_received", BYTES, COUNTER, "bytes received in order (4.1)") \
	FIELD(2424, bytes_sent, "tcpi_bytes_sent", BYTES, COUNTER, "bytes sent, repeats among them (4.19)") \
	FIELD(2425, bytes_retransmitted, "tcpi_bytes_retrans", BYTES, COUNTER, "bytes sent again (4.19)") \
	FIELD(2426, bytes_unsent, "tcpi_notsent_bytes", BYTES, GAUGE, "bytes written that were never sent yet (4.6)") \
	FIELD(2427, segments_out, "tcpi_segs_out", COUNT, COUNTER, "segments sent (4.2)")               \
	FIELD(2428, segments_in, "tcpi_segs_in", COUNT, COUNTER, "segments received (4.2)")             \
	FIELD(2429, data_segments_out, "tcpi_data_segs_out", COUNT, COUNTER, "segments with data sent (4.6)") \
	FIELD(2430, data_segments_in, "tcpi_data_segs_in", COUNT, COUNTER, "segments with data received (4.6)") \
	FIELD(2431, delivery_bytes_per_s, "tcpi_delivery_rate", BYTES_PER_S, GAUGE, "rate at which data was delivered last (4.9)") \
	FIELD(2432, pacing_bytes_per_s, "tcpi_pacing_rate", BYTES_PER_S, GAUGE, "rate that sending is paced to (3.15)") \
	FIELD(2433, busy_ns, "tcpi_busy_time", NS, COUNTER, "time with data to send or under way (4.10)") \
	FIELD(2434, receiver_limited_ns, "tcpi_rwnd_limited", NS, COUNTER, "of it: held up by the peer's receive window (4.10)") \
	FIELD(2435, send_buffer_limited_ns, "tcpi_sndbuf_limited", NS, COUNTER, "of it: held up by our send buffer (4.10)") \
	FIELD(2436, since_data_sent_ns, "tcpi_last_data_sent", NS, GAUGE, "time since data was sent last") \
	FIELD(2437, since_data_received_ns, "tcpi_last_data_recv", NS, GAUGE, "time since data was received last") \
	FIELD(2438, since_ack_received_ns, "tcpi_last_ack_recv", NS, GAUGE, "time since the peer acknowledged last") \
	FIELD(2439, receive_space_bytes, "tcpi_rcv_space", BYTES, GAUGE, "receive buffer tuned for so many bytes a round trip") \
	FIELD(2440, peer_window_bytes, "tcpi_snd_wnd", BYTES, GAUGE, "receive window that the peer offers (5.4)")

enum socket_tcp_field {
#define TCP_ENUM(id, member, kernel_name, unit, kind, help) SOCKET_TCP_##member,
	SOCKET_TCP_FIELDS(TCP_ENUM)
#undef TCP_ENUM
	SOCKET_TCP_COUNT
};

/* Figures of SK_MEMINFO, in the kernel's order; drops and backlog are younger than the rest. */
#define SOCKET_MEMORY_FIELDS(FIELD)                                                                     \
	FIELD(2450, receive_memory_bytes, "rmem_alloc", BYTES, GAUGE, "memory of what waits to be read") \
	FIELD(2451, receive_buffer_bytes, "rcvbuf", BYTES, GAUGE, "receive buffer at most, as the kernel counts it") \
	FIELD(2452, send_memory_bytes, "wmem_alloc", BYTES, GAUGE, "memory of what was handed to the network") \
	FIELD(2453, send_buffer_bytes, "sndbuf", BYTES, GAUGE, "send buffer at most, as the kernel counts it") \
	FIELD(2454, forward_memory_bytes, "fwd_alloc", BYTES, GAUGE, "memory reserved and not used yet") \
	FIELD(2455, queued_memory_bytes, "wmem_queued", BYTES, GAUGE, "memory of what waits to be sent") \
	FIELD(2456, option_memory_bytes, "optmem", BYTES, GAUGE, "memory of socket options and filters") \
	FIELD(2457, backlog_memory_bytes, "backlog", BYTES, GAUGE, "memory of what waits for the socket's lock") \
	FIELD(2458, drops, "drops", COUNT, COUNTER, "packets that this socket dropped (4.10)")

enum socket_memory_field {
#define MEMORY_ENUM(id, member, kernel_name, unit, kind, help) SOCKET_MEMORY_##member,
	SOCKET_MEMORY_FIELDS(MEMORY_ENUM)
#undef MEMORY_ENUM
	SOCKET_MEMORY_COUNT
};

struct socket_row {
	uint64_t net_ns; /* inode of its namespace; 0: unknown */
	uint64_t cookie; /* names the socket for its lifetime; 0: unknown */
	uint64_t cgroup; /* id; 0: unknown */
	uint8_t protocol; /* enum socket_protocol */
	uint8_t family;	  /* AF_INET, AF_INET6, AF_UNIX… */
	uint8_t type;	  /* SOCK_STREAM… of UNIX and PACKET; 0: the protocol tells */
	uint8_t state;	  /* enum socket_state */
	uint8_t timer;	  /* 0 none, 1 retransmit, 2 keep-alive, 3 time-wait, 4 zero-window probe */
	uint8_t timer_tries;
	uint8_t congestion; /* position + 1 in the table's list */
	uint8_t nmemory;    /* figures told in memory[] */
	uint8_t shutdown;   /* 1: reading is over, 2: writing */
	bool ipv6_only, has_uid, has_queues;
	bool has_backlog; /* send_queue of a listener is known */
	uint16_t local_port, remote_port; /* of RAW: the IP protocol number as local_port */
	uint32_t local[4], remote[4];	  /* network order; IPv4 uses the first */
	uint32_t interface; /* index that it is bound to; 0: any */
	uint32_t uid;
	uint32_t inode;		/* 0: no process holds it */
	uint32_t peer_inode;	/* of UNIX; 0: none */
	uint32_t timer_ms;	/* until `timer` runs out */
	uint32_t receive_queue; /* bytes; of a listener: connections waiting for accept */
	uint32_t send_queue;	/* bytes; of a listener: the backlog */
	uint32_t memory[SOCKET_MEMORY_COUNT];
	uint32_t tcp_at; /* where tcp_info stands in the table's tcp_info */
	uint16_t tcp_n;	 /* bytes of it; 0: none */
	uint16_t name_n;
	uint32_t name_at; /* UNIX: path; abstract names begin with NUL */
	uint32_t number;  /* PACKET: ethertype; NETLINK: the netlink protocol (local_port: unused) */
	uint32_t port_id; /* NETLINK: address of the socket, often a pid */
};

#define SOCKET_CONGESTIONS 32

struct socket_table {
	VEC(struct socket_row) rows;
	struct buf tcp_info, names;
	char congestion[SOCKET_CONGESTIONS][16];
	size_t ncongestion;
	size_t skipped; /* sockets left out: beyond SOCKET_TABLE_MAX, or the dump took too long */
	enum presence presence[PROTOCOL_COUNT];
	int error[PROTOCOL_COUNT]; /* -errno where it is not PRESENT */
};

#define SOCKET_TABLE_MAX 2000000
#define SOCKET_TABLE_NS UINT64_C(20000000000) /* a dump that takes longer is cut off */

struct socket_query {
	unsigned protocols; /* bits of enum socket_protocol */
	unsigned states;    /* bits of enum socket_state */
	uint16_t port;	    /* only sockets with this local or remote port; 0: any. UNIX and others have none */
	bool details;	    /* tcp_info, buffers, congestion control, UNIX names and peers */
};

void socket_table_deinit(struct socket_table *t);
/* Keeps the storage. */
void socket_table_clear(struct socket_table *t);
/* Appends the sockets of namespace `net_ns` (inode; 0: not known), entered through
 * /proc/`pid`/ns/net; pid 0: our own. What could not be asked is told in `presence`; a protocol
 * not asked for is UNREAD. 0, -ENOMEM, or -errno when the namespace could not be entered. */
int socket_table_read(struct host *h, const struct socket_query *query, uint64_t net_ns, int pid,
		      struct buf *scratch, struct socket_table *ret) __attribute__((warn_unused_result));

/* A figure of tcp_info: absent when the kernel has none, when the socket is no TCP connection, or
 * without `details`. */
reading socket_tcp_figure(const struct socket_table *t, const struct socket_row *s,
			  enum socket_tcp_field field);
reading socket_memory_figure(const struct socket_row *s, enum socket_memory_field field);
/* Time since it was established: known while one direction has carried no data. */
reading socket_age_ns(const struct socket_table *t, const struct socket_row *s);
/* Time since data last went either way. */
reading socket_idle_ns(const struct socket_table *t, const struct socket_row *s);
/* "cubic"; NULL: unknown */
const char *socket_congestion(const struct socket_table *t, const struct socket_row *s);
struct span socket_name(const struct socket_table *t, const struct socket_row *s);
bool socket_is_listener(const struct socket_row *s);

/* "ESTAB", "LISTEN", "TIME-WAIT"…, as ss names them; "UNCONN" of sockets that do not connect. */
const char *socket_state_name(const struct socket_row *s);
const char *socket_protocol_name(enum socket_protocol p);

#define SOCKET_ADDRESS_SIZE 64
/* "127.0.0.1", "[::1]", "*" (both families); without the port. */
void socket_address_text(const struct socket_row *s, bool remote, char ret[SOCKET_ADDRESS_SIZE]);

/* ---- pure parsers ---- */

/* Netlink answers of one protocol (TCP, UDP, RAW, UNIX), appended to *ret as far as `query` asks
 * for them. -EBADMSG: cut or damaged (what stood before is kept); -ENOMEM. */
int socket_table_parse(struct span netlink, enum socket_protocol protocol, const struct socket_query *query,
		       struct socket_table *ret) __attribute__((warn_unused_result));
/* /proc/net/{tcp,udp,raw}{,6} (of one `family`) and /proc/net/unix, for what sock_diag does not tell. Lines
 * that are damaged are left out. */
int socket_table_parse_inet(struct span text, enum socket_protocol protocol, uint8_t family,
			    const struct socket_query *query, struct socket_table *ret)
	__attribute__((warn_unused_result));
int socket_table_parse_unix(struct span text, const struct socket_query *query, struct socket_table *ret)
	__attribute__((warn_unused_result));
/* /proc/net/packet and /proc/net/netlink. Lines that are damaged are left out. */
int socket_table_parse_packet(struct span text, struct socket_table *ret) __attribute__((warn_unused_result));
int socket_table_parse_netlink(struct span text, struct socket_table *ret) __attribute__((warn_unused_result));

/* For socket_table.c: one message. 1: taken; 0: not asked for; -EBADMSG: no message about a socket. */
struct netlink_message;
int socket_table_take(const struct netlink_message *message, enum socket_protocol protocol,
		      const struct socket_query *query, struct socket_table *ret)
	__attribute__((warn_unused_result));

#endif
