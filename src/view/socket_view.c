#include "view/socket_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"
#include "source/network/link.h"
#include "source/network/socket_holder.h"
#include "source/network/socket_table.h"
#include "view/socket_row.h"

/* ---- texts ---- */

static int put_port(const struct socket_row *s, bool remote, struct buf *ret)
{
	uint16_t port = remote ? s->remote_port : s->local_port;

	return port ? buf_printf(ret, ":%u", port) : buf_append(ret, ":*", 2);
}

/* The device that it is bound to, by name where it is one of our own namespace. */
static int put_device(struct sockets_state *state, const struct socket_row *s)
{
	const struct link *link = s->net_ns == state->own_ns ? link_find(&state->links, s->interface) : NULL;

	if (link)
		return buf_printf(&state->texts, "%s", link->name);
	return buf_printf(&state->texts, "%u", s->interface);
}

static int put_inet(struct sockets_state *state, const struct socket_row *s, bool remote)
{
	char address[SOCKET_ADDRESS_SIZE];
	int r;

	socket_address_text(s, remote, address);
	r = buf_append(&state->texts, address, strlen(address));
	if (r == 0 && !remote && s->interface) {
		r = buf_append(&state->texts, "%", 1);
		r = r < 0 ? r : put_device(state, s);
	}
	return r < 0 ? r : put_port(s, remote, &state->texts);
}

/* A path, "@name" of an abstract one; nothing for a socket without a name. */
static int put_unix_name(struct sockets_state *state, const struct socket_row *s)
{
	struct span name = socket_name(&state->table, s);
	int r = 0;

	if (name.n && name.p[0] == '\0') {
		r = buf_append(&state->texts, "@", 1);
		name.p++, name.n--;
	}
	return r < 0 ? r : buf_append(&state->texts, name.p, strnlen(name.p, name.n));
}

static const struct socket_row *peer_of(const struct sockets_state *state, const struct socket_row *s)
{
	uint32_t at = s->peer_inode ? map_get(&state->by_inode, s->peer_inode) : MAP_NONE;

	return at == MAP_NONE ? NULL : &state->table.rows.v[at];
}

static int put_local(struct sockets_state *state, const struct socket_row *s)
{
	switch (s->protocol) {
	case PROTOCOL_UNIX:
		return put_unix_name(state, s);
	case PROTOCOL_PACKET:
		return s->interface ? put_device(state, s) : 0;
	case PROTOCOL_NETLINK:
		return 0;
	default:
		return put_inet(state, s, false);
	}
}

static int put_remote(struct sockets_state *state, const struct socket_row *s)
{
	if (s->protocol == PROTOCOL_UNIX) {
		const struct socket_row *peer = peer_of(state, s);
		return peer ? put_unix_name(state, peer) : 0;
	}
	return s->protocol < PROTOCOL_UNIX ? put_inet(state, s, true) : 0;
}

/* ---- growth ---- */

/* Cookies tell sockets of one namespace apart; older kernels count in each from the start. */
static uint64_t socket_key(const struct socket_row *s)
{
	uint64_t key = s->cookie ^ s->net_ns << 40;

	return key ? key : 1;
}

static int index_before(struct sockets_state *state)
{
	struct socket_table *t = &state->before;
	int r = 0;

	map_clear(&state->by_key);
	for (size_t i = 0; r == 0 && i < t->rows.n; i++)
		if (t->rows.v[i].cookie)
			r = map_set(&state->by_key, socket_key(&t->rows.v[i]), (uint32_t)i);
	return r;
}

reading sockets_growth(const struct socket_view_row *row, enum socket_tcp_field field)
{
	const struct sockets_state *state = row->state;
	reading now = socket_tcp_figure(&state->table, row->socket, field);

	if (!reading_ok(now))
		return now;
	/* A connection that was not there has grown from nothing. */
	return reading_delta(row->before ? socket_tcp_figure(&state->before, row->before, field) : 0, now);
}

/* ---- collecting ---- */

static int make_row(struct sockets_state *state, const struct socket_row *s)
{
	struct socket_view_row *row = vec_push(&state->rows);
	int r;

	if (!row)
		return -ENOMEM;
	*row = (struct socket_view_row){ .state = state, .socket = s, .local_at = (uint32_t)state->texts.n };
	r = put_local(state, s);
	row->remote_at = (uint32_t)state->texts.n;
	if (r == 0)
		r = put_remote(state, s);
	row->text_end = (uint32_t)state->texts.n;
	if (state->span.looks > 1 && s->cookie) {
		uint32_t at = map_get(&state->by_key, socket_key(s));
		row->before = at == MAP_NONE ? NULL : &state->before.rows.v[at];
	}
	if (state->wants_holders && s->inode)
		row->holder = socket_holders_find(&state->holders, s->inode, &row->nholders);
	return r;
}

static int make_rows(struct sockets_state *state)
{
	int r = 0;

	state->rows.n = 0;
	buf_clear(&state->texts);
	if (vec_reserve(&state->rows, state->table.rows.n) < 0)
		return -ENOMEM;
	vec_each(s, &state->table.rows)
		r = r < 0 ? r : make_row(state, s);
	return r;
}

/* Names of devices that sockets are bound to, peers of UNIX sockets: only where there are any. */
static int look_up(struct sockets_state *state)
{
	enum presence presence;
	bool bound = false;
	int r = 0;

	map_clear(&state->by_inode);
	for (size_t i = 0; r == 0 && i < state->table.rows.n; i++) {
		const struct socket_row *s = &state->table.rows.v[i];

		bound = bound || s->interface;
		if (s->protocol == PROTOCOL_UNIX && s->inode)
			r = map_set(&state->by_inode, s->inode, (uint32_t)i);
	}
	state->links.n = 0;
	if (r == 0 && bound)
		r = links_read(state->host, 0, 0, &state->scratch, &state->links, &presence);
	return r;
}

static int read_namespaces(struct sockets_state *state)
{
	int r = net_namespaces_read(state->host, &state->scratch, &state->namespaces, &state->hidden);

	state->own_ns = r == 0 && state->namespaces.n && state->namespaces.v[0].pid == 0 ?
				state->namespaces.v[0].inode :
				0;
	return r;
}

static int read_tables(struct sockets_state *state, struct note *note)
{
	struct socket_table *t = &state->table;
	int r;

	socket_table_clear(t);
	state->refused = 0;
	if (!state->options.all_namespaces) {
		state->own_ns = 0;
		return socket_table_read(state->host, &state->query, 0, 0, &state->scratch, t);
	}
	r = read_namespaces(state);
	if (r < 0)
		return note_set(note, r, "cannot look for network namespaces in /proc: %s", strerror(-r));
	vec_each(ns, &state->namespaces) {
		r = socket_table_read(state->host, &state->query, ns->inode, ns->pid, &state->scratch, t);
		if (r == -ENOMEM)
			return r;
		bool refused = false;
		for (size_t p = 0; p < PROTOCOL_COUNT; p++)
			refused = refused || t->presence[p] == DENIED;
		state->refused += refused;
	}
	return 0;
}

/* Sockets are worth showing without them. */
static int read_holders(struct sockets_state *state)
{
	int r = socket_holders_read(state->host, &state->scratch, &state->holders, &state->denied);

	state->holders_missing = r < 0 ? reading_from_errno(r) : 0;
	return r == -ENOMEM ? r : 0;
}

/* Nothing at all was told: better to say why than to show an empty table. */
static int check_presence(const struct sockets_state *state, struct note *note)
{
	for (enum socket_protocol p = 0; p < PROTOCOL_COUNT; p++) {
		enum presence presence = state->table.presence[p];

		if (!(state->query.protocols >> p & 1) || presence == PRESENT)
			continue;
		if (state->table.rows.n == 0 && p <= PROTOCOL_RAW)
			return host_is_live(state->host) ?
				       note_set(note, -ENOENT, "there is nothing to list: sock_diag (%s): %s; see 'osprey sources'",
						socket_protocol_name(p), strerror(-state->table.error[p])) :
				       note_set(note, -ENOENT, "this capture has no sockets: it was not taken with osprey sockets --capture");
	}
	return 0;
}

void socket_view_gaps(const void *arg, struct socket_view_gaps *ret)
{
	const struct sockets_state *state = arg;

	*ret = (struct socket_view_gaps){
		.skipped = state->table.skipped,
		.namespaces_refused = state->options.all_namespaces ? state->refused : 0,
		.processes_hidden = state->options.all_namespaces ? state->hidden : 0,
	};
}

static int sockets_look(void *arg, struct note *note)
{
	struct sockets_state *state = arg;
	struct socket_table old = state->before;
	int r;

	state->before = state->table;
	state->table = old;
	view_span_next(host_time(state->host), &state->last, &state->span);
	r = index_before(state);
	if (r == 0)
		r = read_tables(state, note);
	if (r == 0 && state->wants_holders)
		r = read_holders(state);
	if (r == 0)
		r = look_up(state);
	if (r == 0)
		r = make_rows(state);
	if (r < 0)
		return note && note->text[0] ? r : note_set(note, r, "%s", strerror(-r));
	return check_presence(state, note);
}

/* ---- which of it is wanted ---- */

static bool is_column_of(const struct entity *e, const struct column *c)
{
	return c >= e->columns && c < e->columns + e->ncolumns;
}

static void want(struct sockets_state *state, const struct column *c)
{
	unsigned inet = 1u << PROTOCOL_TCP | 1u << PROTOCOL_UDP | 1u << PROTOCOL_RAW;

	if (is_column_of(&entity_socket, c))
		state->query.protocols |= state->options.protocols & inet;
	if (is_column_of(&entity_unix_socket, c))
		state->query.protocols |= 1u << PROTOCOL_UNIX;
	if (is_column_of(&entity_packet_socket, c))
		state->query.protocols |= 1u << PROTOCOL_PACKET;
	if (is_column_of(&entity_netlink_socket, c))
		state->query.protocols |= 1u << PROTOCOL_NETLINK;
	if (!strncmp(c->source, "/proc/PID/fd", 12))
		state->wants_holders = true;
	if (strcmp(c->source, "sock_diag") != 0 && strncmp(c->source, "/proc", 5) != 0)
		state->query.details = true;
}

static int sockets_open(struct host *h, const struct view_wanted *wanted, const void *options, void **ret_state,
			struct note *note)
{
	struct sockets_state *state = calloc(1, sizeof *state);

	if (!state)
		return note_set(note, -ENOMEM, "out of memory");
	state->host = h;
	state->options = *(const struct socket_view_options *)options;
	state->query.states = state->options.states;
	state->query.port = state->options.port;
	vec_each(c, &wanted->columns)
		want(state, *c);
	/* Words are sought in commands, too. */
	if (state->options.nwords)
		state->wants_holders = true;
	*ret_state = state;
	if (view_wants_named(wanted, "user") && user_names_new(h, &state->users) < 0)
		return note_set(note, -ENOMEM, "out of memory");
	return 0;
}

static void sockets_close(void *arg)
{
	struct sockets_state *state = arg;

	socket_table_deinit(&state->table);
	socket_table_deinit(&state->before);
	map_deinit(&state->by_key);
	map_deinit(&state->by_inode);
	vec_free(&state->rows);
	vec_free(&state->holders);
	vec_free(&state->links);
	vec_free(&state->namespaces);
	user_names_free(state->users);
	buf_deinit(&state->texts);
	buf_deinit(&state->scratch);
	free(state);
}

static const struct view_span *sockets_span(const void *arg)
{
	const struct sockets_state *state = arg;

	return state->span.since_boot ? NULL : &state->span; /* nothing here counts from boot on */
}

/* Sockets that connect to nobody take from anybody, when they have a port. */
static bool is_waiting(const struct socket_row *s)
{
	if (s->state == STATE_LISTEN)
		return true;
	return (s->protocol == PROTOCOL_UDP || s->protocol == PROTOCOL_RAW) && s->local_port && !s->remote_port;
}

static int push_protocols(struct sockets_state *state, unsigned protocols, row_vec *ret)
{
	int r = 0;

	vec_each(row, &state->rows)
		if (r == 0 && protocols >> row->socket->protocol & 1 &&
		    (!state->options.listeners || is_waiting(row->socket)))
			r = row_push(ret, row);
	return r;
}

static int inet_rows(void *state, row_vec *ret)
{
	return push_protocols(state, 1u << PROTOCOL_TCP | 1u << PROTOCOL_UDP | 1u << PROTOCOL_RAW, ret);
}

static int unix_rows(void *state, row_vec *ret)
{
	return push_protocols(state, 1u << PROTOCOL_UNIX, ret);
}

static int packet_rows(void *state, row_vec *ret)
{
	return push_protocols(state, 1u << PROTOCOL_PACKET, ret);
}

static int netlink_rows(void *state, row_vec *ret)
{
	return push_protocols(state, 1u << PROTOCOL_NETLINK, ret);
}

const struct view_section view_section_sockets = { .name = "sockets", .title = "sockets", .entity = &entity_socket, .rows = inet_rows };
const struct view_section view_section_listeners = { .name = "sockets", .title = "listeners", .entity = &entity_listener, .rows = inet_rows };
const struct view_section view_section_socket_rates = { .name = "sockets", .title = "sockets", .entity = &entity_socket_rates, .rows = inet_rows };
const struct view_section view_section_socket_namespaces = { .name = "sockets", .title = "sockets", .entity = &entity_socket_namespaces, .rows = inet_rows };
const struct view_section view_section_unix = { .name = "unix", .title = "UNIX sockets", .entity = &entity_unix_socket, .rows = unix_rows };
const struct view_section view_section_packet = { .name = "packet", .title = "packet sockets", .entity = &entity_packet_socket, .rows = packet_rows };
const struct view_section view_section_netlink = { .name = "netlink", .title = "netlink sockets", .entity = &entity_netlink_socket, .rows = netlink_rows };

const struct view view_socket = {
	.open = sockets_open, .look = sockets_look, .close = sockets_close, .span = sockets_span,
};

/* ---- search words ---- */

static bool holds(struct span text, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= text.n; i++)
		if (strncasecmp(text.p + i, word, n) == 0)
			return true;
	return false;
}

static bool holder_matches(const struct socket_view_row *row, uint64_t number, const char *word)
{
	for (size_t i = 0; i < row->nholders; i++)
		if (word ? holds(span_from(row->holder[i].comm), word) : (uint64_t)row->holder[i].pid == number)
			return true;
	return false;
}

static bool word_matches(const struct socket_view_row *row, const char *word)
{
	const struct socket_row *s = row->socket;
	struct span local = sockets_local(row), remote = sockets_remote(row);
	uint64_t number;

	if (word[0] == ':' && span_u64(span_from(word + 1), &number))
		return s->local_port == number || s->remote_port == number;
	if (span_u64(span_from(word), &number))
		return s->local_port == number || s->remote_port == number || (number && s->inode == number) ||
		       holder_matches(row, number, NULL);
	return holds(local, word) || holds(remote, word) || holds(span_from(socket_state_name(s)), word) ||
	       strcasecmp(socket_protocol_name(s->protocol), word) == 0 || holder_matches(row, 0, word);
}

bool socket_row_matches(const void *row, const struct socket_view_options *options)
{
	for (size_t i = 0; i < options->nwords; i++)
		if (!word_matches(row, options->words[i]))
			return false;
	return true;
}
