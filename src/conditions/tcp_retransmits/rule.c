#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/evidence.h"
#include "diagnose/network_evidence.h"

#define LOST_SHARE 0.015 /* of the segments, as bpftune tunes */
#define ENOUGH 10	 /* segments sent again: fewer are no rate */
#define BAD_SHARE 0.1	 /* TCP hardly moves at that */
#define RTO_MIN_S 0.2

struct retransmission {
	struct net_span ns;
	double sent, again; /* segments over the window: first transmissions, repeats */
	double needless;    /* of the repeats: the peer had them (DSACK) */
	double handshake;   /* of the repeats: SYNs, SYN-ACKs. Those tell of a peer, not of a path */
	double timeouts;
	double lost;  /* repeats that were needed */
	double share; /* of all segments that carry data or close */
};

struct connections {
	struct socket_span worst;
	double worst_again;
	unsigned n;    /* that sent anything again */
	bool one_peer; /* all of them talk to one remote host */
	double stalled_s;
};

/* TCPDSACKRecv counts reports, and one may tell of many segments where the stack handles them in
 * batches; open connections know the segments. */
static double duplicates_of_sockets(const struct net_span *ns)
{
	struct socket_walk walk = { 0 };
	struct socket_span s;
	double sum = 0;

	while (net_span_socket(ns, SOCKET_TCP, &walk, &s))
		sum += number_or(SOCKET_DELTA(ns, &s, duplicates), 0);
	return sum;
}

static bool measure(const struct window *w, size_t i, struct retransmission *ret)
{
	double duplicates;

	if (!net_span(w, i, &ret->ns))
		return false;
	ret->sent = NET_DELTA(&ret->ns, tcp_out_segments);
	ret->again = NET_DELTA(&ret->ns, tcp_retransmitted);
	ret->needless = NET_DELTA(&ret->ns, tcp_dsacks_received);
	duplicates = duplicates_of_sockets(&ret->ns);
	if (duplicates > number_or(ret->needless, 0))
		ret->needless = duplicates;
	ret->handshake = NET_DELTA(&ret->ns, tcp_syn_retransmits);
	ret->timeouts = NET_DELTA(&ret->ns, tcp_timeouts);
	ret->lost = fmax(ret->again - number_or(ret->handshake, 0) - number_or(ret->needless, 0), 0);
	ret->share = ret->sent + ret->again > 0 ? ret->lost / (ret->sent + ret->again) : 0;
	return !isnan(ret->again) && !isnan(ret->sent);
}

/* ---- which connection ---- */

static size_t host_length(const char *address)
{
	const char *colon = strrchr(address, ':');

	return colon ? (size_t)(colon - address) : strlen(address);
}

static bool same_host(const char *a, const char *b)
{
	size_t n = host_length(a);

	return n == host_length(b) && strncmp(a, b, n) == 0;
}

/* Each repeat waits for an acknowledgement that does not come: a round trip where duplicates
 * tell of the loss, a timeout where nothing does. No connection loses more than all its time. */
static double stalled(const struct retransmission *r, const struct socket *s, double again, double seconds)
{
	double rto = fmax(number_or(reading_value(s->rto_ns) / 1e9, RTO_MIN_S), RTO_MIN_S);
	double rtt = number_or(reading_value(s->rtt_ns) / 1e9, 0);
	double by_timeout = isnan(r->timeouts) ? 1 : fmin(r->timeouts / r->lost, 1);

	return fmin(again * (by_timeout * fmax(rto, rtt) + (1 - by_timeout) * rtt), seconds);
}

static void survey(const struct retransmission *r, double seconds, struct connections *ret)
{
	struct socket_walk walk = { 0 };
	struct socket_span s;

	*ret = (struct connections){ .one_peer = true };
	while (net_span_socket(&r->ns, SOCKET_TCP, &walk, &s)) {
		double again = SOCKET_DELTA(&r->ns, &s, retransmits) - number_or(SOCKET_DELTA(&r->ns, &s, duplicates), 0);

		if (!(again > 0))
			continue;
		ret->n++;
		ret->stalled_s += stalled(r, s.last, again, seconds);
		if (ret->worst.last && !same_host(ret->worst.last->remote, s.last->remote))
			ret->one_peer = false;
		if (again > ret->worst_again) {
			ret->worst_again = again;
			ret->worst = s;
		}
	}
}

/* ---- or which interface ---- */

/* What an interface lost for certain; rx_dropped is left aside, for unknown protocols are in it. */
static double interface_losses(const struct interface *before, const struct interface *after)
{
	return number_or(reading_value(reading_delta(before->rx_errors, after->rx_errors)), 0) +
	       number_or(reading_value(reading_delta(before->rx_fifo, after->rx_fifo)), 0) +
	       number_or(reading_value(reading_delta(before->tx_errors, after->tx_errors)), 0) +
	       number_or(reading_value(reading_delta(before->tx_dropped, after->tx_dropped)), 0);
}

static const struct interface *lossy_interface(const struct net_span *ns, double *ret_lost)
{
	const struct interface *worst = NULL;

	*ret_lost = 0;
	vec_each(i, &ns->last->interfaces) {
		const struct interface *before = net_ns_interface(ns->first, i->name);
		double lost = before ? interface_losses(before, i) : 0;

		if (lost > *ret_lost) {
			*ret_lost = lost;
			worst = i;
		}
	}
	return worst;
}

/* ---- words ---- */

static void add_evidence(const struct retransmission *r, const struct connections *c, double seconds,
			 struct finding *f)
{
	finding_evidence(f, "lost segments: RetransSegs - TCPSynRetrans - needless", 100 * r->share,
			 "% of segments", "> 1.5 %, >= 10", "%s/net/snmp, netstat", r->ns.proc);
	finding_evidence(f, "Tcp RetransSegs", r->again / seconds, "segments/s", "", "%s/net/snmp", r->ns.proc);
	finding_evidence(f, "Tcp OutSegs", r->sent / seconds, "segments/s", "", "%s/net/snmp", r->ns.proc);
	finding_evidence(f, "needless: TCPDSACKRecv, or dsack_dups of the connections", r->needless, "segments",
			 "left out: the peer had them", "%s/net/netstat, sock_diag", r->ns.proc);
	finding_evidence(f, "TcpExt TCPTimeouts", r->timeouts, "timeouts", "", "%s/net/netstat", r->ns.proc);
	finding_evidence(f, "TcpExt TCPLossProbes", NET_DELTA(&r->ns, tcp_loss_probes), "probes", "", "%s/net/netstat",
			 r->ns.proc);
	if (!c->worst.last)
		return;
	finding_evidence(f, "retransmits of the worst connection", c->worst_again, "segments", "",
			 "sock_diag %s -> %s", c->worst.last->local, c->worst.last->remote);
	finding_evidence(f, "its round trip", reading_value(c->worst.last->rtt_ns) / 1e6, "ms", "", "sock_diag %s -> %s",
			 c->worst.last->local, c->worst.last->remote);
	finding_evidence(f, "connections that sent again", c->n, "", "", "sock_diag%s", r->ns.where);
}

static void add_advice(const struct retransmission *r, const struct connections *c,
		       const struct interface *interface, struct finding *f)
{
	const char *enter = r->ns.enter;
	char peer[64] = "PEER";

	finding_confirm(f, "%snstat -z TcpRetransSegs TcpOutSegs TcpExtTCPDSACKRecv; sleep 5; %snstat -z TcpRetransSegs TcpOutSegs "
			"TcpExtTCPDSACKRecv   # growth since the last call", enter, enter);
	if (c->worst.last) {
		const char *remote = c->worst.last->remote;
		snprintf(peer, sizeof peer, "%.*s", (int)host_length(remote), remote);
		finding_confirm(f, "%sss -tin dst '%s'   # retrans:now/total and rto of the connection", enter, remote);
	} else {
		finding_confirm(f, "%sss -tin   # retrans:now/total of each connection", enter);
	}
	finding_confirm(f, "%sip -s -s link; %stc -s qdisc; %snft list ruleset   # drops on this side: errors, queues, rules", enter,
			enter, enter);
	if (interface)
		finding_mend(f, "%sethtool -S %s   # which drop counter grows: then cable, ring (ethtool -G) or queue length", enter,
			     interface->name);
	finding_mend(f, "%smtr -n -c 100 %s   # where on the path the loss begins; mend it there", enter, peer);
	finding_mend(f, "%ssysctl -w net.ipv4.tcp_congestion_control=bbr   # new connections keep their rate under random loss. "
		     "Undo: what `sysctl net.ipv4.tcp_congestion_control` said before", enter);
}

static void name_peers(const struct connections *c, char *ret, size_t size)
{
	const char *remote = c->worst.last->remote;

	if (c->n == 1)
		snprintf(ret, size, "It is one connection");
	else if (c->one_peer)
		snprintf(ret, size, "All %u connections that lost any go to %.*s; the worst is", c->n, (int)host_length(remote),
			 remote);
	else
		snprintf(ret, size, "%u connections to several hosts lost some: a fault on this side is likely. The worst is", c->n);
}

static void tell(const struct retransmission *r, const struct connections *c, const struct interface *interface,
		 double interface_lost, struct finding *f)
{
	char peers[144], owner[64];

	finding_title(f, "%.1f %% of TCP segments are lost and sent again", 100 * r->share);
	if (!c->worst.last) {
		finding_summary(f, "%.0f of %.0f segments were sent again%s because they got lost. The connections are gone, or cannot "
				"be listed%s%s.", r->lost, r->sent + r->again, r->ns.where, interface ? "; interface " : "",
				interface ? interface->name : "");
		return;
	}
	name_peers(c, peers, sizeof peers);
	socket_owner_name(c->worst.last, owner, sizeof owner);
	finding_summary(f, "%.0f of %.0f segments were sent again%s because they got lost. %s, %s -> %s, of %s: %.0f segments.",
			r->lost, r->sent + r->again, r->ns.where, peers, c->worst.last->local, c->worst.last->remote, owner,
			c->worst_again);
	if (interface)
		finding_proof(f, "interface %s lost %.0f packets in the same time", interface->name, interface_lost);
}

static void name_actors(const struct connections *c, const struct interface *interface, struct finding *f)
{
	if (interface)
		actor_named(&f->culprit, ACTOR_INTERFACE, "%s", interface->name);
	else if (c->worst.last)
		actor_socket(&f->culprit, c->worst.last);
	if (c->worst.last && c->worst.last->owner_pid)
		actor_process(&f->victim, c->worst.last->owner_pid, c->worst.last->owner_comm);
	else if (c->worst.last)
		actor_socket(&f->victim, c->worst.last);
	else
		actor_host(&f->victim);
}

static void report(const struct window *w, const struct retransmission *r, struct verdict *v)
{
	struct finding *f = verdict_find(v, r->share > BAD_SHARE ? SEVERITY_CRITICAL : SEVERITY_WARNING,
					 isnan(r->needless) ? 0.75 : 0.95);
	struct connections c;
	double interface_lost, unseen = fmin(r->lost * RTO_MIN_S, w->seconds);

	survey(r, w->seconds, &c);
	const struct interface *interface = lossy_interface(&r->ns, &interface_lost);
	if (interface_lost < r->lost / 2)
		interface = NULL; /* it does not account for what was lost */
	tell(r, &c, interface, interface_lost, f);
	finding_lost(f, (c.n ? c.stalled_s : unseen) / w->seconds, true);
	name_actors(&c, interface, f);
	add_evidence(r, &c, w->seconds, f);
	add_advice(r, &c, interface, f);
}

static void exonerate(const struct retransmission *worst, struct verdict *v)
{
	double all = worst->sent + worst->again;

	if (all == 0)
		verdict_clear(v, "no TCP segment was sent");
	else if (worst->share > LOST_SHARE)
		verdict_clear(v, "%.0f of %.0f segments lost%s: too few to judge (>= %d)", worst->lost, all, worst->ns.where, ENOUGH);
	else
		verdict_clear(v, "%.2f %% of %.0f segments lost%s (> 1.5 %% is a fault); %.0f sent again, %.0f needlessly, %.0f SYNs",
			      100 * worst->share, all, worst->ns.where, worst->again, number_or(worst->needless, 0),
			      number_or(worst->handshake, 0));
}

static void rule(const struct window *w, struct verdict *v)
{
	struct retransmission worst = { .share = -1 };

	for (size_t i = 0; i < w->last->nnet_ns; i++) {
		struct retransmission r;

		if (!measure(w, i, &r))
			continue;
		if (r.lost >= ENOUGH && r.share > LOST_SHARE)
			report(w, &r, v);
		if (r.share > worst.share || (r.share == worst.share && r.sent > worst.sent))
			worst = r;
	}
	if (v->outcome == OUTCOME_FOUND)
		return;
	if (worst.share < 0)
		verdict_unmeasured(v, "needs RetransSegs in /proc/net/snmp");
	else
		exonerate(&worst, v);
}

const struct condition_rule tcp_retransmits_rule = {
	.title = "TCP segments get lost and are sent again",
	.resource = "network",
	.rule = rule,
};
