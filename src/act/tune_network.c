/* Advice on the network: queues of listeners, backlogs, buffers, ports, tables. */
#include <math.h>
#include <stdio.h>

#include "act/tune.h"
#include "base/units.h"

#define NEAR 0.8
#define DROPS_PER_S 1.0
#define UDP_DROPS_PER_S 10.0 /* as the doctor's udp_buffer_overflow */
#define RARE 1e-5	     /* of all since boot: no reason to change anything */

static const char *owner_of(const char *comm, int32_t pid, char *ret, size_t size)
{
	if (pid)
		snprintf(ret, size, "%.15s (pid %d)", comm, pid);
	else
		snprintf(ret, size, "a process that could not be named");
	return ret;
}

/* ---- listeners ---- */

static void proof_listener(const struct tune_case *c, struct tune_advice *ret)
{
	const struct tune_listener *l = &c->net->listener;

	tune_proof(ret, "ListenOverflows", tune_rate(c, c->net->listen_overflows), "/s", "> 1/s",
		    "%s/net/netstat", c->net->proc);
	if (!l->name[0])
		return;
	tune_proof(ret, "refused by the socket", l->refused / c->seen->seconds, "/s", "",
		    "sock_diag %s (SK_MEMINFO_DROPS)", l->name);
	tune_proof(ret, "backlog in force", l->backlog, "connections", "", "sock_diag %s", l->name);
	tune_proof(ret, "connections waiting for accept", l->queue, "", "> backlog", "sock_diag %s", l->name);
}

/* The backlog in force is the smaller of what listen() was given and somaxconn at that time: one
 * that equals somaxconn was, as far as can be told, cut by it. */
TUNE_ADVISE(somaxconn)
{
	const struct tune_listener *l = &c->net->listener;
	double now = tune_number(c->value), rate = tune_rate(c, c->net->listen_overflows);
	char owner[48], value[24];

	owner_of(l->comm, l->pid, owner, sizeof owner);
	if (!(rate > DROPS_PER_S)) {
		if (isnan(rate))
			tune_keep(ret, "ListenOverflows could not be read");
		else
			tune_keep(ret, "accept queues overflowed %.0f times in the window, %s since boot", tune_grown(c->net->listen_overflows),
				  number_text(tune_total(c->net->listen_overflows)).text);
	} else if (!l->name[0]) {
		tune_elsewhere(ret, "accept queues overflow %.0f times a second, but which listener's, and "
			    "with what backlog, could not be seen (needs sock_diag, and root for others' "
			    "sockets)", rate);
		proof_listener(c, ret);
	} else if (l->backlog < now) {
		tune_elsewhere(ret, "%s refuses %.0f connections a second, but its backlog is %.0f: that is "
			    "what its program gave to listen(), and this cap of %.0f does not cut it. Raise "
			    "the backlog in the configuration of %s%s%s",
			       l->name, isnan(l->refused) ? rate : l->refused / c->seen->seconds,
			       l->backlog, now, owner, l->story[0] ? ", which " : "", l->story);
		proof_listener(c, ret);
	} else if (l->shut) {
		tune_elsewhere(ret, "%s refuses connections because %s %s: a longer queue fills up just the "
			    "same", l->name, owner,
			       l->story);
		proof_listener(c, ret);
	} else {
		tune_change(ret, tune_power(fmax(4 * now, 4096), value), "%s refuses %.0f connections a "
			    "second because its queue is full, and the queue is as long as this cap lets it "
			    "be: %.0f", l->name,
			    isnan(l->refused) ? rate : l->refused / c->seen->seconds, l->backlog);
		proof_listener(c, ret);
		tune_effect(ret, "bursts wait in place of failing, once %s listens anew (restart or reload) "
			    "with a backlog above %.0f%s%s", owner, now, l->story[0] ? "; against a lasting "
			    "lack it does not help: it " : "", l->story);
	}
}

TUNE_ADVISE(tcp_max_syn_backlog)
{
	double now = tune_number(c->value), dropped = tune_rate(c, c->net->syn_drops);
	double cookies = tune_present(c, TUNABLE_tcp_syncookies);
	char value[24];

	if (cookies != 0) {
		tune_keep(ret, isnan(cookies) ? "tcp_syncookies could not be read" : "not looked at while "
			    "net.ipv4.tcp_syncookies is on");
	} else if (dropped > DROPS_PER_S) {
		tune_change(ret, tune_power(fmax(4 * now, 4096), value), "%.0f SYNs a second are dropped for "
			    "want of room, and cookies are off",
			    dropped);
		tune_proof(ret, "TCPReqQFullDrop", dropped, "/s", "> 1/s", "%s/net/netstat", c->net->proc);
		tune_effect(ret, "more handshakes may be in progress; with net.ipv4.tcp_syncookies=1 none "
			    "would need to be dropped");
	} else {
		tune_keep(ret, "%s SYNs a second are dropped for want of room", number_text(dropped).text);
	}
}

TUNE_ADVISE(tcp_syncookies)
{
	double now = tune_number(c->value), dropped = tune_rate(c, c->net->syn_drops);

	if (now == 0 && dropped > DROPS_PER_S) {
		tune_change(ret, "1", "%.0f SYNs a second are dropped because the queue of handshakes is full", dropped);
		tune_proof(ret, "TCPReqQFullDrop", dropped, "/s", "> 1/s", "%s/net/netstat", c->net->proc);
		tune_effect(ret, "they are answered with cookies; TCPReqQFullDrop should stand still");
	} else if (now == 0) {
		tune_danger(ret, "1", "any SYN flood shuts out all clients: there is no second line when the "
			    "queue of handshakes is full");
		tune_proof(ret, "TCPReqQFullDrop since boot", tune_total(c->net->syn_drops), "", "",
			    "%s/net/netstat", c->net->proc);
		tune_effect(ret, "nothing, until the queue is full; then clients still get in");
	} else if (now == 2) {
		tune_danger(ret, "1", "cookies are sent for every connection: without timestamps they all "
			    "lose window scaling and SACK, and are slow");
		tune_effect(ret, "connections have a queue of handshakes again");
	} else {
		tune_keep(ret, "used only when the queue of handshakes is full: %s cookies a second",
			  number_text(tune_rate(c, c->net->syn_cookies)).text);
	}
}

/* ---- the way in ---- */

TUNE_ADVISE(netdev_max_backlog)
{
	double now = tune_number(c->value), grown = tune_grown(c->seen->backlog_drops);
	double total = tune_total(c->seen->backlog_drops), share = total / tune_total(c->seen->backlog_packets);
	char value[24];

	if (grown > 0 || share > RARE) {
		tune_change(ret, tune_whole(fmin(now * 4, 65536), value), "packets are dropped before the "
			    "stack sees them because the queue of a CPU is full: %s in the window, %s since "
			    "boot (%.2g %% of all)", number_text(grown).text,
			    number_text(total).text, 100 * share);
		tune_proof(ret, "dropped in the window", grown, "packets", "> 0", "/proc/net/softnet_stat "
			    "column 2");
		tune_proof(ret, "dropped since boot", total, "packets", "> 0.001 %", "/proc/net/softnet_stat "
			    "column 2");
		tune_effect(ret, "bursts of that size wait; the second column should stand still");
	} else if (isnan(total)) {
		tune_keep(ret, "softnet_stat could not be read");
	} else {
		tune_keep(ret, "%s packets were dropped for it since boot", number_text(total).text);
	}
}

TUNE_ADVISE(netdev_budget)
{
	double now = tune_number(c->value), squeezed = tune_rate(c, c->seen->squeezes);
	double dropped = tune_grown(c->seen->backlog_drops);
	char value[24];

	if (squeezed > 10 && dropped > 0 && now < 2400) {
		tune_change(ret, tune_whole(now * 2, value), "receive rounds end for want of budget %.0f "
			    "times a second, and packets are dropped meanwhile", squeezed);
		tune_proof(ret, "time_squeeze", squeezed, "/s", "> 10/s", "/proc/net/softnet_stat column 3");
		tune_proof(ret, "dropped in the window", dropped, "packets", "> 0", "/proc/net/softnet_stat "
			    "column 2");
		tune_effect(ret, "more packets a round; where time_squeeze still grows the time is short: "
			    "net.core.netdev_budget_usecs");
	} else if (isnan(squeezed)) {
		tune_keep(ret, "softnet_stat could not be read");
	} else {
		tune_keep(ret, "%.0f squeezes a second, and no packet is lost by it", squeezed);
	}
}

/* ---- buffers ---- */

static void proof_receiver(const struct tune_case *c, struct tune_advice *ret)
{
	const struct tune_receiver *r = &c->seen->receiver;

	tune_proof(ret, "dropped by the socket", r->dropped / c->seen->seconds, "datagrams/s", "> 10/s",
		   "sock_diag %s (SK_MEMINFO_DROPS)", r->name);
	tune_proof(ret, "its receive buffer", r->buffer_bytes, "bytes", "", "sock_diag %s (SK_MEMINFO_RCVBUF)", r->name);
}

static bool receiver_drops(const struct tune_case *c)
{
	return c->seen->receiver.name[0] && c->seen->receiver.dropped / c->seen->seconds > UDP_DROPS_PER_S;
}

/* SO_RCVBUF is cut to rmem_max and then doubled. */
TUNE_ADVISE(rmem_max)
{
	const struct tune_receiver *r = &c->seen->receiver;
	double now = tune_number(c->value);
	char owner[48], value[24];

	if (!receiver_drops(c)) {
		tune_keep(ret, "no UDP socket dropped more than 10 datagrams a second");
	} else if (r->buffer_bytes == 2 * now) {
		tune_change(ret, tune_power(fmax(4 * now, 4194304), value), "%s of %s%s drops %.0f datagrams "
			    "a second, and its buffer is as large as this lets SO_RCVBUF be", r->name, owner_of(r->comm, r->pid, owner, sizeof owner), r->where,
			    r->dropped / c->seen->seconds);
		proof_receiver(c, ret);
		tune_effect(ret, "bursts wait once the program asks anew; a reader that is too slow on "
			    "average drops just the same");
	} else {
		tune_elsewhere(ret, "%s of %s%s drops %.0f datagrams a second, but its buffer of %s is not "
			    "cut by this: %s", r->name,
			       owner_of(r->comm, r->pid, owner, sizeof owner), r->where, r->dropped / c->seen->seconds,
			       bytes_text(r->buffer_bytes).text,
			       r->buffer_bytes == tune_present(c, TUNABLE_rmem_default) ?
				       "the program asks for none, so net.core.rmem_default counts" :
				       "it is what the program asked for");
		proof_receiver(c, ret);
	}
}

TUNE_ADVISE(rmem_default)
{
	const struct tune_receiver *r = &c->seen->receiver;
	double now = tune_number(c->value);
	char owner[48], value[24];

	if (!receiver_drops(c)) {
		tune_keep(ret, "no UDP socket dropped more than 10 datagrams a second");
	} else if (r->buffer_bytes == now && now < 16777216) {
		tune_change(ret, tune_power(fmax(4 * now, 1048576), value), "%s of %s%s drops %.0f datagrams "
			    "a second, and never asked for another buffer than the default", r->name, owner_of(r->comm, r->pid, owner, sizeof owner), r->where,
			    r->dropped / c->seen->seconds);
		proof_receiver(c, ret);
		tune_effect(ret, "bursts wait, in sockets opened from then on; SO_RCVBUF in that program "
			    "would do it for it alone. A reader that is too slow on average drops just the same");
	} else {
		tune_keep(ret, "the socket that drops, %s, has a buffer of its own size", r->name);
	}
}

TUNE_ADVISE(wmem_max)
{
	tune_keep(ret, "the kernel counts nothing that would tell of a send buffer cut by it");
	(void)c;
}

TUNE_ADVISE(wmem_default)
{
	double now = tune_number(c->value), refused = tune_rate(c, c->seen->udp_send_errors);
	char value[24];

	if (refused > UDP_DROPS_PER_S && now < 16777216) {
		tune_change(ret, tune_power(fmax(4 * now, 1048576), value), "%.0f datagrams a second could "
			    "not be sent because the send buffer was full", refused);
		tune_proof(ret, "Udp SndbufErrors", refused, "/s", "> 10/s", "/proc/net/snmp");
		tune_effect(ret, "bursts wait, in sockets opened from then on");
	} else if (isnan(refused)) {
		tune_keep(ret, "Udp SndbufErrors could not be read");
	} else {
		tune_keep(ret, "%.0f datagrams a second were refused for a full send buffer", refused);
	}
}

TUNE_ADVISE(tcp_rmem)
{
	double pruned = tune_rate(c, c->seen->receive_prunes), pressures = tune_grown(c->seen->tcp_pressures);
	double largest = (double)c->value->number[2];

	if (c->net->pid == 0 && pruned > DROPS_PER_S && pressures == 0 && largest < 67108864) {
		char value[96];

		snprintf(value, sizeof value, "%llu %llu %.0f", (unsigned long long)c->value->number[0],
			 (unsigned long long)c->value->number[1], largest * 2);
		tune_change(ret, value, "received data is thrown away %.0f times a second because a socket's "
			    "buffer is full, while TCP as a whole has memory", pruned);
		tune_proof(ret, "RcvPruned", pruned, "/s", "> 1/s", "/proc/net/netstat");
		tune_proof(ret, "PruneCalled", tune_rate(c, c->seen->receive_collapsed), "/s", "",
			    "/proc/net/netstat");
		tune_proof(ret, "TCPMemoryPressures", pressures, "in the window", "0", "/proc/net/netstat");
		tune_effect(ret, "buffers of slow readers grow further; RcvPruned should stand still");
	} else {
		tune_keep(ret, "%s times a second received data was thrown away for a full buffer", number_text(pruned).text);
	}
}

TUNE_ADVISE(tcp_wmem)
{
	(void)c;
	tune_keep(ret, "no counter tells that senders waited for it");
}

TUNE_ADVISE(tcp_mem)
{
	double pages = c->net ? reading_value(c->net->tcp_memory_pages) : NAN, pressure = (double)c->value->number[1];
	double grown = tune_grown(c->seen->tcp_pressures), aborts = tune_grown(c->seen->tcp_memory_aborts);
	double bytes = pages * c->seen->page_bytes;

	if ((grown > 0 || aborts > 0 || pages >= pressure) && c->seen->available_bytes > 0.25 * c->seen->total_bytes) {
		char value[96];

		snprintf(value, sizeof value, "%llu %llu %llu", (unsigned long long)c->value->number[0] * 2,
			 (unsigned long long)c->value->number[1] * 2, (unsigned long long)c->value->number[2] * 2);
		tune_change(ret, value, "TCP is under its memory pressure (%s of buffers) while %s of memory "
			    "is available: windows are held small and connections lose data", bytes_text(bytes).text,
			    bytes_text(c->seen->available_bytes).text);
		tune_proof(ret, "TCP memory", pages, "pages", "> the second number", "/proc/net/sockstat");
		tune_proof(ret, "TCPMemoryPressures", grown, "in the window", "> 0", "/proc/net/netstat");
		tune_proof(ret, "TCPAbortOnMemory", aborts, "in the window", "> 0", "/proc/net/netstat");
		tune_effect(ret, "TCP leaves pressure; TCPMemoryPressures should stand still");
	} else if (isnan(pages)) {
		tune_keep(ret, "sockstat could not be read");
	} else {
		tune_keep(ret, "TCP buffers take %s; pressure begins at %s", bytes_text(bytes).text,
			  bytes_text(pressure * c->seen->page_bytes).text);
	}
}

/* ---- connections made from here ---- */

/* An upper bound: ports run out for one peer address and port, and the sum is over all. */
struct ports {
	double range, taken, waiting, opened_per_s;
};

static struct ports ports_of(const struct tune_case *c)
{
	const struct tune_value *range = &c->values[TUNABLE_ip_local_port_range];
	struct ports p = { .range = range->error ? NAN : (double)range->number[1] - (double)range->number[0] + 1 };

	p.waiting = reading_value(c->net->time_wait);
	p.taken = p.waiting + reading_value(c->net->established);
	p.opened_per_s = tune_rate(c, c->net->opened);
	return p;
}

/* Ports are short and wanted. When there is none left connect fails before it counts as an opening: then
 * the sum stands at the size of the range. */
static bool ports_short(const struct tune_case *c, const struct ports *p)
{
	double opened = tune_total(c->net->opened);

	if (!(p->taken >= NEAR * p->range))
		return false;
	return p->opened_per_s > 1 || (p->taken >= 0.98 * p->range && p->taken <= 1.1 * p->range && opened >= p->range);
}

static void proof_ports(const struct tune_case *c, const struct ports *p, struct tune_advice *ret)
{
	tune_proof(ret, "connections in TIME_WAIT", p->waiting, "", "", "%s/net/sockstat", c->net->proc);
	tune_proof(ret, "connections in all", p->taken, "", "> 80 % of the ports", "%s/net/sockstat", c->net->proc);
	tune_proof(ret, "connections opened from here", p->opened_per_s, "/s", "> 1/s, or none while all "
		    "ports are taken", "%s/net/snmp", c->net->proc);
	tune_proof(ret, "ports to open them from", p->range, "", "", "%s", tunables[TUNABLE_ip_local_port_range].path);
}

static void ports_in_the_way(const struct tune_net *net, char *ret, size_t size)
{
	int n = snprintf(ret, size, "%s", net->nports_below ? "; reserve the ports that are listened to "
		    "there: sysctl -w net.ipv4.ip_local_reserved_ports=" : "");

	for (size_t i = 0; i < net->nports_below && (size_t)n < size; i++)
		n += snprintf(ret + n, size - (size_t)n, "%s%u", i ? "," : "", net->ports_below[i]);
}

TUNE_ADVISE(ip_local_port_range)
{
	struct ports p = ports_of(c);
	char reserve[160];

	if (ports_short(c, &p) && c->value->number[0] > 10240) {
		tune_change(ret, "10240 65535", "%.0f connections exist, TIME_WAIT among them, and %.0f ports "
			    "to open them from: if most go to one address, connect soon fails with "
			    "EADDRNOTAVAIL", p.taken, p.range);
		proof_ports(c, &p, ret);
		ports_in_the_way(c->net, reserve, sizeof reserve);
		tune_effect(ret, "55296 connections to one address in place of %.0f%s", p.range, reserve);
	} else if (isnan(p.taken)) {
		tune_keep(ret, "sockstat could not be read");
	} else {
		tune_keep(ret, "%.0f connections, %.0f ports, %s opened a second", p.taken, p.range, number_text(p.opened_per_s).text);
	}
}

/* Only once the range is as wide as it gets: the range has no side effect on the peer. */
TUNE_ADVISE(tcp_tw_reuse)
{
	struct ports p = ports_of(c);
	double now = tune_number(c->value);

	if (now != 1 && ports_short(c, &p) && p.waiting > p.taken / 2 && p.range > 50000) {
		tune_change(ret, "1", "%.0f connections in TIME_WAIT hold the ports that new ones need, and "
			    "the range is wide already",
			    p.waiting);
		proof_ports(c, &p, ret);
		tune_effect(ret, "connections made from here take ports over after one second in place of 60");
	} else if (ports_short(c, &p)) {
		tune_keep(ret, "ports are short, but net.ipv4.ip_local_port_range comes first");
	} else {
		tune_keep(ret, "%s connections in TIME_WAIT take no port that is wanted", number_text(p.waiting).text);
	}
}

TUNE_ADVISE(tcp_fin_timeout)
{
	double now = tune_number(c->value), orphans = reading_value(c->net->orphans);
	double most = reading_value(c->seen->now.orphans_max);

	if (now < 5) {
		tune_danger(ret, "60", "after %.0f s a slow peer's last data is answered with a reset; and "
			    "TIME_WAIT is not shortened by it", now);
		tune_effect(ret, "slow peers can finish");
	} else if (orphans > 0.5 * most && now > 15) {
		tune_change(ret, "15", "%.0f connections that no process holds wait for their peers' FIN, of "
			    "%.0f that may: beyond that they are reset, and the log says \"too many orphaned "
			    "sockets\"", orphans, most);
		tune_proof(ret, "orphans", orphans, "", "> half of tcp_max_orphans", "%s/net/sockstat", c->net->proc);
		tune_effect(ret, "they are let go of sooner; orphans should fall within the minute");
	} else {
		tune_keep(ret, "%s connections wait without a process", number_text(orphans).text);
	}
}

TUNE_ADVISE(tcp_keepalive_time)
{
	if (tune_number(c->value) < 30) {
		tune_danger(ret, "7200", "idle connections are probed every %.0f s: any break of a few "
			    "minutes loses them, and each costs packets",
			    tune_number(c->value));
		tune_effect(ret, "idle connections outlive short breaks");
	} else {
		tune_keep(ret, "nothing that was measured tells of dead peers");
	}
}

TUNE_ADVISE(tcp_slow_start_after_idle)
{
	(void)c;
	tune_keep(ret, "whether bursts after idle time are held back needs a trace of single connections");
}

TUNE_ADVISE(tcp_congestion_control)
{
	if (c->seen->tcp_retransmits && c->net->rtt_s > 0.02) {
		tune_elsewhere(ret, "segments are lost on a path of %s: find out where first (`osprey "
			    "doctor`). Whether another algorithm than %s does better there only a trial on "
			    "that path can say; here are: %s", duration_text(c->net->rtt_s).text,
			       c->value->word, c->seen->now.congestion_available);
		tune_proof(ret, "RetransSegs", tune_rate(c, c->net->retransmitted), "/s", "", "%s/net/snmp", c->net->proc);
		tune_proof(ret, "OutSegs", tune_rate(c, c->net->sent), "/s", "", "%s/net/snmp", c->net->proc);
	} else {
		tune_keep(ret, "no long path that loses segments was seen");
	}
}

/* ---- tables ---- */

TUNE_ADVISE(nf_conntrack_max)
{
	double now = tune_number(c->value), used = reading_value(c->seen->now.conntrack_count);
	double lost = tune_grown(c->seen->conntrack_drops) + tune_grown(c->seen->conntrack_early_drops);
	char value[24];

	if (c->net->pid != 0) {
		tune_keep(ret, "how many this namespace tracks is not read");
	} else if (used >= NEAR * now || (lost > 0 && used >= NEAR / 2 * now) || c->seen->conntrack_full_logged) {
		tune_change(ret, tune_power(2 * now, value), "%.0f of %.0f connections are tracked%s: at the "
			    "limit packets of new ones are dropped",
			    used, now, c->seen->conntrack_full_logged ? ", and the kernel log says that the "
				    "table is full" : "");
		tune_proof(ret, "tracked connections", used, "", "> 80 % of the limit",
			    "/proc/sys/net/netfilter/nf_conntrack_count");
		tune_proof(ret, "drop + early_drop in the window", lost, "", "> 0",
			    "/proc/net/stat/nf_conntrack");
		tune_proof(ret, "hash buckets", reading_value(c->seen->now.conntrack_buckets), "", "",
			   "/proc/sys/net/netfilter/nf_conntrack_buckets");
		tune_effect(ret, "new connections get in again; it may take %s more",
			    bytes_text(320 * now).text);
	} else if (isnan(used)) {
		tune_keep(ret, "how many are tracked could not be read");
	} else {
		tune_keep(ret, "%.0f connections are tracked, %.2g %% of the limit", used, 100 * used / now);
	}
}

TUNE_ADVISE(neigh_gc_thresh3)
{
	double now = tune_number(c->value), used = reading_value(c->seen->now.neighbours);
	double lost = tune_grown(c->seen->neighbour_overflows);
	char value[24];

	if (used >= NEAR * now || lost > 0 || c->seen->neighbour_full_logged) {
		tune_change(ret, tune_power(fmax(2 * now, 4096), value), "%.0f of %.0f neighbours are held%s: "
			    "at the limit packets to a new one are dropped", used, now, lost > 0 || c->seen->neighbour_full_logged ?
			    ", and it overflowed in the window" : "");
		tune_proof(ret, "neighbours", used, "", "> 80 % of the limit", "/proc/net/stat/arp_cache "
			    "entries");
		tune_proof(ret, "overflows in the window", lost, "", "> 0", "/proc/net/stat/arp_cache "
			    "table_fulls");
		tune_effect(ret, "no more \"neighbor table overflow\"; raise gc_thresh2 (now %s) and "
			    "gc_thresh1 (now %s) in proportion",
			    number_text(reading_value(c->seen->now.gc_thresh2)).text,
			    number_text(reading_value(c->seen->now.gc_thresh1)).text);
	} else if (isnan(used)) {
		tune_keep(ret, "the number of neighbours could not be read");
	} else {
		tune_keep(ret, "%.0f neighbours are held", used);
	}
}

TUNE_ADVISE(udp_mem)
{
	double pages = reading_value(c->seen->now.udp_memory_pages), high = (double)c->value->number[2];
	double errors = tune_grown(c->seen->udp_memory_errors);

	if ((errors > 0 || pages >= NEAR * high) && c->seen->available_bytes > 0.25 * c->seen->total_bytes) {
		char value[96];

		snprintf(value, sizeof value, "%llu %llu %llu", (unsigned long long)c->value->number[0] * 2,
			 (unsigned long long)c->value->number[1] * 2, (unsigned long long)c->value->number[2] * 2);
		tune_change(ret, value, "UDP's receive queues are at what all of them together may hold, and "
			    "datagrams are dropped, while %s of memory is available", bytes_text(c->seen->available_bytes).text);
		tune_proof(ret, "UDP memory", pages, "pages", "> 80 % of the third number", "/proc/net/sockstat");
		tune_proof(ret, "Udp MemErrors", errors, "in the window", "> 0", "/proc/net/snmp");
		tune_effect(ret, "datagrams wait again; readers that are too slow remain so");
	} else if (isnan(pages)) {
		tune_keep(ret, "sockstat could not be read");
	} else {
		tune_keep(ret, "UDP queues hold %s of %s", bytes_text(pages * c->seen->page_bytes).text,
			  bytes_text(high * c->seen->page_bytes).text);
	}
}
