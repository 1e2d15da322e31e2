#include <math.h>
#include <stdio.h>

#include "conditions/conditions.h"
#include "diagnose/evidence.h"
#include "diagnose/network_evidence.h"

#define OVERFLOWS_PER_S 1.0 /* as netdata alarms */
#define OVERFLOWS 2	    /* at least: one is no rate */
#define MOST_FAIL 0.5	    /* of the attempts */
/* A client whose SYN, or last ACK, was dropped sends it again after one second (RFC 6298). */
#define RETRY_S 1.0

struct overflow {
	struct net_span ns;
	double overflows, opened, syn_drops; /* growth over the window */
	double rate;
};

struct full_listener {
	struct socket_span socket;
	double refused; /* by this socket, over the window; NaN: not told */
	struct hold_up_story story;
};

static bool queue_full(const struct socket *s)
{
	return s->receive_queue > s->send_queue; /* as the kernel compares */
}

/* The kernel tells the length of queue and backlog of listeners since 2.6.39 or so, always. */
static bool refuses(const struct overflow *o, const struct full_listener *l, double seconds)
{
	if (!isnan(l->refused))
		return l->refused >= OVERFLOWS && l->refused / seconds > OVERFLOWS_PER_S;
	return o->rate > OVERFLOWS_PER_S && queue_full(l->socket.last);
}

/* Clients that stand still: those in the full queue, and those who wait to try again. */
static double waiting_clients(const struct overflow *o, const struct full_listener *l, double seconds)
{
	double refused = l ? number_or(l->refused, o->overflows) : o->overflows;

	return refused / seconds * RETRY_S + (l && queue_full(l->socket.last) ? l->socket.last->receive_queue : 0);
}

static enum severity severity_of(const struct overflow *o)
{
	double opened = number_or(o->opened, 0);

	return o->overflows > MOST_FAIL * (o->overflows + opened) ? SEVERITY_CRITICAL : SEVERITY_WARNING;
}

static void add_counters(const struct overflow *o, double seconds, struct finding *f)
{
	finding_evidence(f, "TcpExt ListenOverflows", o->overflows / seconds, "/s", "> 1/s", "%s/net/netstat",
			 o->ns.proc);
	finding_evidence(f, "Tcp PassiveOpens", o->opened / seconds, "/s", "", "%s/net/snmp", o->ns.proc);
	if (o->syn_drops > 0)
		finding_evidence(f, "TcpExt TCPReqQFullDrop", o->syn_drops / seconds, "/s", "> 0: a SYN flood, perhaps",
				 "%s/net/netstat", o->ns.proc);
}

static void add_socket(const struct full_listener *l, double seconds, struct finding *f)
{
	const struct socket *s = l->socket.last;

	finding_evidence(f, "connections waiting for accept", s->receive_queue, "", "> backlog", "sock_diag %s",
			 s->local);
	finding_evidence(f, "backlog", s->send_queue, "", "", "sock_diag %s", s->local);
	finding_evidence(f, "drops", l->refused / seconds, "/s", "> 1/s", "sock_diag %s (SK_MEMINFO_DROPS)", s->local);
	if (l->story.process)
		finding_evidence(f, "CPU time of the owner", l->story.cpus, "CPUs", "", "/proc/%d/stat",
				 l->story.process->pid);
}

static void add_confirm(const struct overflow *o, const struct full_listener *l, struct finding *f)
{
	finding_confirm(f, "%snstat -z TcpExtListenOverflows TcpExtListenDrops; sleep 5; %snstat -z TcpExtListenOverflows "
			"TcpExtListenDrops   # growth since the last call", o->ns.enter, o->ns.enter);
	if (!l) {
		finding_confirm(f, "%sss -tlni   # Recv-Q above Send-Q: that socket's queue is full", o->ns.enter);
		return;
	}
	const char *port = strrchr(l->socket.last->local, ':');
	finding_confirm(f, "%sss -tlnpmi sport = %s   # Recv-Q waits for accept, Send-Q is the backlog, d… in skmem are drops",
			o->ns.enter, port ? port : l->socket.last->local);
	if (!l->story.process)
		return;
	finding_confirm(f, "strace -f -e trace=accept,accept4 -p %d   # how often it accepts, and with what result",
			l->story.process->pid);
	if (l->story.why >= HOLD_UP_LOCK)
		finding_confirm(f, "cat /proc/%d/task/*/stack; gdb -p %d -batch -ex 'thread apply all bt'   # what it does instead",
				l->story.process->pid, l->story.process->pid);
}

/* What would make the owner accept again; the reversible first. */
static void mend_owner(const struct hold_up_story *story, struct finding *f)
{
	int pid = story->process->pid;

	switch (story->why) {
	case HOLD_UP_STOPPED:
		finding_mend(f, "kill -CONT %d   # it should empty its queue at once; undo: kill -STOP %d", pid, pid);
		break;
	case HOLD_UP_NO_FD:
		finding_mend(f, "prlimit --pid %d --nofile=%llu:   # accept should succeed again; undo: the old value %llu", pid,
			     (unsigned long long)story->process->fd_limit * 2,
			     (unsigned long long)story->process->fd_limit);
		break;
	case HOLD_UP_CPU_QUEUE:
	case HOLD_UP_BUSY:
	case HOLD_UP_SLOW:
		finding_mend(f, "renice -n -5 -p $(ls /proc/%d/task)   # helps when others take the CPU from it; "
				"undo: renice -n 0", pid);
		finding_mend(f, "more processes or threads that accept (workers, SO_REUSEPORT): one can no longer keep up");
		break;
	case HOLD_UP_ASLEEP:
	case HOLD_UP_LOCK:
	case HOLD_UP_BLOCKED:
		finding_mend(f, "accept in a thread that does nothing else: this one waits for something else meanwhile");
		break;
	case HOLD_UP_QUOTA:
	case HOLD_UP_UNKNOWN:
		break;
	}
}

static void add_mend(const struct overflow *o, const struct full_listener *l, struct finding *f)
{
	if (l && l->story.process)
		mend_owner(&l->story, f);
	if (l)
		finding_mend(f, "a backlog above %u in its listen() call, and %ssysctl -w net.core.somaxconn=4096 (which caps it): "
			     "bursts then wait instead of failing; no help when it never accepts",
			     l->socket.last->send_queue, o->ns.enter);
	else
		finding_mend(f, "%ssysctl -w net.core.somaxconn=4096   # caps every backlog; counts for sockets that listen anew. "
			     "Undo: the old value", o->ns.enter);
}

static void tell_socket(const struct overflow *o, const struct full_listener *l, double seconds, struct finding *f)
{
	const struct socket *s = l->socket.last;
	char owner[64];

	socket_owner_name(s, owner, sizeof owner);
	finding_title(f, "%s does not accept fast enough: the queue of %s overflows", s->owner_pid ? s->owner_comm : "The server",
		      s->local);
	finding_summary(f,
			"The accept queue of %s holds %u connections, its backlog is %u, and %.1f attempts a second were "
			"dropped%s; each client notices by a delay of a second or more. %s, which listens there, %s.",
			s->local, s->receive_queue, s->send_queue, number_or(l->refused, o->overflows) / seconds,
			o->ns.where, owner, l->story.text);
	actor_socket(&f->culprit, s);
	if (s->owner_pid)
		actor_process(&f->victim, s->owner_pid, s->owner_comm);
	else
		actor_socket(&f->victim, s);
}

static void tell_namespace(const struct window *w, const struct overflow *o, struct finding *f)
{
	finding_title(f, "An accept queue overflows: %.1f connections a second are dropped", o->rate);
	finding_summary(f,
			"%.1f connection attempts a second found the accept queue of their listener full%s, and were dropped. "
			"Which listener cannot be said: %s.",
			o->rate, o->ns.where,
			o->ns.last->sockets_presence == PRESENT ? "none that still listens has dropped any" :
			w->abilities->root ? "the kernel does not list sockets (sock_diag)" : "its sockets need root");
	actor_host(&f->victim);
}

static void report(const struct window *w, const struct overflow *o, struct full_listener *l, struct verdict *v)
{
	struct finding *f = verdict_find(v, severity_of(o), l ? 0.97 : 0.75);

	if (l)
		socket_hold_up(w, l->socket.last, &l->story);
	if (l)
		tell_socket(o, l, w->seconds, f);
	else
		tell_namespace(w, o, f);
	finding_lost(f, waiting_clients(o, l, w->seconds), true);
	add_counters(o, w->seconds, f);
	if (l)
		add_socket(l, w->seconds, f);
	add_confirm(o, l, f);
	add_mend(o, l, f);
}

/* Full at both ends of the window, though nobody new came meanwhile: the next one will be dropped. */
static void report_full(const struct window *w, struct overflow *o, struct full_listener *l, struct verdict *v)
{
	const struct socket *s = l->socket.last;
	struct finding *f = verdict_find(v, SEVERITY_RISK, 0.9);
	char owner[64];

	socket_hold_up(w, s, &l->story);
	socket_owner_name(s, owner, sizeof owner);
	finding_title(f, "The accept queue of %s is full: it will drop the next connection", s->local);
	finding_summary(f, "%u connections wait in the accept queue of %s%s, whose backlog is %u, and stayed there. %s, which "
			"listens there, %s.", s->receive_queue, s->local, o->ns.where, s->send_queue, owner, l->story.text);
	actor_socket(&f->culprit, s);
	actor_socket(&f->victim, s);
	f->exhausted_in_s = 0;
	add_counters(o, w->seconds, f);
	add_socket(l, w->seconds, f);
	add_confirm(o, l, f);
	add_mend(o, l, f);
}

static void look_for_full(const struct window *w, struct overflow *o, struct verdict *v)
{
	struct socket_walk walk = { 0 };
	struct full_listener l = { 0 };

	while (net_span_socket(&o->ns, SOCKET_TCP_LISTEN, &walk, &l.socket)) {
		l.refused = SOCKET_DELTA(&o->ns, &l.socket, drops);
		/* A backlog of 0 is full with one connection; that is how some programs want it. */
		if (l.socket.first && l.socket.last->send_queue > 0 && queue_full(l.socket.first) &&
		    queue_full(l.socket.last))
			report_full(w, o, &l, v);
	}
}

static void judge_listeners(const struct window *w, const struct overflow *o, struct verdict *v)
{
	struct socket_walk walk = { 0 };
	struct full_listener l = { 0 };
	unsigned found = 0;

	while (net_span_socket(&o->ns, SOCKET_TCP_LISTEN, &walk, &l.socket)) {
		l.refused = SOCKET_DELTA(&o->ns, &l.socket, drops);
		if (refuses(o, &l, w->seconds)) {
			report(w, o, &l, v);
			found++;
		}
	}
	if (!found)
		report(w, o, NULL, v);
}

static bool measure(const struct window *w, size_t i, struct overflow *ret)
{
	if (!net_span(w, i, &ret->ns))
		return false;
	ret->overflows = NET_DELTA(&ret->ns, listen_overflows);
	ret->opened = NET_DELTA(&ret->ns, tcp_passive_opens);
	ret->syn_drops = NET_DELTA(&ret->ns, syn_queue_drops);
	ret->rate = ret->overflows / w->seconds;
	return !isnan(ret->overflows);
}

static void rule(const struct window *w, struct verdict *v)
{
	unsigned judged = 0;
	double total = 0;

	for (size_t i = 0; i < w->last->nnet_ns; i++) {
		struct overflow o;

		if (!measure(w, i, &o))
			continue;
		judged++;
		total += o.overflows;
		if (o.overflows >= OVERFLOWS && o.rate > OVERFLOWS_PER_S)
			judge_listeners(w, &o, v);
		else
			look_for_full(w, &o, v);
	}
	if (v->outcome == OUTCOME_FOUND)
		return;
	if (judged == 0)
		verdict_unmeasured(v, "needs ListenOverflows in /proc/net/netstat");
	else
		verdict_clear(v, "ListenOverflows grew by %.0f in %u network namespace%s (> 1/s is a fault)", total, judged,
			      judged == 1 ? "" : "s");
}

/* Connections to the full listener send again what it dropped. */
static bool absorbs(const struct window *w, const struct finding *cause, const struct finding *symptom)
{
	const char *ours = strrchr(cause->culprit.name, ':');
	const char *theirs = strrchr(symptom->culprit.name, ':');

	(void)w;
	return ours && theirs && strcmp(ours, theirs) == 0;
}

static const char *const explains[] = { "tcp_retransmits", NULL };

const struct condition_rule listen_overflow_rule = {
	.title = "A listening socket drops connections",
	.resource = "network",
	.rule = rule,
	.explains = explains,
	.absorbs = absorbs,
};
