/* Counters of protocols, sockets and connection tracking. */
#include "source/network/mib.h"

#include <errno.h>

#include "base/check.h"
#include "source/network/conntrack.h"
#include "source/network/socket_counts.h"

static void test_mib(void)
{
	struct mib m = { 0 }, later = { 0 };

	CHECK(mib_parse(SPAN("Ip: Forwarding InReceives\nIp: 1 500\nTcp: RtoMin MaxConn ActiveOpens CurrEstab\n"
			     "Tcp: 200 -1 17 3\nTcpExt: A B\nUdp: X\nTcpExt: 1\nUdp: 2 3\n"), &m) == 0);
	CHECK(mib_parse_snmp6(SPAN("Ip6InReceives  \t 12\nbroken\nUdp6InErrors x\n"), &m) == 0);
	CHECK(mib_index(&m) == 0);
	CHECK_U64(mib_get(&m, "Ip.InReceives"), 500);
	CHECK_U64(mib_get(&m, "Tcp.ActiveOpens"), 17);
	CHECK_U64(mib_get(&m, "Tcp.MaxConn"), READING_MALFORMED);
	CHECK_U64(mib_get(&m, "Ip6InReceives"), 12);
	CHECK_U64(mib_get(&m, "Udp6InErrors"), READING_MALFORMED);
	CHECK_U64(mib_get(&m, "Tcp.Nothing"), READING_ABSENT);
	CHECK_U64(mib_get(&m, ""), READING_ABSENT);
	/* Names without values of their own are no counters. */
	CHECK_U64(mib_get(&m, "TcpExt.A"), READING_ABSENT);
	for (size_t i = 0; i < m.counters.n; i++)
		if (strcmp(m.counters.v[i].name, "Tcp.CurrEstab") == 0)
			CHECK(m.counters.v[i].is_gauge);
	CHECK(mib_parse(SPAN("Tcp: ActiveOpens\nTcp: 20\n"), &later) == 0 && mib_index(&later) == 0);
	CHECK_U64(mib_growth(&m, &later, "Tcp.ActiveOpens"), 3);
	CHECK_U64(mib_growth(NULL, &later, "Tcp.ActiveOpens"), 20);
	CHECK_U64(mib_growth(&later, &m, "Tcp.ActiveOpens"), READING_MALFORMED);
	mib_deinit(&m);
	mib_deinit(&later);
}

static void test_counts(void)
{
	socket_count_vec c = { 0 };

	CHECK(socket_counts_parse(SPAN(""), &c) == -EBADMSG);
	CHECK(socket_counts_parse(SPAN("protocol  size sockets  memory press maxhdr  slab module\n"
				       "UNIX-STREAM 1152  30      -1   NI       0   yes  kernel\n"
				       "UNIX      1152      2      -1   NI       0   yes  kernel\n"
				       "UDPv6     1472      1       5   NI       0   yes  kernel\n"
				       "TCPv6     2432      4      69   yes    192   yes  kernel\n"
				       "TCP       2304      6      69   yes    192   yes  kernel\n"
				       "WEIRD 1\n"
				       "NEWPROTO  10       8      -1   NI       0   yes  x\n"), &c) == 0);
	CHECK_U64(c.n, 4);
	CHECK_STR(c.v[0].protocol, "unix");
	CHECK_U64(c.v[0].sockets, 32);
	CHECK_U64(c.v[0].ipv4, READING_ABSENT);
	CHECK_U64(c.v[0].memory_pages, READING_ABSENT);
	CHECK_STR(c.v[2].protocol, "tcp");
	CHECK_U64(c.v[2].sockets, 10);
	CHECK_U64(c.v[2].ipv4, 6);
	CHECK_U64(c.v[2].ipv6, 4);
	CHECK_U64(c.v[2].memory_pages, 69);
	CHECK(c.v[2].pressed && !c.v[0].pressed);
	CHECK_STR(c.v[3].protocol, "newproto");
	CHECK(socket_counts_parse_frag(SPAN("sockets: used 16\nFRAG: inuse 3 memory 12\n"), SPAN("FRAG6: inuse 2 memory 0\n"), &c) == 0);
	CHECK_STR(c.v[4].protocol, "frag");
	CHECK_U64(c.v[4].sockets, 5);
	vec_free(&c);
}

static void test_conntrack(void)
{
	struct conntrack c;

	conntrack_parse(SPAN("entries  clashres insert_failed drop early_drop\n"
			     "00000010 00000000 00000001 0000000a 00000003\n"
			     "00000010 00000000 00000002 00000006\n"), &c);
	CHECK_U64(c.insert_failed, 3);
	CHECK_U64(c.dropped, 16);
	CHECK_U64(c.early_dropped, 3); /* the second line is cut */
	conntrack_parse(SPAN("entries\n10\n"), &c);
	CHECK_U64(c.dropped, READING_ABSENT);
	conntrack_parse(SPAN("drop\nzz\n"), &c);
	CHECK_U64(c.dropped, READING_MALFORMED);
	conntrack_parse(SPAN(""), &c);
	CHECK_U64(c.dropped, READING_ABSENT);
}

int main(void)
{
	test_mib();
	test_counts();
	test_conntrack();
	return check_exit();
}
