#include <math.h>
#include <stdio.h>

#include "conditions/conditions.h"
#include "diagnose/evidence.h"
#include "diagnose/network_evidence.h"

#define DROPS_PER_S 10.0   /* as netdata alarms */
#define NOTICEABLE 0.001   /* of the datagrams that came: less is a note */
#define MOST_LOST 0.5

struct loss {
	struct net_span ns;
	double dropped, delivered; /* growth over the window, both address families */
	double rate;
};

struct deaf_socket {
	struct socket_span socket;
	double dropped; /* NaN: not told */
	struct hold_up_story story;
};

/* Of the datagrams that came for the readers of this namespace. */
static double share(const struct loss *l, const struct deaf_socket *d)
{
	double dropped = d ? number_or(d->dropped, l->dropped) : l->dropped;

	/* The socket is read a moment later than the counters, and may know of more. */
	return fmin(dropped / (l->dropped + number_or(l->delivered, 0)), 1);
}

static enum severity severity_of(double lost)
{
	if (lost < NOTICEABLE)
		return SEVERITY_NOTE;
	return lost > MOST_LOST ? SEVERITY_CRITICAL : SEVERITY_WARNING;
}

static void add_counters(const struct loss *l, double seconds, struct finding *f)
{
	double v4 = NET_DELTA(&l->ns, udp_receive_buffer_errors), v6 = NET_DELTA(&l->ns, udp6_receive_buffer_errors);

	if (number_or(v4, 0) > 0)
		finding_evidence(f, "Udp RcvbufErrors", v4 / seconds, "datagrams/s", "> 10/s", "%s/net/snmp", l->ns.proc);
	if (number_or(v6, 0) > 0)
		finding_evidence(f, "Udp6RcvbufErrors", v6 / seconds, "datagrams/s", "> 10/s", "%s/net/snmp6", l->ns.proc);
	finding_evidence(f, "Udp InDatagrams, both families", l->delivered / seconds, "datagrams/s", "", "%s/net/snmp",
			 l->ns.proc);
}

static void add_socket(const struct deaf_socket *d, double seconds, struct finding *f)
{
	const struct socket *s = d->socket.last;

	finding_evidence(f, "drops", d->dropped / seconds, "datagrams/s", "> 10/s", "sock_diag %s (SK_MEMINFO_DROPS)",
			 s->local);
	finding_evidence(f, "receive queue", s->receive_queue, "bytes", "", "sock_diag %s", s->local);
	finding_evidence(f, "receive buffer", reading_value(s->receive_buffer_bytes), "bytes", "",
			 "sock_diag %s (SK_MEMINFO_RCVBUF)", s->local);
	if (d->story.process)
		finding_evidence(f, "CPU time of the reader", d->story.cpus, "CPUs", "", "/proc/%d/stat",
				 d->story.process->pid);
}

static void add_confirm(const struct loss *l, const struct deaf_socket *d, struct finding *f)
{
	finding_confirm(f, "%snstat -z UdpRcvbufErrors Udp6RcvbufErrors; sleep 5; %snstat -z UdpRcvbufErrors Udp6RcvbufErrors   "
			"# growth since the last call", l->ns.enter, l->ns.enter);
	if (!d) {
		finding_confirm(f, "%sss -uanpm   # d… in skmem counts what a socket dropped", l->ns.enter);
		return;
	}
	const char *port = strrchr(d->socket.last->local, ':');
	finding_confirm(f, "%sss -uanpm sport = %s   # Recv-Q stays near rb… of skmem, d… (drops) grows", l->ns.enter,
			port ? port : d->socket.last->local);
	if (!d->story.process)
		return;
	finding_confirm(f, "pidstat -u -t -p %d 1   # near 100 %% in one thread: it cannot read faster",
			d->story.process->pid);
	if (d->story.why >= HOLD_UP_LOCK && d->story.why != HOLD_UP_BUSY)
		finding_confirm(f, "cat /proc/%d/task/*/stack; gdb -p %d -batch -ex 'thread apply all bt'   # what it does instead",
				d->story.process->pid, d->story.process->pid);
}

static void mend_reader(const struct hold_up_story *story, struct finding *f)
{
	int pid = story->process->pid;

	switch (story->why) {
	case HOLD_UP_STOPPED:
		finding_mend(f, "kill -CONT %d   # it should read on at once; undo: kill -STOP %d", pid, pid);
		break;
	case HOLD_UP_BUSY:
	case HOLD_UP_CPU_QUEUE:
		finding_mend(f, "renice -n -5 -p $(ls /proc/%d/task)   # helps when others take the CPU from it; "
				"undo: renice -n 0", pid);
		finding_mend(f, "read in more threads (SO_REUSEPORT), or many datagrams a call (recvmmsg)");
		break;
	case HOLD_UP_ASLEEP:
	case HOLD_UP_LOCK:
	case HOLD_UP_BLOCKED:
	case HOLD_UP_SLOW:
		finding_mend(f, "read in a thread that does nothing else: this one waits for something else meanwhile");
		break;
	case HOLD_UP_QUOTA:
	case HOLD_UP_NO_FD:
	case HOLD_UP_UNKNOWN:
		break;
	}
}

/* A larger buffer helps against bursts, never against a reader that is too slow on average. */
static void add_mend(const struct loss *l, const struct deaf_socket *d, struct finding *f)
{
	if (d && d->story.process)
		mend_reader(&d->story, f);
	finding_mend(f, "%ssysctl -w net.core.rmem_max=16777216   # lets the program ask for more by SO_RCVBUF; bursts then wait. "
		     "Undo: the old value", l->ns.enter);
	if (d && reading_ok(d->socket.last->receive_buffer_bytes))
		finding_mend(f, "a larger SO_RCVBUF in the program (now %llu bytes, as the kernel counts): no help when it is too "
			     "slow on average", (unsigned long long)d->socket.last->receive_buffer_bytes);
}

static void tell_socket(const struct loss *l, const struct deaf_socket *d, double seconds, struct finding *f)
{
	const struct socket *s = d->socket.last;
	char owner[64];

	socket_owner_name(s, owner, sizeof owner);
	finding_title(f, "%s reads too slowly: %s drops %.0f datagrams a second", s->owner_pid ? s->owner_comm : "A program",
		      s->local, number_or(d->dropped, l->dropped) / seconds);
	finding_summary(f,
			"%.0f datagrams a second for %s found its receive buffer full and were dropped%s: %.1f %% of what came in. "
			"%s, which reads there, %s.",
			number_or(d->dropped, l->dropped) / seconds, s->local, l->ns.where, 100 * share(l, d), owner,
			d->story.text);
	actor_socket(&f->culprit, s);
	if (s->owner_pid)
		actor_process(&f->victim, s->owner_pid, s->owner_comm);
	else
		actor_socket(&f->victim, s);
}

static void tell_namespace(const struct window *w, const struct loss *l, struct finding *f)
{
	finding_title(f, "UDP receive buffers overflow: %.0f datagrams a second are dropped", l->rate);
	finding_summary(f,
			"%.0f datagrams a second found the receive buffer of their socket full%s and were dropped: %.1f %% of what "
			"came in. Which socket cannot be said: %s.",
			l->rate, l->ns.where, 100 * share(l, NULL),
			l->ns.last->sockets_presence == PRESENT ? "none that is still open has dropped that many" :
			w->abilities->root ? "the kernel does not list sockets (udp_diag)" : "its sockets need root");
	actor_host(&f->victim);
}

static void report(const struct window *w, const struct loss *l, struct deaf_socket *d, struct verdict *v)
{
	struct finding *f = verdict_find(v, severity_of(share(l, d)), d ? 0.97 : 0.75);

	if (d)
		socket_hold_up(w, d->socket.last, &d->story);
	if (d)
		tell_socket(l, d, w->seconds, f);
	else
		tell_namespace(w, l, f);
	/* As if the reader had been away for that share of the time. */
	finding_lost(f, share(l, d), true);
	add_counters(l, w->seconds, f);
	if (d)
		add_socket(d, w->seconds, f);
	add_confirm(l, d, f);
	add_mend(l, d, f);
}

static void judge_sockets(const struct window *w, const struct loss *l, struct verdict *v)
{
	struct socket_walk walk = { 0 };
	struct deaf_socket d = { 0 };
	unsigned found = 0;

	while (net_span_socket(&l->ns, SOCKET_UDP, &walk, &d.socket)) {
		d.dropped = SOCKET_DELTA(&l->ns, &d.socket, drops);
		if (d.dropped / w->seconds > DROPS_PER_S) {
			report(w, l, &d, v);
			found++;
		}
	}
	if (!found)
		report(w, l, NULL, v);
}

static bool measure(const struct window *w, size_t i, struct loss *ret)
{
	if (!net_span(w, i, &ret->ns))
		return false;
	double v4 = NET_DELTA(&ret->ns, udp_receive_buffer_errors), v6 = NET_DELTA(&ret->ns, udp6_receive_buffer_errors);

	ret->dropped = isnan(v4) ? v6 : v4 + number_or(v6, 0); /* a kernel may lack IPv6 */
	ret->delivered = number_or(NET_DELTA(&ret->ns, udp_in), 0) + number_or(NET_DELTA(&ret->ns, udp6_in), 0);
	ret->rate = ret->dropped / w->seconds;
	return !isnan(ret->dropped);
}

static void rule(const struct window *w, struct verdict *v)
{
	unsigned judged = 0;
	double total = 0;

	for (size_t i = 0; i < w->last->nnet_ns; i++) {
		struct loss l;

		if (!measure(w, i, &l))
			continue;
		judged++;
		total += l.dropped;
		if (l.rate > DROPS_PER_S)
			judge_sockets(w, &l, v);
	}
	if (v->outcome == OUTCOME_FOUND)
		return;
	if (judged == 0)
		verdict_unmeasured(v, "needs Udp RcvbufErrors in /proc/net/snmp");
	else
		verdict_clear(v, "RcvbufErrors grew by %.0f in %u network namespace%s (> 10/s is a fault)", total, judged,
			      judged == 1 ? "" : "s");
}

const struct condition_rule udp_buffer_overflow_rule = {
	.title = "A UDP socket drops datagrams",
	.resource = "network",
	.rule = rule,
};
