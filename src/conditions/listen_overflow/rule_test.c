#include <sys/syscall.h>

#include "base/check.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/net_build.h"

static void judge(struct window_build *b)
{
	window_build_judge(b, listen_overflow_rule.rule);
}

/* A listener with a full queue that dropped 100 connections of its own in five seconds. */
static struct socket *full_listener(struct window_build *b, struct net_ns **ret_ns)
{
	struct net_ns *ns;

	window_build_init(b, 5, 2);
	ns = net_build(b, 1, 0);
	ns->counters.listen_overflows = 100;
	ns->counters.tcp_passive_opens = 10;
	struct socket *s = net_build_socket(ns, SOCKET_TCP_LISTEN, 7, "0.0.0.0:80", "0.0.0.0:0");
	s->send_queue = 8;
	s->receive_queue = 9;
	s->drops = 100;
	net_build_owner(s, 100, "httpd");
	*ret_ns = ns;
	return s;
}

static void expect_story(struct window_build *b, const char *words)
{
	judge(b);
	CHECK_U64(b->findings.n, 1);
	const struct finding *f = &b->findings.v[0];
	CHECK_STR(f->culprit.kind, ACTOR_SOCKET);
	CHECK_STR(f->culprit.name, "0.0.0.0:80");
	CHECK_U64(f->culprit.pid, 100);
	CHECK_STR(f->culprit.comm, "httpd");
	CHECK_U64(f->severity, SEVERITY_CRITICAL);
	CHECK(f->lost_estimated);
	CHECK_NEAR(f->lost_task_s_per_s, 100 / 5.0 + 9, 0.001);
	if (!strstr(f->summary, words))
		fprintf(stderr, "no \"%s\" in \"%s\"\n", words, f->summary);
	CHECK(strstr(f->summary, words));
	window_build_deinit(b);
}

static void test_why_it_does_not_accept(void)
{
	struct window_build b;
	struct net_ns *ns;
	struct task_span *t;

	full_listener(&b, &ns);
	window_build_task(&b, 100, 100, "httpd")->last.syscall = SYS_clock_nanosleep;
	expect_story(&b, "sleeps in nanosleep: it lets time pass, and used 0.00 CPUs");

	full_listener(&b, &ns);
	t = window_build_task(&b, 100, 100, "httpd");
	t->stopped = t->looks;
	t->last.state = 'T';
	expect_story(&b, "is stopped (state T)");

	full_listener(&b, &ns);
	window_build_task(&b, 100, 100, "httpd")->last.user_ns = 4900 * NS_PER_MS;
	expect_story(&b, "is busy: thread 100 alone used 0.98 CPUs");

	full_listener(&b, &ns);
	t = window_build_task(&b, 100, 100, "httpd");
	t->mutex = (struct mutex_wait){ 100, 100, 101, 0x1000 };
	t->mutex_looks = 3;
	expect_story(&b, "waits for the lock at 0x1000, which thread 101 holds");

	full_listener(&b, &ns);
	window_build_task(&b, 100, 100, "httpd")->last.wait_ns = 4 * NS_PER_S;
	expect_story(&b, "waited for a CPU 80 %");

	/* a master that sleeps; the worker does the work */
	full_listener(&b, &ns);
	window_build_task(&b, 100, 100, "httpd");
	t = window_build_task(&b, 101, 101, "httpd");
	t->first.ppid = t->last.ppid = 100;
	t->last.user_ns = 4900 * NS_PER_MS;
	expect_story(&b, "is busy: thread 101 alone");

	/* … and one that cannot */
	full_listener(&b, &ns);
	window_build_task(&b, 100, 100, "httpd")->last.syscall = SYS_rt_sigsuspend;
	t = window_build_task(&b, 101, 101, "httpd");
	t->first.ppid = t->last.ppid = 100;
	t->stopped = t->looks;
	t->last.state = 'T';
	expect_story(&b, "has a worker (pid 101) that is stopped (state T)");

	full_listener(&b, &ns); /* the owner is gone */
	expect_story(&b, "could not be looked at");
}

/* The drops of several listeners are told apart; the one that accepts is left alone. */
static void test_which_socket(void)
{
	struct window_build b;
	struct net_ns *ns;
	struct socket *s;

	full_listener(&b, &ns);
	s = net_build_socket(ns, SOCKET_TCP_LISTEN, 8, "0.0.0.0:81", "0.0.0.0:0");
	s->send_queue = 8;
	s = net_build_socket(ns, SOCKET_TCP_LISTEN, 9, "0.0.0.0:82", "0.0.0.0:0");
	s->send_queue = 128;
	s->drops = 5000; /* before the window as well */
	*net_build_socket(&b.first.net_ns[0], SOCKET_TCP_LISTEN, 9, "", "") = *s;
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_STR(b.findings.v[0].culprit.name, "0.0.0.0:80");
	window_build_deinit(&b);
}

/* Without sockets the counter stands alone, and is trusted less. */
static void test_without_sockets(void)
{
	struct window_build b;
	struct net_ns *ns;

	full_listener(&b, &ns);
	ns->sockets.n = 0;
	ns->sockets_presence = DENIED;
	b.abilities.root = false;
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK(!b.findings.v[0].culprit.kind);
	CHECK_STR(b.findings.v[0].victim.kind, ACTOR_HOST);
	CHECK(b.findings.v[0].confidence < 0.8);
	CHECK(strstr(b.findings.v[0].summary, "need root"));
	window_build_deinit(&b);
}

static void test_other_namespace(void)
{
	struct window_build b;
	struct net_ns *ns;

	window_build_init(&b, 5, 2);
	net_build(&b, 1, 0);
	ns = net_build(&b, 2, 4242);
	ns->counters.listen_overflows = 50;
	struct socket *s = net_build_socket(ns, SOCKET_TCP_LISTEN, 7, "[::]:80", "[::]:0");
	s->drops = 50;
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_STR(b.findings.v[0].culprit.name, "[::]:80");
	CHECK(strncmp(b.findings.v[0].confirm[0], "nsenter -t 4242 -n nstat", 24) == 0);
	CHECK_STR(b.findings.v[0].evidence[0].source, "/proc/4242/net/netstat");
	window_build_deinit(&b);
}

static void test_full_but_quiet(void)
{
	struct window_build b;
	struct net_ns *ns;
	struct socket *s = full_listener(&b, &ns);

	ns->counters.listen_overflows = 0;
	*net_build_socket(&b.first.net_ns[0], SOCKET_TCP_LISTEN, 7, "", "") = *s;
	judge(&b);
	CHECK_U64(b.findings.n, 1);
	CHECK_U64(b.findings.v[0].severity, SEVERITY_RISK);
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
	struct socket *s;

	full_listener(&b, &ns); /* all of it happened before the window */
	b.first.net_ns[0].counters.listen_overflows = 100;
	ns->sockets.v[0].receive_queue = 0;
	expect_cleared(&b);

	full_listener(&b, &ns); /* a single one */
	ns->counters.listen_overflows = 1;
	expect_cleared(&b);

	full_listener(&b, &ns); /* a SYN flood */
	ns->counters.listen_overflows = 0;
	ns->counters.listen_drops = ns->counters.syn_queue_drops = 5000;
	expect_cleared(&b);

	s = full_listener(&b, &ns); /* a backlog of 0 with its one connection */
	ns->counters.listen_overflows = 0;
	s->send_queue = 0;
	s->receive_queue = 1;
	*net_build_socket(&b.first.net_ns[0], SOCKET_TCP_LISTEN, 7, "", "") = *s;
	expect_cleared(&b);

	/* a namespace that was not seen before: its counters may be old */
	full_listener(&b, &ns);
	b.first.net_ns[0].inode = 99;
	net_build(&b, 5, 0);
	expect_cleared(&b);
}

static void test_unmeasured(void)
{
	struct window_build b;
	struct net_ns *ns;

	full_listener(&b, &ns);
	ns->counters.listen_overflows = READING_ABSENT;
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_UNMEASURED);
	window_build_deinit(&b);
	window_build_init(&b, 5, 2);
	judge(&b);
	CHECK_U64(b.verdict.outcome, OUTCOME_UNMEASURED);
	window_build_deinit(&b);
}

/* The SYNs and data that the full listener dropped are no loss of the network. */
static void test_absorbs(void)
{
	struct finding cause = { 0 }, symptom = { 0 };

	actor_named(&cause.culprit, ACTOR_SOCKET, "0.0.0.0:80");
	actor_named(&symptom.culprit, ACTOR_SOCKET, "10.0.0.1:5000 -> 10.0.0.2:80");
	CHECK(listen_overflow_rule.absorbs(NULL, &cause, &symptom));
	actor_named(&symptom.culprit, ACTOR_SOCKET, "10.0.0.1:5000 -> 10.0.0.2:8080");
	CHECK(!listen_overflow_rule.absorbs(NULL, &cause, &symptom));
	actor_named(&symptom.culprit, ACTOR_INTERFACE, "eth0");
	CHECK(!listen_overflow_rule.absorbs(NULL, &cause, &symptom));
}

int main(void)
{
	test_why_it_does_not_accept();
	test_which_socket();
	test_without_sockets();
	test_other_namespace();
	test_full_but_quiet();
	test_decoys();
	test_unmeasured();
	test_absorbs();
	return check_exit();
}
