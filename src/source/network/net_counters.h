/* Protocol counters of one network namespace: /proc/net/snmp, /proc/net/netstat,
 * /proc/net/snmp6, /proc/net/sockstat, read as /proc/PID/net/… for the namespace of PID.
 * TCP counts both address families together; UDP has counters for each.
 * Privilege: none (hidepid hides others). Cost: four files, ~80 us.
 * Format: pairs of lines "Tcp: name name…" / "Tcp: value value…"; values may be negative
 * (Tcp MaxConn is -1), which is no reading: malformed. */
#ifndef OSPREY_SOURCE_NETWORK_NET_COUNTERS_H
#define OSPREY_SOURCE_NETWORK_NET_COUNTERS_H

#include "base/field.h"
#include "kernel/host.h"

/* kernel_name is "Prefix.Name"; of snmp6, its plain name. */
#define NET_COUNTER_FIELDS(FIELD)                                                                      \
	FIELD(500, ip_in_packets, "Ip.InReceives", COUNT, COUNTER, "packets received")                 \
	FIELD(501, ip_in_discards, "Ip.InDiscards", COUNT, COUNTER, "good packets dropped for want of room") \
	FIELD(502, ip_reassembly_fails, "Ip.ReasmFails", COUNT, COUNTER, "fragments that never became a packet") \
	FIELD(503, tcp_active_opens, "Tcp.ActiveOpens", COUNT, COUNTER, "connections opened from here") \
	FIELD(504, tcp_passive_opens, "Tcp.PassiveOpens", COUNT, COUNTER, "connections accepted")      \
	FIELD(505, tcp_attempt_fails, "Tcp.AttemptFails", COUNT, COUNTER, "connection attempts that failed") \
	FIELD(506, tcp_established, "Tcp.CurrEstab", COUNT, GAUGE, "connections established now")      \
	FIELD(507, tcp_in_segments, "Tcp.InSegs", COUNT, COUNTER, "segments received")                 \
	FIELD(508, tcp_out_segments, "Tcp.OutSegs", COUNT, COUNTER, "segments sent, without retransmissions") \
	FIELD(509, tcp_retransmitted, "Tcp.RetransSegs", COUNT, COUNTER, "segments sent again")        \
	FIELD(510, udp_in, "Udp.InDatagrams", COUNT, COUNTER, "datagrams delivered")                   \
	FIELD(511, udp_no_port, "Udp.NoPorts", COUNT, COUNTER, "datagrams for a port nobody reads")    \
	FIELD(512, udp_in_errors, "Udp.InErrors", COUNT, COUNTER, "datagrams lost on the way in")      \
	FIELD(513, udp_out, "Udp.OutDatagrams", COUNT, COUNTER, "datagrams sent")                      \
	FIELD(514, udp_receive_buffer_errors, "Udp.RcvbufErrors", COUNT, COUNTER, "datagrams dropped: receive buffer full") \
	FIELD(515, udp_send_buffer_errors, "Udp.SndbufErrors", COUNT, COUNTER, "datagrams refused: send buffer full") \
	FIELD(520, syn_cookies_sent, "TcpExt.SyncookiesSent", COUNT, COUNTER, "SYN cookies sent")      \
	FIELD(521, listen_overflows, "TcpExt.ListenOverflows", COUNT, COUNTER, "connections refused a place: accept queue full") \
	FIELD(522, listen_drops, "TcpExt.ListenDrops", COUNT, COUNTER, "SYNs dropped by listeners, for any reason") \
	FIELD(523, tcp_lost_retransmits, "TcpExt.TCPLostRetransmit", COUNT, COUNTER, "retransmissions lost again") \
	FIELD(524, tcp_fast_retransmits, "TcpExt.TCPFastRetrans", COUNT, COUNTER, "retransmitted on duplicate ACKs") \
	FIELD(525, tcp_timeouts, "TcpExt.TCPTimeouts", COUNT, COUNTER, "retransmission timers that ran out") \
	FIELD(526, tcp_loss_probes, "TcpExt.TCPLossProbes", COUNT, COUNTER, "tail-loss probes sent")   \
	FIELD(527, tcp_spurious_rtos, "TcpExt.TCPSpuriousRTOs", COUNT, COUNTER, "timeouts that were needless") \
	FIELD(528, syn_queue_cookies, "TcpExt.TCPReqQFullDoCookies", COUNT, COUNTER, "SYN queue full: cookie sent") \
	FIELD(529, syn_queue_drops, "TcpExt.TCPReqQFullDrop", COUNT, COUNTER, "SYN queue full: SYN dropped") \
	FIELD(530, tcp_syn_retransmits, "TcpExt.TCPSynRetrans", COUNT, COUNTER, "SYNs sent again")     \
	FIELD(531, tcp_zero_windows, "TcpExt.TCPToZeroWindowAdv", COUNT, COUNTER, "times our receive window closed") \
	FIELD(532, tcp_dsacks_received, "TcpExt.TCPDSACKRecv", COUNT, COUNTER, "segments that arrived twice, says the peer: needless retransmissions") \
	FIELD(540, tcp_time_wait, "sockstat.tw", COUNT, GAUGE, "sockets in TIME_WAIT")                 \
	FIELD(541, tcp_memory_pages, "sockstat.mem", PAGES, GAUGE, "memory of TCP buffers")            \
	FIELD(542, tcp_orphans, "sockstat.orphan", COUNT, GAUGE, "connections no process holds") \
	FIELD(550, udp6_in, "Udp6InDatagrams", COUNT, COUNTER, "datagrams delivered, IPv6")            \
	FIELD(551, udp6_no_port, "Udp6NoPorts", COUNT, COUNTER, "datagrams for a port nobody reads, IPv6") \
	FIELD(552, udp6_in_errors, "Udp6InErrors", COUNT, COUNTER, "datagrams lost on the way in, IPv6") \
	FIELD(553, udp6_receive_buffer_errors, "Udp6RcvbufErrors", COUNT, COUNTER, "datagrams dropped: receive buffer full, IPv6")

struct net_counters {
	enum presence presence;
	NET_COUNTER_FIELDS(FIELD_MEMBER)
};

extern const struct field net_counter_fields[];
extern const size_t net_counter_nfields;

/* Fills what `text` (snmp or netstat) holds and leaves the rest; start from
 * fields_missing(…, READING_ABSENT). */
void net_counters_parse(struct span text, struct net_counters *ret);
void snmp6_parse(struct span text, struct net_counters *ret);
void sockstat_parse(struct span text, struct net_counters *ret);
/* Of the namespace of `pid`; 0: our own. `presence` is that of snmp; what another file would
 * have told carries the reason in its readings. */
void net_counters_read(struct host *h, int pid, struct buf *scratch, struct net_counters *ret);

#endif
