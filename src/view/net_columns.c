/* The columns of the network. Rows of tcp, udp and ip are the state itself. */
#include "view/net_state.h"

static struct cell text_or_none(const char *text)
{
	return text && *text ? cell_text(text) : cell_nothing();
}

/* ---- interfaces ---- */

#define INTERFACE ((const struct interface_row *)row)

static struct cell get_name(const void *row) { return cell_text(INTERFACE->now->name); }

/* A reading of the link; why there is none when rtnetlink did not answer. */
static struct cell of_link(const struct interface_row *row, reading v)
{
	if (!row->link)
		return cell_reading(row->state->now.link_presence == DENIED ? READING_DENIED : READING_ABSENT);
	return reading_ok(v) ? cell_reading(v) : cell_nothing();
}

#define LINK_TEXT(name, text)                                                                           \
	static struct cell get_##name(const void *row)                                                  \
	{                                                                                               \
		return INTERFACE->link ? text_or_none(text) : of_link(INTERFACE, READING_ABSENT);       \
	}
LINK_TEXT(kind, INTERFACE->link->kind)
LINK_TEXT(link_state, link_state_name(INTERFACE->link))
LINK_TEXT(admin_state, INTERFACE->link->up ? "up" : "down")
LINK_TEXT(duplex, INTERFACE->link->duplex)
LINK_TEXT(qdisc_name, INTERFACE->link->qdisc)
#define LINK_READING(name, member) \
	static struct cell get_##name(const void *row) { return of_link(INTERFACE, INTERFACE->link ? INTERFACE->link->member : 0); }
LINK_READING(mtu, mtu_bytes)
LINK_READING(queue_length, queue_packets)
LINK_READING(rx_queues, rx_queues)
LINK_READING(tx_queues, tx_queues)
LINK_READING(carrier_changes, carrier_changes)
LINK_READING(speed, speed_bits_per_s)
LINK_READING(index, index)


#define INTERFACE_GROWTH(row, member)                                                                        \
	reading_delta((row)->before ? (row)->before->member : 0, (row)->now->member)
#define INTERFACE_RATE(member)                                                                              \
	static struct cell get_##member##_rate(const void *row)                                              \
	{                                                                                                    \
		return cell_rate(INTERFACE_GROWTH(INTERFACE, member), INTERFACE->state->span.seconds);       \
	}
#define INTERFACE_TOTAL(member) \
	static struct cell get_##member(const void *row) { return cell_reading(INTERFACE->now->member); }
INTERFACE_RATE(rx_bytes)
INTERFACE_RATE(rx_packets)
INTERFACE_RATE(rx_errors)
INTERFACE_RATE(rx_dropped)
INTERFACE_RATE(rx_fifo)
INTERFACE_RATE(rx_frame)
INTERFACE_RATE(rx_multicast)
INTERFACE_RATE(tx_bytes)
INTERFACE_RATE(tx_packets)
INTERFACE_RATE(tx_errors)
INTERFACE_RATE(tx_dropped)
INTERFACE_RATE(tx_fifo)
INTERFACE_RATE(tx_collisions)
INTERFACE_RATE(tx_carrier)
INTERFACE_TOTAL(rx_bytes)
INTERFACE_TOTAL(rx_packets)
INTERFACE_TOTAL(rx_errors)
INTERFACE_TOTAL(rx_dropped)
INTERFACE_TOTAL(tx_bytes)
INTERFACE_TOTAL(tx_packets)
INTERFACE_TOTAL(tx_errors)
INTERFACE_TOTAL(tx_dropped)

#define LINK_COUNTER(member)                                                                                  \
	static struct cell get_link_##member(const void *row)                                                 \
	{                                                                                                     \
		return of_link(INTERFACE, INTERFACE->link ? INTERFACE->link->member : 0);                     \
	}
LINK_COUNTER(rx_length_errors)
LINK_COUNTER(rx_over_errors)
LINK_COUNTER(rx_crc_errors)
LINK_COUNTER(rx_missed_errors)
LINK_COUNTER(rx_no_handler)
LINK_COUNTER(tx_aborted_errors)
LINK_COUNTER(tx_heartbeat_errors)
LINK_COUNTER(tx_window_errors)

/* Of a speed that is known. */
static struct cell share_of_speed(const struct interface_row *row, reading bytes)
{
	double bits = row->link ? reading_value(row->link->speed_bits_per_s) : NAN;

	if (!(bits > 0))
		return cell_nothing();
	return cell_share(reading_ok(bytes) ? bytes * 8 : bytes, bits * row->state->span.seconds);
}

static struct cell get_rx_pct(const void *row) { return share_of_speed(INTERFACE, INTERFACE_GROWTH(INTERFACE, rx_bytes)); }
static struct cell get_tx_pct(const void *row) { return share_of_speed(INTERFACE, INTERFACE_GROWTH(INTERFACE, tx_bytes)); }
/* Both directions have the speed of a full-duplex link; on half duplex they share it. */
static struct cell get_busy(const void *row)
{
	reading rx = INTERFACE_GROWTH(INTERFACE, rx_bytes), tx = INTERFACE_GROWTH(INTERFACE, tx_bytes);

	if (INTERFACE->link && strcmp(INTERFACE->link->duplex, "half") == 0)
		return share_of_speed(INTERFACE, reading_sum(rx, tx));
	return share_of_speed(INTERFACE, reading_ok(rx) && reading_ok(tx) && tx > rx ? tx : rx);
}

/* Without a queue in front of it, nothing can wait or be dropped there. */
#define QDISC_RATE(member)                                                                                     \
	static struct cell get_q_##member(const void *row)                                                     \
	{                                                                                                      \
		const struct interface_row *r = row;                                                           \
		if (!r->qdisc)                                                                                 \
			return r->state->now.qdisc_presence == PRESENT ? cell_nothing() : cell_reading(READING_ABSENT); \
		reading before = r->qdisc_before ? r->qdisc_before->member : 0;                                \
		return cell_rate(reading_delta(before, r->qdisc->member), r->state->span.seconds);             \
	}
QDISC_RATE(drops)
QDISC_RATE(requeues)
#define QDISC_GAUGE(member)                                                                                    \
	static struct cell get_q_##member(const void *row)                                                     \
	{                                                                                                      \
		const struct interface_row *r = row;                                                           \
		if (!r->qdisc)                                                                                 \
			return r->state->now.qdisc_presence == PRESENT ? cell_nothing() : cell_reading(READING_ABSENT); \
		return cell_reading(r->qdisc->member);                                                         \
	}
QDISC_GAUGE(queued_packets)
QDISC_GAUGE(queued_bytes)

#define DEV "/proc/net/dev"
#define LINK "RTM_GETLINK"
#define STATS "RTM_GETLINK IFLA_STATS64 "
#define SYS "/sys/class/net/NAME/"
static const struct column interface_columns[] = {
	COLUMN(2620, interface, "INTERFACE", TEXT, LABEL, get_name, 0, DEV, "name of the device"),
	COLUMN(2621, state, "STATE", TEXT, LABEL, get_link_state, 3, LINK " IFLA_OPERSTATE", "whether it can carry packets; unknown: it does not tell (lo, tun)"),
	COLUMN(2622, kind, "KIND", TEXT, LABEL, get_kind, 7, LINK " IFLA_INFO_KIND", "what a virtual device is"),
	COLUMN(2623, admin_state, "ADMIN", TEXT, LABEL, get_admin_state, 7, LINK " IFF_UP", "whether it is switched on"),
	COLUMN(2624, mtu_bytes, "MTU", COUNT, LABEL, get_mtu, 7, LINK " IFLA_MTU", "largest packet, in bytes"),
	COLUMN(2625, speed_bits_per_s, "SPEED", PER_S, GAUGE, get_speed, 5, SYS "speed", "bits per second; virtual devices have none"),
	COLUMN(2626, duplex, "DUPLEX", TEXT, LABEL, get_duplex, 7, SYS "duplex", "full or half"),
	COLUMN(2627, rx_bytes_per_s, "RX/s", BYTES_PER_S, RATE, get_rx_bytes_rate, 0, DEV, "bytes received"),
	COLUMN(2628, tx_bytes_per_s, "TX/s", BYTES_PER_S, RATE, get_tx_bytes_rate, 0, DEV, "bytes sent"),
	COLUMN(2629, rx_packets_per_s, "RX-PKT/s", PER_S, RATE, get_rx_packets_rate, 1, DEV, "packets received"),
	COLUMN(2630, tx_packets_per_s, "TX-PKT/s", PER_S, RATE, get_tx_packets_rate, 1, DEV, "packets sent"),
	COLUMN(2631, busy_pct, "BUSY%", PCT, RATE, get_busy, 2, DEV ", " SYS "speed", "of the link's speed; half duplex: both directions together"),
	COLUMN(2632, rx_busy_pct, "RX%", PCT, RATE, get_rx_pct, 7, DEV ", " SYS "speed", "received, of the link's speed"),
	COLUMN(2633, tx_busy_pct, "TX%", PCT, RATE, get_tx_pct, 7, DEV ", " SYS "speed", "sent, of the link's speed"),
	COLUMN(2634, rx_drops_per_s, "RX-DROP/s", PER_S, RATE, get_rx_dropped_rate, 2, DEV " drop", "received and dropped, unknown protocols among them"),
	COLUMN(2635, tx_drops_per_s, "TX-DROP/s", PER_S, RATE, get_tx_dropped_rate, 2, DEV " drop", "not sent: dropped by the device"),
	COLUMN(2636, rx_errors_per_s, "RX-ERR/s", PER_S, RATE, get_rx_errors_rate, 2, DEV " errs", "received damaged"),
	COLUMN(2637, tx_errors_per_s, "TX-ERR/s", PER_S, RATE, get_tx_errors_rate, 2, DEV " errs", "not sent for an error"),
	COLUMN(2638, rx_fifo_per_s, "RX-FIFO/s", PER_S, RATE, get_rx_fifo_rate, 4, DEV " fifo", "dropped: ring of the device full"),
	COLUMN(2639, rx_frame_per_s, "FRAME/s", PER_S, RATE, get_rx_frame_rate, 6, DEV " frame", "framing errors"),
	COLUMN(2640, tx_fifo_per_s, "TX-FIFO/s", PER_S, RATE, get_tx_fifo_rate, 6, DEV " fifo", "not sent: FIFO of the device ran empty"),
	COLUMN(2641, collisions_per_s, "COLL/s", PER_S, RATE, get_tx_collisions_rate, 6, DEV " colls", "collisions"),
	COLUMN(2642, carrier_errors_per_s, "CARR/s", PER_S, RATE, get_tx_carrier_rate, 6, DEV " carrier", "not sent: carrier lost"),
	COLUMN(2643, multicast_per_s, "MCAST/s", PER_S, RATE, get_rx_multicast_rate, 6, DEV " multicast", "multicast packets received"),
	COLUMN(2644, qdisc, "QDISC", TEXT, LABEL, get_qdisc_name, 6, LINK " IFLA_QDISC", "queue in front of it"),
	COLUMN(2645, qdisc_drops_per_s, "Q-DROP/s", PER_S, RATE, get_q_drops, 3, "RTM_GETQDISC", "dropped by that queue"),
	COLUMN(2646, qdisc_queued_packets, "Q-PKT", COUNT, GAUGE, get_q_queued_packets, 4, "RTM_GETQDISC", "packets that wait in it now"),
	COLUMN(2647, qdisc_queued_bytes, "Q-BYTES", BYTES, GAUGE, get_q_queued_bytes, 5, "RTM_GETQDISC", "bytes that wait in it now"),
	COLUMN(2648, qdisc_requeues_per_s, "REQUEUE/s", PER_S, RATE, get_q_requeues, 6, "RTM_GETQDISC", "packets put back, the device would not take them"),
	COLUMN(2649, queue_length_packets, "QLEN", COUNT, LABEL, get_queue_length, 7, LINK " IFLA_TXQLEN", "packets that a queue may hold"),
	COLUMN(2650, rx_queues, "RXQ", COUNT, LABEL, get_rx_queues, 7, LINK " IFLA_NUM_RX_QUEUES", "receive queues"),
	COLUMN(2651, tx_queues, "TXQ", COUNT, LABEL, get_tx_queues, 7, LINK " IFLA_NUM_TX_QUEUES", "send queues"),
	COLUMN(2652, carrier_changes, "CARRIER-CHANGES", COUNT, COUNTER, get_carrier_changes, 7, LINK " IFLA_CARRIER_CHANGES", "times the carrier came or went"),
	COLUMN(2653, interface_index, "INDEX", COUNT, LABEL, get_index, 7, LINK, "number of the device"),
	COLUMN(2654, rx_bytes, "RX-BYTES", BYTES, COUNTER, get_rx_bytes, 7, DEV, "bytes received since it was made"),
	COLUMN(2655, tx_bytes, "TX-BYTES", BYTES, COUNTER, get_tx_bytes, 7, DEV, "bytes sent since it was made"),
	COLUMN(2656, rx_packets, "RX-PKT", COUNT, COUNTER, get_rx_packets, 7, DEV, "packets received since it was made"),
	COLUMN(2657, tx_packets, "TX-PKT", COUNT, COUNTER, get_tx_packets, 7, DEV, "packets sent since it was made"),
	COLUMN(2658, rx_drops, "RX-DROP", COUNT, COUNTER, get_rx_dropped, 7, DEV, "received and dropped since it was made"),
	COLUMN(2659, tx_drops, "TX-DROP", COUNT, COUNTER, get_tx_dropped, 7, DEV, "not sent: dropped, since it was made"),
	COLUMN(2660, rx_errors, "RX-ERR", COUNT, COUNTER, get_rx_errors, 7, DEV, "received damaged since it was made"),
	COLUMN(2661, tx_errors, "TX-ERR", COUNT, COUNTER, get_tx_errors, 7, DEV, "not sent for an error since it was made"),
	COLUMN(2662, rx_length_errors, "RX-LENGTH", COUNT, COUNTER, get_link_rx_length_errors, 7, STATS "rx_length_errors", "received: wrong length"),
	COLUMN(2663, rx_over_errors, "RX-OVER", COUNT, COUNTER, get_link_rx_over_errors, 7, STATS "rx_over_errors", "received: overran the device"),
	COLUMN(2664, rx_crc_errors, "RX-CRC", COUNT, COUNTER, get_link_rx_crc_errors, 7, STATS "rx_crc_errors", "received: wrong checksum (cable, plug, optics)"),
	COLUMN(2665, rx_missed_errors, "RX-MISSED", COUNT, COUNTER, get_link_rx_missed_errors, 7, STATS "rx_missed_errors", "received: no room in the ring, the host was too slow"),
	COLUMN(2666, rx_no_handler, "RX-NOHANDLER", COUNT, COUNTER, get_link_rx_no_handler, 7, STATS "rx_nohandler", "received: nobody wanted it"),
	COLUMN(2667, tx_aborted_errors, "TX-ABORTED", COUNT, COUNTER, get_link_tx_aborted_errors, 7, STATS "tx_aborted_errors", "not sent: given up by the device"),
	COLUMN(2668, tx_heartbeat_errors, "TX-HEARTBEAT", COUNT, COUNTER, get_link_tx_heartbeat_errors, 7, STATS "tx_heartbeat_errors", "not sent: heartbeat lost"),
	COLUMN(2669, tx_window_errors, "TX-WINDOW", COUNT, COUNTER, get_link_tx_window_errors, 7, STATS "tx_window_errors", "not sent: late collision"),
};

const struct entity entity_interface = {
	.name = "interface",
	.help = "a network device",
	COLUMNS(interface_columns),
	.shown = "interface,state,speed_bits_per_s,rx_bytes_per_s,tx_bytes_per_s,rx_packets_per_s,tx_packets_per_s,busy_pct,"
		 "rx_drops_per_s,tx_drops_per_s,rx_errors_per_s,tx_errors_per_s,rx_fifo_per_s,qdisc,qdisc_drops_per_s,"
		 "qdisc_queued_packets,qdisc_queued_bytes",
};

/* ---- protocols ---- */

#define STATE ((const struct net_state *)row)

static reading growth(const struct net_state *s, const char *name)
{
	return mib_growth(s->span.since_boot ? NULL : &s->before.mib, &s->now.mib, name);
}

#define MIB_RATE(name, counter)                                                                        \
	static struct cell get_##name(const void *row) { return cell_rate(growth(STATE, counter), STATE->span.seconds); }
/* IPv4 and IPv6 count apart; a kernel without IPv6 has the one alone. */
#define MIB_RATE_BOTH(name, counter, counter6)                                                         \
	static struct cell get_##name(const void *row)                                                 \
	{                                                                                              \
		reading v4 = growth(STATE, counter), v6 = growth(STATE, counter6);                     \
		return cell_rate(v6 == READING_ABSENT ? v4 : reading_sum(v4, v6), STATE->span.seconds); \
	}

MIB_RATE(active, "Tcp.ActiveOpens")
MIB_RATE(passive, "Tcp.PassiveOpens")
MIB_RATE(in_segments, "Tcp.InSegs")
MIB_RATE(out_segments, "Tcp.OutSegs")
MIB_RATE(retransmits, "Tcp.RetransSegs")
MIB_RATE(attempt_fails, "Tcp.AttemptFails")
MIB_RATE(resets, "Tcp.EstabResets")
MIB_RATE(resets_sent, "Tcp.OutRsts")
MIB_RATE(in_errors, "Tcp.InErrs")
MIB_RATE(listen_overflows, "TcpExt.ListenOverflows")
MIB_RATE(listen_drops, "TcpExt.ListenDrops")
MIB_RATE(timeouts, "TcpExt.TCPTimeouts")
MIB_RATE(syn_retransmits, "TcpExt.TCPSynRetrans")
MIB_RATE(cookies, "TcpExt.SyncookiesSent")
MIB_RATE(backlog_drops, "TcpExt.TCPBacklogDrop")
MIB_RATE(memory_pressures, "TcpExt.TCPMemoryPressures")
MIB_RATE(zero_windows, "TcpExt.TCPToZeroWindowAdv")
MIB_RATE(out_of_order, "TcpExt.TCPOFOQueue")
MIB_RATE(pruned, "TcpExt.PruneCalled")
static struct cell get_established(const void *row) { return cell_reading(mib_get(&STATE->now.mib, "Tcp.CurrEstab")); }
static struct cell get_retransmit_pct(const void *row)
{
	reading again = growth(STATE, "Tcp.RetransSegs"), sent = reading_sum(growth(STATE, "Tcp.OutSegs"), again);

	return reading_ok(sent) ? cell_share(again, (double)sent) : cell_reading(sent);
}

#define SNMP "/proc/net/snmp Tcp "
#define EXT "/proc/net/netstat TcpExt "
static const struct column tcp_columns[] = {
	COLUMN(2670, active_opens_per_s, "ACTIVE/s", PER_S, RATE, get_active, 1, SNMP "ActiveOpens", "connections opened from here"),
	COLUMN(2671, passive_opens_per_s, "PASSIVE/s", PER_S, RATE, get_passive, 1, SNMP "PassiveOpens", "connections accepted"),
	COLUMN(2672, established, "ESTAB", COUNT, GAUGE, get_established, 1, SNMP "CurrEstab", "connections now, CLOSE-WAIT among them"),
	COLUMN(2673, in_segments_per_s, "IN-SEG/s", PER_S, RATE, get_in_segments, 1, SNMP "InSegs", "segments received"),
	COLUMN(2674, out_segments_per_s, "OUT-SEG/s", PER_S, RATE, get_out_segments, 1, SNMP "OutSegs", "segments sent for the first time"),
	COLUMN(2675, retransmits_per_s, "RETRANS/s", PER_S, RATE, get_retransmits, 0, SNMP "RetransSegs", "segments sent again"),
	COLUMN(2676, retransmits_pct, "RETRANS%", PCT, RATE, get_retransmit_pct, 0, SNMP "RetransSegs, OutSegs", "of all segments sent: those sent again"),
	COLUMN(2677, attempt_fails_per_s, "FAILED/s", PER_S, RATE, get_attempt_fails, 2, SNMP "AttemptFails", "connection attempts that failed, either way"),
	COLUMN(2678, resets_per_s, "RESET/s", PER_S, RATE, get_resets, 2, SNMP "EstabResets", "connections that ended in a reset"),
	COLUMN(2679, resets_sent_per_s, "RST-OUT/s", PER_S, RATE, get_resets_sent, 3, SNMP "OutRsts", "resets sent"),
	COLUMN(2680, in_errors_per_s, "IN-ERR/s", PER_S, RATE, get_in_errors, 4, SNMP "InErrs", "segments received damaged"),
	COLUMN(2681, listen_overflows_per_s, "OVERFLOW/s", PER_S, RATE, get_listen_overflows, 1, EXT "ListenOverflows", "connections refused a place: accept queue full"),
	COLUMN(2682, listen_drops_per_s, "LISTEN-DROP/s", PER_S, RATE, get_listen_drops, 2, EXT "ListenDrops", "SYNs dropped by listeners, for any reason"),
	COLUMN(2683, timeouts_per_s, "TIMEOUT/s", PER_S, RATE, get_timeouts, 3, EXT "TCPTimeouts", "retransmission timers that ran out"),
	COLUMN(2684, syn_retransmits_per_s, "SYN-RETR/s", PER_S, RATE, get_syn_retransmits, 4, EXT "TCPSynRetrans", "SYNs sent again"),
	COLUMN(2685, syn_cookies_per_s, "COOKIE/s", PER_S, RATE, get_cookies, 5, EXT "SyncookiesSent", "SYN cookies sent: the SYN queue was full"),
	COLUMN(2686, backlog_drops_per_s, "BACKLOG-DROP/s", PER_S, RATE, get_backlog_drops, 6, EXT "TCPBacklogDrop", "segments dropped: the socket was locked for too long"),
	COLUMN(2687, memory_pressures_per_s, "MEM-PRESS/s", PER_S, RATE, get_memory_pressures, 6, EXT "TCPMemoryPressures", "times TCP ran short of memory"),
	COLUMN(2688, zero_windows_per_s, "ZERO-WIN/s", PER_S, RATE, get_zero_windows, 6, EXT "TCPToZeroWindowAdv", "times a receive window closed: its reader is slow"),
	COLUMN(2689, out_of_order_per_s, "OOO/s", PER_S, RATE, get_out_of_order, 6, EXT "TCPOFOQueue", "segments received out of order"),
	COLUMN(2690, pruned_per_s, "PRUNE/s", PER_S, RATE, get_pruned, 6, EXT "PruneCalled", "times a full receive buffer was searched for room"),
};

const struct entity entity_tcp = {
	.name = "tcp",
	.help = "TCP of the network namespace, both address families",
	COLUMNS(tcp_columns),
	.shown = "active_opens_per_s,passive_opens_per_s,established,in_segments_per_s,out_segments_per_s,retransmits_per_s,"
		 "retransmits_pct,timeouts_per_s,attempt_fails_per_s,resets_per_s,resets_sent_per_s,listen_overflows_per_s,"
		 "listen_drops_per_s,syn_retransmits_per_s,in_errors_per_s",
};

MIB_RATE_BOTH(udp_in, "Udp.InDatagrams", "Udp6InDatagrams")
MIB_RATE_BOTH(udp_out, "Udp.OutDatagrams", "Udp6OutDatagrams")
MIB_RATE_BOTH(udp_no_port, "Udp.NoPorts", "Udp6NoPorts")
MIB_RATE_BOTH(udp_errors, "Udp.InErrors", "Udp6InErrors")
MIB_RATE_BOTH(udp_receive_buffer, "Udp.RcvbufErrors", "Udp6RcvbufErrors")
MIB_RATE_BOTH(udp_send_buffer, "Udp.SndbufErrors", "Udp6SndbufErrors")
MIB_RATE_BOTH(udp_checksum, "Udp.InCsumErrors", "Udp6InCsumErrors")

#define UDP "/proc/net/snmp Udp, snmp6 Udp6: "
static const struct column udp_columns[] = {
	COLUMN(2700, in_datagrams_per_s, "IN/s", PER_S, RATE, get_udp_in, 0, UDP "InDatagrams", "datagrams delivered"),
	COLUMN(2701, out_datagrams_per_s, "OUT/s", PER_S, RATE, get_udp_out, 0, UDP "OutDatagrams", "datagrams sent"),
	COLUMN(2702, no_ports_per_s, "NO-PORT/s", PER_S, RATE, get_udp_no_port, 1, UDP "NoPorts", "datagrams for a port that nobody reads"),
	COLUMN(2703, in_errors_per_s, "IN-ERR/s", PER_S, RATE, get_udp_errors, 0, UDP "InErrors", "datagrams lost on the way in, for any reason"),
	COLUMN(2704, receive_buffer_errors_per_s, "RCVBUF-ERR/s", PER_S, RATE, get_udp_receive_buffer, 1, UDP "RcvbufErrors", "of them: the receive buffer was full"),
	COLUMN(2705, send_buffer_errors_per_s, "SNDBUF-ERR/s", PER_S, RATE, get_udp_send_buffer, 2, UDP "SndbufErrors", "datagrams refused: send buffer full"),
	COLUMN(2706, checksum_errors_per_s, "CSUM-ERR/s", PER_S, RATE, get_udp_checksum, 3, UDP "InCsumErrors", "datagrams received damaged"),
};

const struct entity entity_udp = {
	.name = "udp",
	.help = "UDP of the network namespace, both address families",
	COLUMNS(udp_columns),
	.shown = "in_datagrams_per_s,out_datagrams_per_s,no_ports_per_s,in_errors_per_s,receive_buffer_errors_per_s,"
		 "send_buffer_errors_per_s,checksum_errors_per_s",
};

MIB_RATE_BOTH(ip_in, "Ip.InReceives", "Ip6InReceives")
MIB_RATE_BOTH(ip_out, "Ip.OutRequests", "Ip6OutRequests")
MIB_RATE_BOTH(ip_delivered, "Ip.InDelivers", "Ip6InDelivers")
MIB_RATE_BOTH(ip_forwarded, "Ip.ForwDatagrams", "Ip6OutForwDatagrams")
MIB_RATE_BOTH(ip_in_discards, "Ip.InDiscards", "Ip6InDiscards")
MIB_RATE_BOTH(ip_out_discards, "Ip.OutDiscards", "Ip6OutDiscards")
MIB_RATE_BOTH(ip_no_routes, "Ip.OutNoRoutes", "Ip6OutNoRoutes")
MIB_RATE_BOTH(ip_header_errors, "Ip.InHdrErrors", "Ip6InHdrErrors")
MIB_RATE_BOTH(ip_address_errors, "Ip.InAddrErrors", "Ip6InAddrErrors")
MIB_RATE_BOTH(ip_reassembly_fails, "Ip.ReasmFails", "Ip6ReasmFails")
MIB_RATE_BOTH(ip_fragments, "Ip.FragCreates", "Ip6FragCreates")
MIB_RATE_BOTH(icmp_in, "Icmp.InMsgs", "Icmp6InMsgs")
MIB_RATE_BOTH(icmp_out, "Icmp.OutMsgs", "Icmp6OutMsgs")
MIB_RATE_BOTH(icmp_in_errors, "Icmp.InErrors", "Icmp6InErrors")
MIB_RATE_BOTH(icmp_unreachable_in, "Icmp.InDestUnreachs", "Icmp6InDestUnreachs")
MIB_RATE_BOTH(icmp_unreachable_out, "Icmp.OutDestUnreachs", "Icmp6OutDestUnreachs")

/* The sum of all CPUs stands first. */
static struct cell softnet_total(const struct net_state *s, reading v)
{
	return s->softnet.n ? cell_rate(v, s->span.seconds) :
			      cell_reading(s->now.softnet_presence == DENIED ? READING_DENIED : READING_ABSENT);
}
static struct cell get_total_processed(const void *row) { return softnet_total(STATE, STATE->softnet.n ? STATE->softnet.v[0].processed : 0); }
static struct cell get_total_dropped(const void *row) { return softnet_total(STATE, STATE->softnet.n ? STATE->softnet.v[0].dropped : 0); }
static struct cell get_total_squeezed(const void *row) { return softnet_total(STATE, STATE->softnet.n ? STATE->softnet.v[0].squeezed : 0); }

/* Hosts without the module track nothing: nothing is amiss. */
static struct cell conntrack_cell(reading v) { return v == READING_ABSENT ? cell_nothing() : cell_reading(v); }
static struct cell get_tracked(const void *row) { return conntrack_cell(STATE->now.conntrack.entries); }
static struct cell get_tracked_max(const void *row) { return conntrack_cell(STATE->now.conntrack.entries_max); }
static struct cell get_tracked_pct(const void *row)
{
	const struct conntrack *c = &STATE->now.conntrack;

	if (!reading_ok(c->entries) || !reading_ok(c->entries_max) || c->entries_max == 0)
		return cell_nothing();
	return cell_share(c->entries, (double)c->entries_max);
}
#define CONNTRACK_RATE(name, member)                                                                          \
	static struct cell get_##name(const void *row)                                                        \
	{                                                                                                     \
		reading now = STATE->now.conntrack.member, before = STATE->before.conntrack.member;           \
		if (now == READING_ABSENT)                                                                    \
			return cell_nothing();                                                                \
		return cell_rate(reading_delta(STATE->span.since_boot ? 0 : before, now), STATE->span.seconds); \
	}
CONNTRACK_RATE(tracked_dropped, dropped)
CONNTRACK_RATE(tracked_early_dropped, early_dropped)
CONNTRACK_RATE(tracked_insert_failed, insert_failed)

#define IP "/proc/net/snmp Ip, snmp6 Ip6: "
#define ICMP "/proc/net/snmp Icmp, snmp6 Icmp6: "
#define SOFTNET "/proc/net/softnet_stat"
#define TRACK "/proc/sys/net/netfilter/nf_conntrack_"
#define TRACK_STAT "/proc/net/stat/nf_conntrack "
static const struct column ip_columns[] = {
	COLUMN(2710, in_packets_per_s, "IN/s", PER_S, RATE, get_ip_in, 0, IP "InReceives", "packets received"),
	COLUMN(2711, out_packets_per_s, "OUT/s", PER_S, RATE, get_ip_out, 0, IP "OutRequests", "packets that this host wanted to send"),
	COLUMN(2712, delivered_per_s, "DELIVER/s", PER_S, RATE, get_ip_delivered, 6, IP "InDelivers", "packets delivered to a protocol"),
	COLUMN(2713, forwarded_per_s, "FORWARD/s", PER_S, RATE, get_ip_forwarded, 1, IP "ForwDatagrams", "packets forwarded"),
	COLUMN(2714, in_discards_per_s, "IN-DISC/s", PER_S, RATE, get_ip_in_discards, 2, IP "InDiscards", "good packets dropped for want of room"),
	COLUMN(2715, out_discards_per_s, "OUT-DISC/s", PER_S, RATE, get_ip_out_discards, 2, IP "OutDiscards", "packets not sent for want of room"),
	COLUMN(2716, no_routes_per_s, "NO-ROUTE/s", PER_S, RATE, get_ip_no_routes, 3, IP "OutNoRoutes", "packets without a route"),
	COLUMN(2717, header_errors_per_s, "HDR-ERR/s", PER_S, RATE, get_ip_header_errors, 6, IP "InHdrErrors", "packets with a bad header"),
	COLUMN(2718, address_errors_per_s, "ADDR-ERR/s", PER_S, RATE, get_ip_address_errors, 6, IP "InAddrErrors", "packets for an address that is not ours"),
	COLUMN(2719, reassembly_fails_per_s, "REASM-FAIL/s", PER_S, RATE, get_ip_reassembly_fails, 4, IP "ReasmFails", "fragments that never became a packet"),
	COLUMN(2720, fragments_per_s, "FRAG/s", PER_S, RATE, get_ip_fragments, 6, IP "FragCreates", "fragments made"),
	COLUMN(2721, icmp_in_per_s, "ICMP-IN/s", PER_S, RATE, get_icmp_in, 5, ICMP "InMsgs", "ICMP messages received"),
	COLUMN(2722, icmp_out_per_s, "ICMP-OUT/s", PER_S, RATE, get_icmp_out, 5, ICMP "OutMsgs", "ICMP messages sent"),
	COLUMN(2723, icmp_in_errors_per_s, "ICMP-ERR/s", PER_S, RATE, get_icmp_in_errors, 6, ICMP "InErrors", "ICMP messages received damaged"),
	COLUMN(2724, unreachable_in_per_s, "UNREACH-IN/s", PER_S, RATE, get_icmp_unreachable_in, 6, ICMP "InDestUnreachs", "told that a destination cannot be reached"),
	COLUMN(2725, unreachable_out_per_s, "UNREACH-OUT/s", PER_S, RATE, get_icmp_unreachable_out, 6, ICMP "OutDestUnreachs", "told others that a destination cannot be reached"),
	COLUMN(2726, softnet_processed_per_s, "SOFTNET/s", PER_S, RATE, get_total_processed, 4, SOFTNET, "packets through the backlogs of all CPUs"),
	COLUMN(2727, softnet_drops_per_s, "SN-DROP/s", PER_S, RATE, get_total_dropped, 1, SOFTNET, "packets dropped there, before IP saw them"),
	COLUMN(2728, softnet_squeezes_per_s, "SQUEEZE/s", PER_S, RATE, get_total_squeezed, 3, SOFTNET, "times work was left for lack of budget; no loss"),
	COLUMN(2729, tracked, "CONNTRACK", COUNT, GAUGE, get_tracked, 3, TRACK "count", "connections tracked by netfilter"),
	COLUMN(2730, tracked_max, "CT-MAX", COUNT, GAUGE, get_tracked_max, 6, TRACK "max", "connections it can track"),
	COLUMN(2731, tracked_pct, "CT%", PCT, GAUGE, get_tracked_pct, 2, TRACK "count, max", "how full that table is; when full, new connections are dropped"),
	COLUMN(2732, tracked_drops_per_s, "CT-DROP/s", PER_S, RATE, get_tracked_dropped, 4, TRACK_STAT "drop", "packets dropped: table full, or no memory"),
	COLUMN(2733, tracked_early_drops_per_s, "CT-EARLY/s", PER_S, RATE, get_tracked_early_dropped, 6, TRACK_STAT "early_drop", "entries thrown out to make room"),
	COLUMN(2734, tracked_insert_fails_per_s, "CT-INSERT-FAIL/s", PER_S, RATE, get_tracked_insert_failed, 6, TRACK_STAT "insert_failed", "entries not made: another was there first"),
};

const struct entity entity_ip = {
	.name = "ip",
	.help = "IP and ICMP of the network namespace, both address families; softnet of the host; connection tracking",
	COLUMNS(ip_columns),
	.shown = "in_packets_per_s,out_packets_per_s,forwarded_per_s,in_discards_per_s,out_discards_per_s,no_routes_per_s,"
		 "reassembly_fails_per_s,icmp_in_per_s,icmp_out_per_s,softnet_processed_per_s,softnet_drops_per_s,"
		 "softnet_squeezes_per_s,tracked,tracked_pct,tracked_drops_per_s",
};

/* ---- softnet by CPU ---- */

#define CPU ((const struct softnet_row *)row)
static struct cell get_cpu(const void *row) { return cell_text(CPU->cpu); }
static struct cell get_processed(const void *row) { return cell_rate(CPU->processed, CPU->state->span.seconds); }
static struct cell get_dropped(const void *row) { return cell_rate(CPU->dropped, CPU->state->span.seconds); }
static struct cell get_squeezed(const void *row) { return cell_rate(CPU->squeezed, CPU->state->span.seconds); }
static const struct column softnet_columns[] = {
	COLUMN(2740, cpu, "CPU", TEXT, LABEL, get_cpu, 0, SOFTNET, "number of the CPU; all: the sum"),
	COLUMN(2741, processed_per_s, "PROCESSED/s", PER_S, RATE, get_processed, 0, SOFTNET, "packets it took off devices and its backlog"),
	COLUMN(2742, drops_per_s, "DROP/s", PER_S, RATE, get_dropped, 0, SOFTNET, "packets dropped: its backlog was full"),
	COLUMN(2743, squeezes_per_s, "SQUEEZE/s", PER_S, RATE, get_squeezed, 0, SOFTNET, "times work was left for lack of budget; no loss"),
};

const struct entity entity_softnet = {
	.name = "softnet",
	.help = "packets through the backlog of a CPU",
	COLUMNS(softnet_columns),
	.shown = "cpu,processed_per_s,drops_per_s,squeezes_per_s",
};

/* ---- queue disciplines ---- */

#define QDISC ((const struct qdisc_row *)row)
static struct cell get_qdisc_interface(const void *row) { return cell_text(QDISC->interface); }
static struct cell get_qdisc_kind(const void *row) { return text_or_none(QDISC->now->kind); }
static struct cell get_qdisc_handle(const void *row) { return cell_text(QDISC->handle); }
static struct cell get_qdisc_parent(const void *row) { return cell_text(QDISC->parent); }
#define OF_QDISC(member) static struct cell get_qdisc_##member(const void *row) { return cell_reading(QDISC->now->member); }
#define OF_QDISC_RATE(member)                                                                           \
	static struct cell get_qdisc_##member##_rate(const void *row)                                   \
	{                                                                                               \
		const struct qdisc_row *r = row;                                                        \
		return cell_rate(reading_delta(r->before ? r->before->member : 0, r->now->member),       \
				 r->state->span.seconds);                                               \
	}
OF_QDISC(queued_packets)
OF_QDISC(queued_bytes)
OF_QDISC(drops)
OF_QDISC(requeues)
OF_QDISC(overlimits)
OF_QDISC_RATE(sent_bytes)
OF_QDISC_RATE(sent_packets)
OF_QDISC_RATE(drops)
OF_QDISC_RATE(requeues)
OF_QDISC_RATE(overlimits)
#define TC "RTM_GETQDISC"
static const struct column qdisc_columns[] = {
	COLUMN(2750, interface, "INTERFACE", TEXT, LABEL, get_qdisc_interface, 0, TC, "device that it stands before"),
	COLUMN(2751, kind, "QDISC", TEXT, LABEL, get_qdisc_kind, 0, TC, "kind of queue"),
	COLUMN(2752, handle, "HANDLE", TEXT, LABEL, get_qdisc_handle, 5, TC, "its name, as tc writes it"),
	COLUMN(2753, parent, "PARENT", TEXT, LABEL, get_qdisc_parent, 4, TC, "where it hangs: root, ingress or a class"),
	COLUMN(2754, sent_bytes_per_s, "SENT/s", BYTES_PER_S, RATE, get_qdisc_sent_bytes_rate, 1, TC, "bytes that passed it"),
	COLUMN(2755, sent_packets_per_s, "PKT/s", PER_S, RATE, get_qdisc_sent_packets_rate, 2, TC, "packets that passed it"),
	COLUMN(2756, queued_packets, "Q-PKT", COUNT, GAUGE, get_qdisc_queued_packets, 0, TC, "packets that wait in it now"),
	COLUMN(2757, queued_bytes, "Q-BYTES", BYTES, GAUGE, get_qdisc_queued_bytes, 1, TC, "bytes that wait in it now"),
	COLUMN(2758, drops_per_s, "DROP/s", PER_S, RATE, get_qdisc_drops_rate, 0, TC, "packets dropped: full, too old, or over the rate"),
	COLUMN(2759, overlimits_per_s, "OVERLIM/s", PER_S, RATE, get_qdisc_overlimits_rate, 2, TC, "times the rate limit held packets back"),
	COLUMN(2760, requeues_per_s, "REQUEUE/s", PER_S, RATE, get_qdisc_requeues_rate, 3, TC, "packets put back, the device would not take them"),
	COLUMN(2761, drops, "DROPS", COUNT, COUNTER, get_qdisc_drops, 3, TC, "packets dropped since it was made"),
	COLUMN(2762, overlimits, "OVERLIMITS", COUNT, COUNTER, get_qdisc_overlimits, 6, TC, "rate limits reached since it was made"),
	COLUMN(2763, requeues, "REQUEUES", COUNT, COUNTER, get_qdisc_requeues, 6, TC, "packets put back since it was made"),
};

const struct entity entity_qdisc = {
	.name = "qdisc",
	.help = "a queue in front of a network device",
	COLUMNS(qdisc_columns),
	.shown = "interface,kind,parent,sent_bytes_per_s,sent_packets_per_s,queued_packets,queued_bytes,drops_per_s,"
		 "overlimits_per_s,requeues_per_s,drops",
};

/* ---- all counters ---- */

#define COUNTER_ROW ((const struct counter_row *)row)
static struct cell get_counter_name(const void *row) { return cell_text(COUNTER_ROW->now->name); }
static struct cell get_counter_value(const void *row) { return cell_reading(COUNTER_ROW->now->value); }
static struct cell get_counter_growth(const void *row)
{
	return COUNTER_ROW->now->is_gauge ? cell_nothing() : cell_reading(COUNTER_ROW->growth);
}
static struct cell get_counter_rate(const void *row)
{
	return COUNTER_ROW->now->is_gauge ? cell_nothing() : cell_rate(COUNTER_ROW->growth, COUNTER_ROW->state->span.seconds);
}
#define MIB "/proc/net/{snmp,netstat,snmp6}"
static const struct column counter_columns[] = {
	COLUMN(2770, counter, "COUNTER", TEXT, LABEL, get_counter_name, 0, MIB, "the kernel's name"),
	COLUMN(2771, value, "VALUE", COUNT, COUNTER, get_counter_value, 1, MIB, "what it stands at"),
	COLUMN(2772, growth, "GROWTH", COUNT, GAUGE, get_counter_growth, 0, MIB, "how much it has grown since the look before, or since boot"),
	COLUMN(2773, per_s, "PER-S", PER_S, RATE, get_counter_rate, 0, MIB, "the same per second"),
};

const struct entity entity_net_counter = {
	.name = "net_counter",
	.help = "a protocol counter of the network namespace",
	COLUMNS(counter_columns),
	.shown = "counter,value,growth,per_s",
};
