/* What a window of the doctor tells tune; pure. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "act/tune_watch.h"
#include "base/clock.h"
#include "diagnose/evidence.h"
#include "diagnose/memory_evidence.h"
#include "diagnose/network_evidence.h"
#include "diagnose/storage_evidence.h"

#define NETS_MAX 8
#define TROUBLE_PER_S 1.0

/* ---- network namespaces ---- */

static struct tune_count counter(const struct net_span *ns, reading first, reading last)
{
	return (struct tune_count){ last, ns->first ? reading_delta(first, last) : READING_ABSENT };
}

#define NET_COUNT(ns, member) \
	counter(ns, (ns)->first ? (ns)->first->counters.member : READING_ABSENT, (ns)->last->counters.member)

static unsigned port_of(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
}

/* Ports that a wider range of local ports would take in, listened to now. */
static void note_port(const struct socket *s, struct tune_net *ret)
{
	unsigned port = port_of(s->local);

	if (port < 10240 || (port >= 32768 && port <= 60999))
		return;
	for (size_t i = 0; i < ret->nports_below; i++)
		if (ret->ports_below[i] == port)
			return;
	if (ret->nports_below < sizeof ret->ports_below / sizeof ret->ports_below[0])
		ret->ports_below[ret->nports_below++] = (uint16_t)port;
}

static void tell_listener(const struct window *w, const struct socket *s, double refused, struct tune_listener *ret)
{
	struct hold_up_story story = { 0 };

	memset(ret, 0, sizeof *ret);
	socket_hold_up(w, s, &story);
	snprintf(ret->name, sizeof ret->name, "%s", s->local);
	snprintf(ret->comm, sizeof ret->comm, "%s", s->owner_comm);
	snprintf(ret->story, sizeof ret->story, "%s", story.why == HOLD_UP_UNKNOWN ? "" : story.text);
	ret->pid = s->owner_pid;
	ret->backlog = s->send_queue;
	ret->queue = s->receive_queue;
	ret->refused = refused;
	ret->shut = story.why == HOLD_UP_STOPPED || story.why == HOLD_UP_NO_FD;
}

static void look_at_listeners(const struct window *w, const struct net_span *ns, struct tune_net *ret)
{
	struct socket_walk walk = { 0 };
	struct socket_span s;
	const struct socket *worst = NULL;
	double most = 0;

	while (net_span_socket(ns, SOCKET_TCP_LISTEN, &walk, &s)) {
		double refused = SOCKET_DELTA(ns, &s, drops);

		note_port(s.last, ret);
		if (isnan(refused)) /* an old kernel: the fullest then */
			refused = s.last->receive_queue > s.last->send_queue ? 1e-9 * s.last->receive_queue : 0;
		if (refused > most) {
			most = refused;
			worst = s.last;
		}
	}
	if (worst)
		tell_listener(w, worst, most < 1e-3 ? NAN : most, &ret->listener);
}

static void look_at_connections(const struct net_span *ns, struct tune_net *ret)
{
	struct socket_walk walk = { 0 };
	struct socket_span s;
	double most = 0;

	ret->rtt_s = NAN;
	while (net_span_socket(ns, SOCKET_TCP, &walk, &s)) {
		double again = SOCKET_DELTA(ns, &s, retransmits);

		if (again > most) {
			most = again;
			ret->rtt_s = reading_value(s.last->rtt_ns) / 1e9;
		}
	}
}

static void look_at_receivers(const struct window *w, const struct net_span *ns, struct tune_receiver *worst)
{
	struct socket_walk walk = { 0 };
	struct socket_span s;

	(void)w;
	while (net_span_socket(ns, SOCKET_UDP, &walk, &s)) {
		double dropped = SOCKET_DELTA(ns, &s, drops);

		if (!(dropped > worst->dropped))
			continue;
		*worst = (struct tune_receiver){ .dropped = dropped, .pid = s.last->owner_pid,
						 .buffer_bytes = reading_value(s.last->receive_buffer_bytes) };
		snprintf(worst->name, sizeof worst->name, "%s", s.last->local);
		snprintf(worst->comm, sizeof worst->comm, "%s", s.last->owner_comm);
		snprintf(worst->where, sizeof worst->where, "%s", ns->where);
	}
}

static void tell_net(const struct window *w, size_t i, struct tune_net *ret, struct tune_receiver *receiver)
{
	struct net_span ns = { .last = &w->last->net_ns[i] };
	const struct net_counters *c = &ns.last->counters;

	memset(ret, 0, sizeof *ret);
	if (!net_span(w, i, &ns))
		ns.first = NULL;
	ret->inode = ns.last->inode;
	ret->pid = ns.last->pid;
	snprintf(ret->where, sizeof ret->where, "%s", ns.where);
	snprintf(ret->enter, sizeof ret->enter, "%s", ns.enter);
	snprintf(ret->proc, sizeof ret->proc, "%s", ns.first ? ns.proc : "/proc");
	ret->listen_overflows = NET_COUNT(&ns, listen_overflows);
	ret->syn_drops = NET_COUNT(&ns, syn_queue_drops);
	ret->syn_cookies = NET_COUNT(&ns, syn_queue_cookies);
	ret->accepted = NET_COUNT(&ns, tcp_passive_opens);
	ret->opened = NET_COUNT(&ns, tcp_active_opens);
	ret->retransmitted = NET_COUNT(&ns, tcp_retransmitted);
	ret->sent = NET_COUNT(&ns, tcp_out_segments);
	ret->time_wait = c->tcp_time_wait;
	ret->established = c->tcp_established;
	ret->orphans = c->tcp_orphans;
	ret->tcp_memory_pages = c->tcp_memory_pages;
	ret->rtt_s = NAN;
	if (!ns.first)
		return;
	look_at_listeners(w, &ns, ret);
	look_at_connections(&ns, ret);
	look_at_receivers(w, &ns, receiver);
}

/* Another namespace is worth a place of its own only when something in it may speak. */
static bool troubled(const struct window *w, const struct tune_net *n)
{
	return tune_grown(n->listen_overflows) / w->seconds > TROUBLE_PER_S ||
	       tune_grown(n->syn_drops) / w->seconds > TROUBLE_PER_S ||
	       reading_value(n->time_wait) + reading_value(n->established) > 20000;
}

static int tell_nets(const struct window *w, struct tune_result *ret)
{
	ret->nets.n = 0;
	for (size_t i = 0; i < w->last->nnet_ns && ret->nets.n < NETS_MAX; i++) {
		struct tune_net n, *kept;

		tell_net(w, i, &n, &ret->seen.receiver);
		if (i > 0 && !troubled(w, &n))
			continue;
		kept = vec_push(&ret->nets);
		if (!kept)
			return -ENOMEM;
		*kept = n;
	}
	return 0;
}

/* ---- disks ---- */

static void tell_disk(const struct window *w, const struct disk *last, struct tune_disk *ret)
{
	const struct disk *first = sample_disk(w->first, last->major, last->minor);

	*ret = (struct tune_disk){ .rotational = last->rotational, .stacked = last->stacked };
	snprintf(ret->name, sizeof ret->name, "%s", last->name);
#define GROWN(member) (first ? reading_value(reading_delta(first->member, last->member)) : NAN)
	double reads = GROWN(reads), writes = GROWN(writes);

	ret->busy = GROWN(busy_ns) / 1e9 / w->seconds;
	ret->queue = GROWN(queue_ns) / 1e9 / w->seconds;
	ret->reads = reads / w->seconds;
	ret->writes = writes / w->seconds;
	ret->read_bytes = GROWN(read_bytes) / w->seconds;
	ret->write_bytes = GROWN(write_bytes) / w->seconds;
	ret->read_s = GROWN(read_ns) / 1e9 / reads;
	ret->write_s = GROWN(write_ns) / 1e9 / writes;
#undef GROWN
}

static int tell_disks(const struct window *w, struct tune_result *ret)
{
	ret->disks.n = 0;
	vec_each(d, &w->last->disks) {
		struct tune_disk *kept = vec_push(&ret->disks);

		if (!kept)
			return -ENOMEM;
		tell_disk(w, d, kept);
	}
	return 0;
}

/* ---- processes ---- */

static void name_user(const struct process_span *p, int32_t *ret_pid, char *ret_comm)
{
	*ret_pid = p->pid;
	memcpy(ret_comm, p->comm, sizeof p->comm);
}

static void tell_descriptors(const struct process_span *p, struct tune_evidence *e)
{
	double open = reading_value(p->fd_count), limit = reading_value(p->fd_limit);

	if (open / limit > e->fd_user.value / e->fd_user.other || (open > 0 && limit > 0 && !e->fd_user.pid)) {
		name_user(p, &e->fd_user.pid, e->fd_user.comm);
		e->fd_user.value = open;
		e->fd_user.other = limit;
	}
}

/* Autogroups hold only tasks of the root cgroup. */
static bool in_root_group(const struct window *w, const struct process_span *p)
{
	const struct cgroup *c = window_cgroup(w, p, TASK_CGROUP_CPU);

	return !c || cgroup_subpath(c)[0] == '\0';
}

static void tell_nice(const struct window *w, const struct process_span *p, struct tune_evidence *e)
{
	double cpus = reading_value(p->cpu_ns) / 1e9 / w->seconds;
	int nice = p->threads ? process_threads(w, p)->last.nice : 0;

	if (nice > 0 && cpus > 0.5 && cpus > e->nice_user.value && in_root_group(w, p)) {
		name_user(p, &e->nice_user.pid, e->nice_user.comm);
		e->nice_user.value = cpus;
		e->nice_user.other = nice;
	}
}

static void tell_stuck(const struct window *w, const struct process_span *p, struct tune_evidence *e)
{
	if (p->kernel_thread || e->stuck.pid || w->task_looks < 3)
		return;
	for (const struct task_span *t = process_threads(w, p); t < process_threads_end(w, p); t++)
		if (t->looks == w->task_looks && t->blocked == t->looks && !t->iowait) {
			name_user(p, &e->stuck.pid, e->stuck.comm);
			e->stuck.value = t->blocked;
			return;
		}
}

/* Who is likely to have the most maps: the largest address space. The count itself is read later. */
static double address_space(const struct window *w, const struct process_span *p)
{
	for (const struct task_span *t = process_threads(w, p); t < process_threads_end(w, p); t++)
		if ((t->last.flags & TASK_IS_LEADER) && reading_ok(t->last.virtual_bytes))
			return (double)t->last.virtual_bytes;
	return 0;
}

static void tell_processes(const struct window *w, int32_t self, struct tune_evidence *e)
{
	double largest = 0;

	memset(&e->fd_user, 0, sizeof e->fd_user);
	e->map_user = e->nice_user = e->stuck = e->fd_user;
	for (size_t i = 0; i < w->nprocesses; i++) {
		const struct process_span *p = &w->processes[i];

		if (p->gone || p->pid == self)
			continue;
		tell_descriptors(p, e);
		tell_nice(w, p, e);
		tell_stuck(w, p, e);
		if (address_space(w, p) > largest) {
			largest = address_space(w, p);
			name_user(p, &e->map_user.pid, e->map_user.comm);
		}
	}
}

/* ---- the host ---- */

static void tell_memory(const struct meminfo *m, struct tune_evidence *e)
{
	e->total_bytes = reading_value(m->total_bytes);
	e->available_bytes = reading_value(m->available_bytes);
	e->cache_bytes = reading_value(reading_sum(m->active_file_bytes, m->inactive_file_bytes));
	e->anon_bytes = reading_value(m->anon_bytes);
	e->swap_total_bytes = reading_value(m->swap_total_bytes);
	e->swap_free_bytes = reading_value(m->swap_free_bytes);
	e->committed_bytes = reading_value(m->committed_bytes);
	e->commit_limit_bytes = reading_value(m->commit_limit_bytes);
	e->slab_reclaimable_bytes = reading_value(m->slab_reclaimable_bytes);
	e->huge_total = reading_value(m->huge_pages_total);
	e->huge_free = reading_value(m->huge_pages_free);
}

static void tell_events(const struct window *w, struct tune_evidence *e)
{
	e->conntrack_full_logged = e->neighbour_full_logged = false;
	for (size_t i = 0; i < w->nevents; i++) {
		if (w->events[i].kind != KERNEL_TABLE_FULL)
			continue;
		if (strstr(w->events[i].text, "conntrack"))
			e->conntrack_full_logged = true;
		else if (strstr(w->events[i].text, "neighbo"))
			e->neighbour_full_logged = true;
	}
}

int tune_window(const struct window *w, struct tune_result *ret)
{
	struct tune_evidence *e = &ret->seen;

	e->seconds = w->seconds;
	e->boot_ns = w->to.boot_ns;
	e->cpus = w->topology->cpus;
	e->nodes = w->topology->nodes;
	e->files_open = reading_value(w->last->file_nr.allocated);
	e->files_max = reading_value(w->last->file_nr.limit);
	memset(&e->receiver, 0, sizeof e->receiver);
	tell_memory(&window_last_tick(w)->memory, e);
	tell_events(w, e);
	tell_processes(w, ret->self, e);
	int r = tell_disks(w, ret);
	return r < 0 ? r : tell_nets(w, ret);
}

void tune_growth(const struct tune_snapshot *before, const struct tune_snapshot *after, struct tune_evidence *e)
{
#define X(member, ...) \
	e->member = (struct tune_count){ after->member, reading_delta(before->member, after->member) };
	TUNE_VMSTAT(X)
	TUNE_NETSTAT(X)
	X(alloc_stalls)
	X(backlog_packets)
	X(backlog_drops)
	X(squeezes)
	X(conntrack_drops)
	X(conntrack_early_drops)
	X(neighbour_overflows)
#undef X
	e->now = *after;
	double seconds = (double)(after->at.mono_ns - before->at.mono_ns) / 1e9;
	if (seconds > 0)
		e->seconds = seconds;
}
