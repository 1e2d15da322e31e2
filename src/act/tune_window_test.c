/* From a window to evidence and roles. */
#include "act/tune_watch.h"

#include "base/check.h"
#include "base/clock.h"
#include "diagnose/net_build.h"
#include "diagnose/window_build.h"

static struct window_build b;
static struct tune_result result;

static void begin(void)
{
	window_build_init(&b, 2.0, 4);
	memset(&result, 0, sizeof result);
}

static void end(void)
{
	tune_result_deinit(&result);
	window_build_deinit(&b);
}

static void run_process(int pid, const char *comm, uint64_t anon_bytes)
{
	struct task_span *t = window_build_task(&b, pid, pid, comm);

	t->last.anon_bytes = anon_bytes;
	t->last.file_bytes = t->last.shmem_bytes = 0;
}

static void test_roles(void)
{
	struct tune_roles r;

	begin();
	run_process(10, "bash", 1 << 20);
	tune_guess_roles(window_build_done(&b), false, &r);
	CHECK(r.first == ROLE_GENERAL && r.all == ROLE_ANY && !r.given);
	tune_guess_roles(&b.window, true, &r);
	CHECK(r.first == ROLE_ROUTER && r.all == ROLE_ROUTER);
	CHECK(strstr(r.why, "ip_forward") != NULL);
	end();

	begin();
	run_process(10, "nginx", 10 << 20);
	run_process(11, "nginx", 10 << 20);
	run_process(20, "postgres", 900 << 20);
	run_process(30, "nginxx", 900 << 20);
	tune_guess_roles(window_build_done(&b), true, &r);
	CHECK(r.first == ROLE_DATABASE);
	CHECK(r.all == (ROLE_DATABASE | ROLE_WEB));
	CHECK(strstr(r.why, "postgres runs (pid 20)") && strstr(r.why, "nginx runs (pid 10 and 1 more)"));
	end();

	begin(); /* containers decide, whatever runs in them */
	run_process(10, "containerd-shim", 10 << 20);
	run_process(20, "postgres", 900 << 20);
	tune_guess_roles(window_build_done(&b), true, &r);
	CHECK(r.first == ROLE_CONTAINER && (r.all & ROLE_DATABASE));
	end();
}

static void test_roles_show_what_matters(void)
{
	struct tune_result r = { .roles = { .all = ROLE_ROUTER } };

	CHECK(tune_matters(&r, &tunables[TUNABLE_nf_conntrack_max]));
	CHECK(tune_matters(&r, &tunables[TUNABLE_swappiness])); /* in all */
	CHECK(!tune_matters(&r, &tunables[TUNABLE_aio_max_nr]));
	r.roles.all = ROLE_ANY;
	CHECK(tune_matters(&r, &tunables[TUNABLE_aio_max_nr]));
}

static void test_processes(void)
{
	struct task_span *t;

	begin();
	t = window_build_task(&b, 10, 10, "greedy");
	t->last.fd_count = 900;
	t->last.fd_limit = 1024;
	t = window_build_task(&b, 20, 20, "batch");
	t->first.nice = t->last.nice = 19;
	t->last.run_ns = t->last.user_ns = 3 * NS_PER_S;
	t->last.system_ns = 0;
	t->last.fd_count = 1000;
	t->last.fd_limit = 100000;
	t = window_build_task(&b, 30, 30, "osprey");
	t->last.fd_count = t->last.fd_limit = 1024;
	result.self = 30;
	CHECK(tune_window(window_build_done(&b), &result) == 0);
	CHECK(result.seen.fd_user.pid == 10);
	CHECK_STR(result.seen.fd_user.comm, "greedy");
	CHECK_NEAR(result.seen.fd_user.value, 900, 0);
	CHECK(result.seen.nice_user.pid == 20);
	CHECK_NEAR(result.seen.nice_user.value, 1.5, 0.01);
	CHECK(result.seen.cpus == 4);
	end();
}

static struct socket *listener(struct net_ns *ns, uint64_t cookie, const char *name, unsigned backlog, uint64_t drops)
{
	struct socket *s = net_build_socket(ns, SOCKET_TCP_LISTEN, cookie, name, "0.0.0.0:0");

	s->send_queue = backlog;
	s->receive_queue = backlog + 1;
	s->drops = drops;
	return s;
}

/* Our own namespace is always told, others only with trouble; the listener that refused most is named. */
static void test_listeners(void)
{
	struct net_ns *ns;

	begin();
	ns = net_build(&b, 1, 0);
	listener(ns, 5, "0.0.0.0:15672", 128, 0);
	ns = net_build(&b, 2, 77); /* quiet */
	ns = net_build(&b, 3, 88);
	ns->counters.listen_overflows = 100;
	listener(ns, 7, "0.0.0.0:80", 8, 10);
	net_build_owner(listener(ns, 8, "0.0.0.0:443", 128, 90), 88, "nginx");
	window_build_task(&b, 88, 88, "nginx")->last.state = 'T';
	b.tasks.v[0].stopped = b.tasks.v[0].looks;
	CHECK(tune_window(window_build_done(&b), &result) == 0);
	CHECK_U64(result.nets.n, 2);
	if (result.nets.n != 2)
		return;
	const struct tune_net *own = &result.nets.v[0], *theirs = &result.nets.v[1];
	CHECK(own->pid == 0 && own->listener.name[0] == '\0' && own->enter[0] == '\0');
	CHECK(own->nports_below == 1 && own->ports_below[0] == 15672);
	CHECK(theirs->pid == 88 && theirs->inode == 3);
	CHECK_STR(theirs->enter, "nsenter -t 88 -n ");
	CHECK_U64(theirs->listen_overflows.grown, 100);
	CHECK_STR(theirs->listener.name, "0.0.0.0:443");
	CHECK_STR(theirs->listener.comm, "nginx");
	CHECK_NEAR(theirs->listener.backlog, 128, 0);
	CHECK_NEAR(theirs->listener.refused, 90, 0);
	CHECK(theirs->listener.shut);
	end();
}

static void test_receivers_and_disks(void)
{
	struct net_ns *ns;
	struct disk *d;

	begin();
	ns = net_build(&b, 1, 0);
	net_build_socket(ns, SOCKET_UDP, 1, "0.0.0.0:53", "")->drops = 5;
	struct socket *s = net_build_socket(ns, SOCKET_UDP, 2, "0.0.0.0:514", "");
	s->drops = 500;
	s->receive_buffer_bytes = 212992;
	d = vec_push(&b.first.disks);
	*d = (struct disk){ .major = 8, .name = "sda" };
	d = vec_push(&b.last.disks);
	*d = (struct disk){ .major = 8, .name = "sda", .rotational = true, .reads = 100, .read_bytes = 409600,
			    .read_ns = NS_PER_S, .busy_ns = NS_PER_S };
	CHECK(tune_window(window_build_done(&b), &result) == 0);
	CHECK_STR(result.seen.receiver.name, "0.0.0.0:514");
	CHECK_NEAR(result.seen.receiver.buffer_bytes, 212992, 0);
	CHECK_U64(result.disks.n, 1);
	CHECK_NEAR(result.disks.v[0].reads, 50, 1e-9);
	CHECK_NEAR(result.disks.v[0].busy, 0.5, 1e-9);
	CHECK_NEAR(result.disks.v[0].read_s, 0.01, 1e-9);
	CHECK(result.disks.v[0].rotational);
	/* Looked at again, as the doctor does: nothing is told twice. */
	CHECK(tune_window(&b.window, &result) == 0);
	CHECK(result.disks.n == 1 && result.nets.n == 1);
	end();
}

static void test_growth(void)
{
	static struct tune_snapshot before, after;
	struct tune_evidence e = { .seconds = 99 };

	after.at.mono_ns = 4 * NS_PER_S;
	before.backlog_drops = 10;
	after.backlog_drops = 25;
	before.squeezes = READING_ABSENT;
	after.squeezes = 5;
	before.oom_kills = 5;
	after.oom_kills = 3; /* ran backwards */
	tune_growth(&before, &after, &e);
	CHECK_NEAR(e.seconds, 4, 1e-9);
	CHECK_U64(e.backlog_drops.total, 25);
	CHECK_U64(e.backlog_drops.grown, 15);
	CHECK_U64(e.squeezes.total, 5);
	CHECK(e.squeezes.grown == READING_ABSENT);
	CHECK(e.oom_kills.grown == READING_MALFORMED);
}

int main(void)
{
	test_roles();
	test_roles_show_what_matters();
	test_processes();
	test_listeners();
	test_receivers_and_disks();
	test_growth();
	return check_exit();
}
