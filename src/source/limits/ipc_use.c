#include "source/limits/ipc_use.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/map.h"

/* ---- System V ---- */

/* Columns, from 0: shm "key shmid perms size…", sem "key semid perms nsems…", msg "key msqid perms
 * cbytes…": what counts is always the fourth. */
void sysv_use_parse(struct span text, enum sysv_kind kind, struct sysv_use *ret)
{
	struct span line, word;
	uint64_t v, sum = 0, objects = 0;

	*ret = (struct sysv_use){ READING_MALFORMED, READING_MALFORMED, READING_MALFORMED };
	if (!span_line(&text, &line))
		return;
	while (span_line(&text, &line)) {
		bool whole = span_word(&line, &word) && span_word(&line, &word) && span_word(&line, &word) &&
			     span_next_u64(&line, &v);
		if (!whole || __builtin_add_overflow(sum, v, &sum) || !reading_ok(sum))
			return;
		objects++;
	}
	*ret = (struct sysv_use){ objects, kind == SYSV_SEM ? READING_ABSENT : sum,
				  kind == SYSV_SEM ? sum : READING_ABSENT };
}

/* ---- keys ---- */

static bool pair(struct span *line, reading *ret_used, reading *ret_limit)
{
	struct span word, used;
	uint64_t a, b;

	if (!span_word(line, &word) || !span_until(&word, '/', &used) || !span_u64(used, &a) || !span_u64(word, &b) ||
	    !reading_ok(a) || !reading_ok(b))
		return false;
	*ret_used = a;
	*ret_limit = b;
	return true;
}

/* "    0:     9 8/8 3/1000000 40/25000000": usage, keys/instantiated, keys/quota, bytes/quota. */
int key_users_parse(struct span text, key_user_vec *ret)
{
	struct span line, name, word;
	struct key_user u;
	uint64_t uid;

	ret->n = 0;
	while (span_line(&text, &line)) {
		if (!span_until(&line, ':', &name) || !span_u64(span_trim(name), &uid) || uid > UINT32_MAX ||
		    !span_word(&line, &word) || !span_word(&line, &word) || !pair(&line, &u.keys, &u.keys_limit) ||
		    !pair(&line, &u.bytes, &u.bytes_limit))
			continue;
		struct key_user *new = vec_push(ret);
		if (!new)
			return -ENOMEM;
		*new = u;
		new->uid = (uint32_t)uid;
	}
	return 0;
}

/* ---- sockstat, neighbours ---- */

static reading named(struct span line, const char *name)
{
	struct span word;
	uint64_t v;

	while (span_word(&line, &word))
		if (span_is(word, name))
			return span_next_u64(&line, &v) && reading_ok(v) ? v : READING_MALFORMED;
	return READING_ABSENT;
}

void socket_stat_parse(struct span text, struct socket_stat *ret)
{
	struct span line;

	*ret = (struct socket_stat){ READING_ABSENT, READING_ABSENT, READING_ABSENT, READING_ABSENT, READING_ABSENT };
	while (span_line(&text, &line)) {
		if (span_starts(line, "TCP:")) {
			ret->tcp_in_use = named(line, "inuse");
			ret->tcp_orphans = named(line, "orphan");
			ret->tcp_time_wait = named(line, "tw");
			ret->tcp_memory_pages = named(line, "mem");
		} else if (span_starts(line, "UDP:")) {
			ret->udp_memory_pages = named(line, "mem");
		}
	}
}

reading neighbor_entries_parse(struct span text)
{
	struct span line, word;
	uint64_t v;

	if (!span_line(&text, &line) || !span_line(&text, &line) || !span_word(&line, &word) || !span_hex(word, &v))
		return READING_MALFORMED;
	return reading_ok(v) ? v : READING_MALFORMED;
}

/* ---- ports ---- */

struct peer {
	uint64_t key;
	struct span address; /* as /proc writes it */
	uint64_t ports;
};
typedef VEC(struct peer) peer_vec;

static bool port_of(struct span address, uint64_t *ret)
{
	struct span before;

	return span_until(&address, ':', &before) && span_hex(address, ret);
}

static int count_line(struct span line, unsigned low, unsigned high, struct map *known, peer_vec *peers)
{
	struct span number, local, remote;
	uint64_t port, remote_port;

	if (!span_word(&line, &number) || !span_word(&line, &local) || !span_word(&line, &remote) ||
	    !port_of(local, &port) || !port_of(remote, &remote_port) || remote_port == 0 || port < low || port > high)
		return 0;
	uint64_t key = map_hash(remote.p, remote.n);
	uint32_t at = map_get(known, key);
	if (at == MAP_NONE) {
		struct peer *p = vec_push(peers);
		if (!p)
			return -ENOMEM;
		*p = (struct peer){ key, remote, 0 };
		at = (uint32_t)(peers->n - 1);
		int r = map_set(known, key, at);
		if (r < 0)
			return r;
	}
	peers->v[at].ports++;
	return 0;
}

static void format_peer(struct span address, char *ret, size_t size)
{
	char text[INET6_ADDRSTRLEN] = "?";
	struct span hex;
	uint32_t words[4] = { 0 };
	uint64_t v, port;

	*ret = '\0';
	if (!port_of(address, &port) || !span_until(&address, ':', &hex) || (hex.n != 8 && hex.n != 32))
		return;
	for (size_t i = 0; i < hex.n / 8; i++)
		if (span_hex((struct span){ hex.p + 8 * i, 8 }, &v))
			words[i] = (uint32_t)v;
	inet_ntop(hex.n == 32 ? AF_INET6 : AF_INET, words, text, sizeof text);
	snprintf(ret, size, hex.n == 32 ? "[%s]:%u" : "%s:%u", text, (unsigned)port);
}

int port_use_parse(struct span tcp, struct span tcp6, unsigned low, unsigned high, struct port_use *ret)
{
	cleanup(map_deinit) struct map known = { 0 };
	struct span texts[] = { tcp, tcp6 }, line;
	struct port_use use = { "", 0 };
	peer_vec peers = { 0 };
	int r = 0;

	for (size_t i = 0; i < 2; i++)
		while (r == 0 && span_line(&texts[i], &line))
			r = count_line(line, low, high, &known, &peers);
	vec_each(p, &peers)
		if (p->ports > use.ports) {
			use.ports = p->ports;
			format_peer(p->address, use.peer, sizeof use.peer);
		}
	vec_free(&peers);
	if (r == 0)
		*ret = use;
	return r;
}

reading nth_number(struct span text, unsigned i)
{
	struct span word;
	uint64_t v;

	for (unsigned n = 0; n <= i; n++) {
		while (text.n && (text.p[0] == '\n' || text.p[0] == ' ' || text.p[0] == '\t'))
			text.p++, text.n--;
		if (!span_word(&text, &word))
			return READING_MALFORMED;
	}
	word = span_trim(word);
	/* What stands for no limit may pass 63 bits. */
	return span_u64(word, &v) ? (reading_ok(v) ? v : UINT64_MAX / 2) : READING_MALFORMED;
}
