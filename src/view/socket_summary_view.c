/* How many sockets there are: ss -s, and each state of TCP.
 *
 * What counters tell is not counted by hand: ESTABLISHED (Tcp CurrEstab counts CLOSE_WAIT with it) and
 * TIME_WAIT, of which there may be 100 000, come from /proc; the other states, of which there are few on a
 * host that is well, are asked of sock_diag by a state mask. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "source/network/net_counters.h"
#include "source/network/socket_counts.h"
#include "source/network/socket_table.h"
#include "view/socket_view.h"

struct protocol_row {
	const struct socket_count *count;
	reading orphans, time_wait, memory_bytes;
};

struct state_row {
	enum socket_state state;
	reading sockets;
};

struct summary_state {
	struct host *host;
	struct buf scratch;
	socket_count_vec counts;
	struct net_counters counters;
	struct socket_table table;
	VEC(struct protocol_row) protocols;
	struct state_row states[STATE_COUNT];
	size_t nstates;
};

/* ---- columns ---- */

#define PROTOCOL ((const struct protocol_row *)row)
static bool is_tcp(const struct protocol_row *row) { return strcmp(row->count->protocol, "tcp") == 0; }
static struct cell if_any(reading r)
{
	return reading_ok(r) ? cell_reading(r) : cell_nothing();
}
static struct cell get_protocol(const void *row) { return cell_text(PROTOCOL->count->protocol); }
static struct cell get_sockets(const void *row) { return cell_reading(PROTOCOL->count->sockets); }
static struct cell get_ipv4(const void *row) { return if_any(PROTOCOL->count->ipv4); }
static struct cell get_ipv6(const void *row) { return if_any(PROTOCOL->count->ipv6); }
static struct cell get_time_wait(const void *row) { return is_tcp(PROTOCOL) ? cell_reading(PROTOCOL->time_wait) : if_any(READING_ABSENT); }
static struct cell get_orphans(const void *row) { return is_tcp(PROTOCOL) ? cell_reading(PROTOCOL->orphans) : if_any(READING_ABSENT); }
static struct cell get_memory(const void *row) { return if_any(PROTOCOL->memory_bytes); }
static struct cell get_pressure(const void *row)
{
	return reading_ok(PROTOCOL->count->memory_pages) ? cell_text(PROTOCOL->count->pressed ? "yes" : "no") : if_any(READING_ABSENT);
}

static const struct column protocol_columns[] = {
	COLUMN(2600, protocol, "PROTOCOL", TEXT, LABEL, get_protocol, 0, "/proc/net/protocols", "protocol; all: every socket of the network namespace; frag: packets under reassembly"),
	COLUMN(2601, sockets, "SOCKETS", COUNT, GAUGE, get_sockets, 0, "/proc/net/protocols sockets", "sockets in use, without those in TIME-WAIT"),
	COLUMN(2602, ipv4, "IPV4", COUNT, GAUGE, get_ipv4, 1, "/proc/net/protocols sockets", "of them: IPv4"),
	COLUMN(2603, ipv6, "IPV6", COUNT, GAUGE, get_ipv6, 1, "/proc/net/protocols sockets", "of them: IPv6"),
	COLUMN(2604, time_wait, "TIME-WAIT", COUNT, GAUGE, get_time_wait, 2, "/proc/net/sockstat tw", "closed, waiting for stray packets"),
	COLUMN(2605, orphans, "ORPHANS", COUNT, GAUGE, get_orphans, 2, "/proc/net/sockstat orphan", "connections that no process holds any more"),
	COLUMN(2606, memory_bytes, "MEMORY", BYTES, GAUGE, get_memory, 2, "/proc/net/protocols memory", "memory of its buffers, of the whole host"),
	COLUMN(2607, memory_pressure, "PRESSED", TEXT, LABEL, get_pressure, 3, "/proc/net/protocols press", "whether its memory is short"),
};

const struct entity entity_socket_count = {
	.name = "socket_count",
	.help = "how many sockets of a protocol there are",
	COLUMNS(protocol_columns),
	.shown = "protocol,sockets,ipv4,ipv6,time_wait,orphans,memory_bytes,memory_pressure",
};

#define STATE ((const struct state_row *)row)
static struct cell get_state(const void *row)
{
	struct socket_row s = { .state = (uint8_t)STATE->state };

	return cell_text(socket_state_name(&s));
}
static struct cell get_count(const void *row) { return cell_reading(STATE->sockets); }
static const struct column state_columns[] = {
	COLUMN(2610, state, "TCP-STATE", TEXT, LABEL, get_state, 0, "sock_diag", "state of TCP, both address families"),
	COLUMN(2611, sockets, "SOCKETS", COUNT, GAUGE, get_count, 0, "Tcp CurrEstab, sockstat tw, sock_diag", "sockets in it"),
};

const struct entity entity_tcp_state = {
	.name = "tcp_state",
	.help = "how many sockets of TCP are in a state",
	COLUMNS(state_columns),
	.shown = "state,sockets",
};

/* ---- collecting ---- */

#define TIMER_TIME_WAIT 3

/* The kernel counts what is left of an orphan in FIN-WAIT-2 as TIME-WAIT; sock_diag tells them apart. */
static reading without_fin_wait_2(const struct summary_state *s, reading time_wait)
{
	if (reading_ok(time_wait))
		vec_each(row, &s->table.rows)
			if (row->state == STATE_FIN_WAIT_2 && row->timer == TIMER_TIME_WAIT && time_wait > 0)
				time_wait--;
	return time_wait;
}

static void count_states(struct summary_state *s, reading *count)
{
	bool told = s->table.presence[PROTOCOL_TCP] == PRESENT;
	reading missing = s->table.presence[PROTOCOL_TCP] == DENIED ? READING_DENIED : READING_ABSENT;

	for (size_t i = 0; i < STATE_COUNT; i++)
		count[i] = told ? 0 : missing;
	if (told)
		vec_each(row, &s->table.rows)
			if (row->state < STATE_COUNT)
				count[row->state]++;
	count[STATE_SYN_RECEIVED] = reading_sum(count[STATE_SYN_RECEIVED], count[STATE_NEW_SYN_RECEIVED]);
	count[STATE_TIME_WAIT] = without_fin_wait_2(s, s->counters.tcp_time_wait);
	reading both = s->counters.tcp_established, closing = count[STATE_CLOSE_WAIT];
	if (reading_ok(both) && reading_ok(closing)) /* the two are not read at one moment */
		count[STATE_ESTABLISHED] = both > closing ? both - closing : 0;
	else
		count[STATE_ESTABLISHED] = reading_ok(both) ? closing : both;
}

static int make_rows(struct summary_state *s)
{
	static const enum socket_state order[] = {
		STATE_LISTEN, STATE_ESTABLISHED, STATE_SYN_SENT, STATE_SYN_RECEIVED, STATE_FIN_WAIT_1, STATE_FIN_WAIT_2,
		STATE_CLOSE_WAIT, STATE_LAST_ACK, STATE_CLOSING, STATE_TIME_WAIT,
	};
	reading count[STATE_COUNT];
	long page = sysconf(_SC_PAGESIZE);

	s->protocols.n = 0;
	vec_each(c, &s->counts) {
		struct protocol_row *row = vec_push(&s->protocols);

		if (!row)
			return -ENOMEM;
		*row = (struct protocol_row){
			c, s->counters.tcp_orphans, s->counters.tcp_time_wait,
			reading_ok(c->memory_pages) ? c->memory_pages * (uint64_t)page : c->memory_pages,
		};
	}
	count_states(s, count);
	s->nstates = sizeof order / sizeof order[0];
	for (size_t i = 0; i < s->nstates; i++)
		s->states[i] = (struct state_row){ order[i], count[order[i]] };
	return 0;
}

static int summary_look(void *state, struct note *note)
{
	static const struct socket_query few = {
		.protocols = 1u << PROTOCOL_TCP,
		.states = STATES_ALL & ~(1u << STATE_ESTABLISHED | 1u << STATE_TIME_WAIT | 1u << STATE_CLOSED),
	};
	struct summary_state *s = state;
	enum presence presence;
	int r = socket_counts_read(s->host, 0, &s->scratch, &s->counts, &presence);

	if (r == 0 && presence != PRESENT)
		return note_set(note, -ENOENT, "/proc/net/protocols is %s%s", presence_name(presence),
				host_is_live(s->host) ? ": is /proc mounted?" : " in this capture");
	net_counters_read(s->host, 0, &s->scratch, &s->counters);
	socket_table_clear(&s->table);
	if (r == 0)
		r = socket_table_read(s->host, &few, 0, 0, &s->scratch, &s->table);
	if (r == 0)
		r = make_rows(s);
	return r < 0 ? note_set(note, r, "%s", strerror(-r)) : 0;
}

static int summary_open(struct host *h, const struct view_wanted *wanted, const void *options, void **ret_state,
			struct note *note)
{
	struct summary_state *s = calloc(1, sizeof *s);

	(void)wanted, (void)options;
	if (!s)
		return note_set(note, -ENOMEM, "out of memory");
	s->host = h;
	*ret_state = s;
	return 0;
}

reading socket_summary_total(const void *state)
{
	const struct summary_state *s = state;

	return s->counts.n && strcmp(s->counts.v[0].protocol, "all") == 0 ? s->counts.v[0].sockets : READING_ABSENT;
}

static void summary_close(void *state)
{
	struct summary_state *s = state;

	vec_free(&s->counts);
	vec_free(&s->protocols);
	socket_table_deinit(&s->table);
	buf_deinit(&s->scratch);
	free(s);
}

/* Without the many protocols that nobody here uses. */
static int protocol_rows(void *state, row_vec *ret)
{
	struct summary_state *s = state;
	int r = 0;

	vec_each(row, &s->protocols)
		if (r == 0 && (row - s->protocols.v < 5 || row->count->sockets != 0))
			r = row_push(ret, row);
	return r;
}

static int state_rows(void *state, row_vec *ret)
{
	struct summary_state *s = state;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->nstates; i++)
		r = row_push(ret, &s->states[i]);
	return r;
}

static const struct view_section sections[] = {
	{ .name = "protocols", .title = "sockets", .entity = &entity_socket_count, .rows = protocol_rows },
	{ .name = "states", .title = "TCP by state", .entity = &entity_tcp_state, .rows = state_rows },
};

const struct view view_socket_summary = {
	SECTIONS(sections), .open = summary_open, .look = summary_look, .close = summary_close,
};
