/* /proc/net: packet and netlink sockets, and the others where sock_diag does not tell of them. */
#include <errno.h>
#include <linux/net.h>
#include <sys/socket.h>

#include "source/network/socket_table.h"

static int push(struct socket_table *t, const struct socket_row *s)
{
	struct socket_row *row;

	if (t->rows.n >= SOCKET_TABLE_MAX) {
		t->skipped++;
		return 0;
	}
	row = vec_push(&t->rows);
	if (!row)
		return -ENOMEM;
	*row = *s;
	return 0;
}

/* The next `n` words of a line as numbers, in the bases given: 10, 16, or 0 for a word that is none. */
static bool take_words(struct span *line, const uint8_t *bases, size_t n, uint64_t *ret)
{
	for (size_t i = 0; i < n; i++) {
		struct span word;

		if (!span_word(line, &word))
			return false;
		ret[i] = 0;
		if (bases[i] && !(bases[i] == 16 ? span_hex(word, &ret[i]) : span_u64(word, &ret[i])))
			return false;
	}
	return true;
}

/* "sk RefCnt Type Proto Iface R Rmem User Inode" */
int socket_table_parse_packet(struct span text, struct socket_table *ret)
{
	enum { TYPE = 2, ETHERTYPE, INTERFACE, RUNNING, MEMORY, USER, INODE, WORDS };
	static const uint8_t bases[WORDS] = { 0, 10, 10, 16, 10, 10, 10, 10, 10 };
	struct span line;
	uint64_t v[WORDS];

	while (span_line(&text, &line)) {
		if (!take_words(&line, bases, WORDS, v))
			continue; /* the header */
		struct socket_row s = {
			.protocol = PROTOCOL_PACKET,
			.family = AF_PACKET,
			.type = (uint8_t)v[TYPE],
			.state = STATE_CLOSED,
			.number = (uint32_t)v[ETHERTYPE],
			.interface = (uint32_t)v[INTERFACE],
			.receive_queue = (uint32_t)v[MEMORY],
			.has_queues = true,
			.uid = (uint32_t)v[USER],
			.has_uid = true,
			.inode = (uint32_t)v[INODE],
		};
		if (push(ret, &s) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode"; Dump was a pointer before 3.7. Sockets
 * of the kernel itself have address 0: nobody on this side holds them. */
int socket_table_parse_netlink(struct span text, struct socket_table *ret)
{
	enum { FAMILY = 1, ADDRESS, GROUPS, RECEIVE, SEND, DUMP, LOCKS, DROPS, INODE, WORDS };
	static const uint8_t bases[WORDS] = { 0, 10, 10, 16, 10, 10, 0, 10, 10, 10 };
	struct span line;
	uint64_t v[WORDS];

	while (span_line(&text, &line)) {
		if (!take_words(&line, bases, WORDS, v))
			continue;
		struct socket_row s = {
			.protocol = PROTOCOL_NETLINK,
			.family = AF_NETLINK,
			.state = STATE_CLOSED,
			.number = (uint32_t)v[FAMILY],
			.port_id = (uint32_t)v[ADDRESS],
			.receive_queue = (uint32_t)v[RECEIVE],
			.send_queue = (uint32_t)v[SEND],
			.has_queues = true,
			.inode = (uint32_t)v[INODE],
			.memory = { [SOCKET_MEMORY_drops] = (uint32_t)v[DROPS] },
		};
		if (push(ret, &s) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* "0100007F:1F90", "00000000000000000000000001000000:0035": words of the address as the machine holds them. */
static bool take_address(struct span *line, uint8_t family, uint32_t *ret_address, uint16_t *ret_port)
{
	size_t words = family == AF_INET6 ? 4 : 1;
	struct span word, address;
	uint64_t v;

	if (!span_word(line, &word) || !span_until(&word, ':', &address) || address.n != words * 8)
		return false;
	for (size_t i = 0; i < words; i++) {
		if (!span_hex((struct span){ address.p + i * 8, 8 }, &v))
			return false;
		ret_address[i] = (uint32_t)v;
	}
	if (!span_hex(word, &v) || v > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)v;
	return true;
}

/* "00000001:00000002", hexadecimal. */
static bool take_pair(struct span *line, uint64_t *ret_first, uint64_t *ret_second)
{
	struct span word, first;

	return span_word(line, &word) && span_until(&word, ':', &first) && span_hex(first, ret_first) &&
	       span_hex(word, ret_second);
}

static bool asked_for(const struct socket_query *query, const struct socket_row *s)
{
	if (query->port && s->protocol != PROTOCOL_UNIX && s->local_port != query->port && s->remote_port != query->port)
		return false;
	return s->state < 32 && query->states >> s->state & 1;
}

/* "sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …": the numbers
 * before `uid` are hexadecimal; timers count in hundredths of a second. */
static bool take_inet_line(struct span line, enum socket_protocol protocol, uint8_t family, struct socket_row *ret)
{
	enum { RETRIES, UID, TIMEOUT, INODE, WORDS };
	static const uint8_t state_base[] = { 16 }, bases[WORDS] = { 16, 10, 10, 10 };
	uint64_t send, receive, timer, left, state, v[WORDS];
	struct span number;
	struct socket_row s = { .protocol = (uint8_t)protocol, .family = family };

	if (!span_word(&line, &number) || !take_address(&line, family, s.local, &s.local_port) ||
	    !take_address(&line, family, s.remote, &s.remote_port) || !take_words(&line, state_base, 1, &state) ||
	    !take_pair(&line, &send, &receive) || !take_pair(&line, &timer, &left) || !take_words(&line, bases, WORDS, v))
		return false;
	s.state = (uint8_t)(state < STATE_COUNT ? state : 0);
	s.timer = (uint8_t)(timer < 5 ? timer : 0);
	s.timer_ms = s.timer ? (uint32_t)left * 10 : 0;
	s.timer_tries = (uint8_t)v[RETRIES];
	s.send_queue = (uint32_t)send;
	s.receive_queue = (uint32_t)receive;
	s.has_queues = true;
	s.uid = (uint32_t)v[UID];
	s.inode = (uint32_t)v[INODE];
	s.has_uid = s.inode != 0;
	*ret = s;
	return true;
}

int socket_table_parse_inet(struct span text, enum socket_protocol protocol, uint8_t family,
			    const struct socket_query *query, struct socket_table *ret)
{
	struct socket_row s;
	struct span line;

	while (span_line(&text, &line))
		if (take_inet_line(line, protocol, family, &s) && asked_for(query, &s) && push(ret, &s) < 0)
			return -ENOMEM;
	return 0;
}

/* The kernel's states of struct socket, and its flag of listeners (__SO_ACCEPTCON). */
static uint8_t unix_state(uint64_t state, uint64_t flags)
{
	if (flags & 1 << 16)
		return STATE_LISTEN;
	return state == SS_CONNECTED ? STATE_ESTABLISHED : STATE_CLOSED;
}

/* "Num RefCount Protocol Flags Type St Inode Path"; a path may hold blanks, and a newline in it makes
 * a line that is none. "@" begins an abstract name. */
int socket_table_parse_unix(struct span text, const struct socket_query *query, struct socket_table *ret)
{
	enum { FLAGS = 3, TYPE, STATE, INODE, WORDS };
	static const uint8_t bases[WORDS] = { 0, 16, 16, 16, 16, 16, 10 };
	struct span line;
	uint64_t v[WORDS];

	while (span_line(&text, &line)) {
		if (!take_words(&line, bases, WORDS, v))
			continue;
		struct span path = span_trim(line);
		struct socket_row s = {
			.protocol = PROTOCOL_UNIX,
			.family = AF_UNIX,
			.type = (uint8_t)v[TYPE],
			.state = unix_state(v[STATE], v[FLAGS]),
			.inode = (uint32_t)v[INODE],
			.name_at = (uint32_t)ret->names.n,
			.name_n = (uint16_t)(path.n < 200 ? path.n : 200),
		};
		if (!asked_for(query, &s) || ret->names.n > UINT32_MAX - 256)
			continue;
		if (buf_append(&ret->names, path.p, s.name_n) < 0 || push(ret, &s) < 0)
			return -ENOMEM;
	}
	return 0;
}
