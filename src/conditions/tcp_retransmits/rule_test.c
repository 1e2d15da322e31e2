#include "base/check.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/net_build.h"

static void judge(struct window_build *b)
{
	window_build_judge(b, tcp_retransmits_rule.rule);
}

static struct socket *connection(struct net_ns *ns, uint64_t cookie, const char *remote, uint64_t again)
{
	struct socket *s = net_build_socket(ns, SOCKET_TCP, cookie, "10.0.0.1:5000", remote);

	s->retransmits = again;
	s->segments_out = 20000;
	s->rtt_ns = 10 * NS_PER_MS;
	s->rto_ns = 210 * NS_PER_MS;
	s->drops = 0;
	return s;
}

/* 500 of 10 500 segments sent again over five seconds, by one connection. */
static struct socket *lossy(struct window_build *b, struct net_ns **ret_ns)
{
	window_build_init(b, 5, 2);
	struct net_ns *ns = net_build(b, 1, 0);
	ns->counters.tcp_out_segments = 10000;
	ns->counters.tcp_retransmitted = 500;
	struct socket *s = connection(ns, 7, "10.0.0.2:443", 500);
	net_build_owner(s, 100, "curl");
	*ret_ns = ns;
	return s;
}

static void test_connection(void)
{
	struct window_build b;
	struct net_ns *ns;

	lossy(&b, &ns);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	const struct finding *f = &b.findings.v[0];
	CHECK_STR(f->culprit.kind, ACTOR_SOCKET);
	CHECK_STR(f->culprit.name, "10.0.0.1:5000 -> 10.0.0.2:443");
	CHECK_U64(f->culprit.pid, 100);
	CHECK_U64(f->severity, SEVERITY_WARNING);
	CHECK_NEAR(f->evidence[0].value, 100 * 500 / 10500.0, 0.001);
	CHECK_NEAR(f->lost_task_s_per_s, 1, 0.001); /* 500 round trips: no more than all of its time */
	CHECK(f->lost_estimated);
	window_build_deinit(&b);

	struct socket *s = lossy(&b, &ns); /* a few timeouts: 12 × 210 ms */
	ns->counters.tcp_out_segments = 300;
	ns->counters.tcp_retransmitted = s->retransmits = ns->counters.tcp_timeouts = 12;
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 12 * 0.21 / 5, 0.001);
	window_build_deinit(&b);
}

/* What was noticed by duplicate acknowledgements costs a round trip, not a timeout. */
static void test_fast_recovery(void)
{
	struct window_build b;
	struct net_ns *ns;

	lossy(&b, &ns);
	ns->counters.tcp_out_segments = 1000;
	ns->counters.tcp_retransmitted = ns->sockets.v[0].retransmits = 20;
	ns->counters.tcp_timeouts = 5;
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, (5 * 0.21 + 15 * 0.01) / 5, 0.001);
	window_build_deinit(&b);
}

/* What a connection had sent again before the window is not held against it. */
static void test_worst_of_the_window(void)
{
	struct window_build b;
	struct net_ns *ns;

	lossy(&b, &ns);
	struct socket *old = connection(ns, 8, "10.0.0.3:443", 90000);
	*connection(&b.first.net_ns[0], 8, "", 0) = *old;
	judge(&b);
	CHECK_STR(b.findings.v[0].culprit.name, "10.0.0.1:5000 -> 10.0.0.2:443");
	CHECK(strstr(b.findings.v[0].summary, "It is one connection"));
	window_build_deinit(&b);
}

static void test_peers(void)
{
	struct window_build b;
	struct net_ns *ns;

	lossy(&b, &ns);
	connection(ns, 8, "10.0.0.2:80", 20);
	judge(&b);
	CHECK(strstr(b.findings.v[0].summary, "All 2 connections that lost any go to 10.0.0.2;"));
	window_build_deinit(&b);
	lossy(&b, &ns);
	connection(ns, 8, "10.0.0.3:443", 20);
	judge(&b);
	CHECK(strstr(b.findings.v[0].summary, "2 connections to several hosts"));
	window_build_deinit(&b);
}

static void add_interface(struct window_build *b, struct net_ns *ns, uint64_t dropped)
{
	struct interface *first = vec_push(&b->first.net_ns[0].interfaces), *last = vec_push(&ns->interfaces);

	if (!first || !last)
		abort();
	snprintf(first->name, sizeof first->name, "eth0");
	*last = *first;
	last->tx_dropped = dropped;
}

static void test_interface(void)
{
	struct window_build b;
	struct net_ns *ns;

	lossy(&b, &ns);
	add_interface(&b, ns, 480);
	judge(&b);
	CHECK_STR(b.findings.v[0].culprit.kind, ACTOR_INTERFACE);
	CHECK_STR(b.findings.v[0].culprit.name, "eth0");
	CHECK_STR(b.findings.v[0].victim.comm, "curl");
	window_build_deinit(&b);
	lossy(&b, &ns);
	add_interface(&b, ns, 5); /* does not account for 500 */
	judge(&b);
	CHECK_STR(b.findings.v[0].culprit.kind, ACTOR_SOCKET);
	window_build_deinit(&b);
}

static void test_without_sockets(void)
{
	struct window_build b;
	struct net_ns *ns;

	lossy(&b, &ns);
	ns->sockets.n = 0;
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK(!b.findings.v[0].culprit.kind);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 1, 0.001);
	window_build_deinit(&b);
}

static void expect_cleared(struct window_build *b)
{
	judge(b);
	CHECK_U64(b->verdict.outcome, OUTCOME_CLEARED);
	CHECK_U64(b->findings.n, 0);
	window_build_deinit(b);
}

static void test_decoys(void)
{
	struct window_build b;
	struct net_ns *ns;

	lossy(&b, &ns); /* probes whose segment had arrived all the same */
	ns->counters.tcp_loss_probes = 480;
	ns->counters.tcp_dsacks_received = 480;
	expect_cleared(&b);
	lossy(&b, &ns); /* bulk over a fast link: one report of the peer tells of many segments */
	ns->counters.tcp_dsacks_received = 20;
	ns->sockets.v[0].duplicates = 450;
	expect_cleared(&b);
	lossy(&b, &ns); /* 3 of 40 */
	ns->counters.tcp_out_segments = 40;
	ns->counters.tcp_retransmitted = 3;
	expect_cleared(&b);
	lossy(&b, &ns); /* a link without loss: 0.13 % */
	ns->counters.tcp_out_segments = 1000000;
	ns->counters.tcp_retransmitted = 1300;
	expect_cleared(&b);
	lossy(&b, &ns); /* a peer that is down */
	ns->counters.tcp_out_segments = 520;
	ns->counters.tcp_syn_retransmits = 500;
	expect_cleared(&b);
	lossy(&b, &ns); /* yesterday */
	b.first.net_ns[0].counters.tcp_retransmitted = 500;
	expect_cleared(&b);
}

static void test_unmeasured(void)
{
	struct window_build b;
	struct net_ns *ns;

	lossy(&b, &ns);
	ns->counters.tcp_retransmitted = READING_MALFORMED;
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_UNMEASURED);
	window_build_deinit(&b);
}

int main(void)
{
	test_connection();
	test_fast_recovery();
	test_worst_of_the_window();
	test_peers();
	test_interface();
	test_without_sockets();
	test_decoys();
	test_unmeasured();
	return check_exit();
}
