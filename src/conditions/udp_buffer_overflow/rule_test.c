#include "base/check.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/net_build.h"

static void judge(struct window_build *b)
{
	window_build_judge(b, udp_buffer_overflow_rule.rule);
}

/* 1000 of 4000 datagrams dropped in five seconds, all by one socket. */
static struct socket *deaf_socket(struct window_build *b, struct net_ns **ret_ns)
{
	window_build_init(b, 5, 2);
	struct net_ns *ns = net_build(b, 1, 0);
	ns->counters.udp_receive_buffer_errors = ns->counters.udp_in_errors = 1000;
	ns->counters.udp_in = 3000;
	struct socket *s = net_build_socket(ns, SOCKET_UDP, 7, "0.0.0.0:514", "0.0.0.0:0");
	s->drops = 1000;
	s->receive_queue = 8000;
	s->receive_buffer_bytes = 8192;
	net_build_owner(s, 100, "syslogd");
	window_build_task(b, 100, 100, "syslogd")->last.user_ns = 4900 * NS_PER_MS;
	*ret_ns = ns;
	return s;
}

static void test_named(void)
{
	struct window_build b;
	struct net_ns *ns;

	deaf_socket(&b, &ns);
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	const struct finding *f = &b.findings.v[0];
	CHECK_STR(f->culprit.name, "0.0.0.0:514");
	CHECK_U64(f->culprit.pid, 100);
	CHECK_STR(f->victim.comm, "syslogd");
	CHECK_U64(f->severity, SEVERITY_WARNING);
	CHECK_NEAR(f->lost_task_s_per_s, 0.25, 0.001);
	CHECK(f->lost_estimated);
	CHECK(strstr(f->summary, "is busy: thread 100 alone used 0.98 CPUs"));
	window_build_deinit(&b);
}

/* Read a moment after the counters, the socket has dropped more than they tell. */
static void test_no_more_than_all(void)
{
	struct window_build b;
	struct net_ns *ns;
	struct socket *s = deaf_socket(&b, &ns);

	ns->counters.udp_in = 0;
	s->drops = 1010;
	judge(&b);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 1, 0);
	CHECK(strstr(b.findings.v[0].summary, "100.0 % of what came in"));
	window_build_deinit(&b);
}

/* IPv6 has counters of its own. */
static void test_ipv6(void)
{
	struct window_build b;
	struct net_ns *ns;

	deaf_socket(&b, &ns);
	ns->counters.udp_receive_buffer_errors = ns->counters.udp_in = 0;
	ns->counters.udp6_receive_buffer_errors = 1000;
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_CRITICAL);
	CHECK_STR(b.findings.v[0].evidence[0].field, "Udp6RcvbufErrors");
	window_build_deinit(&b);
	deaf_socket(&b, &ns); /* a kernel without it */
	ns->counters.udp6_receive_buffer_errors = ns->counters.udp6_in = READING_ABSENT;
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_NEAR(b.findings.v[0].lost_task_s_per_s, 0.25, 0.001);
	window_build_deinit(&b);
}

static void test_socket_gone(void)
{
	struct window_build b;
	struct net_ns *ns;

	deaf_socket(&b, &ns);
	ns->sockets.n = 0;
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK(!b.findings.v[0].culprit.kind);
	CHECK(b.findings.v[0].confidence < 0.8);
	window_build_deinit(&b);
}

static void test_a_few_of_many(void)
{
	struct window_build b;
	struct net_ns *ns;

	deaf_socket(&b, &ns);
	ns->counters.udp_in = 5000000;
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_NOTE);
	window_build_deinit(&b);
}

static void expect_cleared(struct window_build *b)
{
	judge(b);
	CHECK_U64(b->verdict.outcome, OUTCOME_CLEARED);
	window_build_deinit(b);
}

static void test_decoys(void)
{
	struct window_build b;
	struct net_ns *ns;

	deaf_socket(&b, &ns); /* a port that nobody reads, and damaged datagrams */
	ns->counters.udp_receive_buffer_errors = 0;
	ns->counters.udp_no_port = 100000;
	expect_cleared(&b);
	deaf_socket(&b, &ns); /* 9 a second */
	ns->counters.udp_receive_buffer_errors = 45;
	expect_cleared(&b);
	deaf_socket(&b, &ns); /* before the window */
	b.first.net_ns[0].counters.udp_receive_buffer_errors = 1000;
	expect_cleared(&b);
}

static void test_unmeasured(void)
{
	struct window_build b;
	struct net_ns *ns;

	deaf_socket(&b, &ns);
	b.first.net_ns[0].counters.presence = DENIED;
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_UNMEASURED);
	window_build_deinit(&b);
}

int main(void)
{
	test_named();
	test_no_more_than_all();
	test_ipv6();
	test_socket_gone();
	test_a_few_of_many();
	test_decoys();
	test_unmeasured();
	return check_exit();
}
