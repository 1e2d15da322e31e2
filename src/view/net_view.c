#include "view/net_view.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "view/net_state.h"

/* ---- pairs of now and before ---- */

static const struct interface *interface_before(const struct net_state *s, const char *name)
{
	if (!s->span.since_boot)
		vec_each(i, &s->before.interfaces)
			if (strcmp(i->name, name) == 0)
				return i;
	return NULL;
}

static const struct link *link_named(const link_vec *links, const char *name)
{
	vec_each(l, links)
		if (strcmp(l->name, name) == 0)
			return l;
	return NULL;
}

/* Handles of disciplines that nobody named are all 0: they are told apart by their parent. */
static const struct qdisc *same_qdisc(const qdisc_vec *in, const struct qdisc *q)
{
	vec_each(other, in)
		if (other->interface == q->interface && other->handle == q->handle && other->parent == q->parent &&
		    strcmp(other->kind, q->kind) == 0)
			return other;
	return NULL;
}

static const struct qdisc *qdisc_before(const struct net_state *s, const struct qdisc *q)
{
	return s->span.since_boot ? NULL : same_qdisc(&s->before.qdiscs, q);
}

/* "noqueue" counts nothing. */
static const struct qdisc *root_of(const struct net_state *s, const struct link *l)
{
	if (l)
		vec_each(q, &s->now.qdiscs)
			if (q->interface == l->index && qdisc_is_root(q) && strcmp(q->kind, "noqueue") != 0)
				return q;
	return NULL;
}

/* ---- rows ---- */

static int make_interfaces(struct net_state *s)
{
	s->interfaces.n = 0;
	vec_each(i, &s->now.interfaces) {
		struct interface_row *row = vec_push(&s->interfaces);

		if (!row)
			return -ENOMEM;
		const struct link *l = link_named(&s->now.links, i->name);
		*row = (struct interface_row){ .state = s, .now = i, .before = interface_before(s, i->name), .link = l,
					       .qdisc = root_of(s, l) };
		row->qdisc_before = row->qdisc ? qdisc_before(s, row->qdisc) : NULL;
	}
	return 0;
}

/* As tc writes them: "8001:", "8001:2". */
static void put_handle(uint32_t handle, char *ret, size_t size)
{
	if (handle & 0xffff)
		snprintf(ret, size, "%x:%x", handle >> 16, handle & 0xffff);
	else
		snprintf(ret, size, "%x:", handle >> 16);
}

static int make_qdiscs(struct net_state *s)
{
	s->qdiscs.n = 0;
	vec_each(q, &s->now.qdiscs) {
		const struct link *l = link_find(&s->now.links, q->interface);
		struct qdisc_row *row = vec_push(&s->qdiscs);

		if (!row)
			return -ENOMEM;
		*row = (struct qdisc_row){ .state = s, .now = q, .before = qdisc_before(s, q) };
		if (l)
			snprintf(row->interface, sizeof row->interface, "%s", l->name);
		else
			snprintf(row->interface, sizeof row->interface, "%u", q->interface);
		put_handle(q->handle, row->handle, sizeof row->handle);
		if (q->ingress || qdisc_is_root(q))
			snprintf(row->parent, sizeof row->parent, "%s", q->ingress ? "ingress" : "root");
		else
			put_handle(q->parent, row->parent, sizeof row->parent);
	}
	return 0;
}

static const struct softnet *softnet_before(const struct net_state *s, uint32_t cpu)
{
	if (!s->span.since_boot)
		vec_each(c, &s->before.softnet)
			if (c->cpu == cpu)
				return c;
	return NULL;
}

static int make_softnet(struct net_state *s)
{
	struct softnet_row all = { .state = s, .cpu = "all" };

	s->softnet.n = 0;
	if (s->now.softnet.n == 0)
		return 0;
	if (!vec_push(&s->softnet))
		return -ENOMEM;
	vec_each(c, &s->now.softnet) {
		const struct softnet *before = softnet_before(s, c->cpu);
		struct softnet_row *row = vec_push(&s->softnet);

		if (!row)
			return -ENOMEM;
		*row = (struct softnet_row){
			.state = s,
			.processed = reading_delta(before ? before->processed : 0, c->processed),
			.dropped = reading_delta(before ? before->dropped : 0, c->dropped),
			.squeezed = reading_delta(before ? before->time_squeeze : 0, c->time_squeeze),
		};
		snprintf(row->cpu, sizeof row->cpu, "%u", c->cpu);
		all.processed = reading_sum(all.processed, row->processed);
		all.dropped = reading_sum(all.dropped, row->dropped);
		all.squeezed = reading_sum(all.squeezed, row->squeezed);
	}
	s->softnet.v[0] = all;
	return 0;
}

static int make_counters(struct net_state *s)
{
	s->counters.n = 0;
	vec_each(c, &s->now.mib.counters) {
		struct counter_row *row = vec_push(&s->counters);

		if (!row)
			return -ENOMEM;
		*row = (struct counter_row){ s, c, mib_growth(s->span.since_boot ? NULL : &s->before.mib, &s->now.mib, c->name) };
	}
	return 0;
}

/* ---- collecting ---- */

static int read_all(struct net_state *s)
{
	struct net_look *n = &s->now;
	int r = interfaces_read(s->host, 0, &s->scratch, &n->interfaces, &n->interface_presence);

	if (r == 0)
		r = links_read(s->host, 0, 0, &s->scratch, &n->links, &n->link_presence);
	if (r == 0)
		r = link_speeds_read(s->host, &s->scratch, &n->links);
	if (r == 0)
		r = qdiscs_read(s->host, 0, 0, &s->scratch, &n->qdiscs, &n->qdisc_presence);
	if (r == 0)
		r = softnet_read(s->host, &s->scratch, &n->softnet, &n->softnet_presence);
	if (r == 0)
		r = mib_read(s->host, 0, &s->scratch, &n->mib);
	conntrack_read(s->host, &s->scratch, &n->conntrack);
	return r;
}

static int net_look(void *state, struct note *note)
{
	struct net_state *s = state;
	struct net_look old = s->before;

	s->before = s->now;
	s->now = old;
	view_span_next(host_time(s->host), &s->last, &s->span);
	int r = read_all(s);
	if (r == 0 && s->now.interface_presence != PRESENT && s->now.mib.presence != PRESENT)
		return note_set(note, -ENOENT, "/proc/net/dev is %s%s", presence_name(s->now.interface_presence),
				host_is_live(s->host) ? ": is /proc mounted?" : " in this capture");
	if (r == 0)
		r = make_interfaces(s);
	if (r == 0)
		r = make_softnet(s);
	if (r == 0 && s->wants_qdiscs)
		r = make_qdiscs(s);
	if (r == 0 && s->wants_counters)
		r = make_counters(s);
	return r < 0 ? note_set(note, r, "%s", strerror(-r)) : 0;
}

static bool is_column_of(const struct entity *e, const struct column *c)
{
	return c >= e->columns && c < e->columns + e->ncolumns;
}

static int net_open(struct host *h, const struct view_wanted *wanted, const void *options, void **ret_state,
		    struct note *note)
{
	struct net_state *s = calloc(1, sizeof *s);

	(void)options;
	if (!s)
		return note_set(note, -ENOMEM, "out of memory");
	s->host = h;
	vec_each(c, &wanted->columns) {
		s->wants_qdiscs = s->wants_qdiscs || is_column_of(&entity_qdisc, *c);
		s->wants_counters = s->wants_counters || is_column_of(&entity_net_counter, *c);
	}
	*ret_state = s;
	return 0;
}

static void free_look(struct net_look *l)
{
	vec_free(&l->interfaces);
	vec_free(&l->links);
	vec_free(&l->qdiscs);
	vec_free(&l->softnet);
	mib_deinit(&l->mib);
}

static void net_close(void *state)
{
	struct net_state *s = state;

	free_look(&s->now);
	free_look(&s->before);
	vec_free(&s->interfaces);
	vec_free(&s->qdiscs);
	vec_free(&s->softnet);
	vec_free(&s->counters);
	buf_deinit(&s->scratch);
	free(s);
}

static const struct view_span *net_span(const void *state)
{
	return &((const struct net_state *)state)->span;
}

#define ROWS(name, vec)                                        \
	static int name##_rows(void *state, row_vec *ret)      \
	{                                                      \
		struct net_state *s = state;                   \
		int r = 0;                                     \
		vec_each(row, &s->vec)                         \
			r = r < 0 ? r : row_push(ret, row);    \
		return r;                                      \
	}
ROWS(interface, interfaces)
ROWS(qdisc, qdiscs)
ROWS(softnet, softnet)
ROWS(counter, counters)

static int single_row(void *state, row_vec *ret)
{
	return row_push(ret, state);
}

static const struct view_section sections[] = {
	{ .name = "interfaces", .title = "interfaces", .entity = &entity_interface, .rows = interface_rows },
	{ .name = "tcp", .title = "TCP", .entity = &entity_tcp, .single = true, .rows = single_row },
	{ .name = "udp", .title = "UDP", .entity = &entity_udp, .single = true, .rows = single_row },
	{ .name = "ip", .title = "IP, softnet, connection tracking", .entity = &entity_ip, .single = true, .rows = single_row },
	{ .name = "softnet", .title = "softnet by CPU", .entity = &entity_softnet, .on_request = true, .rows = softnet_rows },
	{ .name = "qdiscs", .title = "queue disciplines", .entity = &entity_qdisc, .on_request = true, .rows = qdisc_rows },
	{ .name = "counters", .title = "protocol counters", .entity = &entity_net_counter, .on_request = true, .rows = counter_rows },
};

const struct view view_net = {
	SECTIONS(sections), .open = net_open, .look = net_look, .close = net_close, .span = net_span,
};
